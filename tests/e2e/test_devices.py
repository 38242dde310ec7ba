"""Devices that a profile describes: how they come, report, are heard and go."""

import pytest

import devices
from api import connected, gone
from devices import HEARTBEAT, LOGIN, REPORT, form
from terminal import wait_until

OWN = "T9000010"
SHORT = {"rule": "timeout", "timeout": "500ms"}


@pytest.fixture
def service(gateway):
    gateway.listen("devices", protocol="device")
    return gateway.set(shards=2)


# What is answered.

def test_the_login_of_the_protocol_page(service):
    service.start()
    device = service.device(OWN)
    device.send_raw(devices.VECTORS["login"])
    device.expect(LOGIN, b"\0", serial=1)
    entry = service.api.wait_device(OWN, state="alive", connected=True)
    assert (entry["protocol"], entry["listener"]) == ("device", "devices")
    assert service.api.history(OWN) == connected()


def test_a_heartbeat_is_answered_with_its_serial(service):
    service.start()
    device = service.device().login()
    for serial in (0, 1, 0x7d7e, 0xffff):
        device.send(HEARTBEAT, serial=serial)
        device.expect(HEARTBEAT, b"\0", serial)


@pytest.mark.parametrize("first", (HEARTBEAT, REPORT))
def test_any_good_frame_makes_a_device(service, first):
    service.start()
    device = service.device()
    device.send(first, b"" if first == HEARTBEAT else device.state_body())
    service.api.wait_device(OWN, state="alive", connected=True)


@pytest.mark.parametrize("written, name", (
    ("t9000010", "T9000010"), ("T900", "T900"), ("a b-c_.9", "A B-C_.9")))
def test_ids_have_one_form(service, written, name):
    service.start()
    device = service.device(written).login()
    service.api.wait_device(name, connected=True)
    assert service.api.ids() == [name]
    call = service.api.call(name, "status")
    device.serve(devices.STATUS)
    call.answered(device=name)


def test_the_same_device_in_small_letters_takes_over(service):
    service.start()
    first = service.device("T9000010").login()
    second = service.device("t9000010").login()
    first.expect_closed()
    second.beat()
    assert service.api.ids(protocol="device") == [OWN]


# Pieces.

def test_a_login_cut_at_every_byte(service):
    """The end of one and the beginning of the next come in one read."""
    service.start()
    device = service.device()
    for name in ("login", "escaping"):
        frame = devices.VECTORS[name]
        probe = frame if name == "login" else frame + form(HEARTBEAT, device.own, 5)
        held = b""
        for cut in range(1, len(probe)):
            device.send_raw(held + probe[:cut])
            held = probe[cut:]
            device.wait_until_read()
            device.send_raw(held)
            held = b""
            device.expect(LOGIN if name == "login" else HEARTBEAT, b"\0")


def test_frames_that_come_byte_by_byte(service):
    service.start()
    device = service.device()
    for byte in devices.VECTORS["escaping"] + devices.VECTORS["login"]:
        device.send_raw(bytes([byte]))
        device.wait_until_read()
    device.expect(LOGIN, b"\0", serial=1)
    reports = service.api.all_events(type="report", device=OWN)
    assert [event["body"] for event in reports] == ["7d7e0001"]


def test_many_frames_that_come_at_once(service):
    service.start()
    device = service.device()
    beats = [device.form(HEARTBEAT) for _ in range(1000)]
    device.send_raw(b"".join(frame for _, frame in beats))
    for serial, _ in beats:
        device.expect(HEARTBEAT, b"\0", serial)


BROKEN = {
    "a wrong check byte": form(HEARTBEAT, b"T9000010", 7)[:-2] + b"\x55\x7e",
    "a length too long": form(HEARTBEAT, b"T9000010", 7, properties=1),
    "a length too short": form(HEARTBEAT, b"T9000010", 7, b"12", properties=1),
    "a bad escape": bytes.fromhex("7e1002000054397d0330303031300007007e"),
    "an escape before the end": bytes.fromhex("7e1002000054393030303031300007 7d7e"),
    "too short": bytes.fromhex("7e10027e"),
    "one byte": bytes.fromhex("7e007e"),
    "encrypted": form(HEARTBEAT, b"T9000010", 7, b"1234", properties=4 | 1 << 10),
    "package 0 of 0": form(HEARTBEAT, b"T9000010", 7, properties=devices.PACKAGED),
    "cut off": form(HEARTBEAT, b"T9000010", 7)[:9],
    "a control character in the id": form(HEARTBEAT, b"T90\0\n010", 7),
}


def test_broken_frames_are_dropped_and_the_next_one_is_read(service):
    service.start()
    device = service.device().login()
    for broken in BROKEN.values():
        device.send_raw(broken * 3)
        device.beat()
    assert service.api.ids(protocol="device") == [OWN]
    lines = [line for line in service.log_lines() if line.level == "warn"]
    assert len(lines) <= 2, lines


def test_delimiters_may_be_doubled_or_shared(service):
    service.start()
    device = service.device()
    for between in ("7e", "7e7e7e7e", "", "00112233", "7e00117e"):
        frames = [device.form(HEARTBEAT) for _ in range(3)]
        device.send_raw(bytes.fromhex(between).join(frame for _, frame in frames))
        for serial, _ in frames:
            device.expect(HEARTBEAT, b"\0", serial)
    shared = [device.form(HEARTBEAT) for _ in range(3)]
    device.send_raw(b"\x7e" + b"".join(frame[1:] for _, frame in shared))
    for serial, _ in shared:
        device.expect(HEARTBEAT, b"\0", serial)


@pytest.mark.parametrize("stranger", (
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /turnon/T9000010 HTTP/1.1\r\n\r\n",
    bytes.fromhex("16030100c8010000c40303") + bytes(190), b"SSH-2.0-OpenSSH_9.2\r\n",
    bytes(65536), b"\x7e" * 65536, b"\x7e" + b"a" * 65536, b"\xff" * 65536),
    ids=("http", "post", "tls", "ssh", "zeros", "delimiters", "endless", "ones"))
def test_a_stranger_is_sent_away(gateway, stranger):
    gateway.listen("devices", protocol="device", register_timeout="1s").start()
    device = gateway.device().login()
    guest = gateway.device("X")
    try:
        guest.send_raw(stranger)
    except ConnectionError:
        pass
    guest.expect_closed()
    device.beat()
    assert gateway.api.ids(protocol="device") == [OWN]
    wait_until(lambda: len(gateway.log_lines("closed")) == 1, "the closing line")


# What it reports.

def test_a_report_is_an_event(service):
    service.start()
    device = service.device(state="cooling").login()
    with service.api.stream(type="report") as stream:
        serial = device.report()
        event = stream.next().data
    assert (event["type"], event["device"]) == ("report", OWN)
    assert (event["protocol"], event["listener"]) == ("device", "devices")
    assert (event["message"], event["serial"]) == ("1003", serial)
    assert (event["body"], event["size"]) == ("00000003", 4)
    assert event["decoded"] == {"state": "cooling", "code": 3}
    device.expect_nothing()


def test_reports_outlive_a_kill(service):
    service.start()
    device = service.device().login()
    for state in devices.STATES:
        device.state = state
        device.report()
    device.beat()

    def told():
        return [event["decoded"]["state"]
                for event in service.api.all_events(type="report", device=OWN)]
    wait_until(lambda: told() == list(devices.STATES), "five reports")
    service.kill()
    service.restart()
    assert told() == list(devices.STATES)


# Being heard, and going.

def test_one_that_is_silent_is_listed_offline(gateway):
    gateway.listen("devices", protocol="device", presence=SHORT).start()
    device = gateway.device().login()
    device.expect_closed()
    gateway.api.wait_device(OWN, state="close", connected=False)
    assert gateway.api.history(OWN) == connected() + gone("timeout")
    again = gateway.device().login()
    gateway.api.wait_device(OWN, connected=True)
    again.close()


def test_one_that_beats_stays(gateway):
    gateway.listen("devices", protocol="device", presence=SHORT).start()
    silent, heard = gateway.device("SILENT").login(), gateway.device("HEARD").login()
    while not silent.is_readable(0.1):
        heard.beat()
    silent.expect_closed()
    heard.beat()
    assert gateway.api.history("HEARD") == connected()


def test_the_newest_connection_of_an_id_takes_over(service):
    service.start()
    first = service.device().login()
    second = service.device().login()
    first.expect_closed()
    call = service.api.call(OWN, "status")
    second.serve(devices.STATUS)
    call.answered()
    assert service.api.device(OWN)["epoch"] == 2


def test_one_connection_speaks_for_one_device_at_a_time(service):
    service.start()
    device = service.device("AAAAAAAA").login()
    device.own = b"BBBBBBBB"
    device.login()
    service.api.wait_device("BBBBBBBB", connected=True)
    service.api.wait_device("AAAAAAAA", connected=False)
    service.api.call("AAAAAAAA", "status").problem(409, "offline")
