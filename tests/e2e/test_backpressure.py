"""Readers that do not read, senders that do not stop: bounded memory, nothing lost, and
nobody else feels it."""

import select
import struct
import threading

import pytest

import ttms
from gateway import is_sanitized
from terminal import wait_until
from test_receipts import Fates

MIB = 1 << 20
PAYLOAD = 1507  # 1520-byte frames


def numbered(first, count):
    return [struct.pack(">I", n) + bytes(PAYLOAD - 4) for n in range(first, first + count)]


def bounded(gateway):
    return gateway.rss_bytes() < (400 if is_sanitized() else 80) * MIB


def pour(sender, target, count):
    """Sends `count` messages in large writes; returns when the kernel has all of them."""
    for first in range(0, count, 500):
        sender.send(target, *numbered(first, min(500, count - first)))


def test_a_reader_that_stops_and_resets_loses_nothing(gateway):
    gateway.start(mailbox={"max_messages": 100000, "max_bytes": "1GiB"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    c, d = gateway.registered(3, 4)
    count = 20000  # 30 MB
    pour(a, 2, count)
    c.send(4, b"another pair")
    d.expect(3, b"another pair")
    a.synchronise()
    assert bounded(gateway), f"{gateway.rss_bytes() / MIB:.0f} MiB"
    b.wait_quiet()
    # Nobody reads any more, so these are exactly the bytes that our TCP acknowledged.
    acknowledged = b.unread()
    whole = len(acknowledged) // ttms.frame_size(PAYLOAD, "total")
    b.reset()
    gateway.wait_log("closed", reason="reset")
    b = gateway.terminal(2)
    b.heartbeat()
    first = struct.unpack_from(">I", b.receive().content)[0]
    assert first == whole, f"{whole} frames were acknowledged, it goes on with {first}"
    b.expect(1, *numbered(first + 1, count - first - 1))


def test_a_slow_reader_gets_everything_in_order(gateway):
    gateway.start(mailbox={"max_messages": 100000, "max_bytes": "1GiB"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    pour(a, 2, 6000)
    a.synchronise()
    b.expect(1, *numbered(0, 6000))


@pytest.mark.parametrize("shards", (1, 2))
def test_a_sender_waits_for_a_reader_that_is_slow_but_moves(gateway, shards):
    """Rather than being refused when the reader's mailbox is full."""
    gateway.listen("terminals", receipts=True, reply_heartbeats=True)
    gateway.start(shards=shards, limits={"output_limit": "64KiB"}, mailbox={"max_messages": 2000})
    a, b = gateway.terminal(1), gateway.terminal(2, receive_buffer=65536)
    for terminal in (a, b):
        terminal.heartbeat()
        terminal.expect_echo()
    sender = threading.Thread(target=pour, args=(a, 2, 8000), daemon=True)
    sender.start()
    b.expect(1, *numbered(0, 8000))
    sender.join()
    assert not Fates(a).until(8000).refused


def test_a_slow_reader_costs_no_other_connections_time(gateway):
    """While one target's reader sleeps and its sender pours, another pair converses."""
    gateway.start(shards=1, mailbox={"max_messages": 100000, "max_bytes": "1GiB"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    c, d = gateway.registered(3, 4)
    for first in range(0, 10000, 100):
        a.send(2, *numbered(first, 100))
        c.send(4, b"ping %d" % first)
        d.expect(3, b"ping %d" % first)
        d.send(3, b"pong %d" % first)
        c.expect(4, b"pong %d" % first)
    b.expect(1, *numbered(0, 10000))


def test_a_mode_change_while_mail_drains_keeps_the_order(gateway):
    """Direct, then too slow, then draining, then direct again, many times over."""
    gateway.start(limits={"output_limit": "64KiB"},
                  mailbox={"max_messages": 100000, "max_bytes": "1GiB"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    sent = 0
    for _ in range(12):
        a.send(2, *numbered(sent, 300))
        a.synchronise()
        b.expect(1, *numbered(sent, 300))
        sent += 300
        a.send(2, *numbered(sent, 3))
        b.expect(1, *numbered(sent, 3))
        sent += 3


@pytest.mark.parametrize("durability", ("offline", "all"))
def test_a_sender_faster_than_everything_waits_in_bounded_memory(gateway, durability):
    """The gateway stops reading a sender that is ahead: its TCP tells it to wait."""
    gateway.listen("terminals", durability=durability)
    # With the default of 64 MiB a slow disk may rightly hold more than the bound asked for.
    gateway.start(mailbox={"max_messages": 1000000, "max_bytes": "4GiB", "backlog": "16MiB"})
    a = gateway.registered(1)
    count = 80000  # 120 MB for a terminal that is away
    pour(a, 2, count)
    a.synchronise()
    assert bounded(gateway), f"{gateway.rss_bytes() / MIB:.0f} MiB"
    b = gateway.terminal(2)
    b.heartbeat()
    for first in range(0, count, 1000):
        b.expect(1, *numbered(first, 1000))


def test_a_terminal_that_never_reads_its_receipts_is_bounded(gateway):
    gateway.listen("terminals", receipts=True, reply_heartbeats=True).start()
    deaf = gateway.terminal(1, receive_buffer=4096, send_buffer=65536)
    beats = ttms.heartbeat(1) * 1000
    deaf.socket.setblocking(False)
    sent = 0
    while sent < 60 * MIB:
        if not select.select([], [deaf.socket], [], 0.5)[1]:
            break  # it waits: also a bound
        try:
            sent += deaf.socket.send(beats[sent % len(beats):])
        except BlockingIOError:
            continue
        except ConnectionError:
            break  # it was closed: also a bound
    assert bounded(gateway), f"{gateway.rss_bytes() / MIB:.0f} MiB"
    c, d = gateway.terminal(3), gateway.terminal(4)
    for terminal in (c, d):
        terminal.heartbeat()
        terminal.expect_echo()
    c.send(4, b"alive")
    d.expect(3, b"alive")


def test_mail_for_many_readers_at_once_stays_bounded(gateway):
    """Fifty terminals come back to 1.5 MB of mail each and do not read."""
    gateway.start(mailbox={"max_messages": 100000})
    a = gateway.registered(1)
    for target in range(100, 150):
        pour(a, target, 1000)
    a.synchronise()
    readers = [gateway.terminal(n, receive_buffer=4096) for n in range(100, 150)]
    for reader in readers:
        reader.heartbeat()
    for reader in readers:
        wait_until(lambda: len(reader.unread()) > 1500, "the mail to come")
    # What the disk's answers took is given back within seconds, not at once.
    bound = (600 if is_sanitized() else 160) * MIB
    wait_until(lambda: gateway.rss_bytes() < bound, "memory to be bounded")
    for reader in readers[:3] + readers[-3:]:
        reader.expect(1, *numbered(0, 1000))


@pytest.mark.limit(120)
def test_a_hundred_thousand_messages_for_one_starve_nobody(gateway):
    gateway.start(shards=1, mailbox={"max_messages": 200000})
    a, c, d = gateway.registered(1, 3, 4)
    count = 100000
    for first in range(0, count, 1000):
        a.send(2, *(struct.pack(">I", n) for n in range(first, first + 1000)))
    a.synchronise()
    wait_until(lambda: gateway.mail_count(2) == count, "all to be stored", 60)
    b = gateway.terminal(2)
    b.heartbeat()
    got = []
    reading = threading.Thread(
        target=lambda: got.extend(b.receive().content for _ in range(count)), daemon=True)
    reading.start()
    while reading.is_alive():
        c.send(4, b"business as usual")
        d.expect(3, b"business as usual")
    assert got == [struct.pack(">I", n) for n in range(count)]
