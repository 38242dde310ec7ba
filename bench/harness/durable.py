"""Durable messages: the mailbox by itself beside LMDB alone and an append-only log that
sync as many messages at once, then the whole gateway with `durability: all`."""

import json
import subprocess
import tempfile

from . import load, machine, report, servers

SIZES = (64, 1520)
UNDER_WAY = (512, 8192)  # about half of them go into one commit
LMDB_BAR = 0.9
PAIRS, WINDOW = 200, 16


def run_store(tools, program, core, **options):
    """One of our store programs in an empty directory."""
    with tempfile.TemporaryDirectory(dir=tools.scratch) as where:
        command = [tools.program(program), "--dir", where]
        for key, value in options.items():
            command += ["--" + key, str(value)]
        done = subprocess.run(command, capture_output=True, text=True,
                              preexec_fn=machine.pinned(core))
    if done.returncode != 0:
        raise servers.Broken(f"{program}: {done.stderr.strip()}")
    raw = json.loads(done.stdout)
    return {"rate": raw["messages"] / raw["seconds"],
            "cpu_us": raw["cpu_ns"] / max(raw["messages"], 1) / 1e3,
            "batch": raw["messages"] / max(raw["batches"], 1)}


def measure(tools, options, size, under_way, core):
    """{name: [one result per round]}; the floors get the mailbox's own batch size."""
    found = {"mailbox": [], "lmdb alone": [], "log": []}
    for number in range(options.rounds):
        report.progress(f"{size} B, {under_way} under way, round {number + 1}")
        ours = run_store(tools, "mailbox_bench", core, size=size, batch=under_way,
                         seconds=options.seconds)
        batch = max(1, round(ours["batch"]))
        found["mailbox"].append(ours)
        for name, program in (("lmdb alone", "lmdb_floor"), ("log", "log_floor")):
            found[name].append(run_store(tools, program, core, size=size, batch=batch,
                                         seconds=options.seconds))
    return found


def ratio(found, name, other):
    return load.median([a["rate"] / b["rate"]
                        for a, b in zip(found[name], found[other])])


def stores(tools, options, bars, table):
    everything = []
    for core, cores in ((None, "all cores"), (machine.SERVER_CORE, "one core")):
        for size in SIZES:
            for under_way in UNDER_WAY:
                found = measure(tools, options, size, under_way, core)
                label = f"{size} B, {under_way} under way, {cores}"
                result = {"size": size, "under_way": under_way, "cores": cores}
                for name, runs in found.items():
                    row = {key: load.median([r[key] for r in runs])
                           for key in ("rate", "cpu_us", "batch")}
                    row["spread"] = load.spread([r["rate"] for r in runs])
                    row["/lmdb"] = ratio(found, name, "lmdb alone")
                    row["/log"] = ratio(found, name, "log")
                    result[name] = row
                    table.row(label, name, report.count(row["rate"]),
                              report.percent(row["spread"]), f"{row['cpu_us']:.2f}",
                              f"{row['batch']:.0f}", report.ratio(row["/lmdb"]),
                              report.ratio(row["/log"]))
                    label = ""
                if core is None:
                    bars.at_least(f"durable, {size} B, {under_way} under way: rate / LMDB",
                                  result["mailbox"]["/lmdb"], LMDB_BAR)
                everything.append(result)
    return everything


def gateway(tools, options, table):
    """Through sockets, on all cores but the load's share of them."""
    everything = []
    for size in SIZES:
        samples = []
        for _ in range(options.rounds):
            report.progress(f"{size} B, gateway with durability: all")
            with servers.Holdfast(tools, durability="all", core=None) as server:
                samples.append(load.run(tools, server, size=size, pairs=PAIRS, batch=1,
                                        window=WINDOW, seconds=options.seconds))
        rate = load.median([s.rate for s in samples])
        cpu = load.median([s.cpu_us for s in samples])
        table.row(f"{size} B, {PAIRS * WINDOW} under way, sockets", "gateway",
                  report.count(rate), report.percent(load.spread([s.rate for s in samples])),
                  f"{cpu:.2f}")
        everything.append({"size": size, "gateway": rate, "cpu_us": cpu})
    return everything


def run(tools, options, bars):
    report.heading("Durable: what is synced before it counts, removed when delivered")
    table = report.Table(("shape", 34), ("store", 10), ("msg/s", 12), ("+-", 5),
                         ("CPU us", 7), ("batch", 7), ("/lmdb", 6), ("/log", 6), left=2,
                         plot="msg/s")
    found = stores(tools, options, bars, table)
    return found + gateway(tools, options, table)
