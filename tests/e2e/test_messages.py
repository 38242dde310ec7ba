"""Relay messages that an application sends over HTTP."""

import pytest

from api import check_problem, device_path

BYTES = "application/octet-stream"
SENDER = 0xffffffff


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def relay(gateway, request):
    return gateway.set(shards=request.param)


def post(gateway, own, body, kind=BYTES):
    return gateway.api.request("POST", device_path(own, "/messages"),
                               {"Content-Type": kind}, body)


def accepted(gateway, own, body, kind=BYTES):
    """Where it is now: stored or not."""
    answer = post(gateway, own, body, kind)
    assert answer.status == 202, answer
    assert answer.json()["accepted"] is True
    return answer.json()["stored"]


def test_a_terminal_that_is_here_gets_it_at_once(relay):
    relay.start()
    a = relay.registered(1)
    assert not accepted(relay, "00000001", b"hello")
    assert not accepted(relay, "00000001", b'{"body": "00fF7e"}', "application/json")
    a.expect(SENDER, b"hello", b"\x00\xff\x7e")


def test_it_comes_from_the_configured_sender(relay):
    relay.start(http={"sender": "0000abcd"})
    a = relay.registered(1)
    assert not accepted(relay, "00000001", b"hello")
    a.expect(0xabcd, b"hello")


def test_it_keeps_its_place_in_the_mail_of_one_who_is_away(relay):
    relay.start()
    a = relay.registered(1)
    a.send(2, b"first")
    relay.api.wait_device("00000002", mailbox={"messages": 1, "bytes": 18})
    assert accepted(relay, "00000002", b"second")
    a.send(2, b"third")
    a.synchronise()
    b = relay.registered(2)
    b.expect(1, b"first")
    b.expect(SENDER, b"second")
    b.expect(1, b"third")


def test_what_is_stored_survives_a_kill(relay):
    relay.start()
    relay.registered(1).leave()
    relay.api.wait_device("00000001", connected=False)
    assert all(accepted(relay, "00000001", b"%d" % n) for n in range(20))
    relay.kill()
    relay.start()
    relay.registered(1).expect(SENDER, *(b"%d" % n for n in range(20)))


def test_what_cannot_be_sent_is_refused(relay):
    relay.start()
    relay.registered(1)
    for own, body, kind, status, problem in (
            ("00000002", b"x", BYTES, 404, "not-found"),
            ("nobody", b"x", BYTES, 404, "not-found"),
            ("00000001", b"x", "text/plain", 415, "media-type"),
            ("00000001", b'{"body": "0"}', "application/json", 400, "bad-request"),
            ("00000001", b"{", "application/json", 400, "bad-request"),
            ("00000001", b"x" * 65523, BYTES, 413, "too-large")):
        answer = post(relay, own, body, kind)
        assert answer.status == status, answer
        check_problem(answer, problem)
    assert not accepted(relay, "00000001", b"x" * 65522)


def test_a_full_mailbox_refuses_and_loses_nothing(relay):
    relay.start(mailbox={"max_messages": 3})
    relay.registered(1).leave()
    relay.api.wait_device("00000001", connected=False)
    assert all(accepted(relay, "00000001", b"%d" % n) for n in range(3))
    answer = post(relay, "00000001", b"too many")
    assert answer.status == 507, answer
    check_problem(answer, "refused")
    a = relay.terminal(1)
    a.heartbeat()
    a.expect(SENDER, b"0", b"1", b"2")
