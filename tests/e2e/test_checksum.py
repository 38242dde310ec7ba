"""The check byte: three policies."""

import pytest

import ttms


def spoiled(frame):
    return frame[:-1] + bytes([frame[-1] ^ 0x55])


@pytest.mark.parametrize("policy", ("warn", "ignore"))
def test_a_wrong_check_byte_is_relayed_with_a_right_one(gateway, policy):
    gateway.listen("terminals", checksum=policy).start()
    one, two = gateway.registered(1, 2)
    one.send_raw(spoiled(ttms.data(2, b"bent")) + ttms.data(2, b"straight"))
    two.expect(1, b"bent", b"straight")  # every frame received is checked


def test_warn_logs_a_terminal_once(gateway):
    gateway.listen("terminals", checksum="warn").start()
    one, three, two = gateway.registered(1, 3, 2)
    for n in range(5):
        one.send_raw(spoiled(ttms.data(2, b"bent %d" % n)))
    two.expect(1, *(b"bent %d" % n for n in range(5)))
    gateway.wait_log("sent bad_checksum", device="00000001")
    three.send_raw(spoiled(ttms.data(2, b"bent")))
    two.expect(3, b"bent")
    gateway.wait_log("sent bad_checksum", device="00000003")
    assert len(gateway.log_lines("sent bad_checksum")) == 2, gateway.log()


def test_ignore_logs_nothing(gateway):
    gateway.listen("terminals", checksum="ignore").start()
    one, two = gateway.registered(1, 2)
    one.send_raw(spoiled(ttms.data(2, b"bent")))
    two.expect(1, b"bent")
    gateway.stop()
    assert not gateway.log_has("sent bad_checksum")


def test_strict_drops_the_frame_and_keeps_the_connection(gateway):
    gateway.listen("terminals", checksum="strict").start()
    one, two = gateway.registered(1, 2)
    one.send_raw(ttms.data(2, b"before") + spoiled(ttms.data(2, b"bent"))
                 + ttms.data(2, b"after"))
    two.expect(1, b"before", b"after")


def test_strict_does_not_register_by_a_wrong_heartbeat(gateway):
    gateway.listen("terminals", checksum="strict", length="total").start()
    two = gateway.terminal(2)
    two.send_raw(spoiled(ttms.heartbeat(2)) + ttms.data(3, b"from nobody"))
    two.expect_closed()
    gateway.wait_log("closed", reason="unregistered")


@pytest.mark.parametrize("policy", ("warn", "ignore"))
def test_otherwise_a_wrong_heartbeat_registers(gateway, policy):
    gateway.listen("terminals", checksum=policy, length="total").start()
    one, two = gateway.registered(1), gateway.terminal(2)
    two.send_raw(spoiled(ttms.heartbeat(2)))
    one.send(2, b"hello")
    two.expect(1, b"hello")
    if policy == "warn":
        gateway.wait_log("sent bad_checksum", device="00000002")
    gateway.stop()  # now the log is complete
    assert gateway.log_has("sent bad_checksum") == (policy == "warn")
