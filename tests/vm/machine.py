# SPDX-License-Identifier: Apache-2.0
"""QEMU without KVM: the machine, its template, one run.

A template is a booted machine that waits for its disks.  Its memory is a file that QEMU mapped
shared while it booted, so that saving it writes device state only (half a megabyte); each run
maps the same file privately and loads that state.  It is good for one QEMU, one kernel and one
set of arguments, which its name has a hash of.

One processor unless asked: while a kernel patches its own code, another emulated processor that
runs it may trip over the breakpoint; several take turns in one thread therefore.
"""
import contextlib
import json
import os
import re
import select
import shutil
import socket
import subprocess
import time

import parts

QEMU = "qemu-system-x86_64"
OUT_DISK_BYTES = 256 << 20
BOOT_LIMIT_S = 300 # on a loaded host; alone it takes 6
UNUSED_S = 14 * 86400 # parts that nobody used for so long go


def khz():
    """Of the counter that QEMU hands through: spares the kernel measuring it."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        m = re.search(r"^bogomips\s*:\s*([0-9.]+)", f.read(), re.M)
    return int(float(m.group(1)) * 500) if m else 0


class Hardware:
    """What a template and the runs from it have in common."""

    def __init__(self, built, memory_mib, cpus):
        version = parts.run(QEMU, "--version").splitlines()[0]
        major = int(re.search(r"version (\d+)", version).group(1))
        # QEMU 7 emulates cmpxchg16b so that the kernel's allocator fails; five-level page tables
        # only cost time.
        cpu = "max,-la57" if major >= 10 else "max,-la57,-cx16"
        self.memory_mib, self.root = memory_mib, built.root
        self.command_line = (
            "console=ttyS0 loglevel=4 mitigations=off nokaslr no_timer_check noreplace-smp nowatchdog "
            "random.trust_cpu=on tsc=reliable tsc_early_khz=%d panic=-1 rdinit=/init" % khz())
        self.arguments = [
            QEMU, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
            "-machine", "q35,usb=off,smbus=off,sata=off,vmport=off,hpet=off,memory-backend=ram",
            "-accel", "tcg,thread=%s" % ("multi" if cpus == 1 else "single"),
            "-cpu", cpu, "-smp", str(cpus), "-m", str(memory_mib),
            "-kernel", os.path.join(built.kernel, "vmlinuz"), "-initrd", built.initrd,
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-device", "virtio-serial-pci"]
        self.key = parts.digest(version, built.key, self.command_line, *self.arguments)

    def template(self):
        """The directory of the template, made when it is missing."""
        return parts.part("template", self.key, self.make_template)

    def make_template(self, path):
        os.makedirs(path)
        forget_unused()
        empty = os.path.join(path, "empty")
        with open(empty, "wb") as f:
            f.truncate(OUT_DISK_BYTES)
        vm = Machine(self, path, empty, None)
        try:
            vm.save(path)
        except (OSError, EOFError, parts.Failure) as e:
            raise parts.Failure("no template: %s\n%s" % (e, vm.kernel_log()[-4000:])) from e
        finally:
            vm.end()
        for name in ("empty", "out.tar", "kernel.log"):
            os.unlink(os.path.join(path, name))


def forget_unused():
    """Parts in the cache; one that is in use was touched when its run began."""
    for name in os.listdir(parts.cache()):
        path = os.path.join(parts.cache(), name)
        with contextlib.suppress(OSError):
            if name.startswith("l1-") and time.time() - os.stat(path).st_mtime > UNUSED_S:
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)


class Machine:
    """One QEMU process.  @template: a directory, or None to boot with memory in @work/ram."""

    def __init__(self, hardware, work, payload, template):
        self.template, self.work = template, work
        self.out_disk = os.path.join(work, "out.tar")
        self.failure = 125 # what l1 ends with when a run has no status
        with open(self.out_disk, "wb") as f:
            f.truncate(OUT_DISK_BYTES)
        self.ours, self.theirs = {}, {}
        for name in ("console", "control", "qmp"):
            self.ours[name], self.theirs[name] = socket.socketpair()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL"] + hardware.arguments
            + self.own_arguments(hardware, payload), stdin=subprocess.DEVNULL,
            pass_fds=[s.fileno() for s in self.theirs.values()])
        for s in self.theirs.values():
            s.close()
        self.qmp_file = self.ours["qmp"].makefile("rw")

    def own_arguments(self, hardware, payload):
        ram = os.path.join(self.template or self.work, "ram")
        a = ["-append", hardware.command_line + " l1.template",
             "-object", "memory-backend-file,id=ram,size=%dM,mem-path=%s,share=%s"
             % (hardware.memory_mib, ram, "off" if self.template else "on"),
             "-serial", "file:%s/kernel.log" % self.work,
             "-device", "virtconsole,chardev=console",
             "-device", "virtserialport,chardev=control,nr=1,name=l1.control",
             "-mon", "chardev=qmp,mode=control"]
        for name, s in self.theirs.items():
            a += ["-chardev", "socket,id=%s,fd=%d" % (name, s.fileno())]
        for name, path, how in (("root", hardware.root, "on"), ("payload", payload, "on"),
                                ("out", self.out_disk, "off")):
            a += ["-drive", "if=none,id=%s,format=raw,cache=unsafe,read-only=%s,file=%s" % (name, how, path),
                  "-device", "virtio-blk-pci,drive=%s,serial=%s" % (name, name)]
        return a + (["-incoming", "defer"] if self.template else [])

    def kernel_log(self):
        with contextlib.suppress(OSError):
            with open(os.path.join(self.work, "kernel.log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        return ""

    def end(self):
        self.process.kill()
        self.process.wait()

    # --- QEMU's own protocol ---

    def qmp(self, command, **arguments):
        self.qmp_file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp_file.flush()
        while True:
            line = self.qmp_file.readline()
            if not line:
                raise parts.Failure("QEMU ended with %s" % self.process.wait())
            answer = json.loads(line)
            if "error" in answer:
                raise parts.Failure("QEMU: %s: %s" % (command, answer["error"].get("desc")))
            if "return" in answer:
                return answer["return"]

    def qmp_begin(self):
        self.qmp("qmp_capabilities")
        self.qmp("migrate-set-capabilities",
                 capabilities=[{"capability": "x-ignore-shared", "state": True}])

    def wait_for_guest(self):
        self.ours["control"].settimeout(BOOT_LIMIT_S)
        if b"template" not in self.ours["control"].recv(64):
            raise parts.Failure("the machine did not come up")

    def save(self, into):
        self.qmp_begin()
        self.wait_for_guest()
        time.sleep(0.3) # it goes on to wait at the console
        self.qmp("stop")
        self.qmp("migrate", uri="exec:cat >'%s/state'" % into)
        while self.qmp("query-migrate").get("status") not in ("completed", "failed"):
            time.sleep(0.02)
        if self.qmp("query-migrate")["status"] != "completed":
            raise parts.Failure("QEMU could not save its state")

    def load(self):
        self.qmp_begin()
        self.qmp("migrate-incoming", uri="exec:cat '%s/state'" % self.template)
        while self.qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.003)
        self.qmp("cont")

    # --- a run ---

    def run(self, limit_s, out, step):
        """Until the machine is off.  Returns the command's status, or None when there is none."""
        deadline = time.monotonic() + limit_s
        try:
            if self.template:
                self.load()
                step("machine restored")
            else:
                self.wait_for_guest()
                step("machine booted")
            self.ours["console"].sendall(b"%d %s\n" % (time.time(), os.urandom(32).hex().encode()))
            control = self.pump(deadline, out)
        finally:
            self.end()
        m = re.search(rb"^exit (\d+)$", control, re.M)
        return int(m.group(1)) if m else None

    def pump(self, deadline, out):
        """Console to @out; returns what came on the control port."""
        console, control, said = self.ours["console"], self.ours["control"], b""
        open_ones = [console, control]
        while open_ones:
            ready, _, _ = select.select(open_ones, [], [], max(0, deadline - time.monotonic()))
            if not ready:
                self.failure = 124
                print("l1: the time is over", flush=True)
                break
            for s in ready:
                data = s.recv(65536)
                if not data:
                    open_ones.remove(s)
                elif s is control:
                    said += data
                else:
                    out.write(data)
                    out.flush()
        return said
