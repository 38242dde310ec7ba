"""A disk that takes its time: each sync lasts a tenth of a second. A sender that is faster
is made to wait, in bounded memory, and nobody else is."""

import shutil
import threading

import pytest

from terminal import wait_until
from test_backpressure import bounded, numbered, pour

SYNC_S = 0.1
MESSAGES = 20000  # of 1.5 kB


@pytest.fixture
def on_slow_disk(make_gateway, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    trace = tmp_path / "trace"
    gateway = make_gateway(prefix=[
        "strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace), "-e", "signal=none",
        "-e", "trace=fdatasync", "-e", f"inject=fdatasync:delay_enter={SYNC_S * 1e6:.0f}"])
    gateway.trace = trace
    return gateway.start(shards=1, mailbox={"max_messages": 1000000, "max_bytes": "1GiB",
                                            "backlog": "8MiB"})


def test_a_sender_faster_than_the_disk_waits_and_nobody_else(on_slow_disk):
    gateway = on_slow_disk
    a, c, d = gateway.registered(1, 3, 4)
    pouring = threading.Thread(target=pour, args=(a, 2, MESSAGES), daemon=True)
    pouring.start()
    said = 0
    while pouring.is_alive():
        c.send(4, b"%d" % said)
        d.expect(3, b"%d" % said)
        said += 1
    a.synchronise()
    assert bounded(gateway), f"{gateway.rss_bytes() >> 20} MiB"
    syncs = gateway.trace.read_text().count("(DELAYED)")
    assert syncs > 3, "the disk was not slow"
    assert said > syncs, "who does not need the disk waited for it"
    b = gateway.terminal(2)
    b.heartbeat()
    for first in range(0, MESSAGES, 1000):
        b.expect(1, *numbered(first, 1000))
    wait_until(lambda: gateway.mail_count(2) == 0, "its mail to be gone")
