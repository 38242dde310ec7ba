"""Connections that come and are registered: a whole fleet, and a steady coming and
going. A terminal is registered when a message to itself came back, a subscriber when its
subscription was confirmed."""

import json
import subprocess

from . import load, machine, report, servers

# (what, at a time). Those who stay are a fleet, the others come for so long.
STAY, GO = "come and stay", "come and go"
SHAPES = [(STAY, 64), (GO, 64), (GO, 1)]
FLEET, QUICK_FLEET = 15000, 2000


def present(tools):
    order = [servers.Floor, servers.Holdfast] + servers.PEERS
    return [kind for kind in order if kind(tools).program()]


def come(tools, server, what, at_a_time, options):
    fleet = QUICK_FLEET if options.quick else FLEET
    words = ("stay", fleet) if what == STAY else ("go", options.seconds)
    done = subprocess.run(
        [tools.program("newcomers"), server.wire, str(server.port), str(at_a_time),
         *map(str, words), str(server.process.pid)],
        capture_output=True, text=True, preexec_fn=machine.pinned(machine.LOAD_CORE))
    if done.returncode != 0 or not done.stdout:
        raise servers.Broken(f"{server.name}: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    found["rate"] = found["came"] / found["seconds"]
    found["cpu_us"] = found["server_ns"] / max(found["came"], 1) / 1e3
    found["load"] = found["load_ns"] / found["seconds"] / 1e9
    return found


def measure(tools, what, at_a_time, options):
    samples = {kind.name: [] for kind in present(tools)}
    for number in range(options.rounds):
        for kind in present(tools):
            report.progress(f"{what}, {at_a_time} at a time: {kind.name}, "
                            f"round {number + 1} of {options.rounds}")
            with kind(tools) as server:
                samples[kind.name].append(come(tools, server, what, at_a_time, options))
    return samples


def against(samples, name, other, key):
    """The median of the rounds' ratios; None where one of the two did not run."""
    if name == other or not samples.get(other):
        return None
    return load.median([a[key] / b[key] if b[key] else 1.0
                        for a, b in zip(samples[name], samples[other])])


def show(table, label, samples):
    for name, runs in samples.items():
        def middle(key, runs=runs):
            return load.median([run[key] for run in runs])

        table.row(label, name, report.count(middle("rate")),
                  report.percent(load.spread([run["rate"] for run in runs])),
                  f"{middle('cpu_us'):.1f}",
                  report.ratio(against(samples, name, "floor", "cpu_us")),
                  report.ratio(against(samples, name, "mosquitto", "rate")),
                  report.ratio(against(samples, name, "nats", "rate")),
                  f"{middle('p50_ns') / 1e3:.0f}", f"{middle('p99_ns') / 1e3:.0f}",
                  report.percent(middle("load")))
        label = ""


def run(tools, options, _bars):
    report.heading(f"Connect: accepted and registered, {options.rounds} rounds, "
                   "medians; ratios are medians of the rounds' ratios")
    table = report.Table(
        ("shape", 34), ("server", 9), ("per second", 10), ("+-", 5), ("CPU us", 7),
        ("/floor", 6), ("/mosquitto", 10), ("/nats", 6), ("p50 us", 8), ("p99 us", 8),
        ("load", 6), left=2, plot="per second")
    everything = []
    for what, at_a_time in SHAPES:
        label = f"{what}, {at_a_time} at a time"
        if what == STAY:
            label = f"{report.count(QUICK_FLEET if options.quick else FLEET)} {label}"
        samples = measure(tools, what, at_a_time, options)
        show(table, label, samples)
        everything.append({"shape": label, "samples": samples})
    return everything
