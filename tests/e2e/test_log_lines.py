"""Odd bytes in every field that strangers fill in: each event stays one line of plain
characters, and none of them is theirs."""

import json
import re
import urllib.parse

import pytest

import ttms
from devices import LOGIN, enclose
from gateway import LINE
from heartbeat import frame
from rawhttp import Raw, get
from rawhttp import request as http_request
from vehicles import REGISTER, registration

LIE = b"\n2026-01-01T00:00:00.000Z error forged pid=1\r\n\x1b[31m"
VEHICLE = "13912344329"
ODD = [*range(0x21), *b"\"%'=\\\x7f\x80\x9b\xa0\xff"]  # the others, with --long


def told(byte):
    return bytes([byte]) + LIE


def web(gateway, raw):
    with Raw(gateway) as connection:
        connection.send(raw).more()


def terminal(gateway, byte):
    guest = gateway.terminal()
    guest.send_raw(told(byte))
    return guest


def terminals_name(gateway, byte):
    guest = gateway.terminal()
    guest.send_raw(ttms.heartbeat(byte << 24 | 0x0A1B0D) + ttms.heartbeat(0x0A0D1B00 + byte))
    return guest


def machines_name(gateway, byte):
    guest = gateway.device()
    guest.own = (told(byte) + bytes(8))[:8]
    guest.send(LOGIN)
    return guest


def machines_bytes(gateway, byte):
    guest = gateway.device()
    guest.send_raw(enclose(told(byte)))
    return guest


def vehicles_papers(gateway, byte):
    guest = gateway.vehicle(VEHICLE)
    body = registration(maker="a", model="b", terminal="c", plate="d")
    guest.send(REGISTER, body.replace(b"a\0\0\0\0", told(byte)[:5]) + told(byte))
    return guest


def vehicles_token(gateway, byte):
    guest = gateway.vehicle(VEHICLE)
    guest.send(0x0102, told(byte))
    return guest


def clients_address(gateway, byte):
    guest = gateway.client()
    text = told(byte).decode("latin-1")
    guest.send_raw(frame(json.dumps({"ip": text, "status": text, "pid": 1})))
    return guest


def clients_bytes(gateway, byte):
    guest = gateway.client()
    guest.send_raw(frame(told(byte)))
    return guest


def path(gateway, byte):
    web(gateway, b"GET /" + told(byte) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")


def quoted_path(gateway, byte):
    text = urllib.parse.quote(told(byte), safe="")
    web(gateway, get(f"/api/v1/devices/{text}?{text}={text}"))


def header(gateway, byte):
    web(gateway, get("/healthz", b"Authorization: Bearer " + told(byte),
                     b"Origin: " + told(byte), b"Idempotency-Key: " + told(byte)))


def commands_name(gateway, byte):
    body = json.dumps({"command": told(byte).decode("latin-1")}).encode()
    web(gateway, http_request("POST /api/v1/devices/T9000010/commands HTTP/1.1",
                              "Content-Type: application/json",
                              f"Content-Length: {len(body)}", body=body))


FIELDS = (terminal, terminals_name, machines_name, machines_bytes, vehicles_papers,
          vehicles_token, clients_address, clients_bytes, path, quoted_path, header,
          commands_name)


@pytest.fixture
def service(gateway):
    gateway.listen("devices", protocol="device").listen("vehicles", protocol="jt808")
    return gateway.listen("clients", protocol="heartbeat")


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.__name__)
def test_whatever_stands_in_it_stays_in_its_line(service, field, request):
    service.start(log={"level": "debug"})
    worker = service.worker_pid()
    for byte in range(256) if request.config.getoption("--long") else ODD:
        guest = field(service, byte)
        if guest:
            try:
                guest.wait_until_read()
            except OSError:
                pass
            guest.close()
    service.registered(1)
    service.stop()
    assert not service.log_has("forged")
    for raw in service.log().splitlines():
        assert re.fullmatch(r"[\x20-\x7e]*", raw), repr(raw)
        assert LINE.fullmatch(raw), repr(raw)
    assert str(worker) in service.log() and not service.log_has("died")
