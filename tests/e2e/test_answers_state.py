"""What the request/answer service lays open: each connection's state machine in the API
and in the log, and the figures of its processes."""

import os
import signal
import subprocess

import pytest

import prometheus
from api import API
from asker import Asker, frame
from gateway import ROOT
from terminal import wait_until
from test_answers import alive, service_pids

DEFERRED = r"""
#include <holdfast/service.h>

static struct hf_later *kept;

static void logic(void *state, struct hf_request *request)
{
    size_t size;
    const char *body = hf_request_body(request, &size);

    (void)state;
    if (body[0] == 'k')
        kept = hf_answer_later(request);
    else
        hf_answer(request, body, size);
    if (body[0] == 'r')
        hf_later_answer(kept, "late", 4);
}

HF_EXPORT const struct hf_service holdfast_service = {
    HF_SERVICE_HEAD, .name = "deferred", .logic = logic};
"""


@pytest.fixture
def serve(gateway):
    def start(**options):
        gateway.listen("answers", protocol="nbnet",
                       **{"processes": 1, "logic": "echo", **options}).start()
        return lambda: Asker(gateway.address("answers"))
    return start


def listed(gateway, asker):
    for conn in gateway.api.connections(listener="answers"):
        if conn["peer"].endswith(f":{asker.port}"):
            return conn
    return None


def wait_listed(gateway, asker, **members):
    def is_so():
        conn = listed(gateway, asker)
        return conn if conn and members.items() <= conn.items() else None
    return wait_until(is_so, f"a connection with {members}")


def connect_to_both(connect, gateway):
    """Two connections, one on each process."""
    askers = []

    def on_both():
        askers.append(connect())
        askers[-1].ask(b"hi")
        return len({listed(gateway, one)["process"] for one in askers}) == 2
    wait_until(on_both, "a connection on each process")
    return askers


# ---- one connection ----

def test_an_incomplete_request_says_what_is_wanted(serve, gateway):
    asker = serve()()
    asker.send(b"00000")
    conn = wait_listed(gateway, asker, read=5)
    assert (conn["state"], conn["wanted"], conn["requests"]) == ("accept", None, 0)
    asker.send(b"00020half")
    wait_listed(gateway, asker, read=14, wanted=30)
    asker.send(b"x" * 16)
    assert asker.answer() == b"half" + b"x" * 16
    conn = wait_listed(gateway, asker, read=0, wanted=None, requests=1, rx_frames=1)
    assert conn["process"] == service_pids(gateway)[0]
    assert "shard" not in conn and conn["device"] is None


def test_who_does_not_read_has_something_to_be_written(serve, gateway):
    asker = serve(max_frame="16MiB")()
    asker.send(frame(b"x" * (12 << 20)))
    conn = wait_listed(gateway, asker, state="process", held=1)
    assert conn["to_write"] > 0
    assert len(asker.answer()) == 12 << 20
    wait_listed(gateway, asker, state="read", to_write=0)


def test_an_answer_from_elsewhere_is_awaited(serve, gateway, tmp_path):
    source, out = tmp_path / "deferred.c", tmp_path / "deferred.so"
    source.write_text(DEFERRED)
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{ROOT / 'include'}", "-o", out, source],
                   check=True)
    connect = serve(logic=str(out))
    waiting, other = connect(), connect()
    waiting.send(frame(b"keep"))
    wait_listed(gateway, waiting, state="process", answering=True, held=1)
    assert [c["peer"] for c in gateway.api.connections(state="process")] == \
        ["127.0.0.1:%d" % waiting.port]
    assert other.ask(b"release") == b"release"
    assert waiting.answer() == b"late"
    wait_listed(gateway, waiting, state="read", answering=False, held=0)


def test_the_log_shows_each_transition(serve, gateway):
    gateway.set(log={"level": "debug", "topics": ["net"]})
    asker = serve(max_frame="16MiB")()
    asker.send(frame(b"x" * (12 << 20)) + b"0000000007")
    assert len(asker.answer()) == 12 << 20
    line = gateway.wait_log("enters", state="process")
    assert "to_write=" in str(line) and "have=" in str(line)
    asker.close()
    gateway.wait_log("enters", state="closing", wanted="17", have="10")


# ---- processes ----

def test_each_connection_is_listed_once_over_shards_and_processes(serve, gateway):
    gateway.set(shards=2)
    connect = serve(processes=2)
    askers = [connect() for _ in range(150)]
    for asker in askers:
        asker.ask(b"hi")
    gateway.registered(*range(1, 8))
    for limit in (1000, 40, 1):
        found = gateway.api.connections(limit=limit)
        assert len({conn["session"] for conn in found}) == len(found) == 157
    pids = {conn["process"] for conn in found if "process" in conn}
    assert pids == set(service_pids(gateway))
    assert {conn["listener"] for conn in found if "shard" in conn} == {"terminals"}


def test_a_stopped_process_stalls_nobody(serve, gateway):
    connect = serve(processes=2)
    both = connect_to_both(connect, gateway)
    stopped, runs = service_pids(gateway)
    os.kill(stopped, signal.SIGSTOP)
    try:
        page = gateway.api.get(f"{API}/connections")
        assert page["incomplete"] is True
        assert {conn["process"] for conn in page["connections"]} == {runs}
        for _ in range(200):  # it is known now: if each waited for it, minutes would pass
            assert gateway.api.get(f"{API}/connections")["incomplete"] is True
        assert "incomplete" not in gateway.api.get(f"{API}/connections",
                                                   listener="terminals")
        assert gateway.api.ask("/metrics").status == 200
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert [one.ask(b"on") for one in both] == [b"on"] * len(both)
    gateway.wait_log("does not answer")
    wait_until(lambda: "incomplete" not in gateway.api.get(f"{API}/connections"),
               "it to answer again")


def test_it_goes_on_after_the_death_of_either(serve, gateway):
    connect = serve()
    asker = connect()
    asker.ask(b"hi")
    os.kill(gateway.worker_pid(), signal.SIGKILL)
    gateway.may_crash = True
    gateway.wait_log("died", signal="SIGKILL")
    wait_until(lambda: is_up(gateway), "the API")
    assert listed(gateway, asker)["requests"] == 1
    os.kill(service_pids(gateway)[0], signal.SIGKILL)
    gateway.wait_log("died", signal="SIGKILL", count=2)
    wait_until(lambda: len(alive(service_pids(gateway))) == 1, "a new process")
    asker = connect()
    asker.ask(b"hi")
    conn = wait_listed(gateway, asker, requests=1)
    assert conn["process"] == service_pids(gateway)[-1]


def is_up(gateway):
    try:
        return gateway.api.ask("/readyz").status == 200
    except OSError:
        return False


def test_processes_that_ended_for_good_are_not_missed(serve, gateway):
    serve(logic="/nowhere/service.so")
    gateway.wait_log("listener=closed")
    page = wait_until(lambda: gateway.api.get(f"{API}/connections"), "an answer")
    assert page == {"connections": [], "next": None}


# ---- figures ----

def figures(gateway):
    return prometheus.parse(gateway.api.ask("/metrics").body.decode())


def test_figures_are_summed_over_processes_and_never_fall(serve, gateway):
    connect = serve(processes=2)
    askers = connect_to_both(connect, gateway)
    answered, accepted = len(askers), len(askers)
    total = prometheus.total

    def check(open_now, processes):
        seen = figures(gateway)
        assert total(seen, "holdfast_service_answered_total", listener="answers") == answered
        assert total(seen, "holdfast_service_accepted_total") == accepted
        assert total(seen, "holdfast_service_connections") == open_now
        assert total(seen, "holdfast_service_processes") == processes
    check(accepted, 2)
    bad = connect()
    bad.send(b"nonsense!!")
    bad.expect_closed()
    accepted += 1
    check(accepted - 1, 2)
    assert total(figures(gateway), "holdfast_service_closed_total", reason="bad_length") == 1
    victim = service_pids(gateway)[0]
    left = [c for c in gateway.api.connections() if c["process"] != victim]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(alive(service_pids(gateway))) == 2, "a new process")
    wait_until(lambda: total(figures(gateway), "holdfast_service_processes") == 2,
               "its figures")
    check(len(left), 2)
