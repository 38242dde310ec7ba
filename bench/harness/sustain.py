"""1520-byte frames back to back, as fast as one sender can write them, none lost."""

from . import load, report, servers

SIZE = 1520
FRAMES_PER_WRITE = 40  # 60 kB
FULL_S, QUICK_S = 60.0, 5.0


def run(tools, options, bars):
    seconds = QUICK_S if options.quick else FULL_S
    report.heading(f"Sustained: {SIZE}-byte frames back to back for {seconds:.0f} s, "
                   "one sender without a window")
    table = report.Table(("server", 10), ("sent", 14), ("received", 14), ("wrong", 6),
                         ("msg/s", 12), ("Gbit/s", 7), ("CPU us", 7), ("p99 us", 8),
                         plot="msg/s")
    everything = {}
    for kind in (servers.Floor, servers.Holdfast):
        report.progress(kind.name)
        with kind(tools) as server:
            sample = load.run(tools, server, size=SIZE, pairs=1, batch=FRAMES_PER_WRITE,
                              window=0, seconds=seconds)
        raw = sample.raw
        wrong = raw["disorder"] + raw["damaged"]
        table.row(kind.name, report.count(raw["sent"]), report.count(raw["received"]),
                  wrong, report.count(sample.rate), f"{sample.rate * SIZE * 8 / 1e9:.2f}",
                  f"{sample.cpu_us:.2f}", f"{sample.p99_us:.0f}")
        everything[kind.name] = raw
    ours = everything["holdfast"]
    bars.at_most(f"{SIZE} B for {seconds:.0f} s: lost, damaged or out of order",
                 ours["sent"] - ours["received"] + ours["disorder"] + ours["damaged"], 0)
    return everything
