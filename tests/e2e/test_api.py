"""Every route of the HTTP API once, over a real connection."""

import http.client
import json
import socket

import pytest

from terminal import wait_until

GENERAL = {"/api/v1/openapi.json", "/healthz", "/readyz", "/metrics", "/", "/list/"}


def ask(gateway, target, method="GET", headers=None):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection(*gateway.http_address(), timeout=20)
    connection.request(method, target, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def get(gateway, target):
    status, headers, body = ask(gateway, target)
    assert (status, headers["Content-Type"]) == (200, "application/json"), body
    return json.loads(body)


def events(gateway, target="/api/v1/events"):
    return get(gateway, target)["events"]


def problem(gateway, target, method="GET"):
    status, headers, body = ask(gateway, target, method)
    assert headers["Content-Type"] == "application/problem+json"
    told = json.loads(body)
    assert told["status"] == status
    return status, told["type"].rsplit("/", 1)[1]


@pytest.fixture
def peopled(gateway):
    """1 and 2 are connected on two shards, mail waits for 3."""
    gateway.start(shards=2)
    one, two = gateway.registered(1, 2)
    one.send(3, b"later")
    gateway.wait_mail(3, 1)
    return one, two


def test_devices_are_listed_whole_or_by_page(gateway, peopled):
    whole = get(gateway, "/api/v1/devices")
    assert whole["next"] is None and isinstance(whole["as_of"], int)
    assert {d["id"]: d["state"] for d in whole["devices"]} == {
        "00000001": "alive", "00000002": "alive", "00000003": "close"}
    pages, cursor = [], ""
    while cursor is not None:
        page = get(gateway, f"/api/v1/devices?limit=1{cursor and '&cursor=' + cursor}")
        pages += page["devices"]
        cursor = page["next"]
    assert sorted(d["id"] for d in pages) == ["00000001", "00000002", "00000003"]
    closed = get(gateway, "/api/v1/devices?state=close")["devices"]
    assert [d["id"] for d in closed] == ["00000003"]


def test_a_device_and_its_connection_are_shown(gateway, peopled):
    one, _ = peopled
    device = get(gateway, "/api/v1/devices/00000001")
    port = one.socket.getsockname()[1]
    assert device["address"] == f"127.0.0.1:{port}" and device["connected"] is True
    assert device["listener"] == "terminals" and device["protocol"] == "ttms"
    assert device["length"] == "total" and device["epoch"] == 1
    connections = get(gateway, "/api/v1/connections")["connections"]
    shown = {c["device"]: c for c in connections}
    assert set(shown) == {"00000001", "00000002"}
    assert shown["00000001"]["peer"] == device["address"]
    assert shown["00000001"]["state"] == "read" and shown["00000001"]["wanted"] is None
    assert problem(gateway, "/api/v1/devices/0000000f") == (404, "not-found")


def test_a_mailbox_is_shown_and_emptied(gateway, peopled):
    where = "/api/v1/devices/00000003/mailbox"
    assert get(gateway, where)["messages"] == 1
    status, _, body = ask(gateway, where, "DELETE")
    assert (status, json.loads(body)) == (200, {"removed": 1})
    gateway.wait_mail(3, 0)


def test_a_device_is_kicked(gateway, peopled):
    one, _ = peopled
    where = "/api/v1/devices/00000001/connection"
    status, _, body = ask(gateway, where, "DELETE")
    assert (status, body) == (204, b"")
    one.expect_closed()
    gateway.wait_log("closed", reason="kicked", device="00000001")
    assert problem(gateway, where, "DELETE") == (404, "not-found")
    told = "/api/v1/devices/00000001/events"
    wait_until(lambda: "kicked" in [event["reason"] for event in events(gateway, told)],
               "the event")


def test_events_are_read_and_waited_for(gateway, peopled):
    _, two = peopled
    wait_until(lambda: len(events(gateway)) >= 4, "four events")
    told = get(gateway, "/api/v1/events")
    assert told["cursor"] == told["newest"] == told["events"][-1]["cursor"]
    assert get(gateway, f"/api/v1/events?after={told['cursor']}")["events"] == []
    two.close()
    waited = get(gateway, f"/api/v1/events?after={told['cursor']}&wait=20s")
    assert waited["events"][0]["device"] == "00000002"
    assert problem(gateway, "/api/v1/events?after=999999999") == (410, "cursor-gone")


def read_until(stream, text, sofar=b""):
    while text not in sofar:
        more = stream.recv(65536)
        assert more, sofar
        sofar += more
    return sofar


def open_stream(gateway):
    stream = socket.create_connection(gateway.http_address(), timeout=20)
    stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"
                   b"Accept: text/event-stream\r\n\r\n")
    read_until(stream, b"retry:")
    return stream


@pytest.mark.threads
def test_a_stream_tells_what_happens(gateway, peopled):
    stream = open_stream(gateway)
    gateway.registered(4)
    told = read_until(stream, b'"device":"00000004"')
    assert b"event: presence\ndata: {" in told
    stream.close()


@pytest.mark.threads
def test_questions_and_streams_do_not_disturb_each_other(gateway, peopled):
    one, two = peopled
    streams = [open_stream(gateway) for _ in range(20)]
    for round_ in range(10):
        one.send(2, b"%d" % round_)
        assert len(get(gateway, "/api/v1/devices?limit=1000")["devices"]) >= 3
        assert ask(gateway, "/metrics")[0] == 200
        gateway.registered(10 + round_)
        two.expect(1, b"%d" % round_)
    for stream in streams:
        read_until(stream, b'"device":"00000013"')
        stream.close()


def test_a_gateway_ends_while_it_is_listened_to(gateway, peopled):
    streams = [open_stream(gateway) for _ in range(5)]
    gateway.stop()
    for stream in streams:
        while stream.recv(65536):
            pass
        stream.close()


def test_the_old_lists_name_who_is_online(gateway, peopled):
    one, _ = peopled
    for target in ("/list/", "/"):
        status, headers, body = ask(gateway, target)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        told = json.loads(body)
        assert set(told) == {"00000001", "00000002"}
        address, heard = told["00000001"]
        assert address == ["127.0.0.1", one.socket.getsockname()[1]] and heard > 1.7e9


def test_health_is_told(gateway, peopled):
    assert get(gateway, "/healthz") == {"status": "ok"}
    assert get(gateway, "/readyz") == {"status": "ok"}


def test_figures_count_what_happened(gateway, peopled):
    status, headers, body = ask(gateway, "/metrics")
    assert status == 200 and "version=0.0.4" in headers["Content-Type"]
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    figures = {name: float(value) for name, value in (line.rsplit(" ", 1)
                                                      for line in lines)}
    assert len(figures) == len(lines)
    assert figures['holdfast_connections{listener="terminals",state="read"}'] == 2
    assert figures['holdfast_devices{protocol="ttms",state="alive"}'] == 2
    assert figures["holdfast_mailbox_messages"] == 1
    assert figures["holdfast_relay_frames_in_total"] >= 1
    assert figures["holdfast_shard_turn_seconds_count"] > 0


def test_each_path_has_the_methods_that_are_described(gateway, peopled):
    """What they answer: test_openapi.py."""
    paths = get(gateway, "/api/v1/openapi.json")["paths"]
    assert GENERAL < set(paths)
    for path, methods in paths.items():
        target = path.replace("{id}", "00000001").replace("{ticket}", "0000000000000001")
        status, headers, _ = ask(gateway, target, "PUT", {"Content-Length": "0"})
        allowed = set(headers["Allow"].lower().split(", ")) - {"head"}
        assert (status, allowed) == (405, set(methods))
