#!/usr/bin/python3
"""Prints which lines and branches of src/ the tests reached, by folder and file.

usage: cover.py BUILD-DIRECTORY      (one made with -Db_coverage=true, after the tests)
"""

import collections
import json
import os
import pathlib
import subprocess
import sys


def reached_in(build):
    """{file: {line: (count, [count of each branch])}} over all objects."""
    files = collections.defaultdict(dict)
    data = [path.resolve() for path in pathlib.Path(build).rglob("*.gcda")]
    for path in data:
        report = subprocess.run(["gcov", "--json-format", "--stdout", "-b", path],
                                cwd=build, capture_output=True, text=True, check=True)
        for line in report.stdout.splitlines():
            for file in json.loads(line)["files"]:
                name = os.path.relpath(os.path.join(build, file["file"]))
                if not name.startswith("src/"):
                    continue
                lines = files[name]
                for at in file["lines"]:
                    branches = [b["count"] for b in at["branches"] if not b["throw"]]
                    count, before = lines.get(at["line_number"], (0, []))
                    if len(before) == len(branches):
                        branches = [a + b for a, b in zip(before, branches)]
                    lines[at["line_number"]] = (count + at["count"], branches)
    return files


def figures(lines):
    counts = [count for count, _ in lines]
    branches = [count for _, taken in lines for count in taken]
    return (sum(map(bool, counts)), len(counts), sum(map(bool, branches)), len(branches))


def show(name, reached, lines, taken, branches):
    print(f"{name:34} {reached:6}/{lines:<6} {100 * reached / max(lines, 1):5.1f} %"
          f" {taken:6}/{branches:<6} {100 * taken / max(branches, 1):5.1f} %")


def main():
    files = {name: list(lines.values()) for name, lines in reached_in(sys.argv[1]).items()}
    folders = collections.defaultdict(list)
    for name, lines in files.items():
        folders[os.path.dirname(name)].extend(lines)
    print(f"{'':34} {'lines reached':>22} {'branches taken':>22}")
    for folder in sorted(folders):
        show(folder + "/", *figures(folders[folder]))
        for name in sorted(n for n in files if os.path.dirname(n) == folder):
            show("  " + os.path.basename(name), *figures(files[name]))
    show("all", *figures([line for lines in folders.values() for line in lines]))


main()
