"""A million messages for terminals that are away: stored, kept through a kill -9, and
fetched when the terminals come; beside others, each as durable as it can be set.

A message counts as stored when the server has acknowledged it. Senders go round their
terminals, so that no terminal's messages lie together. What is fetched is compared byte
by byte; all terminals come at once."""

import json
import subprocess

from . import load, machine, mailboxes, report, servers

TERMINALS, SENDERS, WINDOW = 200, 16, 512
EACH, QUICK_EACH = 5000, 500
MOST_ROUNDS = 3  # some take minutes

# (key, what is told of it)
STEPS = (("store", "stored"), ("start", "start after kill -9"), ("fetch", "fetched"))


def post(tools, server, step, each):
    """One step of the load; what it measured, and what it complained of."""
    done = subprocess.run(
        [tools.program("letters"), server.wire, str(server.port), step, str(TERMINALS),
         str(each), str(SENDERS), str(WINDOW), str(server.process.pid)],
        capture_output=True, text=True, preexec_fn=machine.pinned(machine.LOAD_CORE))
    if step == "know" and done.returncode == 0:
        return None
    if not done.stdout:
        raise servers.Broken(f"{server.name}: {step}: {done.stderr.strip()[-400:]}")
    found = json.loads(done.stdout)
    found["cpu_us"] = found["server_ns"] / max(found["messages"], 1) / 1e3
    return found


def one_round(tools, kind, each):
    with kind(tools) as server:
        post(tools, server, "know", each)
        stored = post(tools, server, "store", each)
        server.kill()
        size = server.size()
        start_s = server.start_again()
        fetched = post(tools, server, "fetch", each)
    lost = stored["messages"] - fetched["messages"]
    if server.name == "holdfast" and (lost or fetched["wrong"]):
        load.troubles.append(("holdfast", f"stored: kill -9 lost {lost} messages, "
                              f"{fetched['wrong']} came wrong"))
    return {"store": stored["seconds"], "start": start_s, "fetch": fetched["seconds"],
            "store cpu": stored["cpu_us"], "fetch cpu": fetched["cpu_us"],
            "size": size, "lost": lost, "wrong": fetched["wrong"],
            "fetched": fetched["messages"]}


def measure(tools, rounds, each):
    kinds = [kind for kind in mailboxes.ALL if kind(tools).program()]
    samples = {kind.name: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds:
            report.progress(
                f"stored: {kind.name}, round {number + 1} of {rounds}")
            samples[kind.name].append(one_round(tools, kind, each))
    return samples


def rate(run, step, count):
    """Messages per second. What did not come back was not fetched."""
    return (run["fetched"] if step == "fetch" else count) / max(run[step], 1e-9)


def against_floor(samples, name, step, count):
    if name == "floor":
        return None
    return load.median([rate(a, step, count) / rate(b, step, count)
                        for a, b in zip(samples[name], samples["floor"])])


def show(samples, count):
    table = report.Table(("step", 20), ("server", 9), ("seconds", 8), ("msg/s", 11),
                         ("+-", 5), ("/floor", 6), ("CPU us", 7), left=2, plot="msg/s")
    for step, label in STEPS:
        for name, runs in samples.items():
            rates = [rate(run, step, count) for run in runs]
            cpu = [run[f"{step} cpu"] for run in runs if f"{step} cpu" in run]
            table.row(label, name, f"{load.median([run[step] for run in runs]):.2f}",
                      report.count(load.median(rates)),
                      report.percent(load.spread(rates)),
                      report.ratio(against_floor(samples, name, step, count)),
                      f"{load.median(cpu):.2f}" if cpu else "-")
            label = ""


def promises(samples):
    table = report.Table(("server", 9), ("MB on disk", 10), ("lost by kill -9", 15),
                         ("wrong", 6), ("  its acknowledgement means", 50))
    for kind in mailboxes.ALL:
        if kind.name in samples:
            runs = samples[kind.name]
            table.row(kind.name,
                      report.count(load.median([run["size"] for run in runs]) / 1e6),
                      report.count(max(run["lost"] for run in runs)),
                      max(run["wrong"] for run in runs), "  " + kind.safe)


def run(tools, options, _bars):
    each = QUICK_EACH if options.quick else EACH
    count = TERMINALS * each
    rounds = min(options.rounds, MOST_ROUNDS)
    report.heading(f"Stored: {report.count(count)} messages of 64 B for {TERMINALS} "
                   f"terminals that are away, {rounds} rounds, medians")
    samples = measure(tools, rounds, each)
    show(samples, count)
    report.note("What the kill -9 lost, and what an acknowledgement means:\n")
    promises(samples)
    return samples
