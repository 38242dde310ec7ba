"""kill -9 at random moments under load, against an outside ledger.

Nothing receipted is lost, nothing reordered, and repeats are only frames whose
acknowledgement was on its way."""

import random
import signal
import time

import pytest

from load import Load, assert_kept
from progress import Rounds

pytestmark = pytest.mark.rounds(10, 2000)


@pytest.fixture(params=("offline", "all"), ids=("durability_offline", "durability_all"))
def receipting(gateway, request):
    gateway.listen("terminals", receipts=True, durability=request.param)
    # Kills in quick succession are what this is about, not what should end the gateway.
    return gateway.set(
        shards=2,
        supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"},
        mailbox={"max_messages": 10000000, "max_bytes": "8GiB"})


def run_rounds(gateway, name, rounds, strike, **options):
    turns = Rounds(name, rounds)
    for part in turns.parts():
        with Load(gateway.address(), **options) as load:
            for _ in part:
                load.wait_progress(100)
                time.sleep(random.uniform(0, 0.15))  # the random moment itself
                strike()
            ledger = load.finish()
        turns.report(ledger.summary())
        assert_kept(ledger)


def test_of_the_worker(receipting, rounds):
    receipting.start()

    def strike():
        receipting.wait_new_worker(receipting.kill_worker())

    run_rounds(receipting, "kill -9 of the worker", rounds, strike)


def test_of_everything(receipting, rounds):
    receipting.start()

    def strike():
        receipting.kill()
        receipting.restart()

    run_rounds(receipting, "kill -9 of everything", rounds, strike)


def test_of_the_supervisor_alone(receipting, rounds):
    receipting.start()

    def strike():
        receipting.kill_supervisor()
        receipting.restart()

    run_rounds(receipting, "kill -9 of the supervisor", max(1, rounds // 2), strike)


def test_sigterm_and_start_again(receipting, rounds):
    receipting.set(supervisor={"drain_timeout": "5s"}).start()

    def strike():
        receipting.stop()
        receipting.restart()

    run_rounds(receipting, "SIGTERM", max(1, rounds // 2), strike)


def test_of_a_worker_that_had_stopped(receipting):
    """SIGSTOP under load: the supervisor takes it for stuck."""
    receipting.set(supervisor={"stuck_timeout": "2s"}).start()

    def strike():
        receipting.wait_new_worker(receipting.kill_worker(signal.SIGSTOP))

    # Its connections end only when it is killed, seconds after it stopped.
    run_rounds(receipting, "SIGSTOP", 2, strike, in_flight=10)
