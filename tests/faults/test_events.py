"""What an application was told of its devices stays true, whatever happens to the gateway:
the events it saw are there afterwards, under the same cursors, in the same order."""

import random
import shutil
import time

import pytest

from load import Load
from progress import Rounds
from test_failing_calls import traced  # noqa: F401
from test_power_cut import cut_and_restart, on_disk  # noqa: F401
from witness import Witness, assert_remembered

pytestmark = pytest.mark.rounds(10, 1000)


@pytest.fixture
def restless(gateway):
    gateway.listen("terminals", receipts=True)
    return gateway.set(shards=2,
                       supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"})


def run_rounds(gateway, name, rounds, strike):
    turns = Rounds(name, rounds)
    with Witness(gateway) as witness, Load(gateway.address(), targets=6) as load:
        for _ in turns:
            witness.wait_more(4)
            time.sleep(random.uniform(0, 0.1))  # the random moment itself
            witness.vouch()
            strike(witness)
        witness.wait_more(4)
        witness.vouch()
        load.finish(want_complete=False)
    turns.report(f"{len(witness.vouched)} events seen")
    assert_remembered(gateway, witness)


def test_of_a_worker_that_is_killed(restless, rounds):
    restless.start()

    def strike(_):
        restless.wait_new_worker(restless.kill_worker())

    run_rounds(restless, "events: kill -9 of the worker", rounds, strike)


def test_of_a_gateway_that_is_killed(restless, rounds):
    restless.start()

    def strike(_):
        restless.kill()
        restless.restart()

    run_rounds(restless, "events: kill -9 of everything", rounds, strike)


def test_of_a_disk_that_loses_its_power(on_disk, rounds):  # noqa: F811
    gateway, disk = on_disk()

    def strike(witness):
        cut_and_restart(gateway, disk)
        witness.disown()

    run_rounds(gateway, "events: power cut", rounds, strike)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_of_a_disk_whose_syncs_fail_now_and_then(traced):  # noqa: F811
    """Published all the same, and on the disk in the end: nothing comes twice."""
    traced.fail("fdatasync", "EIO", "4+7", "journal")
    traced.spawn()
    traced.wait_ready()
    with Witness(traced) as witness, Load(traced.address(), targets=6) as load:
        witness.wait_more(100)
        load.finish(want_complete=False)
        assert traced.has_failed()
        witness.vouch()
    traced.stop()
    traced.prefix = []
    traced.restart()
    assert_remembered(traced, witness)
