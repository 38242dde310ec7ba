"""The heartbeat service: what it accepts, what it refuses, and that it never answers."""

import json
import os
import socket
import struct
import threading
import time

import pytest

from gateway import is_sanitized
from heartbeat import ENCODINGS, VECTOR_OBJECT, VECTOR_STRING, encode, frame
from terminal import wait_until


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def service(gateway, request):
    """With the default rule nobody is judged within a test: intervals of 10 s."""
    gateway.listen("clients", protocol="heartbeat")
    return gateway.set(shards=request.param)


def expect_alive(service, client, **members):
    return service.api.wait_device(client.identity, state="alive", connected=True,
                                   **members)


def wait_taken(service, *sent):
    """The gateway has read so many bytes of these clients: (client, bytes)."""
    wanted = {f"127.0.0.1:{client.port}": count for client, count in sent}

    def is_taken():
        taken = {entry["peer"]: entry["rx_bytes"]
                 for entry in service.api.connections(listener="clients", limit=1000)}
        return wanted.items() <= taken.items()
    wait_until(is_taken, "the gateway to read", 30)


# What is accepted.

@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_beat_makes_a_device(service, encoding):
    service.start()
    client = service.client(encoding=encoding, pid=26464).beat()
    entry = expect_alive(service, client)
    assert (entry["protocol"], entry["listener"]) == ("heartbeat", "clients")
    assert (entry["pid"], entry["claims"]) == (26464, "alive")
    assert entry["address"] == f"127.0.0.1:{client.port}"
    assert entry["counters"]["connections"] == 1


@pytest.mark.parametrize("vector", (VECTOR_OBJECT, VECTOR_STRING), ids=ENCODINGS)
def test_the_examples_of_the_protocol_page(service, vector):
    service.start()
    client = service.client(ip="192.168.1.105")
    client.send_raw(vector)
    assert expect_alive(service, client)["pid"] == 26464


def test_both_encodings_on_one_connection(service):
    service.start()
    client = service.client()
    client.send_raw(VECTOR_OBJECT + VECTOR_STRING + VECTOR_OBJECT)
    client.ip = "192.168.1.105"
    service.api.wait_device(client.identity)
    wait_until(lambda: service.api.device(client.identity)["counters"]["messages_in"] == 3,
               "three messages to be counted")
    assert client.is_open()


def test_what_a_client_claims_is_shown_and_not_believed(service):
    service.start()
    client = service.client().beat("close")
    assert expect_alive(service, client)["claims"] == "close"
    client.beat("leave")
    service.api.wait_device(client.identity, claims="leave", state="alive")
    assert client.is_open()


def test_the_pid_is_optional(service):
    service.start()
    client = service.client(pid=None).beat()
    assert expect_alive(service, client).get("pid") is None


@pytest.mark.parametrize("text", (
    '{"status":"alive","ip":"%s"}',
    ' \t\r\n{ "ip" : "%s" ,\n "status" : "alive" }\r\n ',
    '{"ip": "%s", "status": "alive", "pid": 1, "more": {"deep": [1, [2.5e3, null]]}}',
    r'{"ip": "%s", "status": "\u0061live", "note": "\ud83d\ude00 \u00e9"}',
    '{"ip": "%s", "status": "alive", "note": "caf\u00e9 \u5fc3\u8df3"}'),
    ids=("other_order", "blanks", "more_members", "escapes", "utf8"))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_in_any_dress(gateway, text, encoding):
    gateway.listen("clients", protocol="heartbeat").start()
    client = gateway.client()
    text = text % client.ip
    client.send_text(json.dumps(text) if encoding == "string" else text)
    expect_alive(gateway, client)


def test_a_frame_of_max_frame_passes(gateway):
    gateway.listen("clients", protocol="heartbeat").start()
    client = gateway.client()
    client.send_text(encode(client.content()).ljust(4096))
    expect_alive(gateway, client)


def test_the_identity_is_the_reported_ip_and_the_port(service):
    service.start()
    clients = [service.client(ip=ip) for ip in ("10.0.0.1", "10.0.0.1", "10.0.0.2",
                                                "2001:db8::1", "fe80::1%eth0")]
    for client in clients:
        client.beat()
    wanted = sorted(f"{c.ip}:{c.port}" for c in clients)
    wait_until(lambda: service.api.ids(state="alive") == wanted, "five devices")


def test_another_ip_on_a_connection_is_another_device(service):
    service.start()
    client = service.client(ip="10.0.0.1").beat()
    old = client.identity
    expect_alive(service, client)
    client.ip = "10.0.0.2"
    client.beat()
    expect_alive(service, client)
    service.api.wait_device(old, state="close", connected=False)
    assert service.api.history(old)[-1] == ("leave", "close", "renamed")


# Pieces.

def test_a_beat_split_at_every_byte(service):
    service.start()
    for encoding in ENCODINGS:
        clients = [service.client(encoding=encoding)]
        clients += [service.client(encoding=encoding)
                    for _ in clients[0].form()[1:]]
        for at, client in enumerate(clients):
            client.send_raw(client.form()[:at])
        wait_taken(service, *((client, at) for at, client in enumerate(clients)))
        for at, client in enumerate(clients):
            client.send_raw(client.form()[at:])
        wanted = {client.identity for client in clients}
        wait_until(lambda: wanted <= set(service.api.ids(state="alive")), "all of them")
        for client in clients:
            client.close()


def test_a_beat_that_comes_byte_by_byte(service):
    service.start()
    client = service.client(encoding="string")
    for at, byte in enumerate(client.form(), 1):
        client.send_raw(bytes([byte]))
        wait_taken(service, (client, at))
    expect_alive(service, client)


def test_many_beats_that_come_at_once(service):
    service.start()
    client = service.client()
    client.send_raw(client.form() * 500)
    service.api.wait_device(client.identity)
    wait_until(lambda: service.api.device(client.identity)["counters"]["messages_in"]
               == 500, "500 messages to be counted")


def test_sticky_beats_that_end_in_a_piece(service):
    service.start()
    client = service.client()
    beat = client.form()
    stream, step = beat * 40, len(beat) + 7
    for at in range(0, len(stream), step):
        client.send_raw(stream[at:at + step])
        wait_taken(service, (client, min(at + step, len(stream))))
    wait_until(lambda: service.api.find(client.identity), "the device")
    wait_until(lambda: service.api.device(client.identity)["counters"]["messages_in"]
               == 40, "40 messages to be counted")


# What is refused: a logged reason, and the connection is closed.

GOOD = '"ip": "10.0.0.1", "status": "alive"'
REFUSED = {
    "no ip": '{"status": "alive"}',
    "an empty ip": '{"ip": "", "status": "alive"}',
    "a number as ip": '{"ip": 1921681105, "status": "alive"}',
    "null as ip": '{"ip": null, "status": "alive"}',
    "a list as ip": '{"ip": ["10.0.0.1"], "status": "alive"}',
    "ip in capitals": '{"IP": "10.0.0.1", "status": "alive"}',
    "no status": '{"ip": "10.0.0.1"}',
    "an empty status": '{"ip": "10.0.0.1", "status": ""}',
    "an unknown status": '{"ip": "10.0.0.1", "status": "asleep"}',
    "a status in capitals": '{"ip": "10.0.0.1", "status": "ALIVE"}',
    "a status with more": '{"ip": "10.0.0.1", "status": "alive\\u0000"}',
    "true as status": '{"ip": "10.0.0.1", "status": true}',
    "an object without members": "{}",
    "a list": '[{%s}]' % GOOD,
    "a number": "42",
    "null": "null",
    "true": "true",
    "blanks": "    ",
    "no JSON": "ip=10.0.0.1&status=alive",
    "single quotes": "{'ip': '10.0.0.1', 'status': 'alive'}",
    "a cut object": '{"ip": "10.0.0.1", "status": "alive"',
    "a comma too many": '{%s,}' % GOOD,
    "something behind it": '{%s} x' % GOOD,
    "two objects": '{%s}{%s}' % (GOOD, GOOD),
    "NaN": '{%s, "pid": NaN}' % GOOD,
    "a name twice": '{%s, "ip": "10.0.0.2"}' % GOOD,
    "a status twice": '{%s, "status": "alive"}' % GOOD,
    "a raw line break in a text": '{"ip": "10.0.0.1\n", "status": "alive"}',
    "half a surrogate pair": r'{%s, "note": "\ud83d"}' % GOOD,
    "a byte that is not UTF-8": b'{"ip": "10.0.0.1", "status": "alive", "n": "\xff"}',
    "an overlong form": b'{"ip": "10.0.0.1", "status": "alive", "n": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"ip": "10.0.0.1", "status": "alive", "n": "\xed\xa0\xbd"}',
    "a cut character": b'{"ip": "10.0.0.1", "status": "alive", "n": "\xe5\xbf"}',
    "a text without an object": '"alive"',
    "an empty text": '""',
    "a list in a text": json.dumps('[{%s}]' % GOOD),
    "encoded three times": json.dumps(json.dumps('{%s}' % GOOD)),
    "no status, encoded twice": json.dumps('{"ip": "10.0.0.1"}'),
    "a text with something behind it": json.dumps('{%s}' % GOOD) + "x",
    "deep nesting": '{%s, "n": %s}' % (GOOD, "[" * 2000),
    "an ip that is too long": '{"ip": "%s", "status": "alive"}' % ("1" * 46),
    "an ip with an escape sequence": r'{"ip": "10\u001b[2J", "status": "alive"}',
}


def refusals(service, count=1, **pairs):
    service.wait_log("closed", count=count)
    lines = service.log_lines("closed")
    assert len(lines) == count, service.log()
    assert not [l for l in lines if l.pairs["reason"] in ("peer_closed", "reset")], lines
    return lines


def test_what_is_refused(service):
    service.start()
    for name, text in REFUSED.items():
        client = service.client()
        client.send_text(text)
        try:
            client.expect_closed()
        except AssertionError as open_still:
            raise AssertionError(f"{name}: {open_still}") from None
    lines = refusals(service, len(REFUSED))
    assert service.api.devices() == [] and service.api.all_events() == []
    assert not [line for line in lines if not line.text.isprintable()]


def test_the_reasons_are_those_of_the_operations_page(gateway):
    gateway.listen("clients", protocol="heartbeat").start()
    for text in REFUSED.values():
        client = gateway.client()
        client.send_text(text)
        client.expect_closed()
    page = open(os.path.join(os.path.dirname(__file__), "../../docs/operations.md")).read()
    for line in refusals(gateway, len(REFUSED)):
        assert f"| `{line.pairs['reason']}` |" in page, line


def test_one_bad_beat_ends_a_good_client(service):
    service.start()
    client = service.client().beat()
    expect_alive(service, client)
    client.send_text('{"ip": "10.0.0.1"}')
    client.expect_closed()
    entry = service.api.wait_device(client.identity, state="close", connected=False)
    reason = refusals(service)[0].pairs["reason"]
    assert service.api.history(client.identity)[-2:] == [
        ("alive", "leave", reason), ("leave", "close", reason)]
    assert entry["counters"]["connections"] == 1


@pytest.mark.parametrize("head", (b"\0\0\x10\1", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff",
                                  b"GET / HTTP/1.1\r\n\r\n", b"$TTMS\0\x11\0\0\0\1"),
                         ids=("4097", "largest", "minus_one", "http", "ttms"))
def test_a_length_over_max_frame(gateway, head):
    gateway.listen("clients", protocol="heartbeat").start()
    client = gateway.client()
    client.send_raw(head)
    client.expect_closed()
    assert refusals(gateway)[0].pairs["reason"] == "too_large"


def test_max_frame_can_be_set(gateway):
    gateway.listen("clients", protocol="heartbeat", max_frame="64")
    gateway.start()
    client = gateway.client()
    client.send_text(encode(client.content()).ljust(64))
    expect_alive(gateway, client)
    client.send_text(encode(client.content()).ljust(65))
    client.expect_closed()
    assert refusals(gateway)[0].pairs["reason"] == "too_large"


def test_length_0_is_logged_and_skipped(service):
    service.start()
    client = service.client()
    client.send_raw(frame(b"") + frame(b""))
    client.wait_until_read()
    client.send_raw(frame(b"") + client.form() + frame(b"") + client.form() + frame(b""))
    expect_alive(service, client)
    wait_until(lambda: service.api.device(client.identity)["counters"]["messages_in"]
               >= 2, "the beats between them")
    wait_until(lambda: [line for line in service.log_lines() if "empty" in line.text],
               "a line about the empty frames")
    assert client.is_open()


def test_a_beat_that_stays_incomplete(gateway):
    gateway.listen("clients", protocol="heartbeat", read_timeout="500ms").start()
    for size in (1, 3, 4, 30):
        client = gateway.client()
        client.send_raw(client.form()[:size])
        client.expect_closed()
    assert {line.pairs["reason"] for line in refusals(gateway, 4)} == {"read_timeout"}


def test_one_that_says_nothing(gateway):
    gateway.listen("clients", protocol="heartbeat", register_timeout="500ms").start()
    gateway.client().expect_closed()
    assert refusals(gateway)[0].pairs["reason"] == "register_timeout"


# It never answers.

def test_the_gateway_never_sends_a_byte(service):
    service.start()
    clients = [service.client(encoding=encoding) for encoding in ENCODINGS * 3]
    for client in clients:
        for status in ("alive", "leave", "close"):
            client.beat(status)
        expect_alive(service, client)
    clients[0].send_text("nonsense")
    clients[1].send_raw(b"\xff" * 4)
    service.api.kick(clients[2].identity)
    for client in clients[:3]:
        client.expect_closed()  # which wants that nothing came before
    service.stop()
    for client in clients[3:]:
        client.expect_closed()


# The client that is in the field.

class HeartBeatClient:
    """What deployed clients do, call for call: the JSON is encoded twice, its length is
    a signed integer in network order, and only a failing send ends the loop."""

    interval = 10

    def __init__(self, addr: tuple):
        self.client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.client.connect(addr)

    def encode_json(self, conn, data):
        buffer = json.dumps(data)
        head = struct.pack("!i", len(buffer))
        conn.send(head + buffer.encode("utf-8"))

    def loop_client(self, conn):
        status = ["alive", "leave", "close"]
        idx = 0
        while True:
            data = {"ip": own_address(), "status": status[idx], "pid": os.getpid()}
            buffer = json.dumps(data)
            try:
                self.encode_json(conn, buffer)
            except socket.error:
                break
            time.sleep(self.interval)
        self.client_close(conn)

    def client_close(self, conn):
        if conn:
            conn.close()


def own_address():
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:  # a machine that does not know its own name
        return "127.0.0.1"


def test_the_client_in_the_field_works_unchanged(service):
    service.start()
    client = HeartBeatClient(service.address("clients"))
    client.interval = 0.05
    own = f"{own_address()}:{client.client.getsockname()[1]}"
    loop = threading.Thread(target=client.loop_client, args=(client.client,), daemon=True)
    loop.start()
    entry = service.api.wait_device(own, state="alive")
    assert (entry["pid"], entry["claims"]) == (os.getpid(), "alive")
    wait_until(lambda: service.api.device(own)["counters"]["messages_in"] >= 5,
               "some of its beats")
    assert service.api.history(own)[-1] == ("leave", "alive", "connected")
    service.api.kick(own)
    loop.join(20)  # its send fails, and that ends the loop
    assert not loop.is_alive()
    service.api.wait_device(own, state="close")


# Many.

@pytest.mark.limit(120)
def test_thousands_of_clients(service, many_descriptors):
    count = 300 if is_sanitized() else 3000
    service.start()
    clients = [service.client(ip=f"10.1.{n // 250}.{n % 250}",
                              encoding=ENCODINGS[n % 2]).beat() for n in range(count)]
    wanted = sorted(client.identity for client in clients)
    wait_until(lambda: service.api.ids(state="alive", limit=100000) == wanted,
               f"{count} devices", 60)
    for client in clients:
        client.beat()
    for client in clients:
        client.close()
    wait_until(lambda: service.api.ids(state="close", limit=100000) == wanted,
               "the end of all", 60)
    assert all(entry["counters"]["messages_in"] == 2 for entry in service.api.devices())
