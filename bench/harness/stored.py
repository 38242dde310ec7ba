"""A million messages for terminals that are away: storing them, starting with them, and
delivering them when the terminals come.

The load is this program: it writes frames that were formed before, and compares what comes
back with what must come, byte for byte. The floor of the start is reading the store's file
once; that of delivering is the same bytes through a socket."""

import functools
import operator
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request

from . import load, machine, report, servers

TERMINALS = 200
EACH, QUICK_EACH = 5000, 500
PAYLOAD = 51  # a frame of 64 bytes
FIRST_ID, SENDER = 0x20000000, 0x1fffffff
PATIENCE_S = 120


class Gateway(servers.Holdfast):
    """As it is without a configuration, but with room for all of them, and figures."""

    def __init__(self, tools, each, **kw):
        super().__init__(tools, **kw)
        self.each = each
        self.http_port = 0

    def command(self):
        self.http_port = self.http_port or machine.free_port()
        config = self.write("holdfast.yaml", (
            f"data_dir: {self.dir}/data\n"
            "shards: 1\n"
            "limits: {max_per_address: 0}\n"
            f"http: {{address: \"127.0.0.1:{self.http_port}\"}}\n"
            f"mailbox: {{max_messages: {self.each}, max_bytes: 1GiB}}\n"
            "listen:\n"
            "  terminals:\n"
            "    protocol: ttms\n"
            f"    address: \"127.0.0.1:{self.port}\"\n"
            "    length: total\n"))
        return [self.program(), "-c", config]

    def waiting(self):
        """Messages that wait, by its own count."""
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode()
        return int(re.search(r"^holdfast_mailbox_messages (\d+)$", text, re.M).group(1))

    def restart(self):
        """In order; returns how long the new one needs until it listens and answers."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=PATIENCE_S)
        log = os.path.join(self.dir, "log")
        begun = time.monotonic()
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                self.command(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, preexec_fn=machine.pinned(self.core))
        wait_for(lambda: answers(self.http_port), "the gateway with its store", 0.005)
        return time.monotonic() - begun


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as a:
            return a.status == 200
    except OSError:
        return False


def wait_for(condition, what, pause=0.02):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise servers.Broken(f"holdfast: {what} takes longer than {PATIENCE_S} s")
        time.sleep(pause)


def frame(mark, address, command, content):
    body = mark + struct.pack(">HIB", 13 + len(content), address, command) + content
    return body + bytes([functools.reduce(operator.xor, body)])


def greeting(terminal):
    return frame(b"$TTMS", terminal, 0x01, bytes(4))


def stream(mark, address, each):
    return b"".join(frame(mark, address, 0xaa, struct.pack(">Q", n) + bytes(PAYLOAD - 8))
                    for n in range(each))


def store(server, each):
    """Returns the seconds until all of them are in the mailbox."""
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(greeting(SENDER))
        blobs = [stream(b"$TTMS", FIRST_ID + n, each) for n in range(TERMINALS)]
        begun = time.monotonic()
        for blob in blobs:
            sender.sendall(blob)
        wait_for(lambda: server.waiting() == TERMINALS * each, "storing")
        return time.monotonic() - begun


def receive(peer, expected):
    """Reads as much as is expected; true if it is that."""
    got = bytearray(len(expected))
    view, at = memoryview(got), 0
    while at < len(expected):
        n = peer.recv_into(view[at:])
        if n == 0:
            return False
        at += n
    return got == expected


def deliver(server, each):
    """Each terminal comes, takes all that is its own, and goes. Seconds, and how many of
    them got what they should."""
    expected = stream(b"$TTMX", SENDER, each)
    right, begun = 0, time.monotonic()
    for n in range(TERMINALS):
        with socket.create_connection(("127.0.0.1", server.port)) as terminal:
            terminal.settimeout(PATIENCE_S)
            terminal.sendall(greeting(FIRST_ID + n))
            right += receive(terminal, expected)
    return time.monotonic() - begun, right


def plain_transfer(each):
    """The same bytes, each terminal's through a connection of its own."""
    blob = stream(b"$TTMX", SENDER, each)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            for _ in range(TERMINALS):
                peer, _address = listener.accept()
                with peer:
                    peer.sendall(blob)
        thread = threading.Thread(target=serve)
        thread.start()
        begun = time.monotonic()
        for _ in range(TERMINALS):
            with socket.create_connection(listener.getsockname()) as terminal:
                receive(terminal, blob)
        took = time.monotonic() - begun
        thread.join()
    return took


def read_once(path):
    begun = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
    return time.monotonic() - begun


def one_round(tools, each):
    with Gateway(tools, each) as server:
        stored_s = store(server, each)
        path = os.path.join(server.dir, "data", "mailbox", "data.mdb")
        start_s, size = server.restart(), os.path.getsize(path)
        read_s, waiting = read_once(path), server.waiting()
        delivered_s, right = deliver(server, each)
    if waiting != TERMINALS * each or right != TERMINALS:
        load.troubles.append(("holdfast", f"stored: {waiting} waited after a restart, "
                              f"{right} of {TERMINALS} terminals got what was theirs"))
    return {"stored_s": stored_s, "start_s": start_s, "read_s": read_s, "size": size,
            "delivered_s": delivered_s, "plain_s": plain_transfer(each)}


def run(tools, options, bars):
    each = QUICK_EACH if options.quick else EACH
    count = TERMINALS * each
    report.heading(f"Stored: {report.count(count)} messages of 64 B for {TERMINALS} "
                   f"terminals that are away, {options.rounds} rounds, medians")
    samples = []
    for number in range(options.rounds):
        report.progress(f"stored messages, round {number + 1}")
        samples.append(one_round(tools, each))
    middle = {key: load.median([s[key] for s in samples]) for key in samples[0]}
    table = report.Table(("", 46), ("seconds", 9), ("msg/s", 12), ("/floor", 7))
    table.row("stored, by one sender", f"{middle['stored_s']:.2f}",
              report.count(count / middle["stored_s"]), "-")
    table.row(f"start, with {report.count(middle['size'] / 1e6)} MB on the disk",
              f"{middle['start_s']:.2f}", report.count(count / middle["start_s"]),
              report.ratio(middle["start_s"] / middle["read_s"]))
    table.row("... its floor: reading that file once", f"{middle['read_s']:.2f}", "", "")
    table.row("delivered, terminal after terminal", f"{middle['delivered_s']:.2f}",
              report.count(count / middle["delivered_s"]),
              report.ratio(middle["delivered_s"] / middle["plain_s"]))
    table.row("... its floor: these bytes through sockets", f"{middle['plain_s']:.2f}",
              report.count(count / middle["plain_s"]), "")
    return samples
