"""Who is alive, of a million devices: memory, the wheel, lists, the start. No sockets."""

import json
import os
import subprocess
import tempfile

from . import load, report, servers

MANY, QUICK = 1_000_000, 100_000
BAR_CPU = 0.02  # of one core
BAR_TURN_MS = 5

# (what, key, how it is printed); the order of the table
ROWS = (
    ("memory per device", "bytes", "{:.0f} B"),
    ("a device comes", "come_us", "{:.2f} us"),
    ("all heard every 10 s: a message", "heard_ns", "{:.0f} ns"),
    ("... all messages, of a core", "heard_cpu", "{:.2%}"),
    ("... the wheel, of a core", "wheel_heard_cpu", "{:.3%}"),
    ("all silent: until all left, of a core", "wheel_silent_cpu", "{:.2%}"),
    ("... and then, of a core", "wheel_left_cpu", "{:.3%}"),
    ("a page of 100", "page_100_us", "{:.1f} us"),
    ("a page of 100,000", "page_100000_ms", "{:.1f} ms"),
    ("start with the cards of all", "start_s", "{:.2f} s"),
    ("nobody came back: all closed", "not_back_s", "{:.2f} s"),
    ("longest turn while they come", "turn_come_ms", "{:.2f} ms"),
    ("... while all are heard", "turn_heard_ms", "{:.2f} ms"),
    ("... while all fall silent", "turn_silent_ms", "{:.2f} ms"),
    ("... when nobody came back", "turn_not_back_ms", "{:.2f} ms"),
)


def measure(tools, devices):
    with tempfile.TemporaryDirectory(dir=tools.scratch) as where:
        with open(os.path.join(where, "log"), "w+", encoding="utf-8") as log:
            done = subprocess.run(
                [tools.program("presence_bench"), "--dir", where,
                 "--devices", str(devices)], stdout=subprocess.PIPE, stderr=log, text=True)
            if done.returncode != 0:
                log.seek(0)
                raise servers.Broken(f"presence_bench: {log.read()[-2000:]}")
    return json.loads(done.stdout)


def run(tools, options, bars):
    devices = QUICK if options.quick else MANY
    report.heading(f"Presence: {report.count(devices)} devices, cursor rule, one shard")
    samples = []
    for number in range(min(options.rounds, 3)):
        report.progress(f"round {number + 1}")
        samples.append(measure(tools, devices))
    table = report.Table(("", 44), ("measured", 12), ("+-", 6))
    found = {}
    for what, key, form in ROWS:
        values = [s[key] for s in samples]
        found[key] = load.median(values)
        table.row(what, form.format(found[key]), report.percent(load.spread(values)))
    bars.at_most("presence: the wheel, all heard, % of a core",
                 found["wheel_heard_cpu"] * 100, BAR_CPU * 100, " %")
    bars.at_most("presence: the wheel, all silent, % of a core",
                 found["wheel_silent_cpu"] * 100, BAR_CPU * 100, " %")
    longest = max(found[key] for key in found if key.startswith("turn_"))
    bars.at_most("presence: longest turn", longest, BAR_TURN_MS, " ms")
    return found
