"""Allocations that find no memory: the n-th of a start, for each n, and one in so many
while the gateway serves.

It refuses to start and says why, or it works. Once it serves it lives on: what it cannot
do it refuses, and what a receipt called safe is there afterwards, in another process,
too. What libraries allocate fails as well."""

import contextlib
import http.client
import random
import re
import signal
import subprocess
import time
from collections import Counter

import pytest

from api import Api
from gateway import BINARY
from load import Load, assert_kept
from memory import ALWAYS, Memory
from orders import Orders, assert_carried_out
from progress import Rounds
from terminal import wait_until
from test_simulated_devices import Simulated

WAITS_FOR = 0xBEEF  # a terminal that stays away


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path)


@pytest.fixture
def scarce(make_gateway, memory, shim):
    """A gateway with a listener of each kind, and a worker that is easily replaced."""
    gateway = make_gateway(env=memory.env(shim))
    gateway.listen("terminals", receipts=True, durability="all")
    for protocol in ("device", "jt808", "heartbeat"):
        gateway.listen(f"{protocol}s", protocol=protocol)
    gateway.set(shards=1, commands={"max_queued": 1000},
                supervisor={"max_restarts": 2, "max_restart_delay": "0s"})
    return gateway


# ---- at the start ----

def words_of(gateway):
    """The log without what the shim says."""
    return "".join(line + "\n" for line in gateway.log().splitlines()
                   if not re.match(r"no_memory: |/\S+\(.*\)\[0x", line))


def is_of_the_yaml_library(gateway):
    """That library does not stand it; a process of its own tried the file before."""
    return "libfyaml" in gateway.log()


def start_once(gateway, memory, number):
    """How it went, if the `number`-th allocation fails; None: it did not come to it."""
    memory.fail(number)
    gateway.spawn()
    try:
        gateway.wait_ready()
        happened = memory.failed
        memory.suffice()
        gateway.stop()
        outcome = "works" if happened else None
    except AssertionError:
        status = gateway.wait_exit()
        assert memory.failed, gateway.log()
        assert status > 0 or is_of_the_yaml_library(gateway), gateway.log()
        assert status < 0 or words_of(gateway).strip(), f"it says nothing: {gateway.log()}"
        outcome = "refuses" if status > 0 else "dies in the YAML library"
    memory.suffice()
    assert "signal=" not in words_of(gateway), gateway.log()  # of a worker
    return outcome


def allocations_of_a_start(gateway, memory):
    memory.fail(ALWAYS)
    gateway.write_config()
    gateway.spawn()
    gateway.wait_ready()
    calls = memory.calls
    gateway.stop()
    return calls


def some_of(count, request, most):
    """All numbers in the long run; here as many as `most`, other ones each time."""
    numbers = range(1, count + 1)
    if request.config.getoption("--long"):
        return numbers
    return sorted(random.sample(numbers, min(most, count)))


@pytest.mark.limit(3600)
def test_of_a_start(scarce, memory, request):
    scarce.start()
    sender = scarce.registered(7)
    for number in range(5):
        sender.send(WAITS_FOR, b"%d" % number)
    scarce.wait_mail(WAITS_FOR, 5)
    scarce.stop()
    numbers = some_of(allocations_of_a_start(scarce, memory), request, 25)
    outcomes = Counter(start_once(scarce, memory, n) for n in numbers)
    print(f"\nstart without memory: {dict(outcomes)}")
    assert outcomes["works"] and outcomes["refuses"], outcomes
    scarce.restart()
    assert scarce.mail_count(WAITS_FOR) == 5


@pytest.mark.limit(3600)
def test_of_a_first_start(scarce, memory, request):
    """What it left half made is completed by the next one."""
    scarce.write_config()
    at = scarce.data_dir
    for number in some_of(allocations_of_a_start(scarce, memory), request, 12):
        scarce.set(data_dir=f"{at}-{number}").write_config()
        start_once(scarce, memory, number)
        scarce.restart()
        scarce.stop()


def check(config, env):
    """`holdfast -t`: its status, and what it understood."""
    ran = subprocess.run([BINARY, "-t", "-c", config], env=env, capture_output=True,
                         text=True)
    return ran.returncode, ran.stdout


@pytest.mark.limit(600)
def test_of_reading_the_configuration(scarce, memory, shim, request):
    """Never is a part of it taken for the whole."""
    scarce.write_config()
    env = memory.env(shim)
    memory.fail(ALWAYS)
    understood = check(scarce.config_file, env)
    for number in some_of(memory.calls, request, 30):
        memory.fail(number)
        status, said = check(scarce.config_file, env)
        assert status != 0 or (status, said) == understood, f"call {number}: {said}"


# ---- while it serves ----

# One in so many fails; from some that spoil little to some that let little succeed.
STEPS = (97, 13, 3)


@contextlib.contextmanager
def scarcity(gateway, memory, step):
    """Of the worker; which lives on."""
    worker = gateway.worker_pid()
    memory.fail(random.randrange(1, step + 1), last=ALWAYS, step=step, process=worker)
    yield
    wait_until(lambda: memory.failed >= 20, "failing allocations")
    memory.suffice()
    assert gateway.worker_pid() == worker, gateway.log()


@pytest.mark.parametrize("durability", ("offline", "all"))
def test_of_a_relay(scarce, memory, rounds, durability):
    scarce.listen("terminals", durability=durability).start()
    turns = Rounds(f"relay without memory, {durability}", max(len(STEPS), rounds // 3))
    with Load(scarce.address()) as load:
        for turn in turns:
            load.wait_progress(100)
            with scarcity(scarce, memory, STEPS[turn % len(STEPS)]):
                time.sleep(random.uniform(0, 0.5))  # how long it lasts, itself
        load.wait_progress(100)
        load.stop_sending()
        scarce.kill()
        scarce.restart()
        ledger = load.finish()
    turns.report(ledger.summary())
    assert_kept(ledger)


def test_of_orders(scarce, memory, rounds):
    scarce.start()
    turns = Rounds("orders without memory", max(len(STEPS), rounds // 3))
    with Orders(scarce) as orders:
        for turn in turns:
            orders.wait_promised(20)
            with scarcity(scarce, memory, STEPS[turn % len(STEPS)]):
                time.sleep(random.uniform(0, 0.5))  # how long it lasts, itself
        orders.wait_promised(20)
        orders.stop_asking()
        scarce.kill()
        scarce.restart()
        book = orders.finish()
    turns.report(book.summary())
    assert_carried_out(book)


LISTS = ("/api/v1/devices", "/api/v1/events?type=report", "/api/v1/connections", "/metrics",
         "/api/v1/tickets", "/healthz", "/openapi.json", "/api/v1/devices/T9000010")


def look_around(gateway):
    """Whatever it answers, it answers, or ends the connection: none hangs."""
    for path in LISTS:
        with contextlib.suppress(OSError, http.client.HTTPException):
            with contextlib.closing(Api(gateway.http_address())) as api:
                api.ask(path)


def test_of_every_other_conversation(scarce, memory, rounds):
    scarce.start()
    turns = Rounds("conversations without memory", max(len(STEPS), rounds // 3))
    often = ("--heartbeat", "20ms", "--report", "20ms")
    with Simulated(scarce, "devices", "devices", "--count", "20", *often), \
            Simulated(scarce, "jt808", "jt808s", "--count", "20", *often), \
            Simulated(scarce, "heartbeats", "heartbeats", "--count", "20"):
        for turn in turns:
            with scarcity(scarce, memory, STEPS[turn % len(STEPS)]):
                wait_until(lambda: look_around(scarce) or memory.failed >= 20,
                           "failing allocations")
    turns.report("the worker lived on")
    assert scarce.registered(1).own == 1  # it still takes new ones


def test_of_a_reload(scarce, memory, request):
    """It keeps the settings that it has. The supervisor outlives it, and with it all
    connections."""
    scarce.listen("terminals", receipts=False).start()
    one, two = scarce.registered(1, 2)
    numbers = some_of(150, request, 20)  # as many as the trial makes, or fewer
    for turn, number in enumerate(numbers, 1):
        memory.fail(number, last=ALWAYS)
        scarce.send_signal(signal.SIGHUP)
        scarce.wait_log("holdfast reload failed:", count=turn)
        memory.suffice()
    one.send(2, b"still here")
    two.expect(1, b"still here")
    scarce.send_signal(signal.SIGHUP)
    scarce.wait_log("holdfast reload done")
