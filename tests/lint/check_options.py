#!/usr/bin/python3
"""Every option that a program's --help names is in its page. Needs build/.

(That every setting is in etc/holdfast.yaml and the manual is a unit test: `reference`.)
"""

import pathlib
import re
import subprocess
import sys

PAGES = {
    ("holdfast",): "docs/man/holdfast.8",
    ("holdfast", "ls"): "docs/man/holdfast.8",
    ("holdfast", "show"): "docs/man/holdfast.8",
    ("holdfast", "watch"): "docs/man/holdfast.8",
    ("holdfast", "send"): "docs/man/holdfast.8",
    ("holdfast", "ticket"): "docs/man/holdfast.8",
    ("holdfast", "kick"): "docs/man/holdfast.8",
    ("holdfast", "mail"): "docs/man/holdfast.8",
    ("holdfast", "selftest"): "docs/man/holdfast.8",
    ("holdfast-sim", "requests"): "docs/simulator.md",
    ("holdfast-sim", "terminals"): "docs/simulator.md",
    ("holdfast-sim", "heartbeats"): "docs/simulator.md",
}


def main():
    found = []
    for command, page in PAGES.items():
        program = pathlib.Path("build", command[0])
        if not program.exists():
            found.append(f"{program} is not built: run ./test first")
            continue
        text = subprocess.run([program, *command[1:], "--help"],
                              capture_output=True, text=True, check=True).stdout
        described = pathlib.Path(page).read_text(encoding="utf-8").replace("\\-", "-")
        for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))):
            if not re.search(re.escape(option) + r"(?![\w-])", described):
                found.append(f"{page}: does not mention `{' '.join(command)} {option}`")
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
