"""The ledger itself must be able to fail: each broken promise, told to it, is found."""

import pytest

from ledger import IN_FLIGHT, Ledger, body, order_problems


def ledger_with(sent, safe, arrived):
    ledger = Ledger()
    for _ in range(sent):
        ledger.next_body(1, 2)
    for number in safe:
        ledger.note_fate(1, 2, number, refused=False)
    for connection, number in arrived:
        ledger.note_arrival(2, connection, 1, body(1, 2, number))
    return ledger


def test_all_well():
    ledger = ledger_with(5, range(5), [(1, n) for n in range(5)])
    assert ledger.problems() == [] and ledger.repeated() == 0


def test_a_safe_message_that_never_came_is_found():
    ledger = ledger_with(5, range(5), [(1, n) for n in (0, 1, 3, 4)])
    assert any("LOST" in problem and "[2]" in problem for problem in ledger.problems())


def test_a_message_without_receipt_may_be_missing():
    assert ledger_with(5, (0, 1, 3, 4), [(1, n) for n in (0, 1, 3, 4)]).problems() == []


def test_a_refused_message_may_be_missing():
    ledger = ledger_with(2, (0,), [(1, 0)])
    ledger.note_fate(1, 2, 1, refused=True)
    assert ledger.problems() == []


def test_foreign_content_is_found():
    for spoil in (lambda b: b[:-1] + b"?", lambda b: b[:-1], lambda b: b"x", lambda b: b""):
        ledger = ledger_with(1, (), [])
        ledger.note_arrival(2, 1, 1, spoil(body(1, 2, 0)))
        assert any("FOREIGN" in problem for problem in ledger.problems())


def test_a_message_at_the_wrong_target_is_found():
    ledger = ledger_with(1, (), [])
    ledger.note_arrival(3, 1, 1, body(1, 2, 0))
    assert any("FOREIGN" in problem for problem in ledger.problems())


def test_a_repeat_of_what_arrived_long_before_the_fault_is_found(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("ledger.time.monotonic", lambda: now[0])
    ledger = ledger_with(2, (), [(1, 0)])
    now[0] += IN_FLIGHT + 1
    ledger.note_arrival(2, 1, 1, body(1, 2, 1))
    ledger.note_end(2, 1)
    ledger.note_arrival(2, 2, 1, body(1, 2, 1))
    assert ledger.problems() == []
    ledger.note_arrival(2, 3, 1, body(1, 2, 0))
    assert any("REPEATED: had arrived" in problem for problem in ledger.problems())


@pytest.mark.parametrize("arrivals", [
    [(1, 0), (1, 2), (1, 1)],
    [(1, 0), (1, 2), (2, 1)],
    [(1, 0), (1, 2), (2, 1), (2, 3)],
    [(1, 0), (1, 1), (1, 1)],
    [(1, 0), (1, 1), (1, 2), (2, 0), (2, 3), (2, 2)],
    [(1, 0), (1, 1), (1, 3), (2, 0), (2, 2), (2, 3)],
    [(1, 0), (1, 1), (2, 2), (2, 0), (2, 3)],
    [(1, 0), (1, 1), (2, 2), (2, 1), (2, 3)],
    [(1, 0), (1, 1), (2, 2), (2, 3), (2, 3)],
], ids=str)
def test_wrong_orders_are_found(arrivals):
    assert order_problems(arrivals), arrivals


@pytest.mark.parametrize("arrivals", [
    [],
    [(1, 0), (1, 1), (2, 2)],
    [(1, 0), (1, 1), (2, 1), (2, 2)],
    [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)],
    [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 2), (4, 5)],
    [(1, 0), (1, 1), (1, 2), (2, 0), (2, 2), (2, 3)],
    [(1, 0), (1, 1), (2, 0)],
    [(1, 0), (1, 5), (2, 5), (2, 6)],
    [(1, 0), (1, 1), (2, 0), (3, 1), (3, 2)],
], ids=str)
def test_repeats_after_a_connections_end_are_allowed(arrivals):
    assert order_problems(arrivals) == []
