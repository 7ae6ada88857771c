#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shape of a C tree: file, function, header and comment figures, one row a tree.

usage: hack/code_shape.py [--long N] [--exclude REGEX] [--tsv] NAME=DIR[,DIR...] ...

Function lengths come from Universal Ctags (kind f, lines start..end, both
braces' lines counted).  Tests, vendored and generated files are left out by
path (see SKIP) and counted nowhere.  --long N also lists each tree's N longest
functions and files.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

SKIP = re.compile(r'(^|/)(tests?|t|testing|regress|deps|vendor|third_party|'
                  r'contrib|examples?|fuzz(ing)?|gnulib|generated|uthash\.h|blake3)(/|$)')
LICENCE = re.compile(r'copyright|spdx|licen[cs]e', re.I)


def files_of(roots, exclude):
    for root in roots:
        if os.path.isfile(root):
            yield root, os.path.basename(root)
            continue
        for dirpath, dirs, names in os.walk(root):
            dirs.sort()
            for name in sorted(names):
                path = os.path.join(dirpath, name)
                rel = os.path.relpath(path, root)
                if not name.endswith(('.c', '.h')):
                    continue
                if SKIP.search(rel) or (exclude and exclude.search(rel)):
                    continue
                if os.path.islink(path):
                    continue
                yield path, rel


def pct(values, p):
    """Nearest-rank percentile, 0 for an empty list."""
    if not values:
        return 0
    values = sorted(values)
    return values[min(len(values) - 1, max(0, -(-len(values) * p // 100) - 1))]


def functions(paths):
    out = subprocess.run(
        ['ctags', '--options=NONE', '--languages=C,C++', '--langmap=C:.c.h',
         '--kinds-C=f', '--fields=+neS', '--output-format=json', '-f', '-', '-L', '-'],
        input='\n'.join(paths), capture_output=True, text=True, errors='replace').stdout
    for line in out.splitlines():
        tag = json.loads(line)
        if tag.get('kind') == 'function' and 'end' in tag:
            yield (tag['path'], tag['name'], tag['line'], tag['end'],
                   'file' in tag or bool(tag.get('file')), tag.get('signature', ''))


def comment_stats(text):
    """Comment lines and line count, outside the licence header."""
    lines = text.splitlines()
    inside = False
    comment = 0
    for line in lines:
        s = line.strip()
        if inside:
            comment += 1
            if '*/' in s:
                inside = False
            continue
        if s.startswith('//'):
            comment += 1
        elif s.startswith('/*'):
            comment += 1
            if '*/' not in s:
                inside = True
    head = re.match(r'\s*(/\*.*?\*/\s*)', text, re.S)
    if head and LICENCE.search(head.group(1)):
        comment -= head.group(1).count('\n') + 1
    return max(comment, 0), len(lines)


def documented(lines, start):
    """Is the line right above a definition the end of a comment?"""
    i = start - 2                       # 0-based line above the name's line
    # return type, attributes or storage class on their own line
    for _ in range(3):
        if i >= 0 and lines[i].strip() and not lines[i].strip().endswith(('*/', ';', '}')) \
           and not lines[i].strip().startswith(('//', '#')):
            i -= 1
    s = lines[i].strip() if i >= 0 else ''
    return s.endswith('*/') or s.startswith('//')


def measure(name, roots, exclude, long):
    rows = list(files_of(roots, exclude))
    texts = {}
    for path, rel in rows:
        with open(path, encoding='utf-8', errors='replace') as f:
            texts[path] = f.read()
    srcs = [p for p, _ in rows if p.endswith('.c')]
    hdrs = [p for p, _ in rows if p.endswith('.h')]
    funcs = list(functions([p for p, _ in rows]))
    flen = [e - s + 1 for _, _, s, e, _, _ in funcs]
    split = {p: t.splitlines() for p, t in texts.items()}
    ndoc = sum(documented(split[p], s) for p, _, s, _, _, _ in funcs if p in split)
    static = sum(1 for p, _, s, _, _, _ in funcs
                 if any('static' in l for l in split[p][max(0, s - 3):s]))
    com = tot = over80 = over100 = goto = cleanup = tests = 0
    for p, t in texts.items():
        c, n = comment_stats(t)
        com += c
        tot += n
        for l in split[p]:
            w = len(l.expandtabs(8))
            over80 += w > 80
            over100 += w > 100
        goto += len(re.findall(r'\bgoto\s+\w+', t))
        cleanup += len(re.findall(r'\bcleanup_\w+|_cleanup_\w*|\b_cleanup_\b|g_autofree|g_autoptr', t))
    cl = [len(split[p]) for p in srcs]
    row = dict(tree=name, c_files=len(srcs), h_files=len(hdrs), lines=tot,
               file_med=int(statistics.median(cl)) if cl else 0, file_p95=pct(cl, 95),
               file_max=max(cl, default=0), funcs=len(funcs),
               fn_med=int(statistics.median(flen)) if flen else 0, fn_p90=pct(flen, 90),
               fn_p95=pct(flen, 95), fn_max=max(flen, default=0),
               fn_over60=f'{100 * sum(x > 60 for x in flen) / max(1, len(flen)):.0f}%',
               static=f'{100 * static / max(1, len(funcs)):.0f}%',
               doc=f'{100 * ndoc / max(1, len(funcs)):.0f}%',
               comment=f'{100 * com / max(1, tot):.0f}%',
               over80=f'{100 * over80 / max(1, tot):.1f}%',
               over100=f'{100 * over100 / max(1, tot):.1f}%',
               goto_per_kl=f'{1000 * goto / max(1, tot):.1f}',
               cleanup_per_kl=f'{1000 * cleanup / max(1, tot):.1f}')
    if long:
        rel = dict(rows)
        print(f'# {name}: longest functions', file=sys.stderr)
        for p, n, s, e, _, _ in sorted(funcs, key=lambda f: f[2] - f[3])[:long]:
            print(f'  {e - s + 1:5d} {rel.get(p, p)}:{n}', file=sys.stderr)
        print(f'# {name}: longest files', file=sys.stderr)
        for p in sorted(split, key=lambda p: -len(split[p]))[:long]:
            print(f'  {len(split[p]):5d} {rel.get(p, p)}', file=sys.stderr)
    return row


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--long', type=int, default=0)
    ap.add_argument('--exclude')
    ap.add_argument('--tsv', action='store_true')
    ap.add_argument('trees', nargs='+')
    a = ap.parse_args()
    exclude = re.compile(a.exclude) if a.exclude else None
    rows = []
    for tree in a.trees:
        name, _, dirs = tree.partition('=')
        rows.append(measure(name, dirs.split(','), exclude, a.long))
    keys = list(rows[0])
    if a.tsv:
        print('\t'.join(keys))
        for r in rows:
            print('\t'.join(str(r[k]) for k in keys))
        return
    width = {k: max(len(k), *(len(str(r[k])) for r in rows)) for k in keys}
    for r in [dict(zip(keys, keys))] + rows:
        print('  '.join(str(r[k]).rjust(width[k]) if k != 'tree'
                        else str(r[k]).ljust(width[k]) for k in keys))


main()
