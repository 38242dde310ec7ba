"""Commands over HTTP, beside a raw round trip, a bare relay, and NATS request/reply."""

import json
import subprocess

from . import load, machine, report, servers

ADDED_BAR_US = 100.0
CALLERS = (1, 50, 500)
QUICK_CALLERS = (1, 50)

# Wire of bench/callers, the server that speaks it, and what to call it.
KINDS = [
    ("raw", servers.AnswersFloor, "raw round trip"),
    ("relay", servers.Floor, "bare relay"),
    ("nats", servers.Nats, "nats"),
    ("http", servers.Commands, "holdfast"),
]


def ask(tools, wire, server, callers, seconds):
    done = subprocess.run(
        [tools.program("callers"), wire, str(server.port),
         str(getattr(server, "device_port", server.port)), str(callers), str(seconds),
         str(server.process.pid)],
        capture_output=True, text=True, preexec_fn=machine.pinned(machine.LOAD_CORE))
    if not done.stdout:
        raise servers.Broken(f"{server.name}: {done.stderr.strip()}")
    if done.returncode != 0:
        load.troubles.append((server.name, f"commands: {done.stderr.strip()}"))
    return json.loads(done.stdout)


def present(tools):
    return [kind for kind in KINDS if kind[1](tools).program()]


def measure(tools, options, callers):
    samples = {name: [] for _, _, name in present(tools)}
    for number in range(options.rounds):
        for wire, kind, name in present(tools):
            report.progress(f"{callers} callers: {name}, round {number + 1}")
            with kind(tools) as server:
                samples[name].append(ask(tools, wire, server, callers, options.seconds))
    return samples


def middle(runs, key):
    return load.median([run[key] for run in runs])


def run(tools, options, bars):
    report.heading(f"Commands: a caller asks, its device answers, {options.rounds} rounds of "
                   f"{options.seconds} s, medians")
    table = report.Table(("callers", 8), ("through", 15), ("calls/s", 10), ("+-", 5),
                         ("CPU us", 8), ("p50 us", 9), ("p99 us", 9), left=2,
                         plot="p50 us")
    everything = []
    for callers in QUICK_CALLERS if options.quick else CALLERS:
        samples = measure(tools, options, callers)
        first = callers
        for name, runs in samples.items():
            rates = [run["answered"] / run["seconds"] for run in runs]
            cpu_ns = [run["server_ns"] / max(run["answered"], 1) for run in runs]
            table.row(first, name, report.count(load.median(rates)),
                      report.percent(load.spread(rates)),
                      f"{load.median(cpu_ns) / 1e3:.1f}",
                      f"{middle(runs, 'p50_ns') / 1e3:.0f}",
                      f"{middle(runs, 'p99_ns') / 1e3:.0f}")
            first = ""
        everything.append({"callers": callers, "samples": samples})
    alone = everything[0]["samples"]
    added = (middle(alone["holdfast"], "p50_ns") - middle(alone["raw round trip"], "p50_ns"))
    bars.at_most("commands: us added at the median to a raw round trip", added / 1e3,
                 ADDED_BAR_US)
    return everything
