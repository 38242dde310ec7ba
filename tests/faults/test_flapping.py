"""kill -9 while clients come and go, against an outside ledger of the events that a reader
was told: none twice, none out of order, none taken back.

The reader holds a stream and, whenever that ends, takes it up again behind the last event
it has. So what it has seen over all kills must be one log without a seam."""

import random
import socket
import threading
import time

import pytest

from api import Stream, check_events
from heartbeat import Client, some_loopback
from progress import Rounds
from restarts import kill_all, kill_worker
from terminal import wait_until

CLIENTS = 200


class Flock(threading.Thread):
    """Clients, each with an identity of its own, that beat, leave, vanish and return."""

    def __init__(self, address, ports, seed=1):
        super().__init__(daemon=True)
        self.address = address
        self.chance = random.Random(seed)
        self.clients = [Client(address, ip="10.0.0.1", port=port) for port in ports]
        self.is_over = False
        self.failure = None

    def run(self):
        try:
            while not self.is_over:
                self.step(self.chance.choice(self.clients))
        except Exception as failure:  # shown by finish(): a thread has no caller
            self.failure = failure
            raise

    def step(self, client):
        try:
            if client.socket is None:
                client.source = some_loopback()
                client.connect()
            what = self.chance.random()
            if what < 0.7:
                client.beat()
            elif what < 0.8:
                client.send_text("nonsense")
            elif what < 0.9:
                client.reset()
            else:
                client.close()
        except OSError:
            client.close()
            time.sleep(0.001)

    def finish(self):
        self.is_over = True
        self.join(30)
        for client in self.clients:
            client.close()
        if self.failure:
            raise self.failure


class Reader(threading.Thread):
    """Writes down each event that it is told."""

    def __init__(self, address, after):
        super().__init__(daemon=True)
        self.address = address
        self.last = after
        self.ledger = []
        self.newest = {}
        self.streams = 0
        self.is_over = False
        self.failure = None

    def run(self):
        while not self.is_over and not self.failure:
            try:
                self.read_one_stream()
            except OSError:  # it is being restarted
                time.sleep(0.002)
            except Exception as failure:  # a thread has no caller
                self.failure = failure

    def read_one_stream(self):
        stream = Stream(self.address, last_event_id=self.last)
        stream.socket.settimeout(0.1)
        while not self.is_over and not stream.has_ended:
            try:
                stream.take()
            except socket.timeout:
                continue
            while stream.messages:
                self.note(stream.messages.popleft())
        self.streams += stream.is_chunked is not None
        stream.close()

    def note(self, message):
        assert message.event == "presence", message
        check_events([message.data], self.newest)
        self.ledger.append(message.data)
        self.last = message.data["cursor"]

    def wait_progress(self, count, seconds=60):
        goal = len(self.ledger) + count
        wait_until(lambda: len(self.ledger) >= goal or self.failure,
                   f"{count} more events", seconds)
        if self.failure:
            raise self.failure


@pytest.fixture
def flapping(gateway):
    gateway.listen("clients", protocol="heartbeat", presence={
        "interval": "100ms", "threshold": 1, "strikes": 2, "recover": 2,
        "leave_hold": "500ms"})
    return gateway.set(
        shards=2, registry={"restart_grace": "1s"}, events={"keep": 1000000},
        supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"})


@pytest.mark.parametrize("kill", (kill_worker, kill_all))
def test_events_under_kill_9(flapping, rounds, kill):
    flapping.start()
    flock = Flock(flapping.address("clients"), range(31000, 31000 + CLIENTS))
    reader = Reader(flapping.api.address, flapping.api.events()["cursor"])
    turns = Rounds(f"events under {kill.__name__}", rounds)
    reader.start()
    flock.start()
    for _ in turns:
        reader.wait_progress(100)
        time.sleep(random.uniform(0, 0.1))  # the random moment itself
        kill(flapping)
    reader.wait_progress(100)
    flock.finish()
    wait_until(lambda: not flapping.api.devices(state="alive,leave", limit=1000),
               "the end of all", 60)
    newest = flapping.api.events(limit=1)["newest"]
    wait_until(lambda: reader.last >= newest or reader.failure, "the reader's end", 60)
    reader.is_over = True
    reader.join(30)
    if reader.failure:
        raise reader.failure
    log = flapping.api.all_events(limit=10000)
    assert reader.ledger == log, "the log tells another story than the reader was told"
    for entry in flapping.api.devices(limit=1000):
        last = reader.newest["heartbeat", entry["id"]]
        assert (last["sequence"], last["to"]) == (entry["sequence"], "close"), entry
    assert reader.streams >= rounds
    turns.report(f"{len(log)} events of {CLIENTS} clients, {reader.streams} streams")
