"""Devices of another make: what their messages mean is declared, not programmed."""

import pytest

from devices import Peer
from vehicles import bcd

LAMP = {
    "login": "2001", "heartbeat": "2002", "reports": ["2003", "2013"], "state_at": 0,
    "states": {"dark": 0, "bright": 7}, "query": "look",
    "commands": {"look": {"message": "20f0"},
                 "light": {"message": "20f1", "body": "7e 7d 01", "serial": "7e7d"}},
}


@pytest.fixture(params=("ascii8", "bcd6", "bcd10", "jt808"))
def lamp(gateway, request):
    """The same profile with every way to write an id."""
    gateway.set(profiles={"lamp": LAMP})
    gateway.listen("lamps", protocol="device", id=request.param, profile="lamp")
    gateway.start(shards=2)
    own = {"ascii8": b"LAMP0001", "bcd6": bcd("4711", 6)}.get(request.param,
                                                              bcd("4711", 10))
    peer = Peer(gateway.address("lamps"), own)
    peer.is_ascii = request.param == "ascii8"
    peer.name = "LAMP0001" if peer.is_ascii else "4711"
    gateway.terminals.append(peer.connect())
    return peer


def test_a_device_of_another_make(gateway, lamp):
    lamp.expect(0x2001, b"\0", lamp.send(0x2001))
    lamp.expect(0x2002, b"\0", lamp.send(0x2002))
    entry = gateway.api.wait_device(lamp.name, connected=True, state="alive")
    assert (entry["protocol"], entry["listener"]) == ("device", "lamps")

    with gateway.api.stream(type="report") as stream:
        lamp.send(0x2013, b"\7\x7e")
        event = stream.next().data
        assert (event["message"], event["body"]) == ("2013", "077e")
        assert event["decoded"] == {"state": "bright", "code": 7}

    call = gateway.api.call(lamp.name, "look")
    query = lamp.expect(0x20f0, b"")
    lamp.send(0x20f0, b"\0", query.serial)
    assert call.answered()["answer"]["decoded"] == {"state": "dark", "code": 0}

    call = gateway.api.call(lamp.name, {"command": "light", "only_if": "dark"})
    query = lamp.expect(0x20f0, b"")
    lamp.send(0x20f0, b"\0", query.serial)
    lamp.expect(0x20f1, b"\x7e\x7d\1", 0x7e7d)
    lamp.send(0x20f1, b"\7", 0x7e7d)
    assert call.answered()["answer"]["decoded"] == {"state": "bright", "code": 7}

    gateway.api.call(lamp.name, "status").problem(404, "not-found")
    gateway.api.call(lamp.name, {"command": "light", "only_if": "ready"}).problem(
        400, "bad-request")


def test_an_id_form_of_jt808_alone_means_jt808(gateway):
    gateway.listen("vehicles", protocol="device", id="jt808").start()
    gateway.vehicle().enter().locate()
    assert gateway.api.device("13912344329")["protocol"] == "jt808"


def test_a_profile_that_replaces_the_built_in_one(gateway):
    gateway.set(profiles={"vending": {
        "login": "1001", "heartbeat": "1002", "state_at": 0, "states": {"odd": 1},
        "query": "status", "commands": {"status": {"message": "1005"}}}})
    gateway.listen("devices", protocol="device").start()
    device = gateway.device().login()
    call = gateway.api.call("T9000010", "status")
    device.answer(device.receive(), b"\1")
    assert call.answered()["answer"]["decoded"] == {"state": "odd", "code": 1}
    gateway.api.call("T9000010", "turn_on").problem(404, "not-found")


@pytest.mark.parametrize("change, word", (
    ({"login": "20001"}, "login"), ({"login": "xyz!"}, "login"),
    ({"query": "nothing"}, "query"), ({"state_at": 70000}, "state_at"),
    ({"states": {"dark": 256}}, "dark"), ({"colour": "red"}, "colour"),
    ({"commands": {"look": {"message": "20f0", "body": "7"}}}, "body"),
    ({"commands": {"look": {"body": "77"}}}, "message"),
    ({"commands": {"look": {"message": "20f0", "body": "00" * 65}}}, "body")), ids=str)
def test_profiles_that_are_refused(gateway, change, word):
    gateway.set(profiles={"lamp": {**LAMP, **change}})
    gateway.listen("lamps", protocol="device", profile="lamp")
    gateway.write_config()
    result = gateway.command("-t", "-c", gateway.config_file)
    assert result.returncode != 0 and word in result.stderr, result


def test_a_profile_that_is_not_there(gateway):
    gateway.listen("lamps", protocol="device", profile="lmap")
    gateway.write_config()
    result = gateway.command("-t", "-c", gateway.config_file)
    assert result.returncode != 0 and "lmap" in result.stderr, result
