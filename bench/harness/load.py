"""Runs the C load program and reads its verdict."""

import json
import statistics
import subprocess

from . import machine, servers


# (server, what) for every run in which a message was lost, damaged or out of order.
troubles = []


class Sample:
    """One run of the load."""

    def __init__(self, raw):
        self.raw = raw
        self.rate = raw["messages"] / raw["seconds"]
        per_message = max(raw["messages"], 1)
        self.cpu_us = raw["server_ns"] / per_message / 1e3
        self.busy = raw["server_ns"] / raw["seconds"] / 1e9
        self.load_busy = raw["load_ns"] / raw["seconds"] / 1e9
        self.p50_us = raw["p50_ns"] / 1e3
        self.p99_us = raw["p99_ns"] / 1e3


def command(tools, server, **options):
    words = [tools.program("load"), "--wire", server.wire, "--port", str(server.port),
             "--cpu-of", str(server.process.pid)]
    for key, value in options.items():
        words += ["--" + key, str(value)]
    return words


def run(tools, server, **options):
    """One run against a started server; what went wrong is noted in `troubles`."""
    done = subprocess.run(command(tools, server, **options), capture_output=True,
                          text=True, preexec_fn=machine.pinned(machine.LOAD_CORE))
    if not done.stdout:
        raise servers.Broken(f"{server.name}: {done.stderr.strip()}")
    if done.returncode != 0:
        troubles.append((server.name, done.stderr.strip()))
    return Sample(json.loads(done.stdout))


def median(values):
    return statistics.median(values)


def spread(values):
    """Largest minus smallest, as a share of the median."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
