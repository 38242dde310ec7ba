"""Where a frame begins and ends: vectors, splits, sticky frames, length readings."""

import pytest

import ttms
from gateway import Gateway

READINGS = ttms.BELIEVED
# A payload that contains starts, a whole frame, and the beginning of one at its end.
TRAP = b"$TTMS" + ttms.VECTOR_DATA + b"$TTMS$TTM" + ttms.VECTOR_HEARTBEAT + b"$TTMS"


def test_the_vectors_of_the_protocol_page(gateway):
    gateway.start()
    one, two = gateway.terminal(), gateway.registered(2)
    one.send_raw(ttms.VECTOR_HEARTBEAT)
    one.send_raw(ttms.VECTOR_DATA)
    two.expect_raw(ttms.VECTOR_RECEIVED)


@pytest.mark.parametrize("cut", range(1, len(ttms.VECTOR_HEARTBEAT)))
def test_a_first_heartbeat_split_at_every_byte(split_gateway, cut):
    two = split_gateway.registered(2)
    one = split_gateway.terminal()
    one.send_raw(ttms.VECTOR_HEARTBEAT[:cut])
    one.wait_until_read()
    one.send_raw(ttms.VECTOR_HEARTBEAT[cut:])
    one.wait_until_read()
    one.send_raw(ttms.VECTOR_DATA)
    two.expect_raw(ttms.VECTOR_RECEIVED)


@pytest.mark.parametrize("cut", range(1, len(ttms.VECTOR_DATA)))
def test_data_split_at_every_byte(split_gateway, cut):
    one, two = split_gateway.registered(1, 2)
    one.send_raw(ttms.VECTOR_DATA[:cut])
    one.wait_until_read()
    one.send_raw(ttms.VECTOR_DATA[cut:])
    two.expect_raw(ttms.VECTOR_RECEIVED)


@pytest.fixture(scope="module")
def split_gateway(tmp_path_factory):
    """Shared by the split tests, which are many and leave nothing behind."""
    gateway = Gateway(tmp_path_factory.mktemp("splits")).start()
    yield gateway
    gateway.clean_up()


@pytest.mark.parametrize("reading", READINGS)
def test_a_whole_conversation_byte_by_byte(gateway, reading):
    gateway.listen("terminals", length=reading).start()
    two = gateway.registered(2, reading=reading)
    one = gateway.terminal(1, reading=reading)
    talk = ttms.heartbeat(1, reading) + ttms.data(2, b"hi", reading) \
        + ttms.data(2, TRAP, reading) + ttms.data(2, b"", reading)
    for n, byte in enumerate(talk):
        one.send_raw(bytes([byte]))
        if n < 40 or n % 8 == 0:  # looking is slow where many connections are open
            one.wait_until_read()
    two.expect(1, b"hi", TRAP, b"")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("length", ("auto", "declared"))
def test_the_length_reading_is_understood_and_passed_on(gateway, reading, length):
    gateway.listen("terminals", length=reading if length == "declared" else length).start()
    one, two = gateway.registered(1, 2, reading=reading)
    for payload in (b"hi", b"", b"\0", b"x" * 199, b"$TTMX"):
        one.send(2, payload)
        two.expect_raw(ttms.received(1, payload, reading))


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("length", ("auto", "declared"))
def test_a_start_inside_a_payload_splits_nothing(gateway, reading, length):
    gateway.listen("terminals", length=reading if length == "declared" else length).start()
    one, two = gateway.registered(1, 2, reading=reading)
    one.send(2, TRAP, b"$TTMS", TRAP + TRAP, ttms.VECTOR_HEARTBEAT)
    two.expect(1, TRAP, b"$TTMS", TRAP + TRAP, ttms.VECTOR_HEARTBEAT)


@pytest.mark.parametrize("reading", READINGS)
def test_small_sticky_frames_in_one_write(gateway, reading):
    # The old server took anything below 200 bytes for one frame and lost the rest.
    gateway.start()
    one, two = gateway.registered(1, 2, reading=reading)
    payloads = [b"%d" % n for n in range(1000)]
    one.send(2, *payloads)
    two.expect(1, *payloads)


def test_a_registration_and_its_first_messages_in_one_write(gateway):
    gateway.start()
    two = gateway.registered(2)
    one = gateway.terminal()
    one.send_raw(ttms.VECTOR_HEARTBEAT + ttms.VECTOR_DATA * 3)
    two.expect(1, b"hi", b"hi", b"hi")


@pytest.mark.parametrize("size", (13, 1460, 1520, 4096, 65535))
def test_frames_of_every_size_that_a_length_field_can_say(gateway, size):
    gateway.start()
    one, two = gateway.registered(1, 2)
    payloads = [bytes([n]) * (size - 13) for n in range(8)]
    one.send(2, *payloads)
    two.expect(1, *payloads)


def test_auto_decides_for_each_connection_on_its_own(gateway):
    gateway.start()
    terminals = [gateway.registered(n, reading=reading)
                 for n, reading in enumerate(READINGS, 1)]
    for terminal in terminals:
        for target in terminals:
            payload = b"from %d to %d" % (terminal.own, target.own)
            # The length field is the sender's: it passes untouched.
            wanted = ttms.received(terminal.own, payload, terminal.reading)
            terminal.send(target.own, payload)
            target.expect_raw(wanted)


@pytest.mark.parametrize("reading", READINGS)
def test_the_choice_of_auto_is_shown(gateway, reading):
    gateway.start(log={"level": "debug"})
    gateway.registered(1, reading=reading)
    gateway.wait_log(length=reading)


@pytest.mark.whole_io("what one read brought is the end of a frame")
@pytest.mark.parametrize("length", ("auto", "ignore"))
@pytest.mark.parametrize("value", (0, 1, 2, 0x1100, 0x7FFF, 0xFFFF))
def test_a_meaningless_length_field_ends_frames_at_the_next_start(gateway, length, value):
    gateway.listen("terminals", length=length).start()
    two = gateway.registered(2) if length == "auto" else gateway.terminal(2)
    two.heartbeat()
    one = gateway.terminal()
    one.send_raw(ttms.form(ttms.HEARTBEAT, 1, b"\0\0\0\1", length=value))
    one.wait_until_read()
    payloads = (b"first", b"", b"and a longer one")
    one.send_raw(b"".join(ttms.form(ttms.DATA, 2, p, length=value) for p in payloads))
    for payload in payloads:
        two.expect_raw(ttms.form(ttms.DATA, 1, payload, length=value,
                                 start=ttms.FROM_GATEWAY))


@pytest.mark.whole_io("what one read brought is the end of a frame")
def test_ignore_takes_a_two_byte_check_and_no_check_content_alike(gateway):
    gateway.listen("terminals", length="ignore").start()
    one, two = gateway.terminal(1), gateway.terminal(2)
    two.send_raw(ttms.heartbeat(2, "content2"))
    two.wait_until_read()
    one.send_raw(ttms.heartbeat(1, "content2"))
    one.wait_until_read()
    one.send_raw(ttms.data(2, b"hi", "content2"))
    two.expect_raw(ttms.received(1, b"hi", "content2"))


def test_auto_does_not_wait_for_a_heartbeat_with_a_wrong_check(gateway):
    gateway.start()
    one, two = gateway.registered(1), gateway.terminal(2)
    two.send_raw(ttms.VECTOR_HEARTBEAT[:7] + b"\0\0\0\2\1\0\0\0\7\x99")
    gateway.wait_log("login", device="00000002", length="ignore")
    one.send(2, b"hello")
    two.expect(1, b"hello")
