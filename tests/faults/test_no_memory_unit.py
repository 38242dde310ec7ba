"""The unit tests, with one allocation of ours failing in each run: they may fail then,
as they may want what they asked for; but nothing of ours may crash, assert or hang.

Only those whose own code looks at what it was given; conversations have
test_no_memory.py."""

import os
import random
import subprocess

import pytest

from gateway import BINARY
from memory import ALWAYS, Memory

SUITES = ("config", "credentials", "device_codec", "feed", "http_rules", "jt808_command",
          "jt808_show", "ledger", "limits", "mailbox", "receipts", "reference", "sse",
          "ticket_record")
SECONDS = 60


def run(suite, env):
    """Its status, and all that it said; None for one that hangs."""
    try:
        ran = subprocess.run([BINARY.parent / f"test_{suite}"], env=env, text=True,
                             capture_output=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"still running after {SECONDS} s"
    return ran.returncode, ran.stdout + ran.stderr


def is_fault_of_ours(status, said):
    if "../tests/unit/" in said and "Assertion" in said:
        return False  # a rig's own, which wanted what it asked for
    return status is None or status < 0 or "exception" in said


@pytest.mark.limit(3600)
@pytest.mark.parametrize("suite", SUITES)
def test_of_unit_tests(tmp_path, shim, suite, request):
    if not (BINARY.parent / f"test_{suite}").exists():
        pytest.skip("needs the unit tests beside the gateway")
    memory = Memory(tmp_path)
    env = {**os.environ, **memory.env(shim, NO_MEMORY_OURS="1")}
    memory.fail(ALWAYS)
    status, said = run(suite, env)
    assert status == 0 and memory.calls, said
    most = 300 if request.config.getoption("--long") else 1
    calls = range(1, memory.calls + 1)
    for number in sorted(random.sample(calls, min(most, len(calls)))):
        memory.fail(number)
        status, said = run(suite, env)
        assert not is_fault_of_ours(status, said), f"call {number}: {status}\n{said}"
