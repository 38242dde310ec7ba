#!/usr/bin/python3
"""clang accepts every file too, with the same warnings as errors. Needs build/."""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NOT_OF_CLANG = {"-fstack-protector-strong"}


def check(entry):
    words = shlex.split(entry["command"])
    words = words[2 if os.path.basename(words[0]) == "ccache" else 1:]
    words = [w for w in words if w not in NOT_OF_CLANG]
    return subprocess.run(
        ["clang-14", *words, "-fsyntax-only", "-Wno-unused-command-line-argument",
         "-fno-color-diagnostics"],
        cwd=entry["directory"], capture_output=True, text=True).stderr


def main():
    if not os.path.exists("build/build.ninja"):
        subprocess.run(["meson", "setup", "build"], check=True, stdout=subprocess.DEVNULL)
    with open("build/compile_commands.json", encoding="utf-8") as file:
        entries = {e["file"]: e for e in json.load(file)}.values()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = "".join(pool.map(check, entries))
    print(found, end="")
    sys.exit(1 if "error:" in found or "warning:" in found else 0)


main()
