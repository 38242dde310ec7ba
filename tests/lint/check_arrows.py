#!/usr/bin/python3
"""Includes point downwards only, and never between folders of the same level.

The tree is the architecture: what a folder may include is written here, and nowhere
else. Includes are spelled from src/. A .c file includes its own header first (or the one
that shares its inside with its neighbours, x_inside.h, which includes it).
"""

import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "net": {"base"},
    "codec": {"base"},
    "device": {"base"},
    "store": {"base"},
    "mailbox": {"base", "store"},
    "journal": {"base", "store"},
    "ledger": {"base", "store"},
    # the words of their enums, and what a declared framing is
    "config": {"base", "codec/ttms.h", "codec/frame.h", "codec/device.h",
               "codec/profile.h", "device/presence.h", "device/ticket.h"},
    "supervisor": {"base"},
    "relay": {"base", "net", "device", "mailbox", "journal", "config"},
    "command": {"base", "net", "device", "journal", "ledger", "relay"},
    "session": {"base", "net", "codec", "device", "journal", "ledger", "config", "relay",
                "command"},
    "service": {"base", "net", "codec", "relay/session.h", "relay/view.h"},
    "http": {"base", "net", "codec", "device", "mailbox", "journal", "ledger",
             "config", "relay", "command", "session", "service"},
    "worker": {"base", "net", "codec", "mailbox", "journal", "ledger", "config", "relay",
               "command", "session", "service", "http",
               "supervisor/crash.h", "supervisor/supervisor.h", "supervisor/vital.h"},
    "library": {"base", "net", "codec", "service", "supervisor/sockets.h"},
    "cli": {"base", "codec/ttms.h", "config", "mailbox", "store"},
}
MAIN = set(MAY_INCLUDE)  # main.c and its neighbours directly in src/ join everything

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def problems_of(path, src):
    name = path.relative_to(src)
    folder = name.parts[0] if len(name.parts) > 1 else None
    allowed = MAY_INCLUDE.get(folder) if folder else MAIN
    if allowed is None:
        yield f"{path}: folder {folder} is not in the table of {sys.argv[0]}"
        return
    included = INCLUDE.findall(path.read_text(encoding="utf-8"))
    for target in included:
        other = target.split("/")[0]
        if other == "holdfast":  # public headers, under include/
            if not (src.parent / "include" / target).is_file():
                yield f"{path}: there is no include/{target}"
        elif not (src / target).is_file():
            yield f"{path}: \"{target}\" is not spelled from src/"
        elif "/" in target and other != folder and not {other, target} & allowed:
            yield f"{path}: {folder} may not include {target}"
        elif "/" not in target and folder:
            yield f"{path}: {folder} may not include {target}, which stands above it"
    own = name.with_suffix("").as_posix()
    if path.suffix == ".c" and (src / (own + ".h")).is_file() and \
            included[:1] not in ([own + ".h"], [own + "_inside.h"]):
        yield f"{path}: does not include its own header first"


def main():
    src = pathlib.Path("src")
    found = [p for path in sorted(src.rglob("*.[ch]")) for p in problems_of(path, src)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
