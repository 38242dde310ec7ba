"""Is our load fair? The peers' own tools do the same work beside ours: a load slower
than theirs would hold a server back, and be what is compared."""

import os
import re
import subprocess
import time
import urllib.request

from . import commands, load, machine, mailboxes, report, servers, stored

FAIR = 0.9
MOST_ROUNDS = 3
MESSAGES, QUICK_MESSAGES = 500_000, 50_000
CONNECTIONS, DEVICES = 50, 100
COMMAND = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("POST", string.format("/api/v1/devices/B%%07d/commands?wait=10s",
    n %% %d), {["Content-Type"] = "application/json"}, '{"command":"status"}')
end
"""


def on_load_core(words, **kw):
    return subprocess.Popen(words, preexec_fn=machine.pinned(machine.LOAD_CORE),
                            text=True, **kw)


def heard(words):
    process = on_load_core(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = process.communicate()
    if process.returncode != 0:
        raise servers.Broken(f"{words[0]}: {(errors or out).strip()[-400:]}")
    return out


# --- MQTT: one publisher, one subscriber --------------------------------------------

def mqtt_theirs(tools, options):
    count = QUICK_MESSAGES if options.quick else MESSAGES
    lines = os.path.join(tools.scratch, "lines")
    with open(lines, "w", encoding="ascii") as file:
        file.write(("m" * mailboxes.BODY + "\n") * count)
    with servers.Mosquitto(tools) as server, open(lines, encoding="ascii") as source:
        where = ["-p", str(server.port), "-t", "bench"]
        # The first message is kept for whoever subscribes: when it came, he has.
        heard(["mosquitto_pub", *where, "-r", "-m", "first"])
        taker = on_load_core(["mosquitto_sub", *where, "-C", str(count + 1)],
                             stdout=subprocess.PIPE)
        taker.stdout.readline()
        begun = time.monotonic()
        giver = on_load_core(["mosquitto_pub", *where, "-l"], stdin=source)
        for _ in taker.stdout:
            pass
        took = time.monotonic() - begun
        if taker.wait() or giver.wait():
            raise servers.Broken("mosquitto_pub or mosquitto_sub failed")
    return count / took


def mqtt_ours(tools, options):
    with servers.Mosquitto(tools) as server:
        return load.run(tools, server, size=mailboxes.BODY + 13, pairs=1, batch=1,
                        window=0, seconds=options.seconds).rate


# --- Redis: lists in a log that is always synced --------------------------------------

def redis_theirs(tools, options):
    count = QUICK_MESSAGES if options.quick else MESSAGES
    with mailboxes.Redis(tools) as server:
        out = heard(["redis-benchmark", "-p", str(server.port), "-n", str(count),
                     "-c", str(stored.SENDERS), "-P", str(stored.WINDOW),
                     "-r", str(stored.TERMINALS), "--csv",
                     "RPUSH", "mail:__rand_int__", "m" * mailboxes.BODY])
    # The tool says how many it did in a second, behind the command, in quotes.
    return float(re.search(r'"(\d+(?:\.\d+)?)"', out.splitlines()[-1]).group(1))


def redis_ours(tools, options):
    count = QUICK_MESSAGES if options.quick else MESSAGES
    each = count // stored.TERMINALS
    with mailboxes.Redis(tools) as server:
        done = stored.post(tools, server, "store", each)
    return done["messages"] / done["seconds"]


# --- HTTP: wrk ------------------------------------------------------------------------

class Fleet:
    """Our gateway with devices that answer."""

    def __init__(self, tools):
        self.tools = tools
        self.server = servers.Commands(tools)
        self.devices = None

    def __enter__(self):
        self.server.__enter__()
        self.devices = on_load_core(
            [os.path.join(self.tools.build, "holdfast-sim"), "devices", "--address",
             f"127.0.0.1:{self.server.device_port}", "--count", str(DEVICES),
             "--first-id", "B0000000", "--time", "10min", "--quiet"],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while self.present() < DEVICES:
            if time.monotonic() > deadline:
                raise servers.Broken("the simulated devices do not come")
            time.sleep(0.05)
        return self.server

    def present(self):
        url = f"http://127.0.0.1:{self.server.port}/api/v1/devices?connected=true"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().count(b'"id"')

    def __exit__(self, *unused):
        self.devices.terminate()
        self.devices.wait()
        self.server.__exit__()


def wrk(server, options, *words, path="/"):
    seconds = max(1, round(options.seconds))
    out = heard(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *words,
                 f"http://127.0.0.1:{server.port}{path}"])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if bad:
        load.troubles.append(("holdfast", f"wrk: {bad.group(1)} answers were refusals"))
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def list_theirs(tools, options):
    with Fleet(tools) as server:
        return wrk(server, options, path="/api/v1/devices")


def list_ours(tools, options):
    with Fleet(tools) as server:
        done = commands.ask(tools, "list", server, CONNECTIONS, options.seconds)
    return done["answered"] / done["seconds"]


def command_theirs(tools, options):
    script = os.path.join(tools.scratch, "command.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(COMMAND % DEVICES)
    with Fleet(tools) as server:
        return wrk(server, options, "-s", script)


def command_ours(tools, options):
    with servers.Commands(tools) as server:
        done = commands.ask(tools, "http", server, CONNECTIONS, options.seconds)
    return done["answered"] / done["seconds"]


CHECKS = [
    ("relay through mosquitto, one pair", "mosquitto mosquitto_sub", "mosquitto_pub/sub",
     mqtt_theirs, mqtt_ours),
    ("RPUSH to redis, appendfsync always", "redis-server redis-benchmark",
     "redis-benchmark", redis_theirs, redis_ours),
    ("GET a page of 100 devices", "wrk", "wrk", list_theirs, list_ours),
    ("POST a command", "wrk", "wrk + holdfast-sim", command_theirs,
     command_ours),
]


def run(tools, options, bars):
    rounds = min(options.rounds, MOST_ROUNDS)
    report.heading(f"The load beside the peers' own tools, {rounds} rounds, medians")
    table = report.Table(("work", 35), ("their tool", 18), ("theirs /s", 10),
                         ("ours /s", 10), ("ours/theirs", 11), left=2)
    found = []
    for what, programs, tool, theirs, ours in CHECKS:
        if not all(map(machine.find_program, programs.split())):
            table.row(what, tool, "not installed")
            continue
        report.progress(f"{what}: {tool}")
        runs = [(theirs(tools, options), ours(tools, options)) for _ in range(rounds)]
        ratio = load.median([b / a for a, b in runs])
        table.row(what, tool, *(report.count(load.median(side)) for side in zip(*runs)),
                  report.ratio(ratio))
        bars.at_least(f"load / {tool}: {what.split(',')[0]}", ratio, FAIR)
        found.append({"what": what, "tool": tool, "runs": runs, "ratio": ratio})
    if not machine.find_program("nats"):
        report.note("nats: its tool, `nats bench`, is not a Debian package; not run")
    return found
