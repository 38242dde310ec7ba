"""The servers that are compared: how each is configured, started and stopped.

All of them listen on a free loopback port, keep nothing on disk unless that is what is
measured, and run on one core."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import machine


class Broken(Exception):
    """A server did not start, or ended before it should."""


class Server:
    """Use it as a context: started inside, stopped and cleaned up behind."""

    name = ""
    wire = "ttms"

    def __init__(self, tools, core=machine.SERVER_CORE):
        self.tools = tools
        self.core = core
        self.port = 0
        self.dir = None
        self.process = None

    def program(self):
        """Path of what to run, or None when it is not installed."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def version(self):
        return ""

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def __enter__(self):
        self.port = machine.free_port()
        self.dir = tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=self.tools.scratch)
        log = os.path.join(self.dir, "log")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                self.command(), cwd=self.dir, stdin=subprocess.DEVNULL,
                stdout=self.stdout() or out, stderr=out,
                preexec_fn=machine.pinned(self.core))
        try:
            self.wait_until_it_listens(log)
        except Broken:
            self.__exit__()
            raise
        return self

    def stdout(self):
        return None

    def wait_until_it_listens(self, log):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
            if self.process.poll() is not None:
                break
        with open(log, encoding="utf-8", errors="replace") as file:
            raise Broken(f"{self.name} does not listen: {file.read()[-2000:]}")

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Floor(Server):
    name = "floor"

    def program(self):
        return self.tools.program("floor_relay")

    def command(self):
        return [self.program(), str(self.port)]


class Holdfast(Server):
    name = "holdfast"

    def __init__(self, tools, durability="offline", **kw):
        super().__init__(tools, **kw)
        self.durability = durability

    def program(self):
        return self.tools.holdfast

    def version(self):
        return machine.first_line([self.program(), "--version"])

    def command(self):
        config = self.write("holdfast.yaml", (
            f"data_dir: {self.dir}/data\n"
            "shards: 1\n"
            "limits: {max_per_address: 0}\n"
            "http: {address: \"\"}\n"
            "events: {keep: 100}\n"
            "listen:\n"
            "  terminals:\n"
            "    protocol: ttms\n"
            f"    address: \"127.0.0.1:{self.port}\"\n"
            f"    durability: {self.durability}\n"))
        return [self.program(), "-c", config]


class AnswersFloor(Server):
    name = "floor"

    def program(self):
        return self.tools.program("floor_answers")

    def command(self):
        return [self.program(), str(self.port)]


class Answers(Server):
    """Our request/answer service alone, in so many processes."""
    name = "holdfast"

    def __init__(self, tools, processes=1, logic="echo", argument="0", **kw):
        super().__init__(tools, **kw)
        self.processes = processes
        self.logic = logic
        self.argument = argument

    def program(self):
        return self.tools.holdfast

    def command(self):
        argument = f", argument: \"{self.argument}\"" if "/" in self.logic else ""
        config = self.write("holdfast.yaml", (
            f"data_dir: {self.dir}/data\n"
            "shards: 1\n"
            "limits: {max_per_address: 0}\n"
            "supervisor: {max_restarts: 1000000, max_restart_delay: 0s}\n"
            "http: {address: \"\"}\n"
            "listen:\n"
            f"  answers: {{protocol: nbnet, address: \"127.0.0.1:{self.port}\","
            f" logic: {self.logic}{argument}, processes: {self.processes}}}\n"))
        return [self.program(), "-c", config]


class Commands(Server):
    """Our HTTP API, and the devices that it asks."""
    name = "holdfast"

    def __init__(self, tools, **kw):
        super().__init__(tools, **kw)
        self.device_port = 0

    def program(self):
        return self.tools.holdfast

    def command(self):
        self.device_port = machine.free_port()
        config = self.write("holdfast.yaml", (
            f"data_dir: {self.dir}/data\n"
            "shards: 1\n"
            "limits: {max_per_address: 0}\n"
            f"http: {{address: \"127.0.0.1:{self.port}\"}}\n"
            "listen:\n"
            f"  devices: {{protocol: device, address: \"127.0.0.1:{self.device_port}\"}}\n"))
        return [self.program(), "-c", config]


class Mosquitto(Server):
    name = "mosquitto"
    wire = "mqtt"

    def program(self):
        return machine.find_program("mosquitto")

    def version(self):
        return machine.first_line([self.program(), "-h"])

    def command(self):
        # Its default waits 40 ms for acknowledgements, and drops what exceeds a queue.
        config = self.write("mosquitto.conf", (
            f"listener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "set_tcp_nodelay true\n"
            "max_queued_messages 0\n"
            "log_type error\n"))
        return [self.program(), "-c", config]


class Nats(Server):
    name = "nats"
    wire = "nats"

    def program(self):
        return machine.find_program("nats-server")

    def version(self):
        return machine.first_line([self.program(), "--version"])

    def command(self):
        return [self.program(), "-a", "127.0.0.1", "-p", str(self.port)]


class Redis(Server):
    name = "redis"
    wire = "resp"

    def program(self):
        return machine.find_program("redis-server")

    def version(self):
        return " ".join(machine.first_line([self.program(), "--version"]).split()[:3])

    def command(self):
        config = self.write("redis.conf", (
            f"port {self.port}\n"
            "bind 127.0.0.1\n"
            f"dir {self.dir}\n"
            "save \"\"\n"
            "appendonly no\n"
            "maxclients 60000\n"
            "protected-mode no\n"  # or it refuses what comes from 127.0.0.2
            "client-output-buffer-limit pubsub 0 0 0\n"))
        return [self.program(), config]


class PythonRelay(Server):
    name = "python"

    def program(self):
        return machine.find_program("python3")

    def version(self):
        return machine.first_line([self.program(), "--version"])

    def stdout(self):
        return subprocess.DEVNULL  # it prints every packet

    def command(self):
        return [self.program(), self.tools.python_relay, str(self.port)]


PEERS = [Mosquitto, Nats, Redis]

# Debian packages, each with a program that shows that it is there.
PACKAGES = {
    "mosquitto": "mosquitto", "mosquitto-clients": "mosquitto_sub",
    "nats-server": "nats-server", "redis-server": "redis-server",
    "redis-tools": "redis-benchmark", "wrk": "wrk",
}


def install_peers():
    """The peers and their tools, as far as they are missing."""
    missing = [package for package, program in PACKAGES.items()
               if not machine.find_program(program)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise Broken("only root can install " + ", ".join(missing))
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        if subprocess.run(["apt-get", *words], env=quiet).returncode != 0:
            raise Broken(f"apt-get {words[0]} failed")
