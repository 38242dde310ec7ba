"""Conversations of the end-to-end suite once more, while most calls move a few bytes at
most or are interrupted: byte for byte the same. `./test --long` takes all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import BINARY
from preload import obstacle

E2E = Path(__file__).resolve().parents[1] / "e2e"
SUITES = ["test_relay.py", "test_receipts.py", "test_messages.py", "test_cli_send.py"]
OF_THIS_RUN = ("HOLDFAST_LONG", "HOLDFAST_PROGRESS")


@pytest.mark.limit(300)
def test_short_reads_and_writes_change_nothing():
    if why := obstacle():
        pytest.skip(why)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--short-io",
         *(str(E2E / name) for name in SUITES),
         "-k", "not two_shards and not reconnects and not as_long_as"],
        env={k: v for k, v in os.environ.items() if k not in OF_THIS_RUN},
        cwd=E2E.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert " passed" in result.stdout


# What a program gets that asks a hundred times for a hundred bytes, all of them there.
PROGRAM = """
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
ours, theirs = socket.socketpair()
theirs.send(bytes(100))
room = ctypes.create_string_buffer(100)
for _ in range(100):
    n = libc.recv(ours.fileno(), room, 100, socket.MSG_PEEK)
    print(n if n >= 0 else errno.errorcode[ctypes.get_errno()])
"""


def test_the_rig_does_shorten_and_interrupt(shim):
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, text=True,
                          env={**os.environ, **shim("short_io")}, capture_output=True)
    got = done.stdout.split()
    assert set(got) == {"EINTR", "100", *"1234567"}
    assert got.count("EINTR") > 20 and got.count("100") < 40


def test_files_that_come_in_pieces_are_read_to_their_end(gateway, shim):
    """The configuration, and both ends' tokens."""
    token = gateway.directory / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    env = shim("short_io", SHORT_IO_FILES="1")
    gateway.env.update(env)
    gateway.start(http={"token_file": str(token)})
    done = subprocess.run([str(BINARY), "ls", "--token-file", str(token), "--json",
                           "--url", "http://{}:{}".format(*gateway.http_address())],
                          env={**os.environ, **env}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert gateway.api.ask("/api/v1/devices").status == 401
