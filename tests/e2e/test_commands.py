"""Asking devices over HTTP: each call gets its own device's answer, or an honest no."""

from datetime import datetime, timedelta, timezone

import pytest

from api import API, device_path
from devices import (LOGIN, REPORT, RESTART, STATUS, TURN_ON, TURN_ON_BODY,
                     TURN_ON_SERIAL)
from terminal import wait_until

OWN = "T9000010"
pytestmark = pytest.mark.threads


@pytest.fixture
def service(gateway):
    gateway.listen("devices", protocol="device")
    return gateway.set(shards=2)


@pytest.fixture
def api(service):
    service.start()
    return service.api


def offline(service, own=OWN):
    """A device that is known, and away."""
    service.device(own).login().close()
    service.api.wait_device(own, connected=False)


def clock(seconds):
    moment = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# The answer in the same call.

def test_a_call_gets_the_answer_of_the_device(service, api):
    device = service.device().login()
    call = api.call(OWN, "status")
    query = device.answer(device.expect(STATUS, b""))
    ticket = call.answered(device=OWN, protocol="device", command="status",
                           message="1005", reason=None, durable=False, sendings=1,
                           not_before=None)
    assert ticket["answer"] == {"message": "1005", "serial": query.serial,
                                "body": "00000005",
                                "decoded": {"state": "ready", "code": 5}}


@pytest.mark.parametrize("command, message, body, serial", (
    ("status", STATUS, b"", None), ("turn_on", TURN_ON, TURN_ON_BODY, TURN_ON_SERIAL),
    ("restart", RESTART, b"", None)))
def test_the_commands_of_the_profile(service, api, command, message, body, serial):
    device = service.device(state="on").login()
    call = api.call(OWN, command)
    device.answer(device.expect(message, body, serial))
    assert call.answered()["answer"]["decoded"]["state"] == "on"


@pytest.mark.parametrize("number", (0x1234, "1234", 0, 65535))
def test_a_raw_message_goes_as_it_is(service, api, number):
    device = service.device().login()
    for body in ("", "00", "7d7e7d017d02", "ab" * 900):
        call = api.call(OWN, {"message_id": number, "body": body})
        message = number if isinstance(number, int) else int(number, 16)
        device.answer(device.expect(message, bytes.fromhex(body)), b"\x7e\x7d")
        ticket = call.answered(message=f"{message:04x}", command=None)
        assert ticket["answer"]["body"] == "7e7d"


def test_a_body_may_be_left_out(service, api):
    device = service.device().login()
    call = api.call(OWN, {"message_id": 0x2000})
    device.answer(device.expect(0x2000, b""))
    call.answered()


def test_commands_go_one_at_a_time_and_in_order(service, api):
    device = service.device().login()
    calls = []
    for n in range(5):
        calls.append(api.call(OWN, {"message_id": 0x2000 + n}, wait="30s"))
        wait_until(lambda: len(api.tickets(OWN)) == n + 1, "the ticket")
    for n, call in enumerate(calls):
        frame = device.expect(0x2000 + n)
        device.expect_nothing()
        device.answer(frame)
        call.answered()


def test_as_many_as_in_flight_go_at_once(gateway):
    gateway.listen("devices", protocol="device", commands={"in_flight": 3}).start()
    device = gateway.device().login()
    calls = {n: gateway.api.call(OWN, {"message_id": 0x2000 + n}) for n in range(3)}
    frames = [device.receive() for _ in calls]
    for frame in reversed(frames):  # in any order
        device.answer(frame, b"%d" % (frame.message - 0x2000))
    for n, call in calls.items():
        assert call.answered()["answer"]["body"] == (b"%d" % n).hex()


# Honest refusals.

def test_an_unknown_device(api):
    api.call("NOBODY", "status").problem(404, "not-found")
    api.call("NOBODY", "status", ttl="1m").problem(404, "not-found")


def test_an_offline_device_without_a_ttl(service, api):
    offline(service)
    api.call(OWN, "status", wait="20s").problem(409, "offline", state="failed",
                                                reason="offline", sendings=0)
    service.device().login().expect_nothing()


def test_an_unknown_command(service, api):
    service.device().login()
    api.call(OWN, "explode").problem(404, "not-found")


def test_a_device_that_does_not_answer(service, api):
    device = service.device().login()
    call = api.call(OWN, "status", wait="300ms")
    device.expect(STATUS)
    ticket = call.problem(504, "no-answer", state="expired", reason="no_answer",
                          sendings=1)
    assert api.ticket(ticket["ticket"])["state"] == "expired"


def test_a_device_that_goes_before_its_answer(service, api):
    device = service.device().login()
    call = api.call(OWN, "status", wait="20s")
    device.expect(STATUS)
    device.close()
    call.problem(504, "no-answer", state="failed", reason="disconnected")


def test_a_terminal_of_the_relay_takes_no_commands(service, api):
    service.registered(7)
    api.call("00000007", "status").problem(409, "no-commands")


def test_the_same_id_in_two_protocols(gateway):
    gateway.listen("devices", protocol="device").listen("vehicles", protocol="jt808")
    gateway.start(shards=2)
    device = gateway.device("12345678").login()
    gateway.vehicle("12345678").enter()
    gateway.api.call("12345678", "status").problem(409, "ambiguous")
    call = gateway.api.call("12345678", "status", protocol="device")
    device.serve(STATUS)
    call.answered(protocol="device")


BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"status",
    "a list": b"[]",
    "a text": b'"status"',
    "an empty object": b"{}",
    "more behind it": b'{"command": "status"} {}',
    "half": b'{"command": "status"',
    "no UTF-8": b'{"command": "st\xfftus"}',
    "a NUL in a name": b'{"command": "status\\u0000"}',
    "a name that is a number": b'{"command": 5}',
    "an empty name": b'{"command": ""}',
    "twice": b'{"command": "status", "command": "turn_on"}',
    "both": b'{"command": "status", "message_id": 4101}',
    "an unknown member": b'{"command": "status", "when": "now"}',
    "body of a name": b'{"command": "status", "body": "00"}',
    "odd hex": b'{"message_id": 4101, "body": "000"}',
    "no hex": b'{"message_id": 4101, "body": "zz"}',
    "body is a number": b'{"message_id": 4101, "body": 0}',
    "message beyond 16 bits": b'{"message_id": 65536}',
    "message below 0": b'{"message_id": -1}',
    "half a message": b'{"message_id": 4101.5}',
    "message of 5 digits": b'{"message_id": "10055"}',
    "message of no digits": b'{"message_id": ""}',
    "args of a raw one": b'{"message_id": 4101, "args": {}}',
    "args no object": b'{"command": "status", "args": [1]}',
    "args for none": b'{"command": "status", "args": {"a": 1}}',
    "no time": b'{"command": "status", "not_before": "tomorrow"}',
    "time is a number": b'{"command": "status", "not_after": 1763724302}',
    "no state": b'{"command": "turn_on", "only_if": "happy"}',
    "state is a number": b'{"command": "turn_on", "only_if": 5}',
    "supersede is a text": b'{"command": "status", "supersede": "true"}',
    "deep": b'{"command": "status", "args": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "upside down": b'{"command": "status", "not_before": "2026-12-01T00:00:00Z", '
                   b'"not_after": "2026-11-01T00:00:00Z"}',
}


def test_bodies_that_are_refused(service, api):
    device = service.device().login()
    for what, body in BAD_BODIES.items():
        answer = api.call(OWN, body).answer()
        assert answer.status == 400, f"{what}: {answer}"
        assert answer.json()["type"].endswith("/bad-request"), f"{what}: {answer}"
    device.expect_nothing()
    assert api.tickets(OWN) == []


def test_parameters_that_are_refused(service, api):
    device = service.device().login()
    for query in ({"wait": "61s"}, {"wait": "-1s"}, {"wait": "5"}, {"wait": ""},
                  {"ttl": "0s"}, {"ttl": "31d"}, {"ttl": "10"}, {"ttl": "10 min"},
                  {"protocol": "x"}, {"wiat": "5s"}):
        api.call(OWN, "status", **query).problem(400, "bad-request")
    device.expect_nothing()


def test_only_json_is_taken(service, api):
    device = service.device().login()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        api.call(OWN, "status", {"Content-Type": kind}).problem(415, "media-type")
    device.expect_nothing()


def test_a_foreign_page_commands_nobody(service, api):
    device = service.device().login()
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
        api.call(OWN, "status", headers).problem(403, "forbidden-origin")
    device.expect_nothing()


def test_a_queue_has_an_end(service):
    service.start(commands={"max_queued": 3})
    device, api = service.device().login(), service.api
    tickets = [api.order(OWN, "status") for _ in range(3)]
    api.call(OWN, "status", ttl="1m").problem(429, "queue-full")
    api.call(OWN, "status").problem(429, "queue-full")
    device.serve(STATUS)
    api.wait_ticket(tickets[0]["ticket"], state="answered")
    api.order(OWN, "status")
    device.serve(STATUS, 3)


def test_a_body_beyond_the_limit(service, api):
    device = service.device().login()
    answer = api.call(OWN, {"message_id": 1, "body": "00" * 70000}).answer()
    assert answer.status == 413, answer
    device.expect_nothing()


def test_a_long_body_goes_in_packages(service, api):
    device = service.device().login()
    body = bytes(range(256)) * 12
    call = api.call(OWN, {"message_id": 0x2000, "body": body.hex()})
    frames = [device.expect(0x2000) for _ in range(4)]
    assert b"".join(frame.body for frame in frames) == body
    assert [(f.total, f.number) for f in frames] == [(4, n) for n in (1, 2, 3, 4)]
    assert [f.serial - frames[0].serial & 0xffff for f in frames] == [0, 1, 2, 3]
    device.answer(frames[0])
    call.answered()


# Answers that nobody may mistake.

def test_an_answer_that_comes_twice(service, api):
    device = service.device().login()
    call = api.call(OWN, "status")
    query = device.expect(STATUS)
    device.answer(query)
    device.answer(query, b"\0\0\0\1")
    assert call.answered()["answer"]["body"] == "00000005"
    call = api.call(OWN, "status")
    device.answer(query, b"\0\0\0\2")  # a third time, amid the next one
    device.serve(STATUS)
    assert call.answered()["answer"]["body"] == "00000005"


def test_an_answer_after_its_time_does_not_complete_the_next_call(service, api):
    device = service.device().login()
    call = api.call(OWN, "status", wait="200ms")
    late = device.expect(STATUS)
    call.problem(504, "no-answer")
    call = api.call(OWN, "status")
    query = device.expect(STATUS)
    assert query.serial != late.serial
    device.answer(late, b"\0\0\0\1")
    device.beat()
    assert not call.is_over()
    device.answer(query)
    assert call.answered()["answer"]["body"] == "00000005"


@pytest.mark.parametrize("change", ("serial", "message"))
def test_an_answer_to_something_else(service, api, change):
    device = service.device().login()
    call = api.call(OWN, "status")
    query = device.expect(STATUS)
    if change == "serial":
        device.answer(query, serial=query.serial + 1 & 0xffff)
    else:
        device.answer(query._replace(message=RESTART))
    device.beat()
    assert not call.is_over()
    device.answer(query)
    call.answered()


def test_an_answer_of_another_device(service, api):
    device, other = service.device().login(), service.device("T9000011").login()
    call = api.call(OWN, "status")
    query = device.expect(STATUS)
    other.answer(query, b"\0\0\0\1")
    other.beat()
    assert not call.is_over()
    device.answer(query)
    assert call.answered()["answer"]["body"] == "00000005"


def test_an_answer_on_the_older_connection(service, api):
    first = service.device().login()
    call = api.call(OWN, "status", ttl="1m", wait="20s")
    query = first.expect(STATUS)
    second = service.device().login()
    first.expect_closed()
    repeated = second.expect(STATUS)
    assert repeated.serial == query.serial
    second.answer(repeated)
    call.answered(sendings=2)


def test_an_answer_without_a_question(service, api):
    device = service.device().login()
    device.send(STATUS, b"\0\0\0\1")
    device.beat()
    call = api.call(OWN, "status")
    device.serve(STATUS)
    assert call.answered()["answer"]["body"] == "00000005"


def test_a_caller_who_leaves(service, api):
    device = service.device().login()
    call = api.call(OWN, {"message_id": 0x2000}, wait="30s")
    abandoned = device.expect(0x2000)
    call.leave()
    device.answer(abandoned)
    call = api.call(OWN, "status")
    device.serve(STATUS)
    call.answered()


# With a ttl: durable, whether the device is there or not.

def test_a_command_waits_for_its_device(service, api):
    offline(service)
    ticket = api.order(OWN, "turn_on")
    assert (ticket["state"], ticket["durable"]) == ("queued", True)
    device = service.device()
    device.send(LOGIN)
    got = {device.receive().message, device.receive().message}
    assert got == {LOGIN, TURN_ON}
    api.wait_ticket(ticket["ticket"], state="acknowledged")
    device.send(TURN_ON, b"\0\0\0\1", TURN_ON_SERIAL)
    ticket = api.ticket(ticket["ticket"], wait="10s")
    assert (ticket["state"], ticket["sendings"]) == ("answered", 1)
    assert ticket["answer"]["decoded"]["state"] == "on"


def test_an_answer_after_the_wait_completes_it(service, api):
    device = service.device().login()
    call = api.call(OWN, "status", ttl="1m", wait="100ms")
    query = device.expect(STATUS)
    ticket = call.accepted()
    device.answer(query)
    assert api.ticket(ticket["ticket"], wait="10s")["state"] == "answered"


def test_a_command_goes_again_if_the_connection_ended_first(service, api):
    device = service.device().login()
    ticket = api.order(OWN, "status")
    first = device.expect(STATUS)
    device.close()
    api.wait_device(OWN, connected=False)
    api.wait_ticket(ticket["ticket"], state="queued")
    device = service.device()
    device.send(LOGIN)
    frames = {frame.message: frame for frame in (device.receive(), device.receive())}
    assert frames[STATUS].serial == first.serial
    device.answer(frames[STATUS])
    ticket = api.wait_ticket(ticket["ticket"], state="answered")
    assert ticket["sendings"] == 2
    moves = [(a, b) for a, b, _ in api.ticket_moves(ticket["ticket"])]
    assert moves[-1][1] == "answered" and ("queued", "sent") in moves, moves


def test_one_that_was_answered_is_not_sent_again(service, api):
    device = service.device().login()
    call = api.call(OWN, "status", ttl="1m")
    device.serve(STATUS)
    call.answered()
    device.reset()
    service.device().login().expect_nothing()


def test_one_whose_time_is_over_is_never_sent(service, api):
    offline(service)
    ticket = api.order(OWN, "turn_on", ttl="1s")
    ticket = api.wait_ticket(ticket["ticket"], state="expired")
    assert (ticket["reason"], ticket["sendings"]) == ("unsent", 0)
    service.device().login().expect_nothing()


def test_a_late_answer_still_completes_an_expired_one(service, api):
    device = service.device().login()
    ticket = api.order(OWN, "status", ttl="1s")
    query = device.expect(STATUS)
    ticket = api.wait_ticket(ticket["ticket"], state="expired")
    assert ticket["reason"] == "no_answer"
    device.answer(query)
    ticket = api.wait_ticket(ticket["ticket"], state="answered")
    assert ticket["answer"]["body"] == "00000005"


def test_not_before(service, api):
    device = service.device().login()
    ticket = api.order(OWN, {"command": "status", "not_before": clock(1.5)})
    assert ticket["state"] == "queued" and ticket["not_before"] is not None
    device.expect_nothing()
    query = device.expect(STATUS)
    device.answer(query)
    ended = api.wait_ticket(ticket["ticket"], state="answered")
    assert ended["sent"] >= ended["not_before"]


def test_not_after(service, api):
    offline(service)
    ticket = api.order(OWN, {"command": "turn_on", "not_after": clock(1)})
    ticket = api.wait_ticket(ticket["ticket"], state="expired")
    assert ticket["reason"] == "unsent"
    service.device().login().expect_nothing()


def test_not_after_that_is_over_already(service, api):
    device = service.device().login()
    call = api.call(OWN, {"command": "turn_on", "not_after": clock(-60)}, ttl="1m")
    call.problem(504, "no-answer", state="expired", reason="unsent", sendings=0)
    device.expect_nothing()


# Only in a state.

def test_only_if_asks_first(service, api):
    device = service.device(state="ready").login()
    call = api.call(OWN, {"command": "turn_on", "only_if": "ready"})
    device.serve(STATUS)
    device.serve(TURN_ON)
    call.answered(command="turn_on")


@pytest.mark.parametrize("state", ("on", "paused", "cooling", "standby"))
def test_only_if_not(service, api, state):
    device = service.device(state=state).login()
    call = api.call(OWN, {"command": "turn_on", "only_if": "ready"})
    device.serve(STATUS)
    problem = call.problem(409, "state", reason="state")
    assert problem["found"]["state"] == state
    device.expect_nothing()


def test_nothing_goes_between_the_question_and_the_command(service, api):
    device = service.device(state="ready").login()
    calls = [api.call(OWN, {"command": "turn_on", "only_if": "ready"})]
    question = device.expect(STATUS)
    calls.append(api.call(OWN, "restart"))
    wait_until(lambda: len(api.tickets(OWN)) == 2, "the second ticket")
    device.answer(question)
    device.serve(TURN_ON)
    device.serve(RESTART)
    for call in calls:
        call.answered()


def test_only_if_of_one_that_was_away(service, api):
    offline(service)
    ticket = api.order(OWN, {"command": "turn_on", "only_if": "standby"})
    device = service.device(state="ready")
    device.send(LOGIN)
    frames = {frame.message: frame for frame in (device.receive(), device.receive())}
    device.answer(frames[STATUS])
    ticket = api.wait_ticket(ticket["ticket"], state="failed")
    assert ticket["reason"] == "state" and ticket["found"]["state"] == "ready"
    device.expect_nothing()


# Taken back, repeated, looked at.

def test_a_newer_command_takes_the_place_of_an_unsent_one(service, api):
    offline(service)
    first = api.order(OWN, "turn_on")
    other = api.order(OWN, "status")
    second = api.order(OWN, {"command": "turn_on", "supersede": True})
    api.wait_ticket(first["ticket"], state="superseded")
    assert api.ticket(other["ticket"])["state"] == "queued"
    device = service.device()
    device.send(LOGIN)
    messages = []
    while len(messages) < 3:
        frame = device.receive()
        messages.append(frame.message)
        if frame.message != LOGIN:
            device.answer(frame)
    assert sorted(messages) == [LOGIN, TURN_ON, STATUS]
    api.wait_ticket(second["ticket"], state="answered")
    device.expect_nothing()


def test_one_that_was_sent_is_not_superseded(service, api):
    device = service.device().login()
    first = api.order(OWN, "status")
    query = device.expect(STATUS)
    second = api.order(OWN, {"command": "status", "supersede": True})
    device.answer(query)
    device.serve(STATUS)
    for ticket in (first, second):
        api.wait_ticket(ticket["ticket"], state="answered")


def test_a_key_makes_a_call_safe_to_repeat(service, api):
    device = service.device().login()
    key = {"Idempotency-Key": "order 66, till 3"}
    call = api.call(OWN, "turn_on", key, ttl="1m")
    device.serve(TURN_ON)
    ticket = call.answered()
    again = api.call(OWN, "turn_on", key, ttl="1m").answered()
    assert again == ticket
    device.expect_nothing()
    api.call(OWN, "restart", key, ttl="1m").problem(422, "key-reused")
    other = service.device("T9000011").login()
    call = api.call("T9000011", "turn_on", key, ttl="1m")
    other.serve(TURN_ON)
    assert call.answered()["ticket"] != ticket["ticket"]


def test_a_key_that_is_none(service, api):
    device = service.device().login()
    for key in ("", "x" * 65, "caf\xe9", "tab\there"):
        api.call(OWN, "turn_on", {"Idempotency-Key": key}, ttl="1m").problem(
            400, "bad-request")
    device.expect_nothing()


def test_an_unsent_one_is_withdrawn(service, api):
    offline(service)
    ticket = api.order(OWN, "turn_on")
    assert api.cancel(ticket["ticket"])["state"] == "cancelled"
    service.device().login().expect_nothing()
    api.problem(409, "not-cancellable", f"{API}/tickets/{ticket['ticket']}", "DELETE")


def test_a_sent_one_is_not(service, api):
    device = service.device().login()
    ticket = api.order(OWN, "status")
    query = device.expect(STATUS)
    api.problem(409, "not-cancellable", f"{API}/tickets/{ticket['ticket']}", "DELETE")
    device.answer(query)
    api.wait_ticket(ticket["ticket"], state="answered")


def test_no_such_ticket(api):
    for number in ("0000000000000000", "ffffffffffffffff", "x", "1", "9f1c02a45be08d130",
                   "..%2f..%2fetc"):
        answer = api.ask(f"{API}/tickets/{number}")
        assert answer.status in (400, 404), answer


def test_a_device_lists_its_tickets_newest_first(service, api):
    offline(service)
    made = [api.order(OWN, {"message_id": 0x2000 + n})["ticket"] for n in range(5)]
    assert [ticket["ticket"] for ticket in api.tickets(OWN)] == made[::-1]
    assert [ticket["ticket"] for ticket in api.tickets(OWN, limit=2)] == made[:-3:-1]
    api.problem(404, "not-found", device_path("NOBODY", "/commands"))


def test_who_waits_for_a_ticket_hears_of_its_end(service, api):
    offline(service)
    ticket = api.order(OWN, "status")["ticket"]
    device = service.device()
    device.send(LOGIN)
    frames = {frame.message: frame for frame in (device.receive(), device.receive())}
    device.answer(frames[STATUS])
    assert api.ticket(ticket, wait="60s")["state"] == "answered"


def test_who_waits_for_a_ticket_gets_it_when_the_wait_is_over(service, api):
    offline(service)
    ticket = api.order(OWN, "status")["ticket"]
    assert api.ticket(ticket, wait="100ms")["state"] == "queued"


def test_an_ended_ticket_is_forgotten(service):
    service.start(commands={"keep": "1s"})
    device, api = service.device().login(), service.api
    call = api.call(OWN, "status", ttl="1m")
    device.serve(STATUS)
    number = call.answered()["ticket"]
    wait_until(lambda: api.ask(f"{API}/tickets/{number}").status == 404,
               "the ticket to be forgotten")
    assert api.tickets(OWN) == []


def test_the_states_of_a_ticket_are_events(service, api):
    device = service.device().login()
    with api.stream(type="command") as stream:
        call = api.call(OWN, "status", ttl="1m")
        query = device.expect(STATUS)
        number = api.tickets(OWN)[0]["ticket"]
        api.wait_ticket(number, state="acknowledged")
        device.answer(query)
        call.answered()
        events = [stream.next().data]
        while events[-1]["to"] != "answered":
            events.append(stream.next().data)
    ways = [(event["from"], event["to"]) for event in events]
    assert ways[-3:] == [("queued", "sent"), ("sent", "acknowledged"),
                         ("acknowledged", "answered")]
    for event in events:
        assert (event["type"], event["ticket"], event["device"], event["command"],
                event["message"]) == ("command", number, OWN, "status", "1005")
        assert (event["protocol"], event["listener"]) == ("device", "devices")


def test_reports_and_answers_do_not_mix(service, api):
    device = service.device(state="paused").login()
    call = api.call(OWN, "status")
    query = device.expect(STATUS)
    device.send(REPORT, b"\0\0\0\1", query.serial)
    device.answer(query)
    assert call.answered()["answer"]["decoded"]["state"] == "paused"


# Messages of the relay.

def test_a_message_from_the_application_to_a_terminal(gateway):
    gateway.start(http={"sender": "0000beef"})
    terminal = gateway.registered(7)
    assert send(gateway.api, "00000007", b"hi \x7e\x00") == {"accepted": True,
                                                             "stored": False}
    terminal.expect(0xbeef, b"hi \x7e\x00")
    answer = gateway.api.request("POST", device_path("00000007", "/messages"),
                                 {"Content-Type": "application/json"},
                                 b'{"body": "00ff7e"}')
    assert answer.status == 202, answer
    terminal.expect(0xbeef, b"\x00\xff\x7e")


def send(api, own, payload, status=202):
    answer = api.request("POST", device_path(own, "/messages"),
                         {"Content-Type": "application/octet-stream"}, payload)
    assert answer.status == status, answer
    return answer.json()


def test_a_message_waits_for_a_terminal_that_is_away(gateway):
    gateway.start()
    gateway.registered(7).close()
    gateway.api.wait_device("00000007", connected=False)
    for n in range(3):
        assert send(gateway.api, "00000007", b"%d" % n) == {"accepted": True,
                                                            "stored": True}
    gateway.kill()
    gateway.restart()
    terminal = gateway.terminal(7)
    terminal.heartbeat()
    terminal.expect(0xffffffff, b"0", b"1", b"2")


def test_messages_that_are_refused(gateway):
    gateway.listen("devices", protocol="device").start(mailbox={"max_messages": 2})
    gateway.registered(7).close()
    gateway.device().login()
    api = gateway.api
    api.wait_device("00000007", connected=False)
    assert send(api, "00000008", b"x", 404)["type"].endswith("/not-found")
    assert send(api, OWN, b"x", 409)["type"].endswith("/no-messages")
    for _ in range(2):
        send(api, "00000007", b"x")
    assert send(api, "00000007", b"x", 507)["type"].endswith("/refused")
    assert api.get(device_path("00000007", "/mailbox"))["messages"] == 2
