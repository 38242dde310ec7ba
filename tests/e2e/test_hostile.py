"""What strangers send: garbage, other protocols, floods. The gateway stays calm."""

import os
import random
import re
import resource
import socket

import pytest

import ttms
from gateway import LINE, is_sanitized

STRANGERS = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "http_post": b"POST / HTTP/1.1\r\nContent-Length: 17\r\n\r\n" + ttms.VECTOR_HEARTBEAT,
    "tls_hello": bytes.fromhex("16030100c8010000c40303") + bytes(range(190)),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(65536),
    "ones": b"\xff" * 65536,
    "almost": b"$TTMx" + bytes(60),
    "lower_case": b"$ttms" + ttms.VECTOR_HEARTBEAT[5:],
    "the_answer_start": ttms.VECTOR_RECEIVED,
    "late_start": b"\0" + ttms.VECTOR_HEARTBEAT,
    "nbnet": b"0000000002hi",
    "device": bytes.fromhex("7e1001000054393030303031300001 7c7e"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_is_sent_away(gateway, stranger):
    gateway.start()
    a, b = gateway.registered(1, 2)
    guest = gateway.terminal()
    try:
        guest.send_raw(STRANGERS[stranger])
    except ConnectionError:
        pass
    guest.expect_closed()
    gateway.wait_log("closed", reason="bad_start")
    a.send(2, b"business as usual")
    b.expect(1, b"business as usual")


PORTS = {"vehicles": "jt808", "clients": "heartbeat", "answers": "nbnet", "devices": "device"}


@pytest.mark.parametrize("port", PORTS)
def test_a_stranger_is_sent_away_from_every_port(gateway, port):
    """One frame of the right kind in the body of a request is not acted upon either."""
    options = {"logic": "echo"} if port == "answers" else {"register_timeout": "1s"}
    gateway.listen(port, protocol=PORTS[port], read_timeout="1s", **options).start()
    worker = gateway.worker_pid()
    strangers = dict(STRANGERS, random=random.Random(5).randbytes(65536), one=b"G")
    if port in ("devices", "answers"):
        del strangers["device" if port == "devices" else "nbnet"]  # is at home there
    guests = []
    for sent in strangers.values():
        guest = socket.create_connection(gateway.address(port), 20)
        try:
            guest.sendall(sent)
        except ConnectionError:
            pass
        guests.append(guest)
    for guest in guests:
        try:
            while guest.recv(65536):  # an answer is one to them all: go away
                pass
        except ConnectionResetError:
            pass
        guest.close()
    assert gateway.api.devices() == []
    gateway.wait_log("closed", count=len(strangers))
    assert len(gateway.log_lines("closed")) == len(strangers)
    assert gateway.worker_pid() == worker


def test_one_wrong_byte_is_enough_to_go(gateway):
    gateway.start()
    guest = gateway.terminal()
    guest.send_raw(b"G")
    guest.expect_closed()


def test_random_bytes_in_every_shape(gateway):
    """Mutations of good talk: whatever comes back, the gateway lives and serves others."""
    gateway.start(shards=2)
    worker = gateway.worker_pid()
    chance = random.Random(7)
    a, b = gateway.registered(1, 2)
    for turn in range(300):
        talk = bytearray(ttms.heartbeat(77) + ttms.data(78, chance.randbytes(40)) * 3)
        for _ in range(chance.randrange(1, 8)):
            talk[chance.randrange(len(talk))] = chance.randrange(256)
        del talk[chance.randrange(len(talk)):]
        guest = gateway.terminal()
        try:
            guest.send_raw(talk)
        except ConnectionError:
            pass
        guest.reset() if turn % 2 else guest.close()
        if turn % 50 == 0:
            a.send(2, b"turn %d" % turn)
            b.expect(1, b"turn %d" % turn)
    assert gateway.worker_pid() == worker


@pytest.mark.limit(120)
def test_ten_thousand_half_frames(gateway):
    raise_descriptors(12000)
    gateway.listen("terminals", register_timeout="5s")
    gateway.start(limits={"max_connections": 20000, "max_per_address": 0})
    a, b = gateway.registered(1, 2)
    before = gateway.rss_bytes()
    guests = []
    for n in range(10000):
        guest = socket.create_connection(gateway.address())
        guest.sendall(ttms.heartbeat(100 + n)[:1 + n % 16])
        guests.append(guest)
    a.send(2, b"still here")
    b.expect(1, b"still here")
    each = (gateway.rss_bytes() - before) / len(guests)
    assert each < 1024 * (20 if is_sanitized() else 1), f"{each:.0f} bytes for each"
    for guest in guests:  # each is ended, whatever it had sent
        guest.settimeout(30)
        try:
            assert guest.recv(1) == b""
        except ConnectionResetError:
            pass
        guest.close()
    a.send(2, b"and after it")
    b.expect(1, b"and after it")
    lines = len(gateway.log_lines("closed"))
    assert lines < 1000 or len(gateway.log()) < 4 << 20, "strangers fill the log"


def raise_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        except (ValueError, PermissionError):
            pytest.skip(f"only {hard} descriptors are allowed here")
    elif soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def test_nothing_a_peer_sends_forges_a_log_line(gateway):
    gateway.start(log={"level": "debug"})
    lie = b"\n2026-01-01T00:00:00.000Z error holdfast lied pid=1\r\n" \
        b"\x1b[31mred\0\x7f\xff\x9b"
    for sent in (lie, b"$TTMS" + lie * 3, ttms.VECTOR_HEARTBEAT + lie,
                 ttms.VECTOR_HEARTBEAT + ttms.data(9, lie) + ttms.form(0x0A, 9, lie),
                 ttms.heartbeat(0x0A0D1B00)):
        guest = gateway.terminal()
        try:
            guest.send_raw(sent)
            guest.wait_until_read()
        except OSError:
            pass
        guest.close()
    gateway.wait_log("closed", count=5)
    assert not gateway.log_has("lied")
    for raw in gateway.log().splitlines():
        assert re.fullmatch(r"[\x20-\x7e]*", raw), repr(raw)
        assert LINE.fullmatch(raw), repr(raw)


def test_many_strangers_do_not_fill_the_log(gateway):
    gateway.start()
    a, b = gateway.registered(1, 2)
    for _ in range(2000):
        guest = gateway.terminal()
        guest.send_raw(b"x")
        guest.close()
    a.send(2, b"fine")
    b.expect(1, b"fine")
    assert len(gateway.log()) < 600 * 2000, "more than a few lines for each stranger"


@pytest.mark.parametrize("chosen", ([n << 16 for n in range(60000)], range(60000)),
                         ids=("low_bits_alike", "high_bits_alike"))
def test_ids_chosen_to_collide_are_served_as_any_others(gateway, chosen):
    """Hash flooding. How long the chains get is counted by the hash's own tests."""
    gateway.start(shards=1)
    terminal = gateway.terminal()
    for start in range(0, len(chosen), 1000):
        terminal.send_raw(b"".join(ttms.heartbeat(own)
                                   for own in chosen[start:start + 1000]))
    terminal.register(0xFFFFFFFF)
    assert gateway.rss_bytes() < (900 if is_sanitized() else 200) << 20


@pytest.mark.limit(120)
def test_a_hundred_thousand_targets_that_nobody_is(gateway):
    gateway.start(shards=2)
    a = gateway.registered(1)
    for start in range(0, 100000, 1000):
        a.send_raw(b"".join(ttms.data(0x10000000 + n, b"hello")
                            for n in range(start, start + 1000)))
    a.synchronise()
    gateway.wait_mail(0x10000000 + 99999, 1, 30)
    chosen = random.Random(1).sample(range(100000), 50)
    for n in chosen:
        b = gateway.terminal(0x10000000 + n)
        b.heartbeat()
        b.expect(1, b"hello")
        b.close()
    assert gateway.rss_bytes() < (900 if is_sanitized() else 250) << 20


def test_resets_in_every_state_do_no_harm(gateway):
    gateway.start(shards=2)
    worker = gateway.worker_pid()
    talk = ttms.heartbeat(5) + ttms.data(6, b"x") + ttms.heartbeat(6) + ttms.data(5, b"y")
    for cut in range(len(talk) + 1):
        guest = gateway.terminal()
        guest.send_raw(talk[:cut])
        if cut % 2:
            guest.wait_until_read()
        guest.reset()
    a, b = gateway.registered(1, 2)
    a.send(2, b"alive")
    b.expect(1, b"alive")
    assert gateway.worker_pid() == worker
    assert os.path.exists(f"/proc/{worker}")
