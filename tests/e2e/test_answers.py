"""The request/answer service, from the outside."""

import os
import signal
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from asker import Asker, frame
from gateway import ROOT, is_sanitized
from terminal import wait_until


@pytest.fixture
def serve(gateway):
    """serve(logic="reverse", processes=1): a gateway with that service; returns a way to
    connect."""
    def start(**options):
        gateway.listen("answers", protocol="nbnet", **{"processes": 1, **options}).start()
        return lambda: Asker(gateway.address("answers"))
    return start


def service_pids(gateway):
    lines = gateway.log_lines("started", name="answers")
    return [int(line.text.split()[1]) for line in lines]


def alive(pids):
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


# ---- the bytes ----

def test_the_example_of_the_protocol(serve):
    asker = serve()()
    asker.send(b"0000000002hi")
    assert asker.read(12) == b"0000000002hi"


def test_reverse_turns_bodies_around(serve):
    assert serve(logic="reverse")().ask(bytes(range(256))) == bytes(range(255, -1, -1))


def test_requests_split_at_every_byte(serve):
    connect = serve()
    request = frame(b"abc") + frame(b"d")
    for cut in range(1, len(request)):
        asker = connect()
        asker.send(request[:cut])
        asker.send(request[cut:])
        assert asker.read(len(request)) == request
        asker.close()


def test_pipelined_requests_are_answered_in_order(serve):
    asker = serve(logic="reverse")()
    bodies = [b"%d" % n * (n % 50 + 1) for n in range(2000)]
    asker.send(b"".join(map(frame, bodies)))
    for body in bodies:
        assert asker.answer() == body[::-1]


@pytest.mark.parametrize("header", [
    b"0000000000", b"+000000002", b"-000000002", b" 000000002", b"000000002 ",
    b"00000.0002", b"0x00000002", b"\xd9\xa0" * 5, b"\0" * 10, b"GET / HTTP"])
def test_what_is_not_ten_digits_above_zero_closes(serve, gateway, header):
    connect = serve()
    asker = connect()
    asker.send(header + b"hi")
    asker.expect_closed()
    gateway.wait_log("closed", reason="bad_length")
    assert connect().ask(b"others are served") == b"others are served"


def test_a_length_beyond_max_frame_closes_at_once(serve, gateway):
    connect = serve(max_frame="1KiB")
    assert connect().ask(b"x" * 1024) == b"x" * 1024
    for size in (1025, 4294967296 + 5, 9999999999):
        asker = connect()
        asker.send(b"%010d" % size)
        asker.expect_closed()
    gateway.wait_log("closed", reason="too_large", count=3)


def test_a_request_that_stays_incomplete_is_closed(serve, gateway):
    connect = serve(read_timeout="300ms")
    in_head, in_body, idle = connect(), connect(), connect()
    in_head.send(b"00000")
    in_body.send(b"0000000005ab")
    in_head.expect_closed()
    in_body.expect_closed()
    gateway.wait_log("closed", reason="read_timeout", count=2)
    assert idle.ask(b"silence is no fault") == b"silence is no fault"


def test_answers_asked_before_a_fault_still_come(serve):
    asker = serve()()
    asker.send(frame(b"one") + frame(b"two") + b"nonsense!!")
    assert asker.answer() == b"one"
    assert asker.answer() == b"two"
    asker.expect_closed()


def test_large_bodies(serve):
    asker = serve(logic="reverse", max_frame="16MiB")()
    body = os.urandom(1 << 20) * 9 + b"end"
    sender = threading.Thread(target=asker.send, args=(frame(body),))
    sender.start()
    assert asker.answer() == body[::-1]
    sender.join()


def test_announced_bytes_take_no_memory(serve, gateway):
    """Memory is taken as bytes arrive: 200 times 16 MiB are announced."""
    connect = serve(max_frame="16MiB")
    pid = service_pids(gateway)[0]

    def rss():
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    before = rss()
    askers = [connect() for _ in range(200)]
    for asker in askers:
        asker.send(b"0016777216x")
    assert connect().ask(b"all were read") == b"all were read"
    assert rss() - before < (256 << 20 if is_sanitized() else 16 << 20)


def test_who_never_reads_costs_bounded_memory(serve, gateway):
    connect = serve(max_frame="1MiB")
    greedy = connect()
    greedy.socket.settimeout(1)
    sent = 0
    try:
        while sent < 256 << 20:
            sent += greedy.socket.send(frame(b"x" * 1000) * 100)
    except TimeoutError:
        pass
    assert sent < 128 << 20, "it was read from without end"
    assert connect().ask(b"others are served") == b"others are served"


# ---- framings ----

@pytest.mark.parametrize("framing, wrap", [
    ({"length": "u16"}, lambda b: struct.pack(">H", len(b)) + b),
    ({"length": "u32le", "counts": "frame"}, lambda b: struct.pack("<I", len(b) + 4) + b),
    ({"length": "digits", "digits": 4}, lambda b: b"%04d" % len(b) + b),
    ({"length": "none", "end": "\\r\\n"}, lambda b: b + b"\r\n"),
    ({"length": "u8", "end": ";"}, lambda b: bytes([len(b)]) + b + b";"),
])
def test_framings_are_declared(serve, framing, wrap):
    asker = serve(logic="reverse", framing=framing)()
    asker.send(wrap(b"abc") + wrap(b"de"))
    expected = wrap(b"cba") + wrap(b"ed")
    assert asker.read(len(expected)) == expected


# ---- processes ----

def sockets_of(pid):
    def is_socket(fd):
        try:
            return os.readlink(fd).startswith("socket:")
        except FileNotFoundError:
            return False  # closed meanwhile
    return sum(map(is_socket, Path(f"/proc/{pid}/fd").iterdir()))


def test_a_killed_process_is_replaced_and_the_other_untouched(serve, gateway):
    connect = serve(processes=2)
    pids = service_pids(gateway)
    assert len(pids) == 2
    askers, before = [], [sockets_of(pid) for pid in pids]
    while min(sockets_of(pid) - n for pid, n in zip(pids, before)) < 5:
        assert len(askers) < 2000, "one process takes all connections"
        askers.append(connect())
        assert askers[-1].ask(b"hi") == b"hi"
    untouched = sockets_of(pids[1]) - before[1]
    worker = gateway.worker_pid()
    os.kill(pids[0], signal.SIGKILL)
    gateway.wait_log("died", signal="SIGKILL")
    wait_until(lambda: len(alive(service_pids(gateway))) == 2, "a new process")
    survivors = 0
    for asker in askers:
        asker.send(frame(b"again"))
        data = asker.read(15)
        assert data in (b"", frame(b"again"))
        survivors += bool(data)
    assert survivors == untouched
    assert connect().ask(b"new") == b"new"
    assert gateway.worker_pid() == worker


def test_it_drains(serve, gateway):
    asker = serve()()
    assert asker.ask(b"before") == b"before"
    asker.send(frame(b"x" * 100000))
    gateway.stop()
    assert asker.answer() == b"x" * 100000
    asker.expect_closed()


# ---- plug-ins ----

SERVICE = r"""
#include <holdfast/service.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int start(const char *argument, void **state)
{
    if (strcmp(argument, "no") == 0)
        return 1;
    *state = strdup(argument);
    return 0;
}

static void stop(void *state)
{
    free(state);
}

static void logic(void *state, struct hf_request *request)
{
    size_t size;
    const char *body = hf_request_body(request, &size);

    if (size == 5 && memcmp(body, "crash", 5) == 0)
        abort();
    if (size == 4 && memcmp(body, "hang", 4) == 0)
        for (;;)
            pause();
    if (size == 4 && memcmp(body, "exit", 4) == 0)
        _exit(0);
    if (size == 5 && memcmp(body, "close", 5) == 0)
        hf_close(request);
    else
        hf_answer(request, state, strlen(state));
}

HF_EXPORT const struct hf_service holdfast_service = {
    VERSION, sizeof(struct hf_service), "test", start, stop, logic};
"""


@pytest.fixture
def plug_in(tmp_path):
    def build(version="HF_SERVICE_VERSION"):
        source, out = tmp_path / "service.c", tmp_path / "service.so"
        source.write_text(SERVICE)
        subprocess.run(["cc", "-shared", "-fPIC", f"-DVERSION={version}",
                        f"-I{ROOT / 'include'}", "-o", out, source], check=True)
        return str(out)
    return build


def test_a_plug_in_answers(serve, plug_in):
    connect = serve(logic=plug_in(), argument="from the settings")
    assert connect().ask(b"?") == b"from the settings"


def test_a_plug_in_may_close(serve, plug_in, gateway):
    asker = serve(logic=plug_in(), argument="x")()
    asker.send(frame(b"close"))
    asker.expect_closed()
    gateway.wait_log("closed", reason="unanswered")


def test_a_crash_ends_one_process(serve, plug_in, gateway):
    connect = serve(logic=plug_in(), argument="ok", processes=2)
    asker = connect()
    asker.send(frame(b"crash"))
    asker.expect_closed()
    gateway.wait_log("died", signal="SIGABRT")
    gateway.wait_log("last_words")
    for _ in range(10):
        assert connect().ask(b"?") == b"ok"


def test_a_hang_ends_one_process(serve, plug_in, gateway):
    gateway.set(supervisor={"stuck_timeout": "2s"})
    connect = serve(logic=plug_in(), argument="ok")
    asker = connect()
    asker.send(frame(b"hang"))
    gateway.wait_log("is stuck", seconds=20)
    asker.expect_closed()
    assert connect().ask(b"?") == b"ok"


def test_a_process_that_ends_well_is_not_started_again(serve, plug_in, gateway):
    connect = serve(logic=plug_in(), argument="ok")
    asker = connect()
    asker.send(frame(b"exit"))
    asker.expect_closed()
    gateway.wait_log("is over")
    with pytest.raises(ConnectionRefusedError):
        connect()
    assert len(service_pids(gateway)) == 1
    a, b = gateway.registered(1, 2)
    a.send(2, b"relaying goes on")
    b.expect(1, b"relaying goes on")


@pytest.mark.parametrize("options, words", [
    ({"logic": "ehco"}, "not built in"),
    ({"logic": "/nowhere/service.so"}, "cannot open"),
])
def test_what_cannot_serve_says_why_and_the_rest_serves(serve, gateway, options, words):
    serve(**options)
    assert words in gateway.log()
    gateway.wait_log("gives up a process", reason="it_cannot_serve")
    gateway.registered(1)


def test_a_service_that_refuses_to_start_is_not_started_again(serve, plug_in, gateway):
    serve(logic=plug_in(), argument="no")
    gateway.wait_log("did not start")
    gateway.wait_log("is over")
    assert len(service_pids(gateway)) == 1


def test_a_plug_in_of_another_version_is_refused(serve, plug_in, gateway):
    serve(logic=plug_in(version="99"))
    assert "compile it again" in gateway.log()
