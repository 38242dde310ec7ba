"""The conversations of the end-to-end suite once more, while most socket calls move a few
bytes at most or are interrupted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

E2E = Path(__file__).resolve().parents[1] / "e2e"
SUITES = ["test_framing.py", "test_relay.py", "test_checksum.py", "test_receipts.py",
          "test_mailbox.py"]
# Where a frame's end is the end of what one read brought, short reads do change it; the
# others would only take longer.
LEFT_OUT = ("meaningless", "ignore_takes", "old_server", "split", "two_shards")


@pytest.mark.limit(300)
def test_short_reads_and_writes_change_nothing(shim):
    # The shim goes to the gateways only: what conftest.py starts, not pytest itself.
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *(str(E2E / name) for name in SUITES),
         "-k", " and ".join(f"not {word}" for word in LEFT_OUT)],
        env={**os.environ, "HOLDFAST_PRELOAD": shim("short_io")["LD_PRELOAD"]},
        cwd=E2E.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
