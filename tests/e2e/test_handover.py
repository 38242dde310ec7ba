"""An id passes from one connection to the next while its mail is on the move: whatever the
moment, nothing is lost, nothing reordered, and only what was on its way comes twice."""

import os
import random
import signal
import struct

import pytest

from test_relay import assert_in_order_with_repeats
from test_relay import relay  # noqa: F401 - the fixture


def numbered(first, count):
    return [struct.pack(">I", n) + bytes(n % 700) for n in range(first, first + count)]


def number_of(frame):
    return struct.unpack_from(">I", frame.content)[0]


def read_some(terminal, count, got):
    for _ in range(count):
        got.append(number_of(terminal.receive()))


def read_rest(terminal, last, got):
    while not got or max(got) < last:
        got.append(number_of(terminal.receive()))


@pytest.fixture
def roomy(relay):  # noqa: F811
    return relay.set(mailbox={"max_messages": 100000, "max_bytes": "1GiB"},
                     limits={"output_limit": "64KiB"})


def test_take_overs_while_the_mailbox_drains(roomy):
    roomy.start()
    a = roomy.registered(1)
    a.send(2, *numbered(0, 6000))
    a.synchronise()
    got, chance = [], random.Random(2)
    holder = roomy.terminal(2, receive_buffer=4096)
    holder.heartbeat()
    for _ in range(40):
        read_some(holder, chance.randrange(1, 60), got)
        challenger = roomy.terminal(2, receive_buffer=4096)
        challenger.heartbeat()
        got += [number_of(frame) for frame in holder.leave_after_end()]
        holder = challenger
    read_rest(holder, 5999, got)
    assert_in_order_with_repeats(got, 6000)


def test_take_overs_while_messages_keep_coming(roomy):
    roomy.start()
    a = roomy.registered(1)
    got, chance, sent = [], random.Random(3), 0
    holder = roomy.terminal(2)
    holder.heartbeat()
    for _ in range(60):
        a.send(2, *numbered(sent, 60))
        sent += 60
        read_some(holder, chance.randrange(1, 50), got)
        challenger = roomy.terminal(2, receive_buffer=chance.choice((None, 4096)))
        challenger.heartbeat()
        a.send(2, *numbered(sent, 60))
        sent += 60
        got += [number_of(frame) for frame in holder.leave_after_end()]
        holder = challenger
    read_rest(holder, sent - 1, got)
    assert_in_order_with_repeats(got, sent)


def test_resets_in_the_middle_of_the_mail(roomy):
    """What our TCP acknowledged and we did not read is gone with a reset, and is meant to
    be: so everything is read first, and the rest must come to the next connection."""
    roomy.start()
    a = roomy.registered(1)
    a.send(2, *numbered(0, 3000))
    a.synchronise()
    got = []
    for turn in range(15):
        b = roomy.terminal(2, receive_buffer=4096)
        b.heartbeat()
        read_some(b, 1 + 7 * turn, got)
        b.wait_quiet()
        b.buffer += b.unread()
        while b.holds_frame():
            got.append(number_of(b.receive()))
        b.reset()
    b = roomy.terminal(2)
    b.heartbeat()
    read_rest(b, 2999, got)
    assert_in_order_with_repeats(got, 3000)


def test_a_new_name_in_the_middle_of_the_mail(roomy):
    """A connection takes on another name and returns to its own while its mail drains.
    What is on the wire reaches it under any name; the rest waits for the name."""
    roomy.start()
    a = roomy.registered(1)
    a.send(2, *numbered(0, 4000))
    a.synchronise()
    b = roomy.terminal(2, receive_buffer=4096)
    got = []
    for _ in range(30):
        b.heartbeat(2)
        read_some(b, 20, got)
        b.heartbeat(3)
    b.heartbeat(2)
    read_rest(b, 3999, got)
    assert_in_order_with_repeats(got, 4000)


def test_two_terminals_that_exchange_their_names(roomy):
    roomy.start()
    a, b, c = roomy.registered(1, 2, 3)
    for turn in range(30):
        first, second = (2, 3) if turn % 2 else (3, 2)
        b.register(first)  # this one ends c's connection: it held that name
        c.close()
        c = roomy.terminal(second)
        c.register()
        a.send(2, b"two %d" % turn)
        a.send(3, b"three %d" % turn)
        (b if first == 2 else c).expect(1, b"two %d" % turn)
        (b if first == 3 else c).expect(1, b"three %d" % turn)


def test_large_frames_through_a_small_output_limit(roomy):
    roomy.start()
    a, b = roomy.registered(1), roomy.registered(2, receive_buffer=4096)
    payloads = [bytes([n]) * 65522 for n in range(60)]
    a.send(2, *payloads)
    b.expect(1, *payloads)
    c = roomy.terminal(3)
    a.send(3, *payloads)
    a.synchronise()
    c.heartbeat()
    c.expect(1, *payloads)


def test_connections_that_end_in_the_turn_in_which_they_are_read(gateway):
    """All of it waits for one turn of the loop: who takes over comes first, and behind it
    what the old connection still sends, or its reset. Then the numbers of its descriptor
    and of its place are somebody else's at once."""
    gateway.start(shards=1)
    names = range(1, 41)
    holders = [gateway.registered(own) for own in names]
    for turn in range(10):
        challengers = [gateway.terminal(own) for own in names]
        gateway.api.connections()  # all of them were accepted
        worker = gateway.freeze_worker()
        for challenger in challengers:
            challenger.heartbeat()
        for holder in holders:
            holder.send(holder.own % 40 + 1, b"too late")
            if holder.own % 2 == turn % 2:
                holder.reset()
        os.kill(worker, signal.SIGCONT)
        for challenger in challengers:
            challenger.synchronise()
        for holder in holders:
            if holder.socket:
                holder.wait_end()
                holder.close()
        holders = challengers
    assert gateway.worker_pid() == worker
    assert len(gateway.log_lines("closed", reason="replaced")) >= 10 * 40 // 2
