"""A bad day, again and again: noise, now and then a strike, then calm, and in the calm the
gateway's own figures have to add up, and what it holds may not grow from day to day.

A round takes two to three seconds: `--rounds 30000` is a day."""

import random
import signal
import statistics
import time

import pytest

from noise import Noise
from progress import Rounds
from prometheus import parse, total
from restarts import RESTARTS
from terminal import wait_until


def reload(gateway):
    """First a file that nobody can read, then one with another setting: a new worker."""
    old = gateway.worker_pid()
    gateway.config_file.write_text("listen: [")
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_log("the former settings stay in force")
    gateway.settings["registry"]["max_devices"] ^= 1
    gateway.write_config()
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_new_worker(old)


STRIKES = (reload, *RESTARTS)
NOISE_S = 0.5
MEGABYTE = 1 << 20


def figures(gateway):
    answer = gateway.api.ask("/metrics")
    assert answer.status == 200, answer
    return parse(answer.body.decode())


def in_calm(gateway):
    """The figures when nobody is connected and nothing is under way."""
    last = {}

    def is_calm():
        last.update(figures(gateway))
        return not (total(last, "holdfast_connections")
                    or total(last, "holdfast_commands_in_flight")
                    or total(last, "holdfast_journal_backlog_bytes")
                    or total(last, "holdfast_ledger_backlog_bytes"))
    wait_until(is_calm, "everybody to be gone", 30)
    return last


def mail_at_start(gateway):
    """How many messages the running worker found."""
    return int(gateway.log_lines("store opened")[-1].pairs["messages"])


def false_sums(shown, found_mail):
    """Sentences about figures that do not add up; in calm there are none."""
    def sum_of(*names, **labels):
        return sum(total(shown, f"holdfast_{name}", **labels) for name in names)

    def compare(what, one, other):
        if one != other:
            problems.append(f"{what}: {one:.0f}, but {other:.0f}")
    problems = []
    compare("accepted = closed + open", sum_of("connections_accepted_total"),
            sum_of("connections_closed_total", "connections"))
    compare("moved out = moved in", sum_of("connections_moved_out_total"),
            sum_of("connections_moved_in_total"))
    compare("found + stored = delivered + dropped + waiting",
            found_mail + sum_of("mailbox_stored_total"),
            sum_of("mailbox_delivered_total", "mailbox_expired_total",
                   "mailbox_purged_total", "mailbox_damaged_total", "mailbox_messages"))
    return problems


class Holdings:
    """What one worker held in each calm of its life."""

    def __init__(self):
        self.lives = {}  # worker: [{what: amount}]

    def look(self, gateway, shown):
        # Who left amid a request line to HTTP keeps a place until its deadline.
        others = total(shown, "holdfast_http_connections")
        disk = sum(file.stat().st_blocks * 512 for file in gateway.data_dir.rglob("*"))
        self.lives.setdefault(gateway.worker_pid(), []).append({
            "descriptors": total(shown, "process_open_fds") - others,
            "memory": gateway.rss_bytes(), "disk": disk})

    def of(self, what, life):
        return [sample[what] for sample in life]

    def growth(self):
        """Sentences: a late median above an early one by a tenth, and what is noise."""
        # Of memory, what the spare batches of two mailboxes may come to keep.
        noise = {"descriptors": 2, "memory": 16 * MEGABYTE, "disk": 4 * MEGABYTE}
        for worker, life in self.lives.items():
            quarter = len(life) // 4
            for what in noise if quarter >= 5 else ():
                amounts = self.of(what, life)
                early = statistics.median(amounts[quarter:2 * quarter])
                late = statistics.median(amounts[-quarter:])
                if late > 1.1 * early + noise[what]:
                    yield f"{what} of worker {worker} grew from {early:.0f} to {late:.0f}"

    def summary(self):
        longest = max(self.lives.values(), key=len)
        slopes = (f"{what} {slope(self.of(what, longest)):+.0f} each from "
                  f"{longest[0][what]:.0f}" for what in longest[0])
        return f"{len(self.lives)} workers; over {len(longest)} rounds: " + ", ".join(slopes)


def slope(amounts):
    """By least squares, without the first quarter: that is when tables and pools grow."""
    amounts = amounts[len(amounts) // 4:]
    middle, mean = (len(amounts) - 1) / 2, statistics.mean(amounts)
    spread = sum((n - middle) ** 2 for n in range(len(amounts)))
    return sum((n - middle) * (y - mean) for n, y in enumerate(amounts)) / (spread or 1)


@pytest.fixture
def restless(gateway):
    gateway.listen("terminals", receipts=True)
    gateway.listen("devices", protocol="device")
    gateway.listen("clients", protocol="heartbeat")
    # Small bounds, so that each is reached within seconds and held from then on.
    return gateway.set(
        shards=2, registry={"max_devices": 500, "restart_grace": "1s"},
        events={"keep": 2000}, commands={"max_queued": 1000, "max_tickets": 2000},
        mailbox={"max_messages": 2000}, limits={"max_per_address": 0},
        supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"})


@pytest.mark.rounds(len(STRIKES), 2000)
def test_figures_add_up_and_nothing_grows(restless, rounds):
    restless.start()
    turns, holdings = Rounds("soak", rounds), Holdings()
    every = 1 if rounds < 200 else 100
    for number in turns:
        with Noise(restless) as noise:
            time.sleep(random.uniform(0, NOISE_S))  # the random moment itself
            if number % every == 0:
                STRIKES[number // every % len(STRIKES)](restless)
            noise.load.wait_progress(50)
        noise.assert_promises_kept()
        shown = in_calm(restless)
        assert not (problems := false_sums(shown, mail_at_start(restless))), problems
        holdings.look(restless, shown)
    assert not (growth := list(holdings.growth())), growth
    turns.report(holdings.summary())


# Proof that it would notice.

RIGHT = {"connections_accepted_total": 9, "connections_closed_total": 7, "connections": 2,
         "connections_moved_out_total": 3, "connections_moved_in_total": 3,
         "mailbox_stored_total": 10, "mailbox_delivered_total": 4,
         "mailbox_expired_total": 3, "mailbox_purged_total": 2, "mailbox_damaged_total": 1,
         "mailbox_messages": 5}


def figures_of(amounts):
    return {f"holdfast_{name}": {frozenset(): amount} for name, amount in amounts.items()}


@pytest.mark.parametrize("name", RIGHT)
def test_one_figure_too_many_is_noticed(name):
    assert not false_sums(figures_of(RIGHT), 5)
    assert len(false_sums(figures_of({**RIGHT, name: RIGHT[name] + 1}), 5)) == 1


@pytest.mark.parametrize("what, step", [("descriptors", 1), ("memory", MEGABYTE),
                                        ("disk", MEGABYTE)])
def test_what_grows_in_every_round_is_noticed(what, step):
    flat = {"descriptors": 30, "memory": 9 * MEGABYTE, "disk": 15 * MEGABYTE}
    holdings = Holdings()
    holdings.lives[1] = [dict(flat) for _ in range(40)]
    assert not list(holdings.growth())
    for number, sample in enumerate(holdings.lives[1]):
        sample[what] += number * step
    assert [problem.split()[0] for problem in holdings.growth()] == [what]
    assert f"{what} {step:+}" in holdings.summary()
