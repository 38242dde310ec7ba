"""libholdfast: installed, linked into programs outside of the tree, and served from
them."""

import os
import re
import signal
import struct
import subprocess
import threading

import pytest

from asker import Asker, frame
from gateway import BINARY, ROOT, pid_exists, proc_status
from installed import Library
from terminal import wait_until

EXAMPLES = ROOT / "examples"
TRIAL = ROOT / "tests" / "e2e" / "trial.c"

pytestmark = pytest.mark.skipif(not (BINARY.parent / "build.ninja").exists(),
                                reason="the binary does not come from a build directory")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Library(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def library(installed):
    yield installed
    installed.end_programs()


@pytest.fixture
def trial(library):
    """trial(processes, max_restarts, option): the service of trial.c, serving."""
    def start(processes=0, max_restarts=100, option=""):
        return library.compile(TRIAL, static=True).start(
            processes, max_restarts, option, processes=max(1, processes))
    return start


def who(asker):
    """The number of the process that answers, and its id."""
    number, pid = asker.ask(b"who").split()
    return int(number), int(pid)


def say(program, words):
    """To one whose process does not live to answer."""
    asker = program.asker()
    asker.send(frame(words))
    return asker


# ---- what is installed ----

def names_of(*words):
    listed = subprocess.run(["nm", "--defined-only", *words], check=True, text=True,
                            capture_output=True).stdout
    return {line.split()[-1] for line in listed.splitlines() if len(line.split()) == 3}


def declared():
    text = "".join(path.read_text() for path in (ROOT / "include").rglob("*.h"))
    return set(re.findall(r"HF_EXPORT [^;({]*?(hf_\w+)\(", text))


def test_both_libraries_show_what_the_headers_declare_and_nothing_else(library):
    shared = names_of("-D", library.directory / "libholdfast.so")
    static = names_of("-g", library.directory / "libholdfast.a")
    assert len(declared()) > 10
    assert shared == declared()
    assert {name for name in static if "asan" not in name} == declared()


def test_the_library_needs_the_c_library_alone(library):
    listed = subprocess.run(["readelf", "-d", library.directory / "libholdfast.so"],
                            check=True, capture_output=True, text=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", listed))
    assert {n for n in needed if "san" not in n} == {"libc.so.6"}
    assert "SONAME" in listed and "[libholdfast.so.0]" in listed


def test_the_version_is_that_of_the_gateway(library):
    gateway = subprocess.run([BINARY, "--version"], capture_output=True, text=True,
                             check=True).stdout.split()[1]
    assert library.pkg_config("--modversion") == [gateway]


# ---- the examples ----

@pytest.mark.parametrize("source", ["reverse.c", "reverse.cc"])
@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_reverse_is_built_outside_of_the_tree_and_answers(library, source, static):
    program = library.compile(EXAMPLES / source, static)
    linked = subprocess.run(["ldd", program.path], env=program.env, check=True, text=True,
                            capture_output=True).stdout
    assert ("libholdfast" in linked) != static
    program.start("127.0.0.1:0")
    assert program.asker().ask(b"hi") == b"ih"
    program.stop()


def test_the_shortest_example_is_short():
    assert len((EXAMPLES / "reverse.c").read_text().splitlines()) <= 30


def test_key_value_keeps_state_and_closes_on_nonsense(library):
    program = library.compile(EXAMPLES / "key_value.c").start("127.0.0.1:0")
    asker, other = program.asker(), program.asker()
    asker.send(b"set colour dark blue\nset size 3\nget colour\nset colour red\n")
    answers = b"ok\nok\n= dark blue\nok\n"
    assert asker.read(len(answers)) == answers
    other.send(b"get colour\nget weight\n")
    assert other.read(11) == b"= red\nnone\n"
    asker.send(b"drop everything\n")
    asker.expect_closed()
    other.send(b"get size\n")
    assert other.read(4) == b"= 3\n"
    program.stop()


def test_the_plug_in_answers_in_a_gateway(library, gateway):
    flags = library.pkg_config("--cflags")
    path = library.build(EXAMPLES / "reverse_plugin.c", "-shared", "-fPIC", *flags)
    gateway.listen("answers", protocol="nbnet", logic=str(path), processes=1).start()
    assert Asker(gateway.address("answers")).ask(b"hi") == b"ih"


# ---- serving ----

@pytest.mark.parametrize("framing, wrap", [
    ("u16le", lambda b: struct.pack("<H", len(b)) + b),
    ("u32 of all", lambda b: struct.pack(">I", len(b) + 4) + b),
    ("4 digits", lambda b: b"%04d" % len(b) + b),
    ("lines", lambda b: b + b"\r\n"),
])
def test_framings_are_declared(trial, framing, wrap):
    asker = trial(option=framing).asker()
    asker.send(wrap(b"abc") + wrap(b"de"))
    expected = wrap(b"abc") + wrap(b"de")
    assert asker.read(len(expected)) == expected


def test_an_empty_body_ends_the_connection_whatever_the_framing(trial):
    program = trial(option="lines")
    asker = program.asker()
    asker.send(b"\r\n")
    asker.expect_closed()
    program.wait_log("closed", reason="too_short")


def test_the_debug_log_lays_the_state_open(trial):
    program = trial(option="debug")
    asker = program.asker()
    asker.send(frame(b"whole") + b"0000000005ab")
    assert asker.answer() == b"whole"
    asker.close()
    program.wait_log("enters", state="closing", have="12", wanted="15", to_write="0")


def test_an_answer_may_come_later_from_another_thread(trial):
    asker = trial().asker()
    asker.send(frame(b"later") + frame(b"next"))
    assert [asker.answer(), asker.answer()] == [b"later", b"next"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(trial, number):
    program = trial()
    asker = program.asker()
    assert asker.ask(b"before") == b"before"
    body = b"x" * 1000000
    sender = threading.Thread(target=asker.send, args=(frame(body),))
    sender.start()
    assert asker.read(10) == b"0001000000"
    program.signal(number)
    assert asker.read(len(body)) == body
    sender.join()
    asker.expect_closed()
    assert program.wait_exit() == 0


def test_hf_stop_from_a_thread_ends_it_in_order(trial):
    program = trial()
    asker = program.asker()
    assert asker.ask(b"stop") == b"stopping"
    asker.expect_closed()
    assert program.wait_exit() == 0


# ---- processes ----

def spread(program, processes=2):
    """Connections, by the process that has them: until each has some."""
    by_pid = {}

    def all_have_some():
        for _ in range(10):
            asker = program.asker()
            by_pid.setdefault(who(asker)[1], []).append(asker)
        return len(by_pid) == processes
    wait_until(all_have_some, f"{processes} processes to answer")
    return by_pid


def test_a_killed_process_costs_its_own_connections_only(trial):
    program = trial(2)
    by_pid = spread(program)
    victim, survivor = by_pid
    served, ended = [], threading.Event()

    def load():
        while not ended.is_set():
            served.append(by_pid[survivor][0].ask(b"x" * 1000) == b"x" * 1000)
    loader = threading.Thread(target=load)
    loader.start()
    wait_until(lambda: served, "answers")
    os.kill(victim, signal.SIGKILL)
    program.wait_log("died", pid=str(victim), signal="SIGKILL")
    program.wait_log("ready", count=3)
    before = len(served)
    wait_until(lambda: len(served) > before + 10, "answers after the restart")
    ended.set()
    loader.join()
    assert all(served)
    for asker in by_pid[survivor]:
        assert who(asker)[1] == survivor
    for asker in by_pid[victim]:
        asker.expect_closed()
    again = spread(program)
    assert survivor in again
    assert {who(askers[0])[0] for askers in again.values()} == {0, 1}
    program.stop()


def test_a_process_that_exits_with_0_is_not_started_again(trial):
    program = trial(2)
    say(program, b"exit").expect_closed()
    program.wait_log("ended", count=1)
    assert len({who(program.asker()) for _ in range(20)}) == 1
    assert len(program.log_lines("ready")) == 2
    say(program, b"exit").expect_closed()
    assert program.wait_exit() == 0, "all have ended well"


@pytest.mark.parametrize("way", [b"crash", b"fail"])
def test_it_gives_up_after_max_restarts(trial, way):
    program = trial(1, 2)
    for n in range(3):
        program.wait_log("ready", count=n + 1)
        say(program, way).expect_closed()
    assert program.wait_exit() == 1
    program.wait_log("gives up", restarts="2", reason="max_restarts")
    assert len(program.log_lines("ready")) == 3


def test_who_gives_up_ends_the_others_in_order(trial):
    program = trial(2, 0)
    (_, askers), (other, _) = spread(program).items()
    askers[0].send(frame(b"crash"))
    assert program.wait_exit() == 1
    assert not pid_exists(other)
    assert len(program.log_lines("draining")) == 1


def test_a_connection_that_waits_while_a_process_dies_is_served(trial):
    program = trial(1)
    pid = who(program.asker())[1]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: proc_status(pid)["State"].startswith("T"), "it to stop")
    waiting = [say(program, b"%d" % n) for n in range(20)]
    os.kill(pid, signal.SIGKILL)
    assert [asker.answer() for asker in waiting] == [b"%d" % n for n in range(20)]


def test_sigterm_to_the_parent_drains_all(trial):
    program = trial(2)
    askers = [asker for group in spread(program).values() for asker in group]
    program.stop()
    for asker in askers:
        asker.expect_closed()
    assert len(program.log_lines("draining")) == 2


def test_a_second_signal_ends_those_that_hang(trial):
    program = trial(1)
    say(program, b"hang")
    program.wait_log("hangs")
    program.signal(signal.SIGTERM)
    program.signal(signal.SIGINT)
    assert program.wait_exit() == 1
    program.wait_log("died", signal="SIGKILL")


@pytest.fixture
def unread(library):
    """One process, whose log nobody reads any more; and its address."""
    program = library.compile(TRIAL, static=True)
    process = subprocess.Popen([program.path, "1", "100", "debug"], env=program.env,
                               stderr=subprocess.PIPE, text=True)
    line = next(line for line in process.stderr if " ready " in line)
    host, port = line.split("address=")[1].split(":")
    process.stderr.close()
    yield process, (host, int(port))
    process.kill()
    process.wait()


def test_it_serves_on_when_nobody_reads_its_log(unread):
    process, address = unread
    first, second = Asker(address), Asker(address)
    pid = who(first)[1]
    assert who(second)[1] == pid
    os.kill(pid, signal.SIGKILL)
    first.expect_closed()
    assert who(Asker(address))[1] != pid
    process.terminate()
    assert process.wait(20) == 0


def test_children_end_with_their_parent(trial):
    program = trial(2)
    pids = list(spread(program))
    program.signal(signal.SIGKILL)
    wait_until(lambda: not any(map(pid_exists, pids)), "the children to end")
