"""The addresses of the server that came before, and what its clients read there: the
same words, but true, and with an honest status."""

import json

import pytest

from api import check_problem, check_ticket
from devices import RESTART, STATUS, STATES, TURN_ON, TURN_ON_BODY, TURN_ON_SERIAL

OWN = "T9000010"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAM = {"Accept": "application/json"}

OFFLINE = "设备不在线!"
NO_ANSWER = OWN + "发送指令未收到返回值,请重试!"
NO_PAGE = "没找到对应页面,请检查网址!"
TURNED_ON = "已经向设备发送开机指令"
RESTARTED = "已经向设备发送重启指令"
REFUSALS = {
    "on": "设备已经开启,请换一台设备!",
    "paused": "设备处于暂停状态,请按设备上开机键开启!",
    "cooling": "设备处于散热状态,请稍等后再开启!",
    "standby": "设备处于standby状态,直接按设备上的开机键即可!",
    9: "设备状态不明,请检查设备",
}


@pytest.fixture
def server(gateway):
    gateway.listen("devices", protocol="device")
    return gateway.start(shards=2)


def expect_text(visit, status, wanted):
    answer = visit.answer()
    assert (answer.status, answer.body.decode()) == (status, wanted)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


# The conversation of the old server, from its list to the restart.

@pytest.mark.parametrize("state", STATES)
def test_the_whole_conversation(server, state):
    device = server.device(OWN, state=state).login()
    expect_list(server, "/list/")
    expect_list(server, "/")

    visit = server.api.visit(f"/status/{OWN}", BROWSER)
    device.serve(STATUS)
    expect_text(visit, 200, f"0x{STATES[state]:x}")

    visit = server.api.visit(f"/turnon/{OWN}", BROWSER)
    device.serve(STATUS)
    if state == "ready":
        device.answer(device.expect(TURN_ON, TURN_ON_BODY, TURN_ON_SERIAL))
        expect_text(visit, 200, TURNED_ON)
    else:
        expect_text(visit, 409, REFUSALS[state])
        device.expect_nothing()

    visit = server.api.visit(f"/restart/{OWN}", BROWSER)
    device.answer(device.expect(RESTART, b""))
    expect_text(visit, 200, RESTARTED)

    device.close()
    server.api.wait_device(OWN, connected=False)
    for path in ("status", "turnon", "restart"):
        expect_text(server.api.visit(f"/{path}/{OWN}", BROWSER), 409, OFFLINE)
    assert json.loads(server.api.ask("/list/").body) == {}


def expect_list(server, path):
    answer = server.api.ask(path)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    listed = json.loads(answer.body)
    assert list(listed) == [OWN] and listed[OWN][0][0] == "127.0.0.1", listed


def test_whoever_does_not_ask_for_json_gets_the_old_words(server):
    device = server.device(OWN).login()
    for agent in (None, "*/*", "text/html", "text/plain"):
        visit = server.api.visit(f"/status/{OWN}", {"Accept": agent} if agent else {})
        device.serve(STATUS)
        expect_text(visit, 200, "0x5")


def test_a_state_without_a_name(server):
    device = server.device(OWN, state=9).login()
    visit = server.api.visit(f"/status/{OWN}", BROWSER)
    device.serve(STATUS)
    expect_text(visit, 200, "0x9")
    visit = server.api.visit(f"/turnon/{OWN}", BROWSER)
    device.serve(STATUS)
    expect_text(visit, 409, REFUSALS[9])
    device.expect_nothing()


def test_ids_are_read_as_they_were(server):
    device = server.device(OWN).login()
    for written in ("t9000010", "T9000010/", "T9000010xyz", "%54900001%30"):
        visit = server.api.visit(f"/status/{written}", BROWSER)
        device.serve(STATUS)
        expect_text(visit, 200, "0x5")


def test_whom_nobody_knows_is_offline(server):
    for path in ("/status/NOBODY", "/turnon/T9000099", "/status/%e5%bf%83"):
        expect_text(server.api.visit(path, BROWSER), 409, OFFLINE)


@pytest.mark.limit(90)
def test_no_answer_in_time(server):
    device = server.device(OWN).login()
    visits = [server.api.visit(f"/{path}/{OWN}", BROWSER)
              for path in ("status", "turnon", "restart")]
    device.receive()  # and no answer, and so there is no turn for the others
    for visit in visits:
        expect_text(visit, 504, NO_ANSWER)


def test_a_device_that_goes_meanwhile(server):
    device = server.device(OWN).login()
    visit = server.api.visit(f"/turnon/{OWN}", BROWSER)
    device.expect(STATUS)
    device.close()
    expect_text(visit, 504, NO_ANSWER)


def test_pages_that_are_not_there(server):
    for path in ("/nothing", "/status", "/favicon.ico", "/index.html", "/list/more"):
        expect_text(server.api.visit(path, BROWSER), 404, NO_PAGE)
        check_problem(server.api.visit(path, PROGRAM).answer(), "not-found")


# For programs.

def test_json_for_whoever_asks_for_it(server):
    device = server.device(OWN).login()
    visit = server.api.visit(f"/status/{OWN}", PROGRAM)
    device.serve(STATUS)
    ticket = check_ticket(visit.answer().json())
    assert (ticket["state"], ticket["command"]) == ("answered", "status")
    assert ticket["answer"]["decoded"] == {"state": "ready", "code": 5}

    device.state = "cooling"
    visit = server.api.visit(f"/turnon/{OWN}", PROGRAM)
    device.serve(STATUS)
    answer = visit.answer()
    assert answer.status == 409
    assert check_problem(answer, "state")["found"]["state"] == "cooling"

    device.close()
    server.api.wait_device(OWN, connected=False)
    answer = server.api.visit(f"/restart/{OWN}", PROGRAM).answer()
    assert answer.status == 409
    check_problem(answer, "offline")


# Secure by default.

FOREIGN = (
    {"Referer": "http://evil.example/page"}, {"Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    {"Host": "evil.example"}, {"Referer": "http://localhost.evil.example/"})


@pytest.mark.parametrize("path", ("status", "turnon", "restart"))
def test_a_foreign_page_moves_no_device(server, path):
    device = server.device(OWN).login()
    for headers in FOREIGN:
        answer = server.api.visit(f"/{path}/{OWN}", {**BROWSER, **headers}).answer()
        assert answer.status == 403, answer
    device.expect_nothing()


def test_our_own_page_may(server):
    device = server.device(OWN).login()
    host = "%s:%d" % server.http_address()
    visit = server.api.visit(f"/status/{OWN}", {
        "Referer": f"http://{host}/", "Sec-Fetch-Site": "same-origin"})
    device.serve(STATUS)
    expect_text(visit, 200, "0x5")


def test_only_get_is_known_there(server):
    device = server.device(OWN).login()
    for method in ("POST", "PUT", "DELETE"):
        answer = server.api.visit(f"/turnon/{OWN}", method=method).answer()
        assert answer.status == 405, answer
    device.expect_nothing()


def test_head_moves_no_device(server):
    """A program that only looks must not turn anything on."""
    device = server.device(OWN).login()
    visit = server.api.visit(f"/turnon/{OWN}", method="HEAD")
    device.expect_nothing()
    visit.leave()


def test_they_can_be_turned_off(gateway):
    gateway.listen("devices", protocol="device").start(http={"legacy": False})
    device = gateway.device(OWN).login()
    for path in ("/list/", "/", f"/status/{OWN}", f"/turnon/{OWN}", f"/restart/{OWN}"):
        answer = gateway.api.visit(path, BROWSER).answer()
        assert answer.status == 404, answer
    device.expect_nothing()
