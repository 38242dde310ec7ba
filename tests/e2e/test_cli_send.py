"""`holdfast send` and `holdfast ticket` against an API that answers well, oddly, or not."""

import json
import re

import pytest

from mock_api import MockApi, answered, event, ticket
from test_cli import refused, run
from watching import Watch

COMMANDS = "/api/v1/devices/T9000010/commands"
TICKET = "/api/v1/tickets/9f1c02a45be08d13"


@pytest.fixture
def api():
    api = MockApi()
    yield api
    api.close()


def send(api, *arguments, answer=None, status=0):
    """What the gateway was asked, and what the command wrote."""
    asked = []

    def on_call(call):
        asked.append(call)
        answer(call) if answer else call.json(answered())

    api.on("POST", COMMANDS, on_call)
    done = run(api, "send", "T9000010", *arguments, status=status)
    return (asked[0] if asked else None), done


# What is asked


def test_a_command_is_asked_by_its_name(api):
    call, _ = send(api, "status")
    assert call.body == {"command": "status"} and call.query == {}
    assert call.headers["Content-Type"] == "application/json"
    assert "Idempotency-Key" not in call.headers


def test_arguments_are_json_where_they_can_be(api):
    call, _ = send(api, "text", "text=call in", "flags=4", "on=true", 'phone="1391"',
                   "list=[1,2]", "empty=", "a=b=c")
    assert call.body == {"command": "text", "args": {
        "text": "call in", "flags": 4, "on": True, "phone": "1391", "list": [1, 2],
        "empty": "", "a": "b=c"}}


def test_all_arguments_may_be_one_object(api):
    call, _ = send(api, "set_parameters", '{"1": {"value": 30}}')
    assert call.body["args"] == {"1": {"value": 30}}


def test_a_message_is_sent_as_it_is(api):
    call, _ = send(api, "0x8105", "04", "0a0b")
    assert call.body == {"message_id": 0x8105, "body": "040a0b"}
    call, _ = send(api, "0x5")
    assert call.body == {"message_id": 5, "body": ""}


def test_each_wish_has_its_option(api):
    call, _ = send(api, "turn_on", "--wait", "250ms", "--ttl", "10m", "--only-if", "ready",
                   "--supersede", "--not-before", "2026-11-21T11:30:00Z", "--not-after",
                   "2026-11-21T12:30:00Z", "--key", "order 7", "--protocol", "device")
    assert call.query == {"wait": "250ms", "ttl": "600000ms", "protocol": "device"}
    assert call.body == {"command": "turn_on", "only_if": "ready", "supersede": True,
                         "not_before": "2026-11-21T11:30:00Z",
                         "not_after": "2026-11-21T12:30:00Z"}
    assert call.headers["Idempotency-Key"] == "order 7"


def test_an_id_may_have_its_protocol_in_front(api):
    api.on("POST", COMMANDS, lambda call: call.json(answered()))
    run(api, "send", "device/T9000010", "status")
    assert api.calls[0][2] == {"protocol": "device"}


@pytest.mark.limit(60)
def test_the_answer_may_take_as_long_as_it_is_waited_for(api):
    def answer_late(call):
        api.over.wait(2.5)
        call.json(answered())

    send(api, "status", "--timeout", "1", "--wait", "5s", answer=answer_late)
    _, done = send(api, "status", "--timeout", "1", "--wait", "0s", answer=answer_late,
                   status=1)
    assert "has not answered" in done.stderr


# What is shown


def test_an_answer_is_shown_by_its_meaning(api):
    _, done = send(api, "status")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["answered", "T9000010", "status", "after", "19", "ms"]
    assert [line.split() for line in lines[1:]] == [["state", "ready"], ["code", "5"]]


def test_what_is_not_understood_is_shown_as_it_is(api):
    answer = {"message": "1005", "serial": 2, "body": "0a" * 3000, "decoded": None}
    _, done = send(api, "0x1005", answer=lambda call: call.json(
        {**answered(command=None), "answer": answer}))
    lines = done.stdout.splitlines()
    assert "0x1005" in lines[0] and lines[1].strip() == "0a" * 3000


def test_a_ticket_is_status_3(api):
    _, done = send(api, "status", "--ttl", "1d", status=3,
                   answer=lambda call: call.json(ticket(), 202))
    assert done.stdout.split() == ["queued", "T9000010", "status", "ticket",
                                   "9f1c02a45be08d13"]


@pytest.mark.parametrize("code, kind", [(409, "offline"), (504, "no-answer"),
                                        (502, "refused"), (409, "state")])
def test_a_refusal_is_a_sentence_and_for_programs_the_document(api, code, kind):
    def refuse(call):
        call.problem(code, kind, "it is not there", **ticket(state="failed"))

    _, done = send(api, "status", answer=refuse, status=1)
    assert done.stderr == "holdfast: it is not there\n" and not done.stdout
    _, done = send(api, "status", "--json", answer=refuse, status=1)
    assert json.loads(done.stdout)["ticket"] == "9f1c02a45be08d13"
    assert json.loads(done.stdout)["type"].endswith(kind)


def test_json_is_the_apis(api):
    _, done = send(api, "status", "--json")
    assert json.loads(done.stdout) == answered()


def test_what_a_device_answers_cannot_reach_the_terminal(api):
    evil = "x\033[2J\n\x9b\u202e y"
    odd = answered(device=evil, command=evil, reason=evil)
    odd["answer"] = {"message": evil, "serial": evil, "body": evil,
                     "decoded": {evil: evil, "b": [evil], "c": {evil: 1}}}
    for answer in (odd, {**odd, "answer": {"body": evil}}, {**odd, "answer": evil},
                   {"state": evil, "answer": {"decoded": evil}}, {}):
        api.on("POST", COMMANDS, lambda call: call.json(answer))
        api.on("GET", TICKET, lambda call: call.json(answer))
        for command in (["send", "T9000010", "x"], ["send", "T9000010", "x", "--json"],
                        ["ticket", "9f1c02a45be08d13"]):
            status = 1 if "send" in command and answer.get("state") != "answered" else 0
            out = run(api, *command, status=status).stdout
            assert re.fullmatch(r"[ -~\n]*", out), out


# ticket


def test_a_ticket_is_a_card(api):
    api.on("GET", TICKET, lambda call: call.json(answered()))
    out = run(api, "ticket", "9f1c02a45be08d13").stdout
    assert out.startswith("9f1c02a45be08d13: status for device/T9000010\n")
    for pair in ("state answered", "created 2026-11-21T11:25:02.500Z", "expires -",
                 "sendings 1", "durable no", "answer 1005, serial 2", "code 5"):
        assert re.search(r"\n +" + pair.replace(" ", " +", 1) + r"\n", out), pair


@pytest.mark.parametrize("state, status", [
    ("queued", 3), ("sent", 3), ("acknowledged", 3), ("answered", 0), ("expired", 1),
    ("superseded", 1), ("cancelled", 1), ("failed", 1)])
def test_who_waits_for_a_ticket_is_told_by_the_status(api, state, status):
    api.on("GET", TICKET, lambda call: call.json(ticket(state=state)))
    run(api, "ticket", "9f1c02a45be08d13", "--wait", "1s", status=status)
    assert api.calls[0][2] == {"wait": "1000ms"}
    run(api, "ticket", "9f1c02a45be08d13")


def test_a_ticket_is_cancelled(api):
    api.on("DELETE", TICKET, lambda call: call.json(ticket(state="cancelled")))
    assert "cancelled" in run(api, "ticket", "9f1c02a45be08d13", "--cancel").stdout
    api.on("DELETE", TICKET, lambda call: call.problem(409, "not-cancellable", "it is out"))
    assert "it is out" in refused(api, "ticket", "9f1c02a45be08d13", "--cancel")


def test_the_tickets_of_a_device_are_a_table(api):
    api.on("GET", COMMANDS, lambda call: call.json(
        {"tickets": [ticket("b" * 16), ticket("a" * 16, state="expired", command=None,
                                              reason="no_answer", ended="2026")]}))
    lines = run(api, "ticket", "--device", "device/T9000010", "--limit", "2").stdout
    assert [line.split() for line in lines.splitlines()] == [
        ["b" * 16, "queued", "-", "status", "2026-11-21T11:25:02.500Z", "-"],
        ["a" * 16, "expired", "no_answer", "0x1005", "2026-11-21T11:25:02.500Z", "2026"]]
    assert api.calls[0][2] == {"limit": "2", "protocol": "device"}
    assert len(json.loads(run(api, "ticket", "--device", "T9000010",
                              "--json").stdout)["tickets"]) == 2


# watch


def test_watch_shows_tickets_and_reports(api):
    api.events = [
        event(1, "T9000010", "queued", "sent", None, type="command",
              ticket="9f1c02a45be08d13", command="status", message="1005"),
        event(2, "T9000010", "sent", "expired", "no_answer", type="command",
              ticket="9f1c02a45be08d13", command=None, message="0005"),
        event(3, "1391", None, None, None, type="report", message="0200", name="location",
              serial=7, size=28, body="0a0b", decoded={"latitude": 31.234567}),
        event(4, "1391", None, None, None, type="report", message="0f01", name=None,
              serial=8, size=2, body="0a0b", decoded=None)]
    w = Watch("--url", api.url, "--after", "0", "--type", "command,report")
    try:
        lines = [line.split()[1:] for line in w.wait_lines(4)]
        assert not any(line.endswith(" ") for line in w.lines)
    finally:
        api.over.set()
        w.clean_up()
    assert lines == [["T9000010", "status", "sent", "9f1c02a45be08d13"],
                     ["T9000010", "0x0005", "expired", "9f1c02a45be08d13", "no_answer"],
                     ["1391", "0200", "location", '{"latitude":31.234567}'],
                     ["1391", "0f01", "-", "0a0b"]]
    assert api.calls[0][2]["type"] == "command,report"


# The command line


@pytest.mark.parametrize("command, wanted", [
    (("send",), "holdfast ls"), (("send", "1"), "which command"),
    (("send", "1", "text", "hello"), "name=value"), (("send", "1", "text", "=x"), "="),
    (("send", "1", "text", '{"a":1'), "JSON"), (("send", "1", "x", "--wait", "5"), "--wait"),
    (("send", "1", "x", "--ttl", "-1s"), "--ttl"), (("send", "1", "x", "--key", ""), "--key"),
    (("send", "1", "x", "--key", "a\nb"), "--key"), (("ticket",), "which ticket"),
    (("ticket", "1", "2"), "one ticket"), (("ticket", "1", "--device", "2"), "which"),
    (("ticket", "--device", "1", "--cancel"), "for one"), (("ticket", "1", "--wait"), "wait"),
    (("ticket", "1", "--limit", "3"), "--device"), (("send", "1", "x", b"a=\xff"), "UTF-8"),
    (("send", "1", "0x0005", b"\xff"), "UTF-8")])
def test_a_misunderstood_command_line_is_status_2(command, wanted):
    done = run(None, *command, status=2)
    assert wanted in done.stderr and "--help" in done.stderr and not done.stdout
