#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which folder may include which: check a C tree against a table of layers.

usage: hack/include_layers.py RULES [--root DIR]

RULES is a text file, one line a folder, longest path first in force:

    # folder: folders or headers it may include (its own is always allowed)
    base:
    storage: base
    cri: base storage network image runtimes/runtime.h

Only quoted includes count, and each must be a path from the root.  Prints one
line for each include that breaks a rule, is not a path from the root, or closes
a loop of folders; exits 1 when there is any.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def read_rules(path):
    rules = {}
    with open(path) as f:
        for n, line in enumerate(f, 1):
            line = line.split('#')[0].strip()
            if not line:
                continue
            folder, colon, allowed = line.partition(':')
            if not colon:
                sys.exit(f'{path}:{n}: no colon')
            rules[folder.strip().rstrip('/')] = [a.rstrip('/') for a in allowed.split()]
    return rules


def folder_of(path, rules):
    """The longest rule folder that holds PATH, or None."""
    best = None
    for folder in rules:
        if path == folder or path.startswith(folder + '/'):
            if best is None or len(folder) > len(best):
                best = folder
    return best


def tracked(root):
    out = subprocess.run(['git', '-C', root, 'ls-files', '*.c', '*.h'],
                         capture_output=True, text=True)
    if out.returncode == 0 and out.stdout:
        return out.stdout.split('\n')[:-1]
    return [os.path.relpath(os.path.join(d, f), root)
            for d, _, fs in os.walk(root) for f in fs if f.endswith(('.c', '.h'))]


def loops(edges):
    """Strongly connected folders (more than one member)."""
    index, low, stack, on, out = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for w in edges[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            group = []
            while True:
                w = stack.pop()
                on.discard(w)
                group.append(w)
                if w == v:
                    break
            if len(group) > 1:
                out.append(sorted(group))

    for v in list(edges):
        if v not in index:
            visit(v)
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('rules')
    ap.add_argument('--root', default='.')
    a = ap.parse_args()
    rules = read_rules(a.rules)
    bad = 0
    seen = 0
    edges = collections.defaultdict(set)
    for path in sorted(tracked(a.root)):
        here = folder_of(path, rules)
        if here is None:
            print(f'{path}: in no folder of {os.path.basename(a.rules)}')
            bad += 1
            continue
        with open(os.path.join(a.root, path), errors='replace') as f:
            text = f.read()
        for m in INCLUDE.finditer(text):
            target = m.group(1)
            line = text.count('\n', 0, m.start()) + 1
            seen += 1
            source = re.sub(r'\.pb-c\.h$', '.proto', target)     # what is generated
            if not os.path.exists(os.path.join(a.root, source)):
                print(f'{path}:{line}: "{target}" is no path from the root')
                bad += 1
                continue
            there = folder_of(target, rules)
            if there == here:
                continue
            if there:
                edges[here].add(there)
                edges[there]
            if not any(target == w or target.startswith(w + '/') for w in rules[here]):
                print(f'{path}:{line}: {here} may not include "{target}"')
                bad += 1
    for group in loops(edges):
        print('loop of folders: ' + ' <-> '.join(group))
        bad += 1
    print(f'{seen} includes, {bad} faults', file=sys.stderr)
    return 1 if bad else 0


sys.exit(main())
