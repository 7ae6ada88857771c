# SPDX-License-Identifier: Apache-2.0
"""The host's side of the vsock checks: vsock_host.py PATH.  PATH is the device's socket; the
file "pid" tells the VMM's process.

It serves port 60 for the guest, then uses the guest's ports (guest/vsock.c); a line for each thing
that was right.
"""
import os
import socket
import sys
import threading
import time

PATH = sys.argv[1]
MIB = 1 << 20


def pattern(n):
    return bytes((i * 7 + (i >> 12)) & 0xFF for i in range(n))


def client(first_line):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(400)
    s.connect(PATH)
    s.sendall(first_line)
    return s


def line(s):
    got = b""
    while not got.endswith(b"\n"):
        try:
            c = s.recv(1)
        except ConnectionResetError: # they have not read all that we said
            c = b""
        if not c:
            break
        got += c
    return got


def connect(port):
    s = client(b"CONNECT %d\n" % port)
    answer = line(s)
    assert answer.startswith(b"OK ") and answer.endswith(b"\n"), answer
    return s


def everything(s):
    parts = []
    while True:
        part = s.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def exactly(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        assert part, (len(got), n)
        got += part
    return got


def serve_60():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(PATH + "_60")
        listener.listen()
        listener.settimeout(400)
        print("serving", flush=True)
        s, _ = listener.accept()
    s.settimeout(400)
    got = everything(s) # up to the guest's half of the close
    assert got == pattern(MIB), (len(got), got[:20])
    s.sendall(got[:300000])
    s.close()
    print("the guest's MiB came whole")


def echo(s, data):
    """A thread sends, we read: more than both windows is under way."""
    def send():
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=send)
    t.start()
    got = everything(s)
    t.join()
    s.close()
    return got


def refused(first_line):
    with client(first_line) as s:
        assert line(s) == b"", first_line


def many(n):
    held = [connect(52) for _ in range(n)]
    for i, s in enumerate(held):
        s.sendall(b"%d;" % i)
    for i, s in enumerate(held):
        assert exactly(s, len(b"%d;" % i)) == b"%d;" % i
        s.close()


def flood():
    """It sends what nobody reads: stopped by its window; then we go away in the middle."""
    s = connect(53)
    time.sleep(1)
    assert exactly(s, MIB) == b"f" * MIB
    s.close()


def nobody_reads():
    s = connect(54)
    s.setblocking(False)
    sent = 0
    last = time.monotonic()
    while time.monotonic() < last + 2: # the guest's window, ours, the sockets': no more
        try:
            sent += s.send(b"x" * 65536)
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)
        assert sent < 4 * MIB
    s.close()


def descriptors():
    with open("pid", encoding="ascii") as f:
        return len(os.listdir("/proc/%s/fd" % f.read().strip()))


def settled(want):
    for _ in range(200):
        if descriptors() <= want:
            return
        time.sleep(0.1)
    raise AssertionError("%d descriptors, %d before" % (descriptors(), want))


serve_60()
base = descriptors()
data = pattern(300000)
assert echo(connect(52), data) == data
print("300000 bytes came back")
with client(b"connect 52\nhello") as early: # the bytes behind the line are the guest's
    assert line(early).startswith(b"OK ")
    assert exactly(early, 5) == b"hello"
print("bytes behind the line came back")
for bad in (b"CONNECT 99\n", b"HELLO 52\n", b"CONNECT x\n", b"CONNECT 4294967296\n", b"C" * 40):
    refused(bad)
print("five were refused")
many(100)
print("a hundred at once")
flood()
nobody_reads()
assert echo(connect(52), data[:1000]) == data[:1000]
print("still served after a flood")
settled(base)
print("nothing is left open")
