"""Commands to terminals of JT/T 808: what completes them, what does not, and when the
same bytes go again."""

import struct

import pytest

import vehicles
from devices import form_all
from vehicles import (ANSWER, ASK_AGAIN, ATTRIBUTES, CONTROL, FAILED, OK, PARAMETERS,
                      QUERY_ATTRIBUTES, QUERY_PARAMETERS, QUERY_SOME, SET_PARAMETERS,
                      TEXT, UNSUPPORTED)

OWN = "13912344329"


@pytest.fixture
def service(gateway):
    return gateway.listen("vehicles", protocol="jt808", commands={"retries": 0})


@pytest.fixture(params=(False, pytest.param(True, marks=pytest.mark.threads)),
                ids=("2013_one_shard", "2019_two_shards"))
def vehicle(service, request):
    service.start(shards=1 + request.param)
    return service.vehicle(OWN, is_2019=request.param).enter()


def raw(message, body=b""):
    return {"message_id": f"{message:04x}", "body": body.hex()}


# What completes a command.

def test_a_raw_message_is_completed_by_the_general_answer(service, vehicle):
    call = service.api.call(OWN, raw(CONTROL, b"\4"))
    frame = vehicle.acknowledge(vehicle.expect(CONTROL, b"\4"))
    answer = call.answered(message="8105", protocol="jt808")["answer"]
    assert answer["message"] == "0001"
    assert answer["body"] == struct.pack(">HHB", frame.serial, CONTROL, OK).hex()


def test_a_message_may_be_a_number(service, vehicle):
    call = service.api.call(OWN, {"message_id": 33029, "body": "04"})
    vehicle.acknowledge(vehicle.expect(CONTROL, b"\4"))
    call.answered()


@pytest.mark.parametrize("message", (CONTROL, QUERY_PARAMETERS, QUERY_ATTRIBUTES))
def test_a_refusal_completes_it_as_an_error(service, vehicle, message):
    for result in (1, 2, 3):
        call = service.api.call(OWN, raw(message))
        vehicle.acknowledge(vehicle.expect(message), result)
        problem = call.problem(502, "refused", state="failed", reason="refused")
        assert problem["answer"]["message"] == "0001"
        assert problem["answer"]["body"].endswith(f"0{result}")


def test_named_parameters(service, vehicle):
    call = service.api.call(OWN, "query_parameters")
    frame = vehicle.expect(QUERY_PARAMETERS, b"")
    values = {1: struct.pack(">I", 10), 0x13: b"gateway.example",
              0x83: "粤A1".encode("gbk")}
    vehicle.send(PARAMETERS, vehicles.parameters(frame.serial, values))
    ticket = call.answered(message="8104")
    assert ticket["answer"]["message"] == "0104"
    assert ticket["answer"]["decoded"]["parameters"] == [
        {"id": "0001", "name": "heartbeat_s", "value": 10},
        {"id": "0013", "name": "server", "value": "gateway.example"},
        {"id": "0083", "name": "plate", "value": "粤A1"}]
    vehicle.expect_nothing()


def test_the_general_answer_first_and_the_proper_one_behind_it(service, vehicle):
    call = service.api.call(OWN, raw(QUERY_PARAMETERS))
    frame = vehicle.acknowledge(vehicle.expect(QUERY_PARAMETERS))
    vehicle.send(PARAMETERS, vehicles.parameters(frame.serial, {1: b"\0\0\0\x0a"}))
    assert call.answered()["answer"]["message"] in ("0001", "0104")
    vehicle.expect_nothing()


def test_parameters_in_packages(service, vehicle):
    call = service.api.call(OWN, raw(QUERY_PARAMETERS))
    frame = vehicle.expect(QUERY_PARAMETERS)
    body = vehicles.parameters(frame.serial, {n: bytes(200) for n in range(1, 9)})
    vehicle.send_raw(b"".join(form_all(PARAMETERS, vehicle.own, 900, body)))
    assert call.answered()["answer"]["body"] == body.hex()


def test_some_parameters(service, vehicle):
    call = service.api.call(OWN, raw(QUERY_SOME, struct.pack(">BII", 2, 1, 0x29)))
    frame = vehicle.expect(QUERY_SOME)
    vehicle.send(PARAMETERS, vehicles.parameters(frame.serial, {1: b"\0\0\0\x0a"}))
    assert call.answered()["answer"]["message"] == "0104"


def test_attributes_have_no_serial(service, vehicle):
    call = service.api.call(OWN, "query_attributes")
    vehicle.expect(QUERY_ATTRIBUTES, b"")
    vehicle.send(ATTRIBUTES, vehicles.attributes(vehicle.is_2019))
    ticket = call.answered(message="8107")
    assert ticket["answer"]["message"] == "0107"
    decoded = ticket["answer"]["decoded"]
    assert (decoded["maker"], decoded["model"], decoded["terminal"]) == \
        ("maker", "M1", "T1")
    assert (decoded["hardware"], decoded["firmware"]) == ("hw1", "fw2")
    assert decoded["iccid"] == "89860012345678901234"


def test_two_who_ask_for_attributes(service, vehicle):
    calls = [service.api.call(OWN, raw(QUERY_ATTRIBUTES)) for _ in range(2)]
    for hardware in (b"first", b"second"):
        vehicle.expect(QUERY_ATTRIBUTES)
        body = vehicles.attributes(vehicle.is_2019, hardware=hardware)
        vehicle.send(ATTRIBUTES, body)
    bodies = sorted(call.answered()["answer"]["body"] for call in calls)
    assert [b"first" in bytes.fromhex(b) for b in bodies].count(True) == 1


# What does not.

def test_answers_to_something_else(service, vehicle):
    call = service.api.call(OWN, raw(CONTROL, b"\4"))
    frame = vehicle.expect(CONTROL)
    vehicle.acknowledge(frame, UNSUPPORTED, serial=frame.serial + 1)
    vehicle.acknowledge(frame._replace(message=TEXT), UNSUPPORTED)
    vehicle.send(PARAMETERS, vehicles.parameters(frame.serial, {}))
    vehicle.send(ATTRIBUTES, vehicles.attributes(vehicle.is_2019))
    vehicle.send(ANSWER, b"")
    vehicle.send(ANSWER, struct.pack(">HH", frame.serial, CONTROL))
    vehicle.beat()
    assert not call.is_over()
    vehicle.acknowledge(frame)
    call.answered()


def test_a_late_answer_does_not_complete_the_next(service, vehicle):
    call = service.api.call(OWN, raw(CONTROL, b"\4"), wait="200ms")
    late = vehicle.expect(CONTROL)
    call.problem(504, "no-answer")
    call = service.api.call(OWN, raw(CONTROL, b"\4"))
    frame = vehicle.expect(CONTROL)
    vehicle.acknowledge(late, FAILED)
    vehicle.beat()
    assert not call.is_over()
    vehicle.acknowledge(frame)
    call.answered()


def test_late_attributes_do_not_complete_another_command(service, vehicle):
    call = service.api.call(OWN, raw(QUERY_ATTRIBUTES), wait="200ms")
    vehicle.expect(QUERY_ATTRIBUTES)
    call.problem(504, "no-answer")
    vehicle.send(ATTRIBUTES, vehicles.attributes(vehicle.is_2019))
    vehicle.beat()
    call = service.api.call(OWN, raw(QUERY_ATTRIBUTES))
    vehicle.expect(QUERY_ATTRIBUTES)
    vehicle.send(ATTRIBUTES, vehicles.attributes(vehicle.is_2019, hardware=b"new"))
    assert b"new" in bytes.fromhex(call.answered()["answer"]["body"])


# Named commands and what they put on the wire.

def test_control(service, vehicle):
    for args, body in (({"action": "reset"}, b"\4"), ({"action": 101}, b"\x65"),
                       ({"action": "upgrade", "parameters": "ftp;a;b"}, b"\1ftp;a;b"),
                       ({"action": 2, "parameters": {"hex": "00ff"}}, b"\2\0\xff")):
        call = service.api.call(OWN, {"command": "control", "args": args})
        vehicle.acknowledge(vehicle.expect(CONTROL, body))
        answer = call.answered(command="control")["answer"]
        assert answer["decoded"]["result"] == "ok", answer
        assert answer["decoded"]["message"] == "8105", answer


def test_text_is_gbk(service, vehicle):
    text = "你好 518"
    call = service.api.call(OWN, {"command": "text", "args": {
        "text": text, "flags": ["display", "speak"]}})
    flags = b"\x0c\1" if vehicle.is_2019 else b"\x0c"  # 2019: a notice, if nothing is said
    vehicle.acknowledge(vehicle.expect(TEXT, flags + text.encode("gbk")))
    call.answered()


def test_set_parameters(service, vehicle):
    values = {"heartbeat_s": 10, "plate": "粤A1", "f001": {"hex": "00ff"},
              "plate_colour": 2}
    call = service.api.call(OWN, {"command": "set_parameters",
                                  "args": {"parameters": values}})
    body = vehicle.acknowledge(vehicle.expect(SET_PARAMETERS)).body
    wanted = {1: b"\0\0\0\x0a", 0x83: "粤A1".encode("gbk"), 0xf001: b"\0\xff", 0x84: b"\2"}
    assert body == vehicles.parameters(0, wanted)[2:]
    call.answered()


def test_some_parameters_by_name(service, vehicle):
    call = service.api.call(OWN, {"command": "query_some_parameters",
                                  "args": {"parameters": ["plate", "0029"]}})
    frame = vehicle.expect(QUERY_SOME, struct.pack(">BII", 2, 0x83, 0x29))
    vehicle.send(PARAMETERS, vehicles.parameters(frame.serial, {0x29: b"\0\0\0\x1e"}))
    decoded = call.answered()["answer"]["decoded"]
    assert decoded["count"] == 1 and decoded["serial"] == frame.serial
    assert decoded["parameters"] == [{"id": "0029", "name": "report_s", "value": 30}]


def test_where_it_is(service, vehicle):
    call = service.api.call(OWN, "query_location")
    frame = vehicle.expect(0x8201, b"")
    vehicle.send(0x0201, struct.pack(">H", frame.serial) + vehicles.location())
    decoded = call.answered(message="8201")["answer"]["decoded"]
    assert decoded["location"]["latitude"] == 31.234567


def test_arguments_that_are_refused(service, vehicle):
    for what in ({"command": "control"}, {"command": "control", "args": {}},
                 {"command": "control", "args": {"action": 256}},
                 {"command": "control", "args": {"action": "explode"}},
                 {"command": "control", "args": {"action": 4, "more": 1}},
                 {"command": "text", "args": {"text": "a", "flags": ["loud"]}},
                 {"command": "set_parameters", "args": {"parameters": {"no_such": 1}}},
                 {"command": "set_parameters",
                  "args": {"parameters": {"heartbeat_s": 1 << 32}}},
                 {"command": "query_attributes", "args": {"a": 1}},
                 {"command": "text", "args": {"text": 5}}, {"command": "text"},
                 {"command": "set_parameters", "args": {}}):
        service.api.call(OWN, what).problem(400, "bad-request")
    vehicle.expect_nothing()


def test_a_text_of_many_packages(service, vehicle):
    body = b"\1" * 2500
    call = service.api.call(OWN, raw(TEXT, body))
    frames = [vehicle.expect(TEXT) for _ in range(3)]
    assert b"".join(frame.body for frame in frames) == body
    vehicle.acknowledge(frames[0])
    call.answered()


def test_packages_that_the_terminal_asks_for_again(service, vehicle):
    body = bytes(range(250)) * 12
    call = service.api.call(OWN, raw(TEXT, body), wait="30s")
    frames = [vehicle.expect(TEXT) for _ in range(3)]
    count = ">HHHH" if vehicle.is_2019 else ">HBHH"
    vehicle.send(ASK_AGAIN, struct.pack(count, frames[0].serial, 2, 1, 3))
    again = set()
    while not {1, 3} <= {frame.number for frame in again}:
        frame = vehicle.receive()
        if frame.message == TEXT:
            again.add(frame)
    assert again <= set(frames)
    vehicle.acknowledge(frames[0])
    call.answered()


# The same bytes again.

def test_no_answer_and_the_same_bytes_again(gateway):
    gateway.listen("vehicles", protocol="jt808",
                   commands={"retries": 2, "retry": "200ms"}).start()
    vehicle = gateway.vehicle(OWN).enter()
    call = gateway.api.call(OWN, raw(CONTROL, b"\4"), wait="20s")
    frames = [vehicle.expect(CONTROL) for _ in range(3)]
    assert frames[0] == frames[1] == frames[2]
    vehicle.acknowledge(frames[0])
    call.answered(sendings=3)
    vehicle.expect_nothing()


def test_an_answer_ends_the_repetitions(gateway):
    gateway.listen("vehicles", protocol="jt808",
                   commands={"retries": 10, "retry": "100ms"}).start()
    vehicle = gateway.vehicle(OWN).enter()
    call = gateway.api.call(OWN, raw(CONTROL, b"\4"), wait="20s")
    first = vehicle.expect(CONTROL)
    vehicle.expect(CONTROL)
    vehicle.acknowledge(first)
    vehicle.acknowledge(first)  # and to the repetition
    sendings = call.answered()["sendings"]
    assert sendings in (2, 3)
    call = gateway.api.call(OWN, raw(CONTROL, b"\3"))
    while (frame := vehicle.receive()).body != b"\3":
        assert frame == first
    vehicle.acknowledge(frame)
    call.answered(sendings=1)


def test_a_command_waits_for_a_terminal_that_is_away(service, vehicle):
    token = vehicle.token
    vehicle.close()
    service.api.wait_device(OWN, connected=False)
    service.api.call(OWN, raw(CONTROL, b"\4")).problem(409, "offline")
    ticket = service.api.order(OWN, raw(CONTROL, b"\4"))
    again = service.vehicle(OWN, is_2019=vehicle.is_2019)
    again.send(vehicles.HEARTBEAT)  # nothing is sent to one who has not proved it
    while again.is_readable(0.2):
        assert again.receive().message == vehicles.PLATFORM_ANSWER
    serial = again.send(vehicles.AUTHENTICATE, vehicles.proof(token, vehicle.is_2019))
    frames = {frame.message: frame for frame in (again.receive(), again.receive())}
    assert frames[vehicles.PLATFORM_ANSWER].body == struct.pack(
        ">HHB", serial, vehicles.AUTHENTICATE, OK)
    again.acknowledge(frames[CONTROL])
    service.api.wait_ticket(ticket["ticket"], state="answered")
