"""The threaded Python server that Holdfast replaces, at 1520 bytes in bursts."""

from . import load, report, servers

BURSTS = [(1, 16), (16, 16)]  # pairs, messages per write
WINDOW = 64  # bursts follow each other: the server never waits for the load
SIZE = 1520
BAR = 20.0


def run(tools, options, bars):
    report.heading(f"Against a threaded Python relay: {SIZE} B in bursts")
    table = report.Table(("shape", 31), ("server", 9), ("msg/s", 13), ("CPU us", 8),
                         ("p50 us", 8), ("/python", 8), left=2, plot="msg/s")
    everything = []
    for pairs, batch in BURSTS:
        samples = {"python": [], "holdfast": []}
        for _ in range(options.rounds):
            for kind in (servers.PythonRelay, servers.Holdfast):
                report.progress(f"{kind.name}, {pairs} pairs")
                with kind(tools) as server:
                    samples[kind.name].append(load.run(
                        tools, server, size=SIZE, pairs=pairs, batch=batch,
                        window=WINDOW, seconds=options.seconds))
        times = load.median([ours.rate / theirs.rate for ours, theirs in
                             zip(samples["holdfast"], samples["python"])])
        label = report.shape(SIZE, pairs, batch)
        for name, runs in samples.items():
            table.row(label, name, report.count(load.median([s.rate for s in runs])),
                      f"{load.median([s.cpu_us for s in runs]):.2f}",
                      f"{load.median([s.p50_us for s in runs]):.0f}",
                      report.ratio(times if name == "holdfast" else 1.0))
            label = ""
        bars.at_least(report.shape(SIZE, pairs, batch) + ": rate / python", times, BAR)
        everything.append({"pairs": pairs, "batch": batch, "rate/python": times,
                           "rates": {n: load.median([s.rate for s in runs])
                                     for n, runs in samples.items()}})
    return everything
