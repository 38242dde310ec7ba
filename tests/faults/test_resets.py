"""Peers of every protocol that end their connection by a reset, at every byte: whatever was
being read, answered or waited for, the process lives, also where a signal would kill it."""

import socket
import struct

import pytest

import devices
import heartbeat
import ttms
import vehicles
from asker import frame

TALK = {
    "terminals": ttms.heartbeat(5) + ttms.data(6, b"x") + ttms.heartbeat(6),
    "devices": devices.VECTORS["login"] + devices.VECTORS["query"],
    "vehicles": devices.form(vehicles.REGISTER, bytes.fromhex("013912344329"), 1,
                             vehicles.registration()),
    "clients": heartbeat.VECTOR_OBJECT + heartbeat.VECTOR_STRING,
    "answers": frame(b"hello") + frame(b"there"),
    "http": b"GET /api/v1/devices HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.fixture
def every_protocol(gateway):
    gateway.listen("terminals", receipts=True, reply_heartbeats=True)
    gateway.listen("devices", protocol="device")
    gateway.listen("vehicles", protocol="jt808")
    gateway.listen("clients", protocol="heartbeat")
    gateway.listen("answers", protocol="nbnet", processes=1)
    return gateway.start(shards=2)


def reset_after(address, talk, waits):
    """The reset comes before the answer, or behind it, unread."""
    with socket.create_connection(address, 10) as guest:
        guest.sendall(talk)
        if waits:
            guest.settimeout(0.005)
            try:
                guest.recv(1, socket.MSG_PEEK)
            except OSError:
                pass
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("name", TALK)
def test_a_reset_at_every_byte_harms_nobody(every_protocol, name):
    gateway = every_protocol
    worker = gateway.worker_pid()
    address = gateway.http_address() if name == "http" else gateway.address(name)
    for cut in range(len(TALK[name]) + 1):
        reset_after(address, TALK[name][:cut], waits=cut % 2)
    a, b = gateway.device().login(), gateway.device("T9000011").login()
    assert gateway.api.ask("/healthz").status == 200
    assert a.is_open() and b.is_open()
    assert gateway.worker_pid() == worker
    assert not gateway.log_has("died"), "a process of a service did not live"
