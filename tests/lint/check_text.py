#!/usr/bin/python3
"""Small things that a reader stumbles over, in every text file of the tree.

No trailing blanks, no tabs in C, a newline at the end, headers with `#pragma once` and a
story, C lines within 88 columns, nothing left to do.
"""

import os
import re
import sys

LEFT_OUT = re.compile(r"build|\.git$|__pycache__|\.?cache|corpus$|holdfast-data")
UNFINISHED = tuple(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X:")))


def problems_of(path, text):
    is_c = path.endswith((".c", ".h"))
    if not text.endswith("\n"):
        yield f"{path}: no newline at its end"
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        if line != line.rstrip() and not path.endswith(".md"):
            yield f"{where}: blanks at the end of the line"
        if is_c and "\t" in line:
            yield f"{where}: a tab"
        if is_c and len(line) > 88 and '"' not in line:
            yield f"{where}: longer than 88 columns"
        if any(word in line for word in UNFINISHED):
            yield f"{where}: unfinished: {line.strip()}"
    if path.endswith(".h"):
        if "#pragma once" not in text:
            yield f"{path}: no #pragma once"
        if not text.startswith("/* " + path.rsplit("/", 1)[-1] + " - "):
            yield f"{path}: does not begin with its story"


def text_files():
    for folder, inner, names in os.walk("."):
        inner[:] = [name for name in inner if not LEFT_OUT.match(name)]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name))
            try:
                with open(path, encoding="utf-8") as file:
                    yield path, file.read()
            except UnicodeDecodeError:
                continue  # binary


def main():
    found = []
    for path, text in sorted(text_files()):
        if text and path != "LICENSE":
            found.extend(problems_of(path, text))
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
