"""Who is alive: each rule, each move with its reason, take-overs, kicks, new names.

Intervals are tenths of a second here, and a busy machine may hold a test up for longer
than that. So a test waits for the verdict rather than for a time, beats more often than it
must, and only asks what holds however late it is. Where it cannot (a client that keeps
beating stays alive), it tries again with longer intervals until it was in time itself, and
fails if it never was."""

import contextlib
import itertools
import time

import pytest

import ttms
from api import connected, gone, move_of, seconds_of
from heartbeat import some_loopback
from terminal import wait_until

QUICK = {"interval": "100ms", "threshold": 2, "strikes": 2, "recover": 2,
         "leave_hold": "1h"}
STRUCK = ("alive", "leave", "strikes")
RECOVERED = ("leave", "alive", "recovered")
HELD = ("leave", "close", "leave_hold")


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def watch(gateway, request):
    """Heartbeat clients are judged quickly; terminals have no rule."""
    gateway.listen("clients", protocol="heartbeat", presence=dict(QUICK))
    return gateway.set(shards=request.param)


def rule(gateway, listener="clients", **changes):
    gateway.settings["listen"][listener].setdefault("presence", {}).update(changes)
    return gateway


def is_alive(gateway, client):
    entry = gateway.api.find(client.identity)
    return entry and entry["state"] == "alive"


def beat_until_alive(gateway, client):
    client.beat_until(lambda: is_alive(gateway, client), f"{client.identity} to be alive")


def again(gateway, client):
    """The same identity on a new connection. A client's port is part of its identity, and
    TCP does not give the same pair of addresses again at once: so it comes from another
    address of this machine."""
    client.close()
    return gateway.client(ip=client.ip, port=client.port, source=some_loopback())


# The cursor rule.

def test_the_first_connection_is_alive_at_once(watch):
    watch.start()
    client = watch.client().beat()
    events = watch.api.wait_history(client.identity, *connected())
    assert len(events) == 2 and events[0]["time"] == events[1]["time"]
    assert [event["epoch"] for event in events] == [1, 1]
    assert [event["sequence"] for event in events] == [1, 2]


def test_strikes_turn_a_silent_client_to_leave(watch):
    watch.start()
    client = watch.client().beat()
    events = watch.api.wait_history(client.identity, *connected(), STRUCK)
    silent = seconds_of(events[2]["time"]) - seconds_of(events[1]["time"])
    assert silent > 0.39, f"two strikes of two intervals of 100 ms within {silent:.3f} s"
    entry = watch.api.device(client.identity)
    assert (entry["state"], entry["connected"]) == ("leave", True)
    assert entry["since"] == events[2]["time"]
    assert client.is_open()


@pytest.mark.parametrize("threshold, strikes", ((1, 1), (1, 5), (5, 1), (3, 3)))
def test_threshold_times_strikes_intervals_of_silence(gateway, threshold, strikes):
    gateway.listen("clients", protocol="heartbeat", presence=dict(QUICK))
    rule(gateway, threshold=threshold, strikes=strikes).start()
    client = gateway.client().beat()
    events = gateway.api.wait_history(client.identity, STRUCK)
    silent = seconds_of(events[2]["time"]) - seconds_of(events[1]["time"])
    assert silent >= threshold * strikes * 0.1 - 0.01


def test_good_intervals_bring_it_back(watch):
    watch.start()
    client = watch.client().beat()
    for _ in range(3):
        watch.api.wait_history(client.identity, STRUCK)
        beat_until_alive(watch, client)
        moves = watch.api.history(client.identity)
        assert RECOVERED in moves[-2:] and moves.count(STRUCK) >= moves.count(RECOVERED)
    moves = watch.api.history(client.identity)
    assert moves[:2] == connected() and set(moves[2:]) == {STRUCK, RECOVERED}


def test_one_beat_is_not_a_recovery(watch):
    rule(watch, interval="300ms", threshold=1, strikes=1, recover=50).start()
    client = watch.client().beat()
    watch.api.wait_history(client.identity, STRUCK)
    for _ in range(10):
        client.beat()
        client.wait_until_read()
    assert watch.api.device(client.identity)["state"] == "leave"


UNITS = (0.2, 0.5, 1, 2, 4)  # seconds
PATIENCE = 120  # seconds, after which no try begins any more
LONGEST = PATIENCE + 150  # with a try that began just then


def moves_in_time(attempt):
    """What attempt(unit) gives. None: this machine was too slow for it just now; so it is
    tried again, in longer units, and again in the longest."""
    end, left = time.monotonic() + PATIENCE, list(UNITS)
    while time.monotonic() < end:
        moves = attempt(left[0])
        if moves is not None:
            return moves
        left = left[1:] or left
    return pytest.fail(f"this machine was never in time in {PATIENCE} s, not even to "
                       f"{UNITS[-1]} s")


def keeps_to(client, unit, pattern):
    """Beats at these times, in units; whether all of them were read in time."""
    begin = time.monotonic()
    for at in pattern:
        time.sleep(max(0, begin + at * unit - time.monotonic()))
        client.beat()
        client.wait_until_read()
        if time.monotonic() > begin + (at + 0.4) * unit:
            return False
    return True


def by_the_clock(gateway, pattern, **presence):
    """The moves of one that beat at these times."""
    for unit in UNITS:
        gateway.listen(f"every_{unit}", protocol="heartbeat", presence={
            **QUICK, "interval": f"{int(unit * 1000)}ms", **presence})
    gateway.start()

    def attempt(unit):
        client = gateway.client(listener=f"every_{unit}").beat()
        with contextlib.suppress(OSError):
            if keeps_to(client, unit, pattern):
                last = time.monotonic()
                moves = gateway.api.history(client.identity)
                if time.monotonic() < last + unit * 0.6:
                    return moves
        return None

    return moves_in_time(attempt)


def every(step, begin, end):
    count = int((end - begin) / step)
    return [begin + step * n for n in range(1, count + 1)]


@pytest.mark.limit(LONGEST)
def test_one_that_keeps_beating_stays_alive(gateway):
    # No interval is silent, though one strike of one silent interval would do.
    moves = by_the_clock(gateway, every(0.5, 0, 8), threshold=1, strikes=2)
    assert moves == connected()


@pytest.mark.limit(LONGEST)
def test_a_good_run_clears_strikes(gateway):
    """Each silence of 2.4 intervals holds at least one silent interval, here a strike,
    and never three. Without the runs between them, they would add up to three."""
    pattern, now = [], 0.0
    for _ in range(4):
        pattern += [now + 2.4] + every(0.5, now + 2.4, now + 6.4)
        now += 6.4
    moves = by_the_clock(gateway, pattern, threshold=1, strikes=3, recover=2)
    assert moves == connected()


def test_without_a_good_run_strikes_add_up(gateway):
    """The same silences with single beats between them."""
    gateway.listen("clients", protocol="heartbeat", presence={
        **QUICK, "interval": "200ms", "threshold": 1, "strikes": 3, "recover": 5})
    gateway.start()
    client = gateway.client().beat()

    def struck():
        return STRUCK in gateway.api.history(client.identity)

    client.beat_until(struck, "the third strike", pause=0.48)


def test_leave_hold_closes_the_connection_and_keeps_the_entry(watch):
    rule(watch, leave_hold="300ms").start()
    client = watch.client().beat()
    client.expect_closed()
    events = watch.api.wait_history(client.identity, *connected(), STRUCK, HELD)
    held = seconds_of(events[3]["time"]) - seconds_of(events[2]["time"])
    assert held > 0.29, f"leave_hold of 300 ms was over in {held:.3f} s"
    entry = watch.api.wait_device(client.identity, state="close", connected=False)
    assert entry["address"] == f"127.0.0.1:{client.port}"
    assert entry["since"] == events[3]["time"]
    watch.wait_log("closed", reason="silent")
    assert len(watch.log_lines("closed")) == 1


def test_who_returns_from_close_has_to_earn_alive(watch):
    watch.start()
    client = watch.client()
    beat_until_alive(watch, client)
    client.reset()
    watch.api.wait_device(client.identity, state="close")
    before = len(watch.api.history(client.identity))
    client = again(watch, client)
    client.beat_until(lambda: watch.api.device(client.identity)["connected"],
                      "the new connection")
    events = watch.api.events_of(client.identity)
    assert move_of(events[before]) == ("close", "leave", "connected")
    assert events[before]["epoch"] == events[before - 1]["epoch"] + 1
    beat_until_alive(watch, client)
    assert watch.api.history(client.identity)[before + 1] == RECOVERED


def test_who_was_closed_for_silence_may_return(watch):
    rule(watch, leave_hold="300ms").start()
    client = watch.client().beat()
    client.expect_closed()
    watch.api.wait_device(client.identity, state="close")
    client = again(watch, client).beat()
    client.expect_closed()  # it said no more
    events = watch.api.wait_history(client.identity, *connected(), STRUCK, HELD,
                                    ("close", "leave", "connected"), HELD)
    assert [event["epoch"] for event in events] == [1, 1, 1, 1, 2, 2]


def test_rejoin_alive_skips_that(watch):
    rule(watch, rejoin="alive").start()
    client = watch.client()
    beat_until_alive(watch, client)
    client.reset()
    watch.api.wait_device(client.identity, state="close")
    before = len(watch.api.history(client.identity))
    client = again(watch, client).beat()
    watch.api.wait_device(client.identity, connected=True, epoch=2)
    assert watch.api.history(client.identity)[before:before + 2] == connected()


def come_alive(gateway, client):
    """Over as many connections as it takes: leave_hold may be over before us."""
    while True:
        try:
            beat_until_alive(gateway, client)
            return client
        except OSError:
            client = again(gateway, client)


def test_the_whole_life_of_a_client(watch):
    """Each move of the model, in order, each for its reason."""
    rule(watch, leave_hold="1s").start()
    client = watch.client().beat()
    wait_until(lambda: STRUCK in watch.api.history(client.identity), "strikes")
    client = come_alive(watch, client)
    client.expect_closed()
    client = come_alive(watch, again(watch, client))
    client.reset()
    watch.api.wait_device(client.identity, state="close")
    moves = watch.api.history(client.identity)
    for step in (*connected(), STRUCK, RECOVERED, STRUCK, HELD,
                 ("close", "leave", "connected"), RECOVERED):
        assert step in moves, f"{step} did not come: {moves}"
        moves = moves[moves.index(step) + 1:]
    assert moves[-1] == ("leave", "close", "reset")


def test_transitions_are_logged_once(watch):
    rule(watch, leave_hold="300ms").start()
    client = watch.client().beat()
    watch.api.wait_history(client.identity, *connected(), STRUCK, HELD)

    def lines(reason):
        return [line for line in watch.log_lines(reason=reason)
                if client.identity in line.text]
    wait_until(lambda: lines("leave_hold"), "a line about the end")
    assert len(lines("strikes")) == 1 and len(lines("leave_hold")) == 1, watch.log()


def test_without_a_rule_a_silent_client_stays_alive(watch):
    watch.listen("silent", protocol="heartbeat", presence={"rule": "none"})
    rule(watch, leave_hold="300ms").start()
    silent = watch.client(listener="silent").beat()
    judged = watch.client().beat()
    watch.api.wait_device(judged.identity, state="close")
    assert watch.api.history(silent.identity) == connected()
    assert silent.is_open()


# The timeout rule, on any listener.

def test_a_timeout_is_leave_and_close_at_the_same_moment(watch):
    rule(watch, "terminals", rule="timeout", timeout="500ms").start()
    a = watch.registered(1)
    a.wait_end()
    events = watch.api.wait_history("00000001", *connected(), *gone("timeout"))
    assert events[2]["time"] == events[3]["time"]
    assert seconds_of(events[2]["time"]) - seconds_of(events[1]["time"]) > 0.49
    watch.api.wait_device("00000001", state="close", connected=False)
    watch.wait_log("closed", reason="silent")


def test_a_timeout_for_heartbeat_clients(watch):
    watch.settings["listen"]["clients"]["presence"] = {"rule": "timeout",
                                                       "timeout": "500ms"}
    watch.start()
    client = watch.client().beat()
    client.expect_closed()
    watch.api.wait_history(client.identity, *connected(), *gone("timeout"))


@pytest.mark.limit(LONGEST)
def test_every_message_counts_as_life(gateway):
    """Data is as good as a heartbeat."""
    for unit in UNITS:
        gateway.listen(f"every_{unit}", presence={"rule": "timeout",
                                                  "timeout": f"{int(unit * 1000)}ms"})
    gateway.start()
    addresses = itertools.count(1)

    def attempt(unit):
        own = next(addresses)
        a = gateway.registered(own, listener=f"every_{unit}")
        begin = last = time.monotonic()
        slowest = 0
        with contextlib.suppress(OSError):
            while last < begin + 2.5 * unit:
                a.send(0x77, b"not a heartbeat")
                a.wait_until_read()
                time.sleep(unit / 10)
                now = time.monotonic()
                slowest, last = max(slowest, now - last), now
        moves = gateway.api.history(f"{own:08x}")
        return moves if max(slowest, time.monotonic() - last) < unit / 2 else None

    assert moves_in_time(attempt) == connected()


def test_a_cursor_rule_for_terminals(watch):
    watch.settings["listen"]["terminals"]["presence"] = {"rule": "cursor", **QUICK,
                                                         "leave_hold": "300ms"}
    watch.start()
    a = watch.registered(1)
    a.wait_end()
    watch.api.wait_history("00000001", *connected(), STRUCK, HELD)


# Terminals have no rule: they are alive as long as they are connected.

def test_a_terminal_is_alive_at_once_and_may_be_silent(watch):
    rule(watch, leave_hold="300ms").start()
    a = watch.registered(1)
    judged = watch.client().beat()
    watch.api.wait_device(judged.identity, state="close")
    assert watch.api.history("00000001") == connected()
    assert a.is_open()


ENDS = {
    "peer_closed": lambda terminal: terminal.leave(),
    "reset": lambda terminal: terminal.reset(),
    "bad_start": lambda terminal: terminal.send_raw(b"nonsense"),
    "unknown_command": lambda terminal: terminal.send_raw(ttms.form(0x77, 2, b"hi")),
}


@pytest.mark.parametrize("reason", ENDS)
def test_the_end_of_a_connection_is_the_reason(watch, reason):
    watch.start()
    a = watch.registered(1)
    ENDS[reason](a)
    events = watch.api.wait_history("00000001", *connected(), *gone(reason))
    assert events[2]["time"] == events[3]["time"] and len(events) == 4
    watch.wait_log("closed", reason=reason)


def test_a_terminal_that_returns_is_alive_at_once(watch):
    watch.start()
    for turn in range(1, 4):
        a = watch.registered(1)
        watch.api.wait_history("00000001", *connected())
        assert watch.api.device("00000001")["epoch"] == turn
        a.leave()
        watch.api.wait_history("00000001", *gone("peer_closed"))
    events = watch.api.events_of("00000001")
    assert [event["sequence"] for event in events] == list(range(1, 13))
    assert [event["epoch"] for event in events] == [1] * 4 + [2] * 4 + [3] * 4


def test_a_take_over_is_no_change_but_a_new_epoch(watch):
    watch.start()
    watch.registered(1)
    for epoch in range(2, 12):
        last = watch.registered(1)
        entry = watch.api.wait_device("00000001", epoch=epoch)
        assert (entry["state"], entry["connected"]) == ("alive", True)
    assert watch.api.history("00000001") == connected()
    assert watch.api.device("00000001")["counters"]["connections"] == 11
    last.leave()
    events = watch.api.wait_history("00000001", *connected(), *gone("peer_closed"))
    assert [event["epoch"] for event in events] == [1, 1, 11, 11]


def test_the_late_end_of_an_old_connection_moves_nothing(watch):
    """The old one is gone already for us, whatever its peer does then."""
    watch.start()
    old = [watch.registered(1) for _ in range(6)]
    current = old.pop()
    for n, terminal in enumerate(old):
        (terminal.reset if n % 2 else terminal.leave_after_end)()
    watch.wait_log("closed", count=5)
    current.synchronise()
    entry = watch.api.device("00000001")
    assert (entry["state"], entry["connected"], entry["epoch"]) == ("alive", True, 6)
    assert watch.api.history("00000001") == connected()


@pytest.mark.threads
def test_take_overs_and_ends_in_all_orders(gateway):
    """Connections of a few ids come, take over and end as it happens, over two shards:
    whoever reads the log sees each device's moves in their order."""
    gateway.start(shards=2)
    for turn in range(30):
        group = [gateway.terminal(1 + n % 4) for n in range(12)]
        for terminal in group:
            terminal.heartbeat()
        for n, terminal in enumerate(group):
            (terminal.reset, terminal.close, lambda: None)[(n + turn) % 3]()
    for terminal in gateway.terminals:
        terminal.close()
    wait_until(lambda: gateway.api.devices() and not gateway.api.devices(connected=True),
               "the end of all")
    gateway.wait_log("closed", count=360)
    for entry in gateway.api.devices():
        last = gateway.api.events_of(entry["id"])[-1]
        assert (entry["state"], last["to"]) == ("close", "close"), entry
        assert last["epoch"] <= entry["epoch"]
    gateway.api.all_events()  # which wants them in order


# Kicks and new names.

def test_a_kick_closes_the_connection(watch):
    watch.start()
    a, client = watch.registered(1), watch.client().beat()
    watch.api.wait_device(client.identity, connected=True)
    watch.api.kick("00000001")
    watch.api.kick(client.identity)
    a.expect_closed()
    client.expect_closed()
    watch.api.wait_history("00000001", *connected(), *gone("kicked"))
    watch.api.wait_device(client.identity, state="close", connected=False)
    assert watch.api.history(client.identity)[-1] == ("leave", "close", "kicked")
    watch.wait_log("closed", reason="kicked", count=2)


def test_who_was_kicked_may_return(watch):
    watch.start()
    watch.registered(1)
    watch.api.kick("00000001")
    watch.api.wait_device("00000001", state="close")
    watch.registered(1)
    watch.api.wait_history("00000001", *gone("kicked"), *connected())


def test_a_new_name_for_a_connection(watch):
    watch.start()
    a = watch.registered(1)
    a.register(2)
    watch.api.wait_history("00000001", *connected(), *gone("renamed"))
    watch.api.wait_history("00000002", *connected())
    entry = watch.api.wait_device("00000001", state="close", connected=False)
    assert entry["id"] == "00000001"
    a.register(1)
    watch.api.wait_history("00000001", *gone("renamed"), *connected())
    watch.api.wait_history("00000002", *connected(), *gone("renamed"))
    a.leave()
    watch.api.wait_history("00000001", *gone("peer_closed"))
    assert not watch.api.devices(state="alive")


def test_a_new_name_that_somebody_holds(watch):
    """A take-over for one, the end of a name for the other."""
    watch.start()
    a, b = watch.registered(1, 2)
    a.register(2)
    b.expect_closed()
    watch.api.wait_history("00000001", *connected(), *gone("renamed"))
    entry = watch.api.wait_device("00000002", epoch=2)
    assert (entry["state"], entry["connected"]) == ("alive", True)
    assert watch.api.history("00000002") == connected()
