"""Power cuts: the store lives on an ext4 of its own, whose device loses its power.

What a receipt called safe must be there afterwards. The rig proves itself: with every
sync stubbed it has to report loss."""

import random
import time

import pytest

from load import Load, assert_kept
from progress import Rounds


@pytest.fixture
def on_disk(make_gateway, ext4):
    """on_disk(env): a gateway whose data directory stands on a disk that can be cut."""
    def make(durability="all", **options):
        disk = ext4("256M")
        gateway = make_gateway(**options)
        gateway.listen("terminals", receipts=True, durability=durability)
        gateway.set(data_dir=str(disk.directory / "data"), shards=2,
                    mailbox={"max_messages": 1000000, "max_bytes": "1GiB",
                             "total_bytes": "200MiB"})
        return gateway.start(), disk
    return make


def cut_and_restart(gateway, disk):
    disk.cut_power()
    gateway.kill()
    disk.power_on()
    gateway.restart()


@pytest.mark.rounds(10, 5000)
@pytest.mark.parametrize("durability", ("offline", "all"))
def test_nothing_receipted_is_lost(on_disk, durability, rounds):
    gateway, disk = on_disk(durability)
    turns = Rounds(f"power cut, durability {durability}", rounds)
    for part in turns.parts():
        with Load(gateway.address()) as load:
            for _ in part:
                load.wait_progress(50)
                time.sleep(random.uniform(0, 0.1))  # the random moment itself
                cut_and_restart(gateway, disk)
            ledger = load.finish()
        turns.report(ledger.summary())
        assert_kept(ledger)


def test_the_rig_notices_when_nothing_is_synced(on_disk, shim):
    """If this fails, then the test above proves nothing."""
    gateway, disk = on_disk(env=shim("no_sync"))
    with Load(gateway.address()) as load:
        load.wait_progress(500)
        load.stop_sending()
        disk.cut_power()
        gateway.kill()
        disk.power_on()
        gateway.spawn()
        try:
            gateway.wait_ready()
        except AssertionError:
            return  # it found its store damaged, and says so: that is noticed too
        ledger = load.finish(seconds=3, want_complete=False)
    assert any("LOST" in problem for problem in ledger.problems()), ledger.summary()
