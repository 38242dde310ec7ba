"""The wall clock jumps, a year ahead or a day back: nobody is disconnected, nothing
expires, and of one device no event is told to be older than the one before it."""

import os
import signal
import struct
import time

import pytest

from devices import STATUS

DAY = 86400
JUMPS = pytest.mark.parametrize("seconds", (365 * DAY, -DAY), ids=("a_year_ahead", "a_day_back"))


class Clock:
    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, seconds):
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds * 1000))


@pytest.fixture
def clock(gateway, shim, tmp_path):
    clock = Clock(tmp_path / "clock")
    gateway.env.update(shim("clock", CLOCK_FILE=str(clock.path)))
    return clock


def jump(gateway, clock, seconds):
    """Returns when the gateway has told something in the new time."""
    clock.set(seconds)
    gateway.registered(99).close()
    gateway.api.wait_device("00000063", connected=False)


@JUMPS
def test_mail_does_not_expire_and_nobody_is_disconnected(gateway, clock, seconds):
    gateway.set(mailbox={"max_age": "7d"}).start()
    sender, friend = gateway.registered(1, 2)
    sender.send(3, b"early")
    gateway.wait_mail(3, 1)
    jump(gateway, clock, seconds)
    sender.send(2, b"still there?")
    friend.expect(1, b"still there?")
    sender.send(3, b"late")
    gateway.wait_mail(3, 2)
    away = gateway.registered(3)
    away.expect(1, b"early")
    away.expect(1, b"late")


@JUMPS
def test_times_of_one_device_never_go_back(gateway, clock, seconds):
    gateway.start()
    for _ in range(2):
        gateway.registered(4).close()
        gateway.api.wait_device("00000004", connected=False)
        jump(gateway, clock, seconds)
    clock.set(0)
    gateway.registered(4)
    gateway.api.wait_device("00000004", connected=True)
    events = gateway.api.events_of("00000004")
    assert len(events) >= 10
    times = [event["time"] for event in events]
    assert times == sorted(times), times


@JUMPS
def test_a_command_keeps_its_time(gateway, clock, seconds):
    gateway.listen("devices", protocol="device")
    gateway.start()
    gateway.device().login().close()
    gateway.api.wait_device("T9000010", connected=False)
    ticket = gateway.api.order("T9000010", "status", ttl="10m")
    jump(gateway, clock, seconds)
    assert gateway.api.ticket(ticket["ticket"])["state"] == "queued"
    device = gateway.device()
    device.login()
    device.answer(device.expect(STATUS, b""))
    gateway.api.wait_ticket(ticket["ticket"], state="answered")


@JUMPS
def test_who_is_silent_is_judged_by_the_time_that_passes(gateway, clock, seconds):
    gateway.listen("clients", protocol="heartbeat",
                   presence={"interval": "1s", "threshold": 2, "strikes": 2})
    gateway.start()
    client = gateway.client()
    client.beat()
    gateway.api.wait_device(client.identity, state="alive")
    jump(gateway, clock, seconds)
    client.beat()
    assert gateway.api.device(client.identity)["state"] == "alive"
    # And silence still counts.
    gateway.api.wait_device(client.identity, state="leave", seconds=30)


def test_a_machine_that_slept_takes_nobody_for_stuck(gateway):
    """Every process stands still for longer than the supervisor would wait for one."""
    gateway.set(supervisor={"stuck_timeout": "2s"}).start()
    a, b = gateway.registered(1, 2)
    worker = gateway.worker_pid()
    for _ in range(2):
        os.killpg(gateway.process.pid, signal.SIGSTOP)
        time.sleep(3)  # time itself is what this is about
        os.killpg(gateway.process.pid, signal.SIGCONT)
        a.send(2, b"good morning")
        b.expect(1, b"good morning")
    assert gateway.worker_pid() == worker
