"""Receipts: the sender learns the fate of its frames, in order, numbered from 1."""

import struct

import pytest

import ttms


@pytest.fixture(params=("offline", "all"), ids=("durability_offline", "durability_all"))
def receipting(gateway, request):
    return gateway.listen("terminals", receipts=True, reply_heartbeats=True,
                          durability=request.param)


def joined(gateway, own, **options):
    terminal = gateway.terminal(own, **options)
    terminal.heartbeat()
    terminal.expect_echo()
    return terminal


class Fates:
    """Collects what the receipts of one terminal say."""

    def __init__(self, terminal):
        self.terminal = terminal
        self.decided = 0
        self.refused = []

    def take(self):
        frame = self.terminal.receive()
        assert frame is not None, "closed instead of a receipt"
        assert frame.address == 0 and len(frame.content) == 4, frame
        number = struct.unpack(">I", frame.content)[0]
        if frame.command == ttms.REFUSAL:
            # A refused frame is named before the receipt that covers it.
            assert number > self.decided and number not in self.refused, frame
            self.refused.append(number)
        else:
            assert frame.command == ttms.RECEIPT, frame
            assert number > self.decided, f"receipt {number} after {self.decided}"
            self.decided = number

    def until(self, number):
        while self.decided < number:
            self.take()
        assert self.decided == number, f"{self.decided} decided of {number} sent"
        return self


def test_the_bytes_of_a_receipt(receipting):
    receipting.start()
    a = joined(receipting, 1)
    a.send(9, b"for later")
    a.expect_raw(bytes.fromhex("2454544d58 0011 00000000 02 00000001")
                 + bytes([ttms.xor(bytes.fromhex("2454544d580011000000000200000001"))]))


@pytest.mark.parametrize("reading", ttms.BELIEVED)
def test_a_receipt_counts_its_length_as_the_terminal_does(receipting, reading):
    receipting.start()
    a = joined(receipting, 1, reading=reading)
    a.send(9, b"for later")
    Fates(a).until(1)


def test_delivered_frames_are_decided(receipting):
    receipting.start()
    a, b = joined(receipting, 1), joined(receipting, 2)
    payloads = [b"%d" % n for n in range(500)]
    a.send(2, *payloads)
    b.expect(1, *payloads)
    assert Fates(a).until(500).refused == []


def test_frames_in_the_mailbox_are_decided(receipting):
    receipting.start()
    a = joined(receipting, 1)
    a.send(2, *(b"%d" % n for n in range(500)))
    assert Fates(a).until(500).refused == []


def test_only_data_is_numbered(receipting):
    receipting.start()
    a = joined(receipting, 1)
    fates = Fates(a)
    for n in range(1, 4):
        a.send(9, b"data")
        fates.until(n)
        a.heartbeat()
        a.expect_echo()


def test_every_connection_counts_from_one(receipting):
    receipting.start()
    for _ in range(3):
        a = joined(receipting, 1)
        a.send(9, b"x", b"y")
        Fates(a).until(2)


def test_changing_the_id_does_not_restart_the_numbers(receipting):
    receipting.start()
    a = joined(receipting, 1)
    fates = Fates(a)
    a.send(9, b"x")
    fates.until(1)
    a.heartbeat(2)
    a.expect_echo()
    a.send(9, b"y")
    fates.until(2)


def test_frames_to_several_targets_are_decided_in_the_order_sent(receipting):
    receipting.start(shards=2)
    a = joined(receipting, 1)
    online = [joined(receipting, n) for n in (2, 3)]
    for n in range(300):
        a.send(2 + n % 6, b"%d" % n)
    assert Fates(a).until(300).refused == []
    for terminal in online:
        terminal.expect(1, *(b"%d" % n for n in range(300) if 2 + n % 6 == terminal.own))


def test_a_full_mailbox_refuses_by_number_and_before_the_receipt(receipting):
    receipting.start(mailbox={"max_messages": 5})
    a = joined(receipting, 1)
    a.send(9, *(b"%d" % n for n in range(1, 9)))
    assert Fates(a).until(8).refused == [6, 7, 8]
    receiver = receipting.terminal(9)
    receiver.heartbeat()
    receiver.expect_with_echo(1, *(b"%d" % n for n in range(1, 6)))


def test_refusals_for_one_target_leave_the_others_safe(receipting):
    receipting.start(mailbox={"max_messages": 3})
    a = joined(receipting, 1)
    for n in range(4):
        a.send(8, b"%d" % n)
        a.send(9, b"%d" % n)
    assert Fates(a).until(8).refused == [7, 8]


def test_a_frame_is_not_safe_while_its_reader_has_not_taken_it(gateway):
    """Durability offline: a message on its way in a slow reader's connection is neither
    delivered nor durable, so nothing may be said about it yet."""
    gateway.listen("terminals", receipts=True, reply_heartbeats=True,
                   durability="offline").start()
    a = joined(gateway, 1)
    b = joined(gateway, 2, receive_buffer=4096)
    size = 1000
    a.send(2, *(bytes(size) for _ in range(400)))
    fates = Fates(a)

    while a.is_readable(0.5):
        fates.take()
    taken = len(b.unread()) // ttms.frame_size(size, "total")
    assert fates.decided <= taken < 400, "receipts ran ahead of the reader"
    b.expect(1, *(bytes(size) for _ in range(400)))
    fates.until(400)


def test_without_the_option_there_are_no_receipts(gateway):
    gateway.listen("terminals", reply_heartbeats=True).start()
    a = joined(gateway, 1)
    a.send(9, b"x", b"y")
    a.expect_nothing()
    a.send(1, b"to myself")
    a.expect(1, b"to myself")
