"""Tickets in every state, and then the gateway starts again, politely or not: none is
lost, none is sent twice unless its first sending was not answered."""

import time

import pytest

from api import seconds_of
from devices import LOGIN, STATUS, TURN_ON
from restarts import RESTARTS, kill_all, stop_and_start
from terminal import wait_until

OWN = "T9000010"


@pytest.fixture
def service(gateway):
    gateway.listen("devices", protocol="device", commands={"in_flight": 1})
    return gateway.start(shards=2, commands={"max_queued": 50})


def offline(service, own):
    service.device(own).login().close()
    service.api.wait_device(own, connected=False)


def come_back(service, own, **options):
    """Logs in; gives the device and what came with the answer."""
    device = service.device(own, **options)
    device.send(LOGIN)
    frames = []
    while LOGIN not in [frame.message for frame in frames]:
        frames.append(device.receive())
    return device, [frame for frame in frames if frame.message != LOGIN]


def next_command(device, frames, message):
    frame = frames.pop(0) if frames else device.receive()
    assert frame is not None and frame.message == message, frame
    return frame


def make_queued(service):
    offline(service, "QUEUED")
    return service.api.order("QUEUED", "status")


def make_sent(service):
    """Written, and its device's TCP has not taken all of it."""
    device = service.device("SENT", receive_buffer=2048).login()
    ticket = service.api.order("SENT", {"message_id": 0x2000, "body": "5a" * 30000})
    service.api.wait_ticket(ticket["ticket"], state="sent")
    assert device.is_readable(5)
    return ticket


def make_acknowledged(service):
    device = service.device("ACKED").login()
    ticket = service.api.order("ACKED", "status")
    ticket["serial"] = device.expect(STATUS).serial
    service.api.wait_ticket(ticket["ticket"], state="acknowledged")
    return ticket


def make_answered(service):
    device = service.device("ANSWERED").login()
    call = service.api.call("ANSWERED", "status", ttl="10m")
    device.serve(STATUS)
    return call.answered()


def make_expired(service):
    offline(service, "EXPIRED")
    ticket = service.api.order("EXPIRED", "turn_on", ttl="1s")
    return service.api.wait_ticket(ticket["ticket"], state="expired")


def make_superseded(service):
    offline(service, "SUPERSED")
    ticket = service.api.order("SUPERSED", "turn_on")
    newer = service.api.order("SUPERSED", {"command": "turn_on", "supersede": True})
    service.api.cancel(newer["ticket"])
    return service.api.wait_ticket(ticket["ticket"], state="superseded")


def make_cancelled(service):
    offline(service, "CANCELED")
    return service.api.cancel(service.api.order("CANCELED", "turn_on")["ticket"])


def make_failed(service):
    device = service.device("FAILED", state="on").login()
    ticket = service.api.order("FAILED", {"command": "turn_on", "only_if": "ready"})
    device.serve(STATUS)
    return service.api.wait_ticket(ticket["ticket"], state="failed")


MADE = {"queued": make_queued, "sent": make_sent, "acknowledged": make_acknowledged,
        "answered": make_answered, "expired": make_expired,
        "superseded": make_superseded, "cancelled": make_cancelled,
        "failed": make_failed}
OVER = ("answered", "expired", "superseded", "cancelled", "failed")


@pytest.mark.parametrize("restart", RESTARTS)
def test_tickets_in_every_state(service, restart):
    made = {state: make(service) for state, make in MADE.items()}
    for state in made:
        now = service.api.ticket(made[state]["ticket"])
        assert now["state"] == state, now
        made[state].update(now)
    restart(service)

    for state in OVER:  # they are as they were, and nothing is sent for them
        assert lasting(service.api.ticket(made[state]["ticket"])) == lasting(made[state])
        come_back(service, made[state]["device"])[0].expect_nothing()

    device, frames = come_back(service, "QUEUED")
    device.answer(next_command(device, frames, STATUS))
    expect_end(service, made["queued"], sendings=1)

    device, frames = come_back(service, "SENT")
    parts = [next_command(device, frames, 0x2000)]
    parts += [device.expect(0x2000) for _ in range(parts[0].total - 1)]
    assert b"".join(part.body for part in parts) == b"\x5a" * 30000
    device.answer(parts[0])
    expect_end(service, made["sent"], sendings=2)

    device, frames = come_back(service, "ACKED")
    again = next_command(device, frames, STATUS)
    assert again.serial == made["acknowledged"]["serial"]
    device.answer(again)
    expect_end(service, made["acknowledged"], sendings=2)

    restart(service)
    for state in ("queued", "sent", "acknowledged"):
        come_back(service, made[state]["device"])[0].expect_nothing()
        assert service.api.ticket(made[state]["ticket"])["state"] == "answered"


def lasting(ticket):
    """What a restart leaves as it is."""
    return {key: value for key, value in ticket.items() if key != "serial"}


def expect_end(service, ticket, **members):
    ended = service.api.ticket(ticket["ticket"], wait="20s")
    assert ended["state"] == "answered" and members.items() <= ended.items(), ended


@pytest.mark.threads
@pytest.mark.parametrize("restart", RESTARTS)
def test_the_order_of_the_queue_survives(service, restart):
    offline(service, OWN)
    tickets = [service.api.order(OWN, {"message_id": 0x2000 + n}) for n in range(10)]
    restart(service)
    listed = [ticket["ticket"] for ticket in service.api.tickets(OWN)]
    assert listed == [ticket["ticket"] for ticket in reversed(tickets)]
    device, frames = come_back(service, OWN)
    for n in range(10):
        device.answer(next_command(device, frames, 0x2000 + n))
    for ticket in tickets:
        expect_end(service, ticket, sendings=1)


@pytest.mark.parametrize("restart", (kill_all, stop_and_start))
def test_one_that_expires_while_the_gateway_is_down(service, restart):
    offline(service, OWN)
    ticket = service.api.order(OWN, "turn_on", ttl="1s")
    if restart is kill_all:
        service.kill()
    else:
        service.stop()
    wait_until(lambda: is_past(ticket["expires"]), "its time to be over")
    service.restart()
    device, frames = come_back(service, OWN)
    assert frames == []
    device.expect_nothing()
    ended = service.api.ticket(ticket["ticket"])
    assert (ended["state"], ended["reason"]) == ("expired", "unsent")


def is_past(moment):
    return time.time() > seconds_of(moment) + 0.1


@pytest.mark.parametrize("restart", RESTARTS)
def test_not_before_outlives_it(service, restart):
    device = service.device(OWN).login()
    ticket = service.api.order(OWN, {"command": "status",
                                     "not_before": "2999-01-01T00:00:00Z"}, ttl="30d")
    device.expect_nothing()
    restart(service)
    device, frames = come_back(service, OWN)
    assert frames == []
    device.expect_nothing()
    assert service.api.ticket(ticket["ticket"])["state"] == "queued"


@pytest.mark.parametrize("restart", RESTARTS)
def test_a_key_outlives_it(service, restart):
    offline(service, OWN)
    key = {"Idempotency-Key": "only once"}
    ticket = service.api.order(OWN, "turn_on", headers=key)
    restart(service)
    assert service.api.order(OWN, "turn_on", headers=key)["ticket"] == ticket["ticket"]
    service.api.call(OWN, "restart", key, ttl="1m").problem(422, "key-reused")


@pytest.mark.parametrize("restart", RESTARTS)
def test_only_if_asks_again(service, restart):
    """The question was under way when the gateway died: the state may have changed."""
    device = service.device(OWN, state="ready").login()
    ticket = service.api.order(OWN, {"command": "turn_on", "only_if": "ready"})
    device.expect(STATUS)
    restart(service)
    device, frames = come_back(service, OWN, state="ready")
    device.answer(next_command(device, frames, STATUS))
    device.serve(TURN_ON)
    expect_end(service, ticket)


@pytest.mark.limit(120)
def test_killed_again_and_again(service, rounds):
    """Commands are given, answered or not, and everything dies: what was promised with
    202 or 200 holds, and nothing that was answered goes out again."""
    answered, promised = {}, {}
    for turn in range(max(3, rounds // 3)):
        device, frames = come_back(service, OWN)
        for n in range(6):
            ticket = service.api.order(OWN, {"message_id": 0x2000 + turn,
                                             "body": f"{n:02x}"})
            promised[ticket["ticket"]] = (0x2000 + turn, n)
        for _ in range(4):
            frame = frames.pop(0) if frames else device.receive()
            key = frame.message, frame.body[0]
            assert key not in answered.values(), f"{key} was answered before"
            device.answer(frame)
            number = next(t for t, k in promised.items() if k == key)
            service.api.wait_ticket(number, state="answered")
            answered[number] = key
        service.kill()
        service.restart()
        for number in promised:
            state = service.api.ticket(number)["state"]
            assert state == "answered" if number in answered else state in (
                "queued", "sent", "acknowledged"), state
    device, frames = come_back(service, OWN)
    while len(answered) < len(promised):
        frame = frames.pop(0) if frames else device.receive()
        key = frame.message, frame.body[0]
        assert key not in answered.values()
        answered[next(t for t, k in promised.items() if k == key)] = key
        device.answer(frame)
    for number in promised:
        assert service.api.ticket(number, wait="20s")["state"] == "answered"
