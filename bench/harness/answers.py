"""Requests and answers, beside a bare epoll echo with the same framing."""

import json
import os
import subprocess

from . import load, machine, report, servers

RATE_BAR = 0.9
TICK = os.sysconf("SC_CLK_TCK")

SMALL = [(64, depth, connections) for depth in (1, 16) for connections in (50, 1000)]
SHAPES = SMALL + [(4096, 1, 50), (4096, 16, 50), (8 << 20, 1, 4)]
QUICK_SHAPES = [(64, 1, 50), (64, 16, 50), (8 << 20, 1, 4)]


def label(size, depth, connections):
    unit = f"{size >> 20} MiB" if size >= 1 << 20 else f"{size} B"
    return f"{unit}, depth {depth}, {connections} connections"


def cpu_seconds(pid):
    """Of a process and all its descendants, those that are gone included."""
    ticks = 0
    for process in [pid] + machine.children_of(pid):
        try:
            with open(f"/proc/{process}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15] if process == pid else fields[11:13]))
    return ticks / TICK


def ask(tools, server, *words, core=machine.LOAD_CORE):
    """One run of the simulator; returns what it found, with our CPU time."""
    before = cpu_seconds(server.process.pid)
    done = subprocess.run(
        [os.path.join(tools.build, "holdfast-sim"), "requests", "--address",
         f"127.0.0.1:{server.port}", "--json", *words],
        capture_output=True, text=True, preexec_fn=machine.pinned(core))
    if not done.stdout:
        raise servers.Broken(f"{server.name}: {done.stderr.strip()}")
    if done.returncode != 0:
        load.troubles.append((server.name, f"answers: {done.stdout.strip()}"))
    found = json.loads(done.stdout)
    found["cpu_us"] = (cpu_seconds(server.process.pid) - before) * 1e6 / max(
        found["answered"], 1)
    return found


def measure_shape(tools, shape, options):
    size, depth, connections = shape
    kinds = (servers.AnswersFloor, servers.Answers)
    samples = {kind.name: [] for kind in kinds}
    for number in range(options.rounds):
        for kind in kinds:
            report.progress(f"{label(*shape)}: {kind.name}, round {number + 1}")
            with kind(tools) as server:
                samples[kind.name].append(ask(
                    tools, server, "--size", str(size), "--depth", str(depth),
                    "--connections", str(connections), "--time", f"{options.seconds}s"))
    return samples


def ratio(samples, key):
    pairs = zip(samples["holdfast"], samples["floor"])
    return load.median([ours[key] / theirs[key] for ours, theirs in pairs])


def compare(tools, options, bars):
    report.heading(f"Answers: echo, {options.rounds} rounds of {options.seconds} s, medians; "
                   "ratios are medians of the rounds' ratios")
    table = report.Table(("shape", 34), ("server", 9), ("answers/s", 11), ("+-", 5),
                         ("CPU us", 8), ("rate/floor", 10), ("CPU/floor", 9),
                         ("p50 us", 8), ("p99 us", 9), left=2, plot="answers/s")
    everything = []
    for shape in QUICK_SHAPES if options.quick else SHAPES:
        samples = measure_shape(tools, shape, options)
        name = label(*shape)
        for server, runs in samples.items():
            ours = server == "holdfast"
            table.row(
                name, server, report.count(load.median([r["rate"] for r in runs])),
                report.percent(load.spread([r["rate"] for r in runs])),
                f"{load.median([r['cpu_us'] for r in runs]):.2f}",
                report.ratio(ratio(samples, "rate") if ours else None),
                report.ratio(ratio(samples, "cpu_us") if ours else None),
                f"{load.median([r['latency']['p50'] for r in runs]) / 1e3:.0f}",
                f"{load.median([r['latency']['p99'] for r in runs]) / 1e3:.0f}")
            name = ""
        bars.at_least(f"{label(*shape)}: rate / floor", ratio(samples, "rate"), RATE_BAR)
        everything.append({"shape": shape, "samples": samples})
    return everything


def scale(tools, options):
    """Nobody is pinned: with two cores the load takes its share of both."""
    report.heading("One process and two, load on the same cores")
    table = report.Table(("processes", 10), ("answers/s", 12), plot="answers/s")
    found = {}
    for processes in (1, 2):
        rates = []
        for _ in range(options.rounds):
            with servers.Answers(tools, processes=processes, core=None) as server:
                rates.append(ask(tools, server, "--size", "4096", "--depth", "16",
                                 "--time", f"{options.seconds}s", core=None)["rate"])
        found[processes] = load.median(rates)
        table.row(processes, report.count(found[processes]))
    return found


def crash(tools, options):
    """A plug-in that dies of every 1,000th request it gets, in two processes."""
    report.heading("A service that crashes at every 1,000th request")
    module = tools.program("crashing.so")
    with servers.Answers(tools, processes=2, logic=module, argument="1000") as server:
        found = ask(tools, server, "--depth", "4", "--may-close",
                    "--time", f"{max(options.seconds, 2)}s")
    table = report.Table(("answered", 12), ("wrong", 7), ("closed", 8), ("unanswered", 11))
    table.row(report.count(found["answered"]), found["wrong"], found["closed"],
              found["unanswered"])
    return found


def run(tools, options, bars):
    return {"shapes": compare(tools, options, bars), "scaling": scale(tools, options),
            "crash": crash(tools, options)}
