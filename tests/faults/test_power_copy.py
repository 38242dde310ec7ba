"""Power cuts that the gateway does not notice: at a random moment the disk is copied as it
is, and another gateway starts on the copy while the first one lives on.

What was called safe before the copy began must be there. In test_power_cut.py the disk
itself fails, so that also the gateway meets the errors; here it is at full work. The rig
proves itself: with every sync stubbed the copy has to lack something."""

import contextlib
import random
import time

import pytest

from load import Collection, Load, assert_kept
from orders import Orders, assert_carried_out, look
from progress import Rounds
from witness import Witness, assert_remembered

pytestmark = pytest.mark.rounds(3, 1000)


class Pair:
    """A gateway on a disk, and one that starts on copies of it."""

    def __init__(self, make_gateway, disk, **options):
        self.disk = disk
        self.first = make_gateway("first", **options)
        self.second = make_gateway("second")
        for gateway in (self.first, self.second):
            gateway.set(shards=2, mailbox={"max_messages": 1000000, "max_bytes": "1GiB",
                                           "total_bytes": "200MiB"})
        self.first.set(data_dir=str(disk.directory / "data"))

    def listen(self, name, **options):
        for gateway in (self.first, self.second):
            gateway.listen(name, **options)
        return self

    @contextlib.contextmanager
    def copied(self):
        with self.disk.copy() as other:
            self.second.set(data_dir=str(other.directory / "data")).start()
            yield self.second
            self.second.stop()


@pytest.fixture
def pair(make_gateway, copied_ext4):
    return lambda **options: Pair(make_gateway, copied_ext4("256M"), **options)


def copy_under_load(pair, seconds=30):
    """One round: what was not as it should be on the copy, and a summary of it."""
    with Load(pair.first.address(), targets=2, away=2) as load:
        load.wait_progress(50)
        time.sleep(random.uniform(0, 0.1))  # the random moment itself
        promised = load.ledger.promised()
        with pair.copied() as second:
            copy = Collection(second.address(), load, load.ledger.of_copy(promised))
            ledger = copy.finish(seconds, want_complete=False)
        found = ledger.problems(), ledger.summary()
        assert_kept(load.finish())  # to the first one nothing has happened
    return found


@pytest.mark.parametrize("durability", ("offline", "all"))
def test_nothing_receipted_is_lost(pair, durability, rounds):
    pair = pair().listen("terminals", receipts=True, durability=durability)
    pair.first.start()
    turns = Rounds(f"power cut by copy, durability {durability}", rounds)
    for _ in turns:
        problems, summary = copy_under_load(pair)
        assert not problems, "\n".join(problems + [summary])
    turns.report(f"in the last one {summary}")


def test_the_rig_notices_when_nothing_is_synced(pair, shim):
    """If this fails, then the test above proves nothing."""
    pair = pair(env=shim("no_sync")).listen("terminals", receipts=True, durability="all")
    pair.first.start()
    problems, summary = copy_under_load(pair, seconds=1)
    assert any("LOST" in problem for problem in problems), summary


def test_no_event_that_was_told_is_lost(pair, rounds):
    pair = pair()
    pair.first.start()
    turns = Rounds("events: power cut by copy", rounds)
    with Witness(pair.first) as witness, Load(pair.first.address(), targets=6) as load:
        for _ in turns:
            witness.wait_more(4)
            time.sleep(random.uniform(0, 0.1))  # the random moment itself
            witness.vouch()
            with pair.copied() as second:
                assert_remembered(second, witness.testimony())
        load.finish(want_complete=False)
    turns.report(f"{len(witness.vouched)} events seen")


def test_no_ticket_that_was_told_is_lost(pair, rounds):
    pair = pair().listen("devices", protocol="device")
    pair.first.start(commands={"max_queued": 1000})
    turns = Rounds("orders: power cut by copy", rounds)
    for part in turns.parts(20):
        with Orders(pair.first) as orders:
            for _ in part:
                orders.wait_promised(20)
                time.sleep(random.uniform(0, 0.1))  # the random moment itself
                book = orders.book.so_far()
                newest = list(book.tickets)[-200:]
                with pair.copied() as second:
                    told = [look(second.http_address(), book, order) for order in newest]
                assert all(told) and not book.found, book.found[:10]
            book = orders.finish()
        turns.report(book.summary())
        assert_carried_out(book)


def test_the_rig_notices_a_lost_event(pair, shim):
    pair = pair(env=shim("no_sync"))
    pair.first.start()
    with Witness(pair.first) as witness, Load(pair.first.address()) as load:
        witness.wait_more(4)
        witness.vouch()
        with pair.copied() as second, pytest.raises(AssertionError):
            assert_remembered(second, witness.testimony())
        load.finish(want_complete=False)


def test_the_rig_notices_a_lost_ticket(pair, shim):
    pair = pair(env=shim("no_sync")).listen("devices", protocol="device")
    pair.first.start()
    with Orders(pair.first) as orders:
        orders.wait_promised(20)
        book = orders.book.so_far()
        with pair.copied() as second:
            told = [look(second.http_address(), book, order) for order in book.tickets]
        assert not all(told) and book.found, book.summary()
