"""Every rule by which the gateway ends a connection: its reason, once in the log."""

import pytest

import ttms
from terminal import wait_until

REGISTERED = ttms.heartbeat(1)


def closing_lines(gateway):
    return gateway.log_lines("closed")


def expect_end(gateway, terminal, reason):
    """Closed, with this reason, in exactly one line."""
    terminal.expect_closed()
    gateway.wait_log("closed", reason=reason)
    assert len(closing_lines(gateway)) == 1, gateway.log()


BY_FRAME = [
    # name, reason, listener options, what the terminal sends
    ("a_first_byte_that_is_no_start", "bad_start", {}, b"!TTMS" + bytes(20)),
    ("a_wrong_start_after_good_frames", "bad_start", {"length": "total"},
     REGISTERED + b"$TTMX" + bytes(20)),
    ("a_believed_length_below_13", "too_short", {"length": "total"},
     ttms.form(ttms.HEARTBEAT, 1, b"\0\0\0\1", length=12)),
    ("a_believed_length_of_zero", "too_short", {"length": "total"},
     ttms.form(ttms.HEARTBEAT, 1, b"\0\0\0\1", length=0)),
    ("a_rest_that_is_too_small", "too_short", {"length": "rest"},
     ttms.form(ttms.HEARTBEAT, 1, b"\0\0\0\1", length=5)),
    ("eleven_bytes_before_the_next_start", "too_short", {"length": "ignore"},
     b"$TTMS\0\0\0\0\0\1" + REGISTERED),
    ("a_frame_above_max_frame", "too_large", {"length": "total", "max_frame": "4KiB"},
     REGISTERED + ttms.data(2, bytes(4084))),
    ("an_endless_frame_without_length", "too_large",
     {"length": "ignore", "max_frame": "4KiB"}, REGISTERED + ttms.data(2, bytes(9000))),
    ("data_before_any_heartbeat", "unregistered", {}, ttms.data(2, b"hi")),
    ("an_unknown_command", "unknown_command", {}, REGISTERED + ttms.form(0x77, 2, b"hi")),
    ("a_receipt_from_a_terminal", "unknown_command", {},
     REGISTERED + ttms.form(ttms.RECEIPT, 0, b"\0\0\0\1")),
]


whole_io = pytest.mark.whole_io("what one read brought is the end of a frame")


def by_length(options):
    return whole_io if options.get("length") == "ignore" else ()


@pytest.mark.parametrize("reason, options, sent", [
    pytest.param(*rest, id=name, marks=by_length(rest[1])) for name, *rest in BY_FRAME])
def test_closes_on(gateway, reason, options, sent):
    gateway.listen("terminals", **options).start()
    terminal = gateway.terminal()
    terminal.send_raw(sent)
    expect_end(gateway, terminal, reason)


def test_frames_up_to_max_frame_pass(gateway):
    gateway.listen("terminals", max_frame="4KiB").start()
    a, b = gateway.registered(1, 2)
    a.send(2, bytes(4083))
    b.expect(1, bytes(4083))


@whole_io
def test_the_shortest_frames_pass(gateway):
    # 12 bytes where the length is not believed: a frame without a check of its own.
    gateway.listen("bare", length="ignore").start()
    a, b = gateway.terminal(1, listener="bare"), gateway.registered(2)
    a.heartbeat()
    a.wait_until_read()
    twelve = ttms.TO_GATEWAY + bytes.fromhex("0000 00000002 aa")
    a.send_raw(twelve)
    a.wait_until_read()
    a.send_raw(ttms.data(2, b""))
    got = b.receive_raw(12 + 13)
    # The last byte, here the command's place, is the XOR of all before it.
    assert got[:11] == ttms.FROM_GATEWAY + bytes.fromhex("0000 00000001")
    assert got[11] == ttms.xor(got[:11])
    assert got[12:] == ttms.received(1, b"")


def test_good_frames_before_a_bad_one_are_relayed(gateway):
    gateway.start()
    a, b = gateway.registered(1, 2)
    a.send_raw(ttms.data(2, b"good") * 3 + b"garbage" * 4)
    b.expect(1, b"good", b"good", b"good")
    expect_end(gateway, a, "bad_start")


def test_a_frame_that_stays_incomplete(gateway):
    gateway.listen("terminals", read_timeout="1s").start()
    a = gateway.registered(1)
    a.send_raw(ttms.data(2, b"hi")[:-1])
    expect_end(gateway, a, "read_timeout")


def test_a_frame_that_grows_slowly_is_timed_from_its_first_byte(gateway):
    gateway.listen("terminals", read_timeout="1s").start()
    a = gateway.registered(1)
    frame = ttms.data(2, bytes(5000))

    def drip():
        try:
            a.send_raw(frame[:1])
        except OSError:
            return True
        return not a.is_open()

    a.send_raw(frame[:100])
    wait_until(drip, "the end of a dripping frame", 10)
    gateway.wait_log("closed", reason="read_timeout")


def test_nothing_registered(gateway):
    gateway.listen("terminals", register_timeout="1s").start()
    expect_end(gateway, gateway.terminal(), "register_timeout")


def test_a_half_heartbeat_does_not_extend_the_time_to_register(gateway):
    gateway.listen("terminals", register_timeout="1s", read_timeout="30s").start()
    terminal = gateway.terminal()
    terminal.send_raw(ttms.VECTOR_HEARTBEAT[:-1])
    expect_end(gateway, terminal, "register_timeout")


def test_a_terminal_that_leaves(gateway):
    gateway.start()
    a = gateway.registered(1)
    a.leave()
    gateway.wait_log("closed", reason="peer_closed")
    assert len(closing_lines(gateway)) == 1


def test_a_terminal_that_resets(gateway):
    gateway.start()
    a = gateway.registered(1)
    a.reset()
    gateway.wait_log("closed", reason="reset")
    assert len(closing_lines(gateway)) == 1


def test_a_take_over(gateway):
    gateway.start()
    a = gateway.registered(1)
    gateway.registered(1)
    expect_end(gateway, a, "replaced")


def test_each_of_many_connections_ends_in_exactly_one_line(gateway):
    gateway.start(shards=2)
    for round in range(4):
        terminals = gateway.registered(*range(10, 14))
        terminals[0].leave()
        terminals[1].reset()
        terminals[2].send_raw(b"nonsense")
        terminals[2].expect_closed()
        # The fourth is taken over in the next round, the last by the end.
    gateway.wait_log("closed", count=15)
    gateway.stop()
    assert len(closing_lines(gateway)) == 16, gateway.log()


def test_a_closing_line_tells_what_the_connection_was(gateway):
    gateway.start()
    a, b = gateway.registered(1, 2)
    a.send(2, b"x", b"y")
    b.expect(1, b"x", b"y")
    a.leave()
    line = gateway.wait_log("closed", reason="peer_closed")
    assert {"reason", "age_s", "rx", "tx"} <= line.pairs.keys(), line
    assert "00000001" in line.text
