"""Every call of the store fails once: the first, the second, the third ...

strace answers the n-th call of one kind on the store's files with an error. Nothing that
a receipt called safe may be lost by it, now or after a restart, and the gateway goes on
or says why it cannot start."""

import random
import re
import shutil
import subprocess
import time

import pytest

from gateway import Gateway
from load import Load, assert_kept
from progress import Rounds
from terminal import wait_until

# The calls that the store makes, with what the kernel may answer to each.
CALLS = [("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"),
         ("writev", "EIO"), ("pread64", "EIO"), ("openat", "EMFILE"), ("mmap", "ENOMEM"),
         ("ftruncate", "EIO"), ("fallocate", "ENOSPC"), ("close", "EIO"), ("lseek", "EIO")]


class Traced(Gateway):
    """A gateway under strace, which fails the n-th `call` on the files of one store."""

    def fail(self, call, error, when, store="mailbox"):
        self.trace = self.directory / f"trace-{store}-{call}-{error}-{when}"
        paths = [word for file in self.files_of(store) for word in ("-P", str(file))]
        self.prefix = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(self.trace),
                       *paths, "-e", f"trace={call}", "-e", "signal=none",
                       "-e", f"inject={call}:error={error}:when={when}"]

    def files_of(self, store):
        others = {"mailbox", "journal", "ledger"} - {store}
        beside = (f for f in self.data_dir.iterdir() if f.name not in others)
        return [self.data_dir, *beside, *(self.data_dir / store).iterdir()]

    def has_failed(self):
        return "(INJECTED)" in self.trace.read_text()


@pytest.fixture
def traced(make_gateway):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    probe = subprocess.run(["strace", "-f", "--seccomp-bpf", "-e", "trace=none", "true"],
                           capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"strace: {probe.stderr.strip()}")
    gateway = make_gateway(kind=Traced)
    gateway.listen("terminals", receipts=True, durability="all")
    # strace counts from the start in each new worker: one that cannot start never will.
    gateway.set(supervisor={"max_restarts": 2, "max_restart_delay": "0s"})
    gateway.start(shards=1, mailbox={"max_messages": 1000000, "max_bytes": "1GiB"})
    gateway.stop()  # now the store's files exist and can be named
    return gateway


def run_once(gateway, store, call, error, when):
    """True if the failure happened."""
    gateway.fail(call, error, when, store)
    gateway.spawn()
    with Load(gateway.address()) as load:
        try:
            gateway.wait_ready()
            load.wait_progress(200)
            if gateway.has_failed():
                load.wait_progress(200)  # it is back in service by itself
        except AssertionError:
            # It may refuse to start, if it says why; it may not stay without service.
            assert not gateway.is_running(), gateway.log()
            assert gateway.has_failed(), gateway.log()
            assert re.search(r" error .*", gateway.log()), gateway.log()
        happened = gateway.has_failed()
        gateway.kill()
        gateway.prefix = []
        gateway.restart()
        ledger = load.finish()
    assert_kept_or_unused(ledger)
    gateway.stop()
    return happened


def assert_kept_or_unused(ledger):
    if any(ledger.safe.values()):
        assert_kept(ledger)


@pytest.mark.limit(600)
@pytest.mark.parametrize("store", ("mailbox", "journal"))
@pytest.mark.parametrize("call, error", CALLS, ids=[f"{c}_{e}" for c, e in CALLS])
def test_fails_once(traced, store, call, error, request):
    most = 200 if request.config.getoption("--long") else 3
    happened = 0
    for when in range(1, most + 1):
        if not run_once(traced, store, call, error, when):
            break
        happened += 1
    assert happened, f"the {store} does not call {call} any more: nothing was tested"


@pytest.mark.limit(120)
def test_kill_9_while_syncs_fail(traced, rounds):
    """Every fifth sync of each worker fails, and each worker is killed."""
    traced.set(supervisor={"max_restarts": 1000000}).write_config()
    traced.fail("fdatasync", "EIO", "3+5")
    traced.spawn()
    traced.wait_ready()
    turns = Rounds("kill -9 and failing syncs", rounds)
    with Load(traced.address()) as load:
        for _ in turns:
            load.wait_progress(50)
            time.sleep(random.uniform(0, 0.1))  # the random moment itself
            traced.wait_new_worker(traced.kill_worker())
        assert traced.has_failed()
        ledger = load.finish()
    turns.report(ledger.summary())
    assert_kept(ledger)


@pytest.mark.limit(120)
def test_every_sync_fails_from_some_moment_on(traced):
    """No receipt at all then; and what was called safe before is there afterwards."""
    traced.fail("fdatasync", "EIO", "20+")
    traced.spawn()
    traced.wait_ready()
    with Load(traced.address(), targets=0, away=2) as load:
        wait_until(traced.has_failed, "the failure")
        load.stop_sending()
        traced.kill()
        traced.prefix = []
        traced.restart()
        ledger = load.finish()
    assert_kept(ledger)


def test_a_failed_sync_is_never_repaired_by_another(traced):
    """After it the store is closed and read again, so its file must be opened anew before
    the next sync on it can count."""
    traced.fail("fdatasync", "EIO", 5)
    at = traced.prefix.index("trace=fdatasync")
    traced.prefix[at] = "trace=fdatasync,openat"
    traced.spawn()
    traced.wait_ready()
    with Load(traced.address()) as load:
        wait_until(traced.has_failed, "the failure")
        load.wait_progress(100)
        ledger = load.finish()
    assert_kept(ledger)
    after = traced.trace.read_text().split("(INJECTED)", 1)[1].splitlines()
    calls = [line for line in after if "fdatasync(" in line or "openat(" in line]
    assert calls and "openat(" in calls[0], calls[:3]
