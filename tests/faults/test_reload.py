"""A new configuration under load, again and again: a new worker takes the place of the old
one, nobody is refused meanwhile, and nothing is lost, repeated or reordered beyond what a
broken connection may cost."""

import contextlib
import random
import resource
import signal
import socket
import threading
import time

import pytest

from load import Load, assert_kept
from progress import Rounds
from terminal import wait_until

pytestmark = pytest.mark.rounds(10, 500)


class Knocker(threading.Thread):
    """Connects all the time, and counts: it may be made to wait, never refused."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.is_over = False
        self.count = 0
        self.refused = []

    def run(self):
        while not self.is_over:
            try:
                socket.create_connection(self.address, 10).close()
                self.count += 1
            except OSError as problem:
                self.refused.append(problem)
            time.sleep(0.002)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.join(20)


@pytest.fixture(params=("offline", "all"), ids=("durability_offline", "durability_all"))
def receipting(gateway, request):
    gateway.listen("terminals", receipts=True, durability=request.param)
    gateway.set(shards=2, registry={"max_devices": 1000000},
                mailbox={"max_messages": 10000000, "max_bytes": "8GiB"})
    return gateway.start()


def reload(gateway):
    """With another setting, or the worker would be kept."""
    old = gateway.worker_pid()
    gateway.settings["registry"]["max_devices"] ^= 1
    gateway.write_config()
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_new_worker(old)


def test_nobody_is_refused_and_nothing_is_lost(receipting, rounds):
    turns = Rounds("reload", rounds)
    with Knocker(receipting.address()) as knocker:
        for part in turns.parts():
            with Load(receipting.address()) as load:
                for _ in part:
                    load.wait_progress(100)
                    time.sleep(random.uniform(0, 0.1))  # the random moment itself
                    reload(receipting)
                ledger = load.finish()
            turns.report(f"{ledger.summary()}; {knocker.count} connections besides")
            assert_kept(ledger)
        assert knocker.count and not knocker.refused, knocker.refused[:5]


def test_a_gateway_that_is_started_again_does_refuse(receipting):
    """If this fails, then nobody knocked while it mattered."""
    with Knocker(receipting.address()) as knocker:
        receipting.stop()
        wait_until(lambda: knocker.refused, "a refusal", 10)
        receipting.restart()


@contextlib.contextmanager
def without_descriptors(pid):
    """Whatever it opens from now on is refused."""
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def test_without_descriptors_the_former_settings_stay(gateway):
    """A configuration that cannot be read must not become a gateway without its limits."""
    gateway.start(shards=1)
    a, b = gateway.registered(1, 2)
    worker = gateway.worker_pid()
    gateway.set(shards=2).write_config()
    with without_descriptors(gateway.supervisor_pid()):
        gateway.send_signal(signal.SIGHUP)
        gateway.wait_log("the former settings stay in force")
    a.send(2, b"business as usual")
    b.expect(1, b"business as usual")
    assert gateway.worker_pid() == worker
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_new_worker(worker)
