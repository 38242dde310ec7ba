"""What an idle registered terminal costs us: memory, and the time to come in.

The terminals register, get one message each, and fall silent. Counted is what the
gateway's processes alone have written (Private_Dirty), so not the kernel's sockets; and
what it grows by from a few terminals to many, so not what any first one costs."""

import json
import subprocess
import time

from . import load, machine, report, servers

FEW, MANY = 1000, 15000
BAR_BYTES = 400
SETTLE_S = 30


def settled(server):
    """The memory when it no longer shrinks: an allocator gives back with a delay."""
    deadline = time.monotonic() + SETTLE_S
    least = machine.own_memory(server.process.pid)
    since = time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 12:
        time.sleep(0.5)
        now = machine.own_memory(server.process.pid)
        if now < least:
            least, since = now, time.monotonic()
    return least


def hold(tools, server, terminals):
    """They come, are idle, and show at the end that they are still registered. Returns
    the terminals that registered per second, and the memory held."""
    command = load.command(tools, server, pairs=terminals, size=64) + ["--idle"]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              preexec_fn=machine.pinned(machine.LOAD_CORE))
    line = client.stdout.readline()
    bytes_held = settled(server) if line else 0
    _, errors = client.communicate()
    if client.returncode != 0:
        raise servers.Broken(f"{server.name}: {errors.strip()}")
    came = json.loads(line)
    return came["terminals"] / came["seconds"], bytes_held


def run(tools, _options, bars):
    report.heading(f"Memory: {MANY} idle registered terminals")
    table = report.Table(("server", 10), (f"with {FEW} kB", 12), (f"with {MANY} kB", 13),
                         ("B/terminal", 10), ("register/s", 11), plot="B/terminal")
    report.progress("holdfast")
    with servers.Holdfast(tools) as server:
        _, few = hold(tools, server, FEW)
        rate, many = hold(tools, server, MANY)
    each = (many - few) / (MANY - FEW)
    table.row(server.name, report.count(few / 1024), report.count(many / 1024),
              f"{each:.0f}", report.count(rate))
    bars.at_most("memory per idle terminal", each, BAR_BYTES, " B")
    return {"few": few, "many": many, "each": each, "register_per_s": rate}
