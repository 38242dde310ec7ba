"""Fixtures of the end-to-end and fault tests.

One gateway, one directory and one time limit per test. Run one test with

    HOLDFAST=build/holdfast /usr/bin/python3 -m pytest tests -k a_part_of_its_name

Tests marked `threads` are those that the thread sanitizer's run takes.

Whatever a test does, afterwards the log must show no crash that the test did not cause,
no sanitizer report, and at most one closing line for each connection."""

import collections
import os
import re
import resource
import signal
import tempfile

import pytest

from gateway import BINARY, Gateway
from preload import build_shim, obstacle
from progress import PROGRESS

CRASHES = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|"
                     r"[Aa]ssertion .* failed")
CLOSED = re.compile(r"session (\S+) closed .*")


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int,
                     help="rounds of each rig (default: few, with --long many)")
    parser.addoption("--long", action="store_true",
                     default=bool(os.environ.get("HOLDFAST_LONG")),
                     help="also what takes minutes; thousands of rounds")
    parser.addoption("--short-io", action="store_true",
                     help="reads and writes of the gateway move a few bytes at most, or "
                          "are interrupted")


def pytest_configure(config):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: build it, or point HOLDFAST at it", 4)
    if config.getoption("--short-io"):
        if why := obstacle():
            pytest.exit(f"--short-io: {why}", 4)
        directory = tempfile.TemporaryDirectory(prefix="holdfast-")
        config.add_cleanup(directory.cleanup)
        os.environ["HOLDFAST_PRELOAD"] = build_shim("short_io", directory.name)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--short-io"):
        for item in items:
            if marker := item.get_closest_marker("whole_io"):
                why = f"not with --short-io: {marker.args[0]}"
                item.add_marker(pytest.mark.skip(why))
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    all_of_them = item.session.items
    PROGRESS.begin_test(all_of_them.index(item) + 1, len(all_of_them), item.name)
    yield
    PROGRESS.clear()


@pytest.fixture
def rounds(request):
    """As many as are asked for, else what the marker says: rounds(short, long)."""
    marker = request.node.get_closest_marker("rounds")
    short, long = marker.args if marker else (10, 200)
    return request.config.getoption("--rounds") or \
        (long if request.config.getoption("--long") else short)


@pytest.fixture(autouse=True)
def time_limit(request):
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else 60
    if "rounds" in request.fixturenames:
        seconds += 5 * request.getfixturevalue("rounds")
    if request.config.getoption("--short-io"):
        seconds *= 5

    def on_alarm(number, frame):
        pytest.fail(f"took longer than {seconds} s")

    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def many_descriptors():
    """For tests that hold thousands of connections themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def check_log(log, may_crash):
    crash = CRASHES.search(log)
    assert may_crash or not crash, \
        f"in the log: {log[max(0, crash.start() - 200):crash.end() + 3000]}"
    endings = collections.Counter(CLOSED.findall(log))
    twice = [session for session, n in endings.items() if n > 1]
    assert not twice, f"more than one closing line: {twice}"


@pytest.fixture
def make_gateway(tmp_path):
    """For tests that need several, or one in other surroundings."""
    made = []

    def make(name="gateway", kind=Gateway, **options):
        directory = options.pop("directory", tmp_path / name)
        directory.mkdir(exist_ok=True)
        made.append(kind(directory, **options))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()
    for one in made:
        # Each worker numbers its sessions from the start.
        for log in re.split(r"worker \d+ started", one.log(whole=True)):
            check_log(log, one.may_crash)


@pytest.fixture
def gateway(make_gateway):
    """Not started yet, so that a test can change the settings first."""
    return make_gateway()
