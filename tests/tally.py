#!/usr/bin/python3
"""Reads a suite's report; prints its failures, then `passed failed [note]`.

usage: tally.py meson|pytest REPORT LOG SKIPPED

Adds a line to the file SKIPPED for each test that was skipped: why.

Counts single test cases, not test programs: cmocka writes TAP when asked to by
CMOCKA_MESSAGE_OUTPUT=tap; a program without TAP output is one case. A report that is
missing counts as one failure, and the end of the log is shown instead; but a suite may be
empty.
"""

import json
import re
import sys
import xml.etree.ElementTree as xml

SHOWN_LINES = 30


def show(name, text):
    print(f"  FAILED {name}")
    for line in text.strip().splitlines()[-SHOWN_LINES:]:
        print(f"    {line}")


def meson(report):
    passed = failed = 0
    skipped = []
    for line in report:
        test = json.loads(line)
        output = test.get("stdout", "")
        good = len(re.findall(r"^ok ", output, re.M))
        bad = len(re.findall(r"^not ok ", output, re.M))
        is_tap = re.search(r"^1\.\.\d+$", output, re.M)
        if test["result"] == "OK":
            passed += good if is_tap else 1
            continue
        if test["result"] == "SKIP":
            skipped.append(test["name"])
            continue
        passed += good
        failed += max(bad, 1)
        lines = [l for l in output.splitlines() if not l.startswith("ok ")]
        show(f'{test["name"]} ({test["result"]})',
             "\n".join(lines) + "\n" + test.get("stderr", ""))
    return passed, failed, skipped


def pytest(report):
    passed = failed = 0
    skipped = []
    for case in xml.parse(report).getroot().iter("testcase"):
        problems = case.findall("failure") + case.findall("error")
        if problems:
            failed += 1
            show(f'{case.get("classname")}::{case.get("name")}', problems[0].text or "")
        elif (skip := case.find("skipped")) is not None:
            skipped.append(" ".join(skip.get("message", "").split()))
        else:
            passed += 1
    return passed, failed, skipped


def main():
    kind, report_name, log_name, skipped_name = sys.argv[1:]
    try:
        with open(report_name, encoding="utf-8") as report:
            passed, failed, skipped = {"meson": meson, "pytest": pytest}[kind](report)
    except (OSError, ValueError, xml.ParseError) as problem:
        with open(log_name, encoding="utf-8", errors="replace") as log:
            text = log.read()
        passed, failed, skipped = 0, 1, []
        if "No suitable tests defined" in text:
            failed = 0
        else:
            show(str(problem), text)
    with open(skipped_name, "a", encoding="utf-8") as reasons:
        reasons.writelines(reason + "\n" for reason in skipped)
    print(passed, failed, f"{len(skipped)} skipped" if skipped else "")


main()
