"""Servers that keep messages for terminals that are away, each as durable as it can be
set and still store a million in minutes. `safe`: what its acknowledgement promises."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

from . import machine, servers

PATIENCE_S = 120
BODY = 51  # bytes of every message: a relay frame of 64


class Mailbox:
    """What a server needs for this: a directory that outlives it, and to be killed."""

    safe = ""

    def kept(self):
        """Its directory on the disk."""
        return os.path.join(self.dir, "data")

    def size(self):
        return sum(os.stat(os.path.join(where, name)).st_blocks * 512
                   for where, _, names in os.walk(self.kept()) for name in names)

    def kill(self):
        """As a power cut ends it, but for what the kernel still holds."""
        for pid in [self.process.pid] + machine.children_of(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def start_again(self):
        """Seconds until it serves what it has kept."""
        begun = time.monotonic()
        with open(os.path.join(self.dir, "log"), "ab") as out:
            self.process = subprocess.Popen(
                self.command(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, preexec_fn=machine.pinned(self.core))
        while not self.serves():
            if time.monotonic() - begun > PATIENCE_S or self.process.poll() is not None:
                raise servers.Broken(f"{self.name} does not start with its store")
            time.sleep(0.002)
        return time.monotonic() - begun

    def serves(self):
        """True as soon as it listens: most do so when they have read their store."""
        return self.talk(b"") is not None

    def talk(self, words, until=b""):
        """What it answers; None if it does not listen."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as peer:
                peer.sendall(words)
                heard = b""
                while until not in heard:
                    more = peer.recv(65536)
                    if not more:
                        return None
                    heard += more
                return heard
        except OSError:
            return None


class Floor(Mailbox, servers.Server):
    name = "floor"
    safe = "appended to a log, and synced"

    def program(self):
        return self.tools.program("floor_mail")

    def command(self):
        os.makedirs(self.kept(), exist_ok=True)
        return [self.program(), str(self.port), self.kept()]


class Holdfast(Mailbox, servers.Holdfast):
    """With receipts, so that the load knows what is safe."""
    safe = "committed and synced"

    def __init__(self, tools, **kw):
        super().__init__(tools, durability="all", **kw)
        self.http_port = 0

    def command(self):
        self.http_port = self.http_port or machine.free_port()
        config = self.write("holdfast.yaml", (
            f"data_dir: {self.dir}/data\n"
            "shards: 1\n"
            "limits: {max_per_address: 0}\n"
            f"http: {{address: \"127.0.0.1:{self.http_port}\"}}\n"
            "mailbox: {max_messages: 1000000, max_bytes: 1GiB}\n"
            "listen:\n"
            "  terminals:\n"
            "    protocol: ttms\n"
            f"    address: \"127.0.0.1:{self.port}\"\n"
            f"    durability: {self.durability}\n"
            "    receipts: true\n"
            "    reply_heartbeats: true\n"
            "    length: total\n"))
        return [self.program(), "-c", config]

    def serves(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz",
                                        timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


class Mosquitto(Mailbox, servers.Mosquitto):
    safe = "in memory; a snapshot of everything each second"

    def kept(self):
        path = os.path.join(self.dir, "data")
        os.makedirs(path, exist_ok=True)
        return path

    def command(self):
        config = self.write("mosquitto.conf", (
            f"listener {self.port} 127.0.0.1\n"
            "user root\n"
            "allow_anonymous true\n"
            "set_tcp_nodelay true\n"
            "max_queued_messages 0\n"
            "max_queued_bytes 0\n"
            "max_inflight_messages 0\n"
            "persistence true\n"
            f"persistence_location {self.kept()}/\n"
            "autosave_interval 1\n"
            "log_type error\n"))
        return [self.program(), "-c", config]


class Nats(Mailbox, servers.Nats):
    safe = "written to a file, not synced"

    def command(self):
        return [*super().command(), "-js", "-sd", self.kept()]

    def serves(self):
        """Its streams are recovered before it listens; ask for ours all the same."""
        heard = self.talk(b'CONNECT {"verbose":false}\r\nSUB r 1\r\n'
                          b"PUB $JS.API.STREAM.INFO.T00000 r 0\r\n\r\n", b'"messages":')
        return heard is not None and re.search(rb'"messages":\d', heard) is not None


class Redis(Mailbox, servers.Redis):
    safe = "appended to its log, and synced (appendfsync always)"

    def command(self):
        program, config = super().command()
        os.makedirs(self.kept(), exist_ok=True)
        with open(config, encoding="utf-8") as file:
            text = file.read()
        text = text.replace("appendonly no", "appendonly yes\nappendfsync always")
        text = text.replace(f"dir {self.dir}\n", f"dir {self.kept()}\n")
        self.write("redis.conf", text)
        return [program, config]

    def serves(self):
        """It listens while it reads, and says so."""
        return (self.talk(b"LLEN mail:00000\r\n", b"\r\n") or b"").startswith(b":")


ALL = [Floor, Holdfast, Mosquitto, Nats, Redis]
