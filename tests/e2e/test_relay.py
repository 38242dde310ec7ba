"""The relay itself, on one shard and on two: addressing, take-over, order."""

import random
import struct
import threading

import pytest

import ttms
from terminal import wait_until


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def relay(gateway, request):
    return gateway.set(shards=request.param)


def test_messages_go_both_ways(relay):
    relay.start()
    a, b = relay.registered(0x11, 0x22)
    a.send(0x22, b"question")
    b.expect(0x11, b"question")
    b.send(0x11, b"answer")
    a.expect(0x22, b"answer")


def test_everybody_reaches_everybody(relay):
    relay.start()
    ids = [random.getrandbits(32) for _ in range(24)]
    terminals = relay.registered(*ids)
    for terminal in terminals:
        for target in ids:
            terminal.send(target, b"one", b"two", b"three")
    for terminal in terminals:
        got = {sender: [] for sender in ids}
        for _ in range(3 * len(ids)):
            frame = terminal.receive()
            got[frame.address].append(frame.content)
        assert all(messages == [b"one", b"two", b"three"] for messages in got.values())


def test_every_byte_value_passes(relay):
    relay.start()
    a, b = relay.registered(1, 2)
    payload = bytes(range(256)) * 4
    a.send(2, payload)
    b.expect(1, payload)


@pytest.mark.parametrize("own", (0, 1, 0x80000000, 0xFFFFFFFF, 0x24545453))
def test_every_id_is_an_id(relay, own):
    relay.start()
    a, b = relay.registered(7, own)
    a.send(own, b"to you")
    b.expect(7, b"to you")
    b.send(7, b"to me")
    a.expect(own, b"to me")


@pytest.mark.whole_io("what one read brought is the end of a frame")
def test_a_client_of_the_old_server_works_unchanged(relay):
    """Its conversation: beats that nobody answers, one write per message, a 16-bit check,
    a length that it counts in its own way, one large recv that it splits at $TTMX."""
    relay.start()

    def frame(command, address, content):
        head = b"$TTMS" + struct.pack(">HIB", len(content) + 2, address, command) + content
        return head + b"\0" + bytes([ttms.xor(head)])

    driver, base = relay.terminal(), relay.terminal()
    driver.send_raw(frame(0x01, 0xD1, b"\0\0\x03\xe8"))
    driver.wait_until_read()
    driver.send_raw(frame(0xAA, 0xBA, b"nobody is there yet"))
    driver.wait_until_read()
    driver.send_raw(frame(0xAA, 0xBA, b"still not"))
    base.send_raw(frame(0x01, 0xBA, b"\0\0\x07\xd0"))

    got = b""
    while got.count(b"$TTMX") < 2 or not got.endswith(b"not\0" + got[-1:]):
        got += base.socket.recv(1000000)
    first, second = (b"$TTMX" + part for part in got.split(b"$TTMX")[1:])
    for raw, text in ((first, b"nobody is there yet"), (second, b"still not")):
        assert raw == ttms.form(ttms.DATA, 0xD1, text + b"\0", start=b"$TTMX",
                                length=len(text) + 2)
    base.send_raw(frame(0x01, 0xBA, b"\0\0\x0b\xb8"))  # and another beat, unanswered
    base.wait_until_read()
    base.send_raw(frame(0xAA, 0xD1, b"copied"))
    wanted = ttms.form(ttms.DATA, 0xBA, b"copied\0", start=b"$TTMX", length=8)
    driver.expect_raw(wanted)


def test_the_newest_connection_of_an_id_takes_over(relay):
    relay.start()
    a, first = relay.registered(1, 2)
    a.send(2, b"to the first")
    first.expect(1, b"to the first")
    second = relay.registered(2)
    first.expect_closed()
    a.send(2, b"to the second")
    second.expect(1, b"to the second")
    relay.wait_log("closed", reason="replaced")


def test_what_the_old_connection_did_not_acknowledge_goes_to_the_new_one(relay):
    relay.start()
    a = relay.registered(1)
    first = relay.registered(2, receive_buffer=4096)
    payloads = [struct.pack(">I", n) + bytes(1500) for n in range(2000)]
    for start in range(0, 2000, 50):
        a.send(2, *payloads[start:start + 50])
    a.synchronise()
    first.wait_quiet()
    second = relay.terminal(2)
    second.heartbeat()
    first.wait_end()  # its TCP has acknowledged for the last time
    taken = first.leave_after_end()
    assert len(taken) < 2000, "the old connection took everything: nothing was tested"
    repeated = expect_continuation(payloads, taken, second)
    assert repeated == 0, f"{repeated} frames came on both connections"


def expect_continuation(payloads, taken, terminal):
    """`taken` frames were read on the old connection: the new one has the rest, in order,
    beginning at most with frames whose acknowledgement was on its way."""
    assert [f.content for f in taken] == payloads[:len(taken)]
    frame = terminal.receive()
    begin = struct.unpack_from(">I", frame.content)[0]
    assert begin <= len(taken), f"lost: {len(taken)} to {begin}"
    assert frame.content == payloads[begin]
    terminal.expect(1, *payloads[begin + 1:])
    return len(taken) - begin


def test_two_connections_that_fight_for_an_id_lose_nothing(relay):
    relay.start()
    a = relay.registered(1)
    got, sent = [], 0
    holder = relay.registered(2)
    for turn in range(50):
        a.send(2, *(b"%d" % n for n in range(sent, sent + 5)))
        sent += 5
        challenger = relay.terminal(2)
        challenger.heartbeat()
        got += [int(f.content) for f in holder.leave_after_end()]
        holder = challenger
    while not got or got[-1] != sent - 1:
        got.append(int(holder.receive().content))
    assert_in_order_with_repeats(got, sent)


def assert_in_order_with_repeats(got, count):
    """Every number once in order; a repeat may only go back, and go on from there."""
    expected = 0
    for before, number in zip([None] + got, got):
        assert number <= expected, f"{number} came before {expected}"
        if before is not None:
            assert number <= before + 1, f"{number} after {before}"
        expected = max(expected, number + 1)
    assert expected == count


def test_a_connection_that_beats_with_another_id_changes_its_id(relay):
    relay.start()
    a, b = relay.registered(1, 2)
    b.register(3)
    a.send(3, b"for three")
    b.expect(1, b"for three")
    b.send(1, b"from three")
    a.expect(3, b"from three")
    a.send(2, b"for two")  # nobody is two now: it waits
    a.synchronise()
    c = relay.terminal(2)
    c.heartbeat()
    c.expect(1, b"for two")


def test_changing_to_an_id_in_use_takes_it_over(relay):
    relay.start()
    a, b, c = relay.registered(1, 2, 3)
    b.register(3)
    c.expect_closed()
    a.send(3, b"three")
    b.expect(1, b"three")


def test_changing_ids_keeps_the_order_of_what_each_id_sent(relay):
    relay.start()
    b = relay.registered(2)
    a = relay.terminal(10)
    a.heartbeat()
    talk = b"".join(ttms.heartbeat(own) + ttms.data(2, b"%d.1" % own)
                    + ttms.data(2, b"%d.2" % own) for own in range(10, 40))
    a.send_raw(talk)
    got = {}
    for _ in range(60):
        frame = b.receive()
        got.setdefault(frame.address, []).append(frame.content)
    assert got == {own: [b"%d.1" % own, b"%d.2" % own] for own in range(10, 40)}


@pytest.mark.limit(90)
def test_order_across_a_hundred_reconnects_under_load(relay):
    relay.start()
    senders = relay.registered(1, 2, 3)
    stop = threading.Event()
    sent = {}
    got = {1: [], 2: [], 3: []}

    def talk(sender):
        n = 0
        while not stop.is_set():
            # Never so far ahead that the mailbox would have to refuse.
            if n < len(got[sender.own]) + 2000:
                burst = range(n, n + 20)
                sender.send(9, *(struct.pack(">I", m) + bytes(m % 300) for m in burst))
                n += 20
            stop.wait(0.005)
        sent[sender.own] = n

    threads = [threading.Thread(target=talk, args=(s,), daemon=True) for s in senders]
    for thread in threads:
        thread.start()

    def note(frame):
        got[frame.address].append(struct.unpack_from(">I", frame.content)[0])

    choice = random.Random(1)
    for turn in range(100):
        target = relay.terminal(9)
        target.heartbeat()
        for _ in range(choice.randrange(60)):
            note(target.receive())
        for frame in target.leave():
            note(frame)
    stop.set()
    for thread in threads:
        thread.join()
    target = relay.terminal(9)
    target.heartbeat()
    while any(not numbers or max(numbers) != sent[own] - 1
              for own, numbers in got.items()):
        note(target.receive())
    for own, numbers in got.items():
        assert_in_order_with_repeats(numbers, sent[own])


def test_heartbeats_are_not_answered_unless_the_listener_says_so(relay):
    relay.listen("echoing", reply_heartbeats=True).start()
    quiet, loud = relay.terminal(1), relay.terminal(2, listener="echoing")
    quiet.heartbeat()
    quiet.heartbeat()
    loud.heartbeat()
    loud.expect_echo()
    loud.heartbeat()
    loud.expect_echo()
    loud.send(1, b"first thing that you see")
    quiet.expect(2, b"first thing that you see")


def test_listeners_share_their_terminals(relay):
    relay.listen("others", length="rest").start()
    a, b = relay.registered(1), relay.registered(2, listener="others", reading="rest")
    a.send(2, b"across")
    b.expect_raw(ttms.received(1, b"across", "total"))
    b.send(1, b"back")
    a.expect_raw(ttms.received(2, b"back", "rest"))


def test_an_idle_terminal_stays_connected(relay):
    relay.listen("terminals", register_timeout="1s", read_timeout="1s").start()
    a, b = relay.registered(1, 2)
    silent = relay.terminal()
    silent.expect_closed()  # so more than both time-outs have passed
    a.send(2, b"still here")
    b.expect(1, b"still here")
    wait_until(b.is_open)
