"""The supervisor: workers that die, get stuck, are asked to leave."""

import os
import signal
import time

import pytest

from gateway import pid_exists
from terminal import wait_until


@pytest.fixture
def echoing(gateway):
    return gateway.listen("terminals", reply_heartbeats=True)


def joined(gateway, own, **options):
    terminal = gateway.terminal(own, **options)
    terminal.heartbeat()
    terminal.expect_echo()
    return terminal


@pytest.mark.parametrize("number", (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT),
                         ids=lambda n: n.name)
def test_a_dead_worker_is_replaced(echoing, number):
    echoing.may_crash = True
    echoing.start()
    a = joined(echoing, 1)
    echoing.wait_new_worker(echoing.kill_worker(number))
    a.expect_closed()
    joined(echoing, 1).expect_nothing()


def test_connections_that_wait_are_not_reset_when_the_worker_dies(echoing):
    echoing.start()
    worker = echoing.freeze_worker()  # nobody accepts now: they wait in the queue
    waiting = [echoing.terminal(n) for n in range(60)]
    for terminal in waiting:
        terminal.heartbeat()
    os.kill(worker, signal.SIGKILL)
    for terminal in waiting:
        terminal.expect_echo()
    assert echoing.wait_new_worker(worker)


def test_a_stuck_worker_is_killed_and_replaced(echoing):
    echoing.start(supervisor={"stuck_timeout": "2s"})
    a = joined(echoing, 1)
    worker = echoing.freeze_worker()
    waiting = echoing.terminal(2)
    waiting.heartbeat()
    echoing.wait_new_worker(worker)
    waiting.expect_echo()
    a.expect_closed()
    assert not pid_exists(worker)
    assert [line for line in echoing.log_lines() if "stuck" in line.text], echoing.log()


def test_an_idle_worker_is_not_taken_for_stuck(echoing):
    echoing.start(supervisor={"stuck_timeout": "2s"})
    worker, a = echoing.worker_pid(), joined(echoing, 1)
    # The condition is time itself: several times the limit pass in idleness.
    assert not a.is_readable(5)
    assert echoing.worker_pid() == worker
    a.expect_nothing()


def test_the_death_is_logged_with_its_signal(echoing):
    echoing.start()
    worker = echoing.kill_worker()
    echoing.wait_new_worker(worker)
    lines = [line for line in echoing.log_lines()
             if f"worker {worker} " in line.text and "started" not in line.text]
    assert any("signal" in line.text or "SIGKILL" in line.text for line in lines), \
        echoing.log()


def test_a_worker_that_keeps_dying_ends_the_gateway_after_max_restarts(echoing):
    echoing.start(supervisor={"max_restarts": 2})
    began = time.monotonic()
    while echoing.is_running() and time.monotonic() - began < 30:
        worker = echoing.worker_pid()
        try:
            os.kill(worker, signal.SIGKILL)
        except ProcessLookupError:
            pass
        wait_until(lambda: not echoing.is_running() or echoing.worker_pid() != worker,
                   "a new worker or the end", 20)
    assert echoing.wait_exit() != 0
    assert "max_restarts" in echoing.log()


def test_when_the_supervisor_dies_the_worker_leaves(echoing):
    echoing.start()
    a = joined(echoing, 1)
    echoing.kill_supervisor()
    a.leave_after_end()
    echoing.restart()  # the port is free, the store not locked
    joined(echoing, 1).expect_nothing()


def test_sigterm_ends_with_status_0(echoing):
    echoing.start()
    a = joined(echoing, 1)
    echoing.stop()
    a.expect_closed()
    assert echoing.log_has("closed")


@pytest.mark.parametrize("shards", (1, 2))
def test_sigterm_lets_slow_readers_take_their_output(gateway, shards):
    gateway.start(shards=shards, supervisor={"drain_timeout": "20s"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    payloads = [b"%04d" % n + bytes(1000) for n in range(300)]
    a.send(2, *payloads)
    a.synchronise()
    gateway.send_signal(signal.SIGTERM)
    b.expect(1, *payloads)
    assert gateway.wait_exit() == 0


def test_readyz_says_so_as_long_as_a_drain_lasts(gateway):
    gateway.start(supervisor={"drain_timeout": "60s"})
    assert gateway.api.ask("/readyz").status == 200
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    payloads = [b"%04d" % n + bytes(1000) for n in range(500)]
    a.send(2, *payloads)
    a.synchronise()
    gateway.send_signal(signal.SIGTERM)
    gateway.wait_log("draining")
    for _ in range(3):
        problem = gateway.api.problem(503, "not-ready", "/readyz")
        assert "ending" in problem["detail"]
    assert gateway.api.ids() == ["00000001", "00000002"]  # and goes on answering
    b.expect(1, *payloads)
    assert gateway.wait_exit() == 0


def test_a_drain_ends_after_drain_timeout(gateway):
    gateway.start(supervisor={"drain_timeout": "1s"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    a.send(2, *(bytes(1000) for _ in range(500)))
    a.synchronise()
    gateway.stop()  # who does not read would hold it for ever
    b.leave_after_end()


def test_a_second_sigterm_ends_at_once(gateway):
    gateway.start(supervisor={"drain_timeout": "60s"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    a.send(2, *(bytes(1000) for _ in range(500)))
    a.synchronise()
    worker = gateway.worker_pid()
    gateway.send_signal(signal.SIGTERM)
    wait_until(lambda: "drain" in gateway.log(), "the drain to begin")
    assert gateway.is_running()
    gateway.send_signal(signal.SIGTERM)
    gateway.wait_exit(8)
    assert not pid_exists(worker)
    b.close()


def test_who_connects_during_a_drain_is_not_forgotten(gateway):
    """Refused, or served for the moment and then closed: it does not hang."""
    gateway.start(supervisor={"drain_timeout": "3s"})
    a, b = gateway.registered(1), gateway.registered(2, receive_buffer=4096)
    a.send(2, *(bytes(1000) for _ in range(500)))
    a.synchronise()
    gateway.send_signal(signal.SIGTERM)
    try:
        late = gateway.terminal(3)
        late.heartbeat()
        late.leave_after_end()
    except ConnectionError:
        pass
    assert gateway.wait_exit() == 0
    b.leave_after_end()


def test_sighup_brings_new_settings_and_loses_nothing(echoing):
    """The worker is replaced; the listeners stay, and so does every message."""
    echoing.start()
    a, b = joined(echoing, 1), joined(echoing, 2)
    worker = echoing.worker_pid()
    a.send(9, b"before")
    a.expect_nothing()
    echoing.listen("terminals", reply_heartbeats=False)
    echoing.set(mailbox={"max_messages": 2}).write_config()
    echoing.send_signal(signal.SIGHUP)
    echoing.wait_new_worker(worker)
    a.leave_after_end()
    b.leave_after_end()
    a = echoing.registered(1)  # its heartbeat is not echoed any more
    a.send(9, b"after", b"refused")
    c = echoing.terminal(9)
    a.synchronise()
    c.heartbeat()
    c.expect(1, b"before", b"after")


def test_sighup_with_a_broken_file_keeps_the_old_settings(echoing):
    echoing.start()
    a = joined(echoing, 1)
    echoing.config_file.write_text("listen: [\n")
    echoing.send_signal(signal.SIGHUP)
    wait_until(lambda: "holdfast.yaml:" in echoing.log(), "the error with its place")
    a.expect_nothing()
    joined(echoing, 2).expect_nothing()


def test_sigint_is_taken_as_sigterm(echoing):
    echoing.start()
    joined(echoing, 1)
    echoing.send_signal(signal.SIGINT)
    assert echoing.wait_exit() == 0
