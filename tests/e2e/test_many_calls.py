"""Many callers at once, and more commands than there are serials."""

import json
import random
import socket
import struct
import threading
from collections import Counter

import pytest

from api import device_path
from devices import STATUS, TURN_ON_SERIAL, Fleet
from terminal import DEADLINE, wait_until

CALLERS, DEVICES, EACH = 200, 50, 5
WRAP, CONNECTIONS, AHEAD = 70000, 4, 16


@pytest.fixture
def service(gateway):
    gateway.listen("devices", protocol="device")
    return gateway.start(shards=2, commands={"max_queued": 1000, "max_tickets": 200000})


def post(path, body, query="wait=30s"):
    body = json.dumps(body).encode()
    return (f"POST {path}?{query} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body


class Caller:
    """Sends requests ahead on one connection, and reads their answers in turn."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(gateway.http_address(), DEADLINE * 4)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def send(self, raw):
        self.socket.sendall(raw)

    def answer(self):
        """(status, document)"""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.more()
        head = bytes(self.buffer[:end]).lower()
        size = int(head.split(b"content-length: ")[1].split(b"\r")[0])
        while len(self.buffer) < end + 4 + size:
            self.more()
        body = bytes(self.buffer[end + 4:end + 4 + size])
        del self.buffer[:end + 4 + size]
        return int(head[9:12]), json.loads(body)

    def more(self):
        part = self.socket.recv(1 << 16)
        assert part, f"ended: {bytes(self.buffer[:200])}"
        self.buffer += part

    def close(self):
        self.socket.close()


def run_all(works):
    """Each in a thread of its own; the first failure is ours."""
    failures = []

    def guarded(work):
        try:
            work()
        except BaseException as failure:
            failures.append(failure)
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.threads
@pytest.mark.limit(120)
def test_every_caller_gets_the_answer_of_its_device(service):
    """Each device answers with what only it can say, and that only once."""
    devices = [service.device(f"D{n:07d}").login() for n in range(DEVICES)]
    counts = Counter()

    def respond(device, frame):
        counts[device.name] += 1
        device.answer(frame, b"\0\0\0\5" + device.name.encode() + frame.body
                      + struct.pack(">I", counts[device.name]))

    seen, guard = Counter(), threading.Lock()

    def call_often(caller):
        chance = random.Random(caller)
        connection = Caller(service)
        for n in range(EACH):
            device = chance.choice(devices)
            mine = struct.pack(">HH", caller, n)
            connection.send(post(device_path(device.name, "/commands"),
                                 {"message_id": 0x2000, "body": mine.hex()}))
            status, ticket = connection.answer()
            assert status == 200, ticket
            body = bytes.fromhex(ticket["answer"]["body"])
            assert body[4:12] == device.name.encode() and body[12:16] == mine, ticket
            with guard:
                seen[device.name, body[16:]] += 1
        connection.close()

    with Fleet(devices, respond):
        run_all([lambda n=n: call_often(n) for n in range(CALLERS)])
    assert sum(seen.values()) == CALLERS * EACH == sum(counts.values())
    assert max(seen.values()) == 1, "one answer was told to two callers"


@pytest.mark.threads
def test_whoever_waits_hears_that_the_gateway_ends(service):
    """And what is to be kept is kept."""
    devices = [service.device(f"D{n:07d}").login() for n in range(10)]
    names = [device.name for device in devices]
    calls = [service.api.call(name, "status", wait="60s") for name in names]
    for device in devices:
        device.expect(STATUS)
    kept = [service.api.call(name, "status", wait="60s", ttl="10m") for name in names]
    wait_until(lambda: all(len(service.api.tickets(name)) == 2 for name in names),
               "all to be asked twice")
    service.stop()
    for call in calls:
        call.problem(503, "not-ready", reason="ending")
    tickets = [call.accepted(state="queued")["ticket"] for call in kept]
    service.restart()
    assert [service.api.ticket(ticket)["state"] for ticket in tickets] == ["queued"] * 10


@pytest.mark.limit(240)
def test_more_commands_than_serials(service):
    device = service.device().login()
    serials = bytearray(1 << 16)
    asked = 0
    late = []

    def respond(device, frame):
        nonlocal asked
        serials[frame.serial] += 1
        asked += 1
        if asked == 1000:
            late.append(frame)
        raw = frame.message, b"\0\0\0\5" + frame.body, frame.serial
        device.send(*raw)
        if asked % 1000 == 0:  # one of long ago, once more
            device.send(late[0].message, b"\0\0\0\1late", late[0].serial ^ 0x8000)

    def pipeline(caller):
        connection = Caller(service)
        path = device_path(device.name, "/commands")
        share = range(caller, WRAP, CONNECTIONS)
        requests = [post(path, {"message_id": STATUS, "body": f"{n:08x}"})
                    for n in share]
        for at in range(AHEAD):
            connection.send(requests[at])
        for at, n in enumerate(share):
            status, ticket = connection.answer()
            assert status == 200, ticket
            assert ticket["answer"]["body"] == f"00000005{n:08x}", (n, ticket)
            if at + AHEAD < len(requests):
                connection.send(requests[at + AHEAD])
        connection.close()

    with Fleet([device], respond):
        run_all([lambda n=n: pipeline(n) for n in range(CONNECTIONS)])
    assert asked == WRAP
    kept = serials.pop(TURN_ON_SERIAL)  # for the command that prescribes it
    assert (kept, min(serials), max(serials)) == (0, 1, 2), "serials do not run"
