# SPDX-License-Identifier: Apache-2.0
"""What L1 is made of: a kernel, an initramfs and a root file system, from Debian packages.

Each part lies in the cache under a hash of its inputs and is made once; a part is complete when
its name is there, since it is renamed into place.

  kernel   Debian's cloud kernel (of backports where the release's own is older), not installed:
           fetched by an apt with state of its own, so that the system's lists stay as they are
  initrd   busybox, `init`, and the modules; they are stripped, which also takes their signatures
           off: checking those costs an emulated processor more than all the rest of loading
  root     an erofs image of files of installed packages: what tests of a node call
"""
import contextlib
import fcntl
import hashlib
import inspect
import lzma
import os
import re
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))

# What makes and runs the machine; hack/install-deps vm has the same list.
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "mkfs.erofs": "erofs-utils",
    "cpio": "cpio",
    "depmod": "kmod",
    "cc": "gcc",
    "zstd": "zstd",
    "strip": "binutils",
}

KERNEL = "linux-image-cloud-amd64"
# Loaded before the template is taken, in this order, with what they depend on.
EARLY = """erofs overlay tun veth bridge br_netfilter vhost_vsock kvm_amd
    nf_tables nft_compat nft_chain_nat xt_MASQUERADE xt_comment xt_addrtype xt_conntrack xt_mark
    xt_nat xt_tcpudp xt_multiport""".split()
# Loaded after: disks are looked at when the driver comes, and a copy of the template has its own.
LATE = ["virtio_blk"]
# Loaded when the kernel asks for one.
ON_DEMAND = tuple("kernel/" + p for p in """net/netfilter/ net/ipv4/ net/ipv6/ net/bridge/ net/sched/
    net/vmw_vsock/ drivers/net/dummy drivers/net/macvlan drivers/net/ipvlan/ drivers/net/vxlan
    drivers/net/tap drivers/net/ifb drivers/net/virtio_net drivers/vhost/ drivers/block/loop
    fs/squashfs/ fs/ext4/""".split())

# With what they depend on, as far as it is installed.
ROOT_PACKAGES = """bash bats ca-certificates containernetworking-plugins coreutils crun curl
    docker-registry findutils gawk grep iproute2 iptables jq kmod mawk mount ncurses-base procps
    psmisc python3 runc sed socat sqlite3 strace tar util-linux xxd""".split()
ROOT_LEAVES_OUT = re.compile(r"/usr/share/(doc|man|locale|info|lintian|bug|zoneinfo|bash-completion"
                             r"|icons|applications|perl|gdb)/|/usr/lib/[^/]*/(perl|gconv)/"
                             r"|/usr/lib/python3/dist-packages/|/lib/systemd/system/")
# Made by packages when they were installed.
ROOT_ALSO = ["/etc/alternatives", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/protocols",
             "/etc/ssl/certs/ca-certificates.crt"]


class Failure(Exception):
    """A part cannot be made; the text says which and why."""


class Parts:
    """Paths of the complete parts."""

    def __init__(self, kernel, initrd, guest, root):
        self.kernel, self.initrd, self.guest, self.root = kernel, initrd, guest, root
        self.key = digest(kernel, initrd) # of what a template has: its disks come later


def run(*command, **kw):
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    if r.returncode != 0:
        raise Failure("%s ended with %d: %s" % (command[0], r.returncode, r.stderr.strip()[-600:]))
    return r.stdout


def digest(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def own(name):
    """Contents of a file in this folder."""
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


def recipe(*functions):
    """Source text of what makes a part: a change of it makes the part anew, and no other."""
    return "".join(inspect.getsource(f) for f in functions)


def cache():
    path = os.environ.get("BULKHEAD_CACHE", "/var/cache/bulkhead")
    os.makedirs(path, exist_ok=True)
    return path


@contextlib.contextmanager
def locked():
    """One builder at a time, whichever checkout it works for."""
    with open(os.path.join(cache(), "l1.lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def part(name, key, make):
    """The path of a part; make(path) builds a missing one under a name of its own first."""
    path = os.path.join(cache(), "l1-%s-%s" % (name, key))
    if not os.path.exists(path):
        with locked():
            if not os.path.exists(path):
                with tempfile.TemporaryDirectory(dir=cache(), prefix="l1-new.") as new:
                    made = os.path.join(new, name)
                    make(made)
                    os.rename(made, path)
    os.utime(path)
    return path


def lacking():
    """Debian packages of which the programs are missing here."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({p for tool, p in TOOLS.items() if not shutil.which(tool, path=path)})


# --- the kernel -----------------------------------------------------------------------------------


def release():
    with open("/etc/os-release", encoding="utf-8") as f:
        m = re.search(r'^VERSION_CODENAME="?([a-z]+)', f.read(), re.M)
    return m.group(1) if m else "stable"


def suite():
    return "bookworm-backports" if release() == "bookworm" else release()


def fetch(meta, into):
    """The .deb of the newest package of suite() that @meta depends on and is called after; its path."""
    for d in ("state/lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(into, d))
    uris = run("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
    base = sorted(u for u in set(uris) if "security" not in u)
    if not base:
        raise Failure("apt has no package source; run apt-get update")
    with open(os.path.join(into, "sources.list"), "w", encoding="ascii") as f:
        f.write("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n"
                % (base[0], suite()))
    open(os.path.join(into, "status"), "w", encoding="ascii").close()
    settings = []
    for key, value in (("Dir::State", "state"), ("Dir::State::status", "status"),
                       ("Dir::Cache", "cache"), ("Dir::Etc::sourcelist", "sources.list")):
        settings += ["-o", "%s=%s" % (key, os.path.join(into, value))]
    settings += ["-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=root",
                 "-o", "Acquire::Languages=none"]
    run("apt-get", *settings, "update", "-qq")
    depends = run("apt-cache", *settings, "depends", meta)
    package = re.search(r"Depends: (%s-\S+)" % re.match("linux-[a-z]+", meta).group(0), depends)
    if not package:
        raise Failure("%s of %s names no package" % (meta, suite()))
    run("apt-get", *settings, "download", "-qq", package.group(1), cwd=into)
    return next(os.path.join(into, n) for n in os.listdir(into) if n.endswith(".deb"))


def make_kernel(path):
    os.makedirs(path)
    with tempfile.TemporaryDirectory(dir=path) as work:
        run("dpkg", "-x", fetch(KERNEL, work), os.path.join(work, "tree"))
        boot = os.path.join(work, "tree/boot")
        image = next(n for n in os.listdir(boot) if n.startswith("vmlinuz-"))
        os.rename(os.path.join(boot, image), os.path.join(path, "vmlinuz"))
        os.makedirs(os.path.join(path, "lib"))
        at = "lib/modules" if os.path.isdir(os.path.join(work, "tree/lib/modules")) else "usr/lib/modules"
        os.rename(os.path.join(work, "tree", at), os.path.join(path, "lib/modules"))
    run("depmod", "-b", path, os.listdir(os.path.join(path, "lib/modules"))[0])


# --- the initramfs --------------------------------------------------------------------------------


def module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


class Modules:
    """The modules of a kernel, and which others each needs."""

    def __init__(self, kernel):
        self.version = os.listdir(os.path.join(kernel, "lib/modules"))[0]
        self.top = os.path.join(kernel, "lib/modules", self.version)
        self.needs = {}
        with open(os.path.join(self.top, "modules.dep"), encoding="utf-8") as f:
            for line in f:
                path, _, needs = line.partition(":")
                self.needs[path] = needs.split()
        self.paths = {module_name(p): p for p in self.needs}

    def order(self, names):
        """Paths in the order to load them; a name that is missing is built in."""
        out = []
        for name in names:
            path = self.paths.get(name)
            for p in list(reversed(self.needs[path])) + [path] if path else []:
                if p not in out:
                    out.append(p)
        return out

    def install(self, path, into):
        """Unpacked and stripped; returns where it lies below @into."""
        name = re.sub(r"\.ko\..*", ".ko", path)
        to = os.path.join(into, "lib/modules", self.version, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        opener = lzma.open if path.endswith(".xz") else open
        with opener(os.path.join(self.top, path), "rb") as f, open(to, "wb") as g:
            shutil.copyfileobj(f, g)
        return to


def make_guest(path):
    run("cc", "-Os", "-static", "-Wall", "-Werror", "-o", path, os.path.join(HERE, "guest.c"))


def install_modules(kernel, tree):
    m = Modules(kernel)
    wanted = m.order(EARLY + LATE)
    for path in sorted(m.needs):
        if path.startswith(ON_DEMAND):
            wanted += [p for p in m.needs[path] + [path] if p not in wanted]
    run("strip", "--strip-debug", *[m.install(p, tree) for p in wanted])
    for n in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(os.path.join(m.top, n), os.path.join(tree, "lib/modules", m.version, n))
    run("depmod", "-b", tree, m.version)
    for name, paths in (("early", m.order(EARLY)), ("late", m.order(LATE))):
        with open(os.path.join(tree, name), "w", encoding="ascii") as f:
            f.writelines("/lib/modules/%s/%s\n" % (m.version, re.sub(r"\.ko\..*", ".ko", p))
                         for p in paths)


def make_initrd(path, kernel, guest):
    with tempfile.TemporaryDirectory() as tree:
        for d in ("bin", "sbin", "dev", "proc", "sys", "payload", "base", "upper", "new"):
            os.makedirs(os.path.join(tree, d))
        shutil.copy(shutil.which("busybox"), os.path.join(tree, "bin/busybox"))
        for name in "sh mount insmod cat chroot mkdir ln sleep date stty ip".split():
            os.symlink("busybox", os.path.join(tree, "bin", name))
        os.symlink("../bin/busybox", os.path.join(tree, "sbin/modprobe"))
        shutil.copy(guest, os.path.join(tree, "bin/guest"))
        shutil.copy(os.path.join(HERE, "init"), os.path.join(tree, "init"))
        os.chmod(os.path.join(tree, "init"), 0o755)
        install_modules(kernel, tree)
        with open(path, "wb") as out:
            find = subprocess.Popen(["find", "."], cwd=tree, stdout=subprocess.PIPE)
            cpio = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree,
                                  stdin=find.stdout, stdout=out, check=False)
            if find.wait() or cpio.returncode:
                raise Failure("the initramfs cannot be packed")


# --- the root file system -------------------------------------------------------------------------


def installed():
    """Of each installed package: full name, version, names of what it depends on, whether all may
    rely on it; and which package provides a name."""
    out = {}
    text = run("dpkg-query", "-W", "-f",
               "${binary:Package}\t${Version}\t${Status}\t${Pre-Depends}, ${Depends}\t${Provides}\t"
               "${Essential}\n")
    provides = {}
    for line in text.splitlines():
        name, version, status, depends, provided, essential = line.split("\t")
        if not status.endswith(" installed"):
            continue
        plain = name.split(":")[0]
        out[plain] = (name, version, re.findall(r"(?:^|[,|])\s*([a-z0-9.+-]+)", depends),
                      essential == "yes")
        for p in re.findall(r"(?:^|,)\s*([a-z0-9.+-]+)", provided):
            provides.setdefault(p, plain)
    return out, provides


def closure(names):
    have, provides = installed()
    todo, out = list(names) + [n for n, p in have.items() if p[3]], {}
    while todo:
        name = todo.pop()
        name = name if name in have else provides.get(name)
        if name and name not in out:
            out[name] = have[name]
            todo += have[name][2]
    return {full: version for full, version, *_ in out.values()}


def root_packages():
    """The closure, remembered for as long as dpkg's status is the same file."""
    stamp = os.stat("/var/lib/dpkg/status")
    stamp = digest(str(stamp.st_mtime_ns), str(stamp.st_size), recipe(closure, installed),
                   *ROOT_PACKAGES)
    memo = os.path.join(cache(), "l1-packages")
    with contextlib.suppress(OSError, ValueError):
        with open(memo, encoding="utf-8") as f:
            first, *lines = f.read().splitlines()
        if first == stamp:
            return dict(line.split(" ") for line in lines)
    packages = closure(ROOT_PACKAGES)
    with tempfile.NamedTemporaryFile("w", dir=cache(), delete=False, encoding="utf-8") as f:
        f.write("\n".join([stamp] + ["%s %s" % p for p in sorted(packages.items())]))
    os.rename(f.name, memo)
    return packages


def copy_tree_entry(path, tree):
    """One path of this host; links stay links, what they name is on the list itself."""
    to = tree + os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if os.path.lexists(to) or not os.path.lexists(path):
        return
    if os.path.isdir(path) and not os.path.islink(path):
        os.makedirs(to)
        return
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy2(path, to, follow_symlinks=False)


def make_root(path, packages):
    paths = run("dpkg-query", "-L", *packages).splitlines()
    for also in ROOT_ALSO:
        paths.append(also)
        if os.path.isdir(also):
            paths += [os.path.join(also, n) for n in os.listdir(also)]
    with tempfile.TemporaryDirectory() as tree:
        os.chmod(tree, 0o755)
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink("/" + name):
                os.symlink(os.readlink("/" + name), os.path.join(tree, name))
                os.makedirs(os.path.join(tree, "usr", name), exist_ok=True)
        for p in paths:
            if p.startswith("/") and p != "/." and not ROOT_LEAVES_OUT.search(p):
                copy_tree_entry(p, tree)
        # Programs that only an alternative's link names: awk, iptables, nc.
        for d in ("/usr/bin", "/usr/sbin"):
            for n in os.listdir(d):
                at = os.path.join(d, n)
                if os.path.islink(at) and os.readlink(at).startswith("/etc/alternatives/"):
                    copy_tree_entry(at, tree)
        for d in ("dev", "proc", "sys", "tmp", "run", "out", "root", "var/tmp"):
            os.makedirs(os.path.join(tree, d), exist_ok=True)
        run("mkfs.erofs", "--quiet", path, tree)


def kernel_part():
    return part("kernel", digest(suite(), KERNEL, recipe(make_kernel, fetch)), make_kernel)


def build():
    """All parts, made where they are missing."""
    kernel = kernel_part()
    guest = part("guest", digest(own("guest.c"), recipe(make_guest)), make_guest)
    initrd = part("initrd", digest(kernel, guest, own("init"), *EARLY, "", *LATE, "", *ON_DEMAND,
                                  recipe(Modules, install_modules, make_initrd)),
                  lambda path: make_initrd(path, kernel, guest))
    packages = root_packages()
    root = part("root", digest(repr(sorted(packages.items())), ROOT_LEAVES_OUT.pattern, *ROOT_ALSO,
                               recipe(copy_tree_entry, make_root)),
                lambda path: make_root(path, packages))
    return Parts(kernel, initrd, guest, root)
