# SPDX-License-Identifier: Apache-2.0
"""What a run puts into L1 and takes out of it.

In: directories, files and programs become an erofs image on a disk, which L1 lays over its root;
nothing of it is copied into the machine's memory.  Out: a disk with a tar archive on it.
"""
import os
import re
import shlex
import shutil
import subprocess
import tarfile

import parts


def split(text, default):
    """FILE[:AT]"""
    source, _, at = text.partition(":")
    at = at or (default if default else os.path.abspath(source))
    if not os.path.lexists(source):
        raise parts.Failure("no %s" % source)
    return source, at


def place(at, tree):
    """Where @at lies in @tree: /bin and its like are links in the root, which a directory here
    would hide."""
    at = os.path.abspath(at)
    top = "/" + at.split("/")[1]
    if os.path.islink(top) and top != at:
        at = os.path.join(os.path.realpath(top), at[len(top) + 1:])
    return tree + at


def put(source, at, tree, follow):
    to = place(at, tree)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy2(source, to, follow_symlinks=follow)


def put_dir(source, at, tree):
    to = os.path.join(place(at, tree), "")
    os.makedirs(to, exist_ok=True)
    # Links cost nothing, but only within a file system.
    for how in ("-alT", "-aT"):
        if subprocess.run(["cp", how, "--remove-destination", source, to], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0:
            return
    raise parts.Failure("%s cannot be copied to %s" % (source, to))


def put_program(source, at, tree):
    put(source, at, tree, True)
    r = subprocess.run(["ldd", source], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                       check=False) # a static one makes it fail
    for library in re.findall(r"(?:=> |^\s*)(/\S+) \(", r.stdout, re.M):
        put(library, library, tree, True)


def make(work, o, guest):
    """The image of options @o in directory @work; returns its path."""
    tree = os.path.join(work, "payload")
    os.makedirs(tree)
    for text in o.dir:
        put_dir(*split(text, "/"), tree)
    for text in o.file:
        put(*split(text, None), tree, True)
    for text in o.program:
        put_program(*split(text, None), tree)
    put(guest, "/.l1/guest", tree, True)
    put(os.path.join(parts.HERE, "run"), "/.l1/run", tree, True)
    with open(os.path.join(tree, ".l1/command"), "w", encoding="utf-8") as f:
        f.write(shlex.join(o.command) + "\n")
    image = os.path.join(work, "payload.erofs")
    parts.run("mkfs.erofs", "--quiet", image, tree)
    shutil.rmtree(tree)
    return image


def unpack(disk, into):
    os.makedirs(into, exist_ok=True)
    with tarfile.open(disk) as t:
        for member in t:
            if not (member.isdev() or member.name.startswith("/") or ".." in member.name.split("/")):
                t.extract(member, into)
