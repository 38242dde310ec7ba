"""kill -9 between any two steps of what the gateway does to its files.

strace kills a process as it is about to make its n-th call of one kind: as the data
directory is made for the first time, as a damaged store is salvaged, while messages and
commands are kept. The next start needs no hand, finds everything that was promised, and
no attempt leaves a file behind."""

import random
import shutil
import signal

import pytest

from load import Load, assert_kept
from orders import Orders, assert_carried_out
from terminal import wait_until
from test_failing_calls import Traced, traced  # noqa: F401

# What changes files and their names; `write` goes to the log only.
STEPS = ("mkdir", "openat", "ftruncate", "fallocate", "pwrite64", "writev", "fdatasync",
         "fsync", "link", "unlink", "rename")
SALVAGING = ("openat", "pwrite64", "fsync", "link", "unlink", "rename")
STORES = ("journal", "ledger", "mailbox")
WAITS_FOR = 0xBEEF
MESSAGES = 300


class Killed(Traced):
    def kill_at(self, call, when):
        """As one of its processes is about to make its `when`-th call on the data."""
        self.trace = self.directory / "trace"
        paths = [self.data_dir, *(self.data_dir / s for s in STORES), *(
            self.data_dir / store / file for store in STORES
            for file in ("data.mdb", "lock.mdb", "reserve", "salvaged.mdb"))]
        self.prefix = ["strace", "-f", "-q", "-o", str(self.trace),
                       *(word for path in paths for word in ("-P", str(path))),
                       "-e", f"trace={call}", "-e", "signal=none",
                       "-e", f"inject={call}:signal=KILL:when={when}"]

    def was_killed(self):
        """strace dies as what it started did."""
        return self.process.poll() == -signal.SIGKILL or "signal=SIGKILL" in self.log()

    def start_and_be_killed(self):
        """False: it came to be ready instead."""
        self.spawn()
        try:
            self.wait_ready()
            return self.was_killed()  # the worker, and there is another one
        except AssertionError:
            assert self.was_killed(), self.log()
            return True
        finally:
            self.kill()
            self.prefix = []

    def files(self):
        return {str(path.relative_to(self.data_dir)) for path in self.data_dir.rglob("*")}


@pytest.fixture
def killed(make_gateway, traced):  # noqa: F811  `traced` knows what strace needs
    gateway = make_gateway("killed", kind=Killed)
    gateway.listen("terminals", receipts=True, durability="all")
    return gateway.set(shards=1, supervisor={"max_restarts": 2, "max_restart_delay": "0s"})


def kill_starts(gateway, request, steps, prepare, check):
    """Before each call of each kind, as long as there is one; the first two of them in
    the short run. How many were killed."""
    most = 1000 if request.config.getoption("--long") else 2
    kills = 0
    for call in steps:
        for when in range(1, most + 1):
            prepare()
            gateway.kill_at(call, when)
            killed = gateway.start_and_be_killed()
            gateway.restart()
            check(f"killed before call {when} of {call}")
            gateway.stop()
            if not killed:
                break
            kills += 1
    return kills


@pytest.mark.limit(3600)
def test_of_a_first_start(killed, request):
    killed.start()
    killed.stop()
    complete = killed.files()

    def prepare():
        shutil.rmtree(killed.data_dir)

    def check(when):
        assert killed.files() == complete, when

    kills = kill_starts(killed, request, STEPS, prepare, check)
    assert kills >= 10, f"only {kills} starts were killed: nothing was tested"


def fill(gateway):
    gateway.start()
    sender = gateway.registered(7)
    for number in range(MESSAGES):
        sender.send(WAITS_FOR, b"%0200d" % number)
    gateway.wait_mail(WAITS_FOR, MESSAGES)
    gateway.stop()


def damage(file):
    """Every seventh page."""
    with open(file, "r+b") as data:
        for page in range(7, file.stat().st_size // 4096, 7):
            data.seek(page * 4096)
            data.write(b"\xff" * 64)


@pytest.mark.limit(3600)
def test_of_salvaging_a_store(killed, request):
    fill(killed)
    damage(killed.data_dir / "mailbox" / "data.mdb")
    damaged = killed.directory / "damaged"
    shutil.copytree(killed.data_dir, damaged)
    killed.restart()
    left = killed.mail_count(WAITS_FOR)
    assert killed.log_has("store salvaged") and 0 < left < MESSAGES, killed.log()
    killed.stop()
    complete = killed.files()

    def prepare():
        shutil.rmtree(killed.data_dir)
        shutil.copytree(damaged, killed.data_dir)

    def check(when):
        assert killed.mail_count(WAITS_FOR) == left, when
        assert killed.files() == complete, when

    kills = kill_starts(killed, request, SALVAGING, prepare, check)
    assert kills >= 6, f"only {kills} starts were killed: nothing was tested"


COMMIT = ("pwrite64", "writev", "fdatasync")


def die_of(gateway, call):
    """Worker after worker, until it gives up."""
    gateway.kill_at(call, random.randrange(4, 40))
    gateway.spawn()


@pytest.mark.limit(600)
@pytest.mark.parametrize("call", COMMIT)
def test_of_keeping_messages(killed, call, request):
    killed.set(mailbox={"max_messages": 1000000, "max_bytes": "1GiB"}).start()
    killed.stop()
    for _ in range(50 if request.config.getoption("--long") else 1):
        die_of(killed, call)
        with Load(killed.address()) as load:
            wait_until(killed.was_killed, "the kill")
            killed.kill()
            killed.prefix = []
            killed.restart()
            load.wait_progress(10)
            ledger = load.finish()
        assert_kept(ledger)
        killed.stop()


@pytest.mark.limit(600)
@pytest.mark.parametrize("call", COMMIT)
def test_of_keeping_commands(killed, call, request):
    killed.listen("devices", protocol="device").set(commands={"max_queued": 1000}).start()
    killed.stop()
    for _ in range(50 if request.config.getoption("--long") else 1):
        die_of(killed, call)
        with Orders(killed) as orders:
            wait_until(killed.was_killed, "the kill")
            killed.kill()
            killed.prefix = []
            killed.restart()
            orders.wait_promised(5)
            book = orders.finish()
        assert_carried_out(book)
        killed.stop()
