"""accept() fails: once, which is the matter of that peer alone, and for a while, whatever
the reason. The gateway serves whoever waits as soon as it can, does not spin, and says
what is wrong once a second."""

import shutil
import time

import pytest

from asker import Asker

# They concern the peer that was to come: the next may do better.
PASSING = ("ECONNABORTED", "EPERM", "ENETDOWN", "EPROTO")
# They concern all.
SHORTAGES = ("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS")
SHORT_ROUND = ("EPERM", "EMFILE")

# What the gateway does at a time, and how often in a second, while nothing else comes.
IN_ROW = {**dict.fromkeys(PASSING, 16), **dict.fromkeys(SHORTAGES, 1)}
RESTS_PER_S = 10


@pytest.fixture
def failing(gateway):
    """failing(error, when): started, with a terminal, a caller, and an asker to come."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")

    def start(error, when):
        gateway.trace = gateway.directory / "trace"
        gateway.prefix = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(gateway.trace),
                          "-e", "trace=accept4", "-e", "signal=none",
                          "-e", f"inject=accept4:error={error}:when={when}"]
        gateway.listen("terminals", reply_heartbeats=True)
        gateway.listen("answers", protocol="nbnet", processes=1)
        return gateway.start(shards=1)

    return start


def come_to_the_relay(gateway):
    terminal = gateway.terminal(1)
    terminal.heartbeat()
    terminal.expect_echo()


def come_to_the_service(gateway):
    assert Asker(gateway.address("answers")).ask(b"hi") == b"hi"


def come_to_http(gateway):
    assert gateway.api.ask("/healthz").status == 200


WAYS = (come_to_the_relay, come_to_the_service, come_to_http)


def paused(gateway, error):
    return [line for line in gateway.log_lines("paused") if line.pairs["reason"] == error]


@pytest.mark.parametrize("error", PASSING)
def test_one_failure_is_passed_over(failing, error):
    gateway = failing(error, 1)
    for come in WAYS:
        come(gateway)
    assert gateway.trace.read_text().count("(INJECTED)") == len(WAYS)
    assert not gateway.log_lines("paused"), gateway.log()


@pytest.mark.parametrize("error", [
    pytest.param(error, marks=() if error in SHORT_ROUND else pytest.mark.long)
    for error in PASSING + SHORTAGES])
def test_it_rests_while_failures_last_and_goes_on_afterwards(failing, error):
    count = 10 * IN_ROW[error]  # of each thread that accepts
    gateway = failing(error, f"1..{count}")
    for come in WAYS:
        before, began = len(paused(gateway, error)), time.monotonic()
        come(gateway)
        seconds = time.monotonic() - began
        most = (seconds * RESTS_PER_S + 2) * IN_ROW[error]
        assert count <= most, f"it spins: {count} tries in {seconds:.2f} s"
        lines = len(paused(gateway, error)) - before
        assert 1 <= lines <= seconds + 2, gateway.log()
    assert gateway.trace.read_text().count("(INJECTED)") == count * len(WAYS)
    hints = {line.pairs.get("hint") for line in paused(gateway, error)}
    assert hints == ({"raise_the_limit_of_open_files"} if error in ("EMFILE", "ENFILE")
                     else {None})
