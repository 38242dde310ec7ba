"""A command that was accepted with a ttl is carried out, whatever happens to the
gateway: none is lost, and one that was told to be answered is never sent again."""

import random
import time

import pytest

from orders import Book, Orders, assert_carried_out
from progress import Rounds
from terminal import wait_until
from test_failing_calls import CALLS, traced  # noqa: F401
from test_power_cut import cut_and_restart

pytestmark = pytest.mark.rounds(10, 1000)


@pytest.fixture
def asked(make_gateway):
    """asked(data_dir): a gateway that devices connect to."""
    def make(data_dir=None, **options):
        gateway = make_gateway(**options)
        gateway.listen("devices", protocol="device")
        gateway.set(shards=2, commands={"max_queued": 1000},
                    supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"})
        if data_dir:
            gateway.set(data_dir=str(data_dir))
        return gateway.start()
    return make


def run_rounds(gateway, name, rounds, strike):
    turns = Rounds(name, rounds)
    for part in turns.parts():
        with Orders(gateway) as orders:
            for _ in part:
                orders.wait_promised(20)
                orders.look_at_some()
                time.sleep(random.uniform(0, 0.1))  # the random moment itself
                strike()
            book = orders.finish()
        turns.report(book.summary())
        assert_carried_out(book)


def test_of_a_worker_that_is_killed(asked, rounds):
    gateway = asked()
    run_rounds(gateway, "orders: kill -9 of the worker", rounds,
               lambda: gateway.wait_new_worker(gateway.kill_worker()))


def test_of_a_gateway_that_is_killed(asked, rounds):
    gateway = asked()

    def strike():
        gateway.kill()
        gateway.restart()
    run_rounds(gateway, "orders: kill -9 of everything", rounds, strike)


def test_of_a_gateway_that_is_stopped(asked, rounds):
    gateway = asked()

    def strike():
        gateway.stop()
        gateway.restart()
    run_rounds(gateway, "orders: SIGTERM", max(1, rounds // 2), strike)


def test_of_a_disk_that_loses_its_power(asked, ext4, rounds):
    disk = ext4("256M")
    gateway = asked(disk.directory / "data")
    run_rounds(gateway, "orders: power cut", rounds,
               lambda: cut_and_restart(gateway, disk))


def test_the_rig_notices_when_nothing_is_synced(asked, ext4, shim):
    """If this fails, then the test above proves nothing."""
    disk = ext4("256M")
    gateway = asked(disk.directory / "data", env=shim("no_sync"))
    with Orders(gateway) as orders:
        orders.wait_promised(200)
        orders.stop_asking()
        disk.cut_power()
        gateway.kill()
        disk.power_on()
        gateway.spawn()
        try:
            gateway.wait_ready()
        except AssertionError:
            return  # it found its store damaged, and says so: that is noticed too
        book = orders.finish(seconds=3)
    assert book.problems(), book.summary()


def test_of_a_disk_that_fills_and_empties(asked, tmpfs, rounds):
    """Refused while it is full, not lost; and back without a restart."""
    disk = tmpfs("24m")
    gateway = asked(disk.directory / "data")
    worker = gateway.worker_pid()
    turns = Rounds("orders: full disk", max(1, rounds // 5))
    with Orders(gateway) as orders:
        for _ in turns:
            orders.wait_promised(20)
            refused = len(orders.book.refused)

            def is_refused():
                disk.fill()  # also what another store's reserve gave back
                return len(orders.book.refused) > refused
            wait_until(is_refused, "a refusal", 30)
            assert gateway.api.ask("/readyz").status == 503
            orders.look_at_some()
            disk.make_room()
            orders.wait_promised(5)
        book = orders.finish()
    turns.report(book.summary())
    assert_carried_out(book)
    assert gateway.worker_pid() == worker, "it had to restart"
    carried_out = book.refused & book.sendings.keys()
    assert not carried_out, f"refused, and sent all the same: {carried_out}"


@pytest.fixture
def traced_orders(traced):  # noqa: F811
    traced.listen("devices", protocol="device")
    return traced.set(commands={"max_queued": 1000})


@pytest.mark.limit(120)
def test_of_a_disk_whose_syncs_fail_now_and_then(traced_orders):
    traced_orders.write_config()
    traced_orders.fail("fdatasync", "EIO", "5+7", "ledger")
    traced_orders.spawn()
    traced_orders.wait_ready()
    with Orders(traced_orders) as orders:
        orders.wait_promised(50)
        wait_until(traced_orders.has_failed, "the failure")
        orders.wait_promised(50)
        book = orders.finish()
    assert_carried_out(book)


def run_once(gateway, call, error, when):
    """True if the failure happened."""
    gateway.write_config()
    gateway.fail(call, error, when, "ledger")
    gateway.spawn()
    with Orders(gateway) as orders:
        try:
            gateway.wait_ready()
            orders.wait_promised(30)
        except AssertionError:
            # It may refuse to start, if it says why; it may not stay without service.
            assert not gateway.is_running(), gateway.log()
            assert gateway.has_failed() and " error " in gateway.log(), gateway.log()
        happened = gateway.has_failed()
        gateway.kill()
        gateway.prefix = []
        gateway.restart()
        book = orders.finish()
    if book.tickets:
        assert_carried_out(book)
    gateway.stop()
    return happened


@pytest.mark.limit(600)
@pytest.mark.parametrize("call, error", CALLS, ids=[f"{c}_{e}" for c, e in CALLS])
def test_of_a_call_that_fails_once(traced_orders, call, error, request):
    most = 200 if request.config.getoption("--long") else 2
    happened = 0
    for when in range(1, most + 1):
        if not run_once(traced_orders, call, error, when):
            break
        happened += 1
    assert happened, f"the ledger does not call {call} any more: nothing was tested"


# ---- the book itself must be able to fail ----

def answered(order):
    return {"ticket": f"t{order}", "state": "answered", "answer": {"body": "05"}}


def kept_book():
    book = Book()
    book.note_sending(1, 7)
    book.note_sending(1, 7)
    book.note_ticket(1, answered(1))
    return book


def test_all_well():
    assert kept_book().problems() == []


@pytest.mark.parametrize("word, spoil", [
    ("LOST", lambda book: book.note_ticket(2, {"ticket": "t2", "state": "sent"})),
    ("TWO TICKETS", lambda book: book.note_ticket(1, answered(2))),
    ("FORGOTTEN", lambda book: book.note_state(1, {"state": "queued"})),
    ("OTHER SERIAL", lambda book: book.note_sending(1, 8)),
    ("SENT AFTER ITS ANSWER", lambda book: book.note_sending(1, 7)),
])
def test_a_broken_promise_is_found(word, spoil):
    book = kept_book()
    spoil(book)
    assert any(problem.startswith(word) for problem in book.problems()), book.problems()
