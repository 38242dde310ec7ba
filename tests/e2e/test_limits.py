"""Limits that are always on: connections, per address, descriptors."""

import contextlib
import os
import resource
import time

import pytest

from terminal import wait_until


def is_refused(terminal):
    """Ended by the gateway before it got an answer."""
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        terminal.heartbeat()
        return not terminal.receive_more(3)
    return True


@pytest.fixture
def echoing(gateway):
    return gateway.listen("terminals", reply_heartbeats=True)


def joined(gateway, own, **options):
    terminal = gateway.terminal(own, **options)
    terminal.heartbeat()
    terminal.expect_echo()
    return terminal


@pytest.mark.parametrize("shards", (1, 2))
def test_max_connections(echoing, shards):
    echoing.start(shards=shards, limits={"max_connections": 5})
    inside = [joined(echoing, n) for n in range(5)]
    for _ in range(3):
        assert is_refused(echoing.terminal(99))
    inside[0].leave()
    wait_until(lambda: not is_refused(echoing.terminal(6)), "a place to become free")
    inside[1].send(2, b"hello")
    inside[2].expect(1, b"hello")


@pytest.mark.parametrize("shards", (1, 2))
def test_max_per_address(echoing, shards):
    echoing.start(shards=shards, limits={"max_per_address": 3})
    inside = [joined(echoing, n) for n in range(3)]
    assert is_refused(echoing.terminal(99))
    other = joined(echoing, 7, source="127.0.0.2")
    other.send(0, b"from elsewhere")
    inside[0].expect(7, b"from elsewhere")
    inside[1].reset()
    wait_until(lambda: not is_refused(echoing.terminal(6)), "a place to become free")


def test_refused_connections_are_logged_with_a_reason(echoing):
    echoing.start(limits={"max_connections": 1})
    joined(echoing, 1)
    assert is_refused(echoing.terminal(2))
    wait_until(lambda: [line for line in echoing.log_lines()
                        if "max_connections" in line.text], "a line that names the limit")


def limit_descriptors(pid, count=None):
    """To `count`, or to those that it has open: not one more."""
    if count is None:
        count = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, hard))


@pytest.mark.limit(90)
def test_without_descriptors_it_does_not_spin_and_recovers(echoing):
    """EMFILE: connections wait in the queue, and are served when descriptors return."""
    echoing.start(shards=1)
    worker = echoing.worker_pid()
    inside = [joined(echoing, n) for n in range(8)]
    limit_descriptors(worker)
    waiting = [echoing.terminal(100 + n) for n in range(5)]
    for terminal in waiting:
        terminal.heartbeat()
    inside[0].send(1, b"those inside converse")
    inside[1].expect(0, b"those inside converse")
    before, began = echoing.cpu_seconds(), time.monotonic()
    assert not any(terminal.is_readable(0.4) for terminal in waiting)
    used = (echoing.cpu_seconds() - before) / (time.monotonic() - began)
    assert used < 0.2, f"it spins: {used:.0%} of a core while it can accept nobody"
    limit_descriptors(worker, 1024)
    for terminal in waiting:
        terminal.expect_echo()
    assert echoing.worker_pid() == worker


@pytest.mark.limit(90)
def test_places_that_leave_serve_those_that_wait(echoing):
    """Without any more descriptors, each that leaves makes room for one that waits."""
    echoing.start(shards=1)
    worker = echoing.worker_pid()
    inside = [joined(echoing, n) for n in range(8)]
    limit_descriptors(worker)
    waiting = [echoing.terminal(100 + n) for n in range(8)]
    for terminal in waiting:
        terminal.heartbeat()
    for terminal in inside:
        terminal.leave()
    for terminal in waiting:
        terminal.expect_echo()
