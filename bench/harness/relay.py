"""The same closed-loop work at every server, in turn, on one core."""

from . import load, report, servers

SHAPES = [(size, pairs, batch)
          for size in (64, 1520) for pairs in (1, 16, 200) for batch in (1, 16)]
QUICK_SHAPES = [(64, 1, 1), (64, 16, 16), (64, 200, 1), (1520, 16, 1), (1520, 16, 16)]

CPU_BAR = 1.15


def contestants(tools):
    """Installed ones as (server, True), the others as (server, False)."""
    order = [servers.Floor, servers.Holdfast] + servers.PEERS
    return [(kind, kind(tools).program() is not None) for kind in order]


def paired(samples, name, other, value):
    """Ratios round by round, so that what slows a round down slows both."""
    ours, theirs = samples.get(name), samples.get(other)
    if not ours or not theirs:
        return None
    return load.median([value(a) / value(b) for a, b in zip(ours, theirs)])


def measure_shape(tools, shape, options, present):
    """{name: [Sample, one per round]}; the servers alternate."""
    size, pairs, batch = shape
    samples = {kind.name: [] for kind in present}
    for round_number in range(options.rounds):
        for kind in present:
            report.progress(f"{report.shape(*shape)}: {kind.name}, "
                            f"round {round_number + 1} of {options.rounds}")
            with kind(tools) as server:
                samples[kind.name].append(load.run(
                    tools, server, size=size, pairs=pairs, batch=batch,
                    seconds=options.seconds))
    return samples


def summary(samples, name):
    runs = samples[name]
    return {
        "rate": load.median([s.rate for s in runs]),
        "rate spread": load.spread([s.rate for s in runs]),
        "cpu_us": load.median([s.cpu_us for s in runs]),
        "cpu spread": load.spread([s.cpu_us for s in runs]),
        "p50_us": load.median([s.p50_us for s in runs]),
        "p99_us": load.median([s.p99_us for s in runs]),
        "busy": load.median([s.busy for s in runs]),
        "load busy": load.median([s.load_busy for s in runs]),
        "cpu/floor": paired(samples, name, "floor", lambda s: s.cpu_us),
        "rate/nats": paired(samples, name, "nats", lambda s: s.rate),
        "rate/redis": paired(samples, name, "redis", lambda s: s.rate),
    }


def print_shape(table, shape, results, absent):
    label = report.shape(*shape)
    for name, r in results.items():
        table.row(label, name, report.count(r["rate"]), report.percent(r["rate spread"]),
                  f"{r['cpu_us']:.2f}", report.percent(r["cpu spread"]),
                  report.ratio(r["cpu/floor"]), report.ratio(r["rate/nats"]),
                  report.ratio(r["rate/redis"]), f"{r['p50_us']:.0f}",
                  f"{r['p99_us']:.0f}", report.percent(r["busy"]),
                  report.percent(r["load busy"]))
        label = ""
    for kind in absent:
        table.row("", kind.name, "not installed")


def check_bars(bars, shape, results):
    where = report.shape(*shape) + ": "
    ours = results["holdfast"]
    bars.at_most(where + "CPU / floor", ours["cpu/floor"], CPU_BAR)
    for peer in ("nats", "redis"):
        if ours[f"rate/{peer}"] is not None:
            bars.at_least(where + f"rate / {peer}", ours[f"rate/{peer}"], 1.0)


def run(tools, options, bars):
    found = contestants(tools)
    present = [kind for kind, there in found if there]
    absent = [kind for kind, there in found if not there]
    report.heading(f"Relay: closed loop, {options.rounds} rounds of {options.seconds} s, "
                   "medians; ratios are medians of the rounds' ratios")
    table = report.Table(
        ("shape", 31), ("server", 9), ("msg/s", 13), ("+-", 5), ("CPU us", 6),
        ("+-", 5), ("/floor", 6), ("/nats", 6), ("/redis", 6), ("p50 us", 6),
        ("p99 us", 6), ("core", 5), ("load", 5), left=2, plot="CPU us")
    everything = []
    for shape in QUICK_SHAPES if options.quick else SHAPES:
        samples = measure_shape(tools, shape, options, present)
        results = {kind.name: summary(samples, kind.name) for kind in present}
        print_shape(table, shape, results, absent)
        check_bars(bars, shape, results)
        everything.append({"size": shape[0], "pairs": shape[1], "batch": shape[2],
                           "servers": results})
    return everything
