"""Nothing is called safe before the sync has returned: seen from the system calls.

Between two answers that promise something to the only one who asks, a sync of the store
that keeps it must have ended well, on whichever thread. A power cut that loses nothing may
be luck; this is not."""

import re
import shutil

import pytest

from test_receipts import Fates, joined
from vehicles import LOCATION

COUNT = 20
RECEIPT = r'"\$TTMX\\0\\21\\0\\0\\0\\0\\2'
TICKET = r'"HTTP/1\.1 202 '
TOKEN = r'"~\\201\\0'    # 8100
BELIEVED = r'"~\\200\\1'  # 8001


@pytest.fixture
def traced(make_gateway, tmp_path):
    """traced(env): a gateway whose syncs and sendings are written down, all in order."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")

    def make(**options):
        gateway = make_gateway(prefix=[
            "strace", "-f", "-y", "-qq", "-s", "40", "-e", "signal=none",
            "-e", "trace=fdatasync,fsync,sendto,sendmsg,write,writev",
            "-o", str(tmp_path / "trace")], **options)
        gateway.trace = tmp_path / "trace"
        gateway.listen("terminals", receipts=True, durability="all", reply_heartbeats=True)
        gateway.listen("devices", protocol="device")
        gateway.listen("vehicles", protocol="jt808")
        return gateway.start(shards=2)
    return make


def unsafe_answers(gateway, answer, store):
    """How many of these answers left without such a sync, and how many there were."""
    synced, count, unsafe, under_way = False, 0, 0, {}
    for line in gateway.trace.read_text(errors="replace").splitlines():
        thread = line.split()[0]
        if re.search(rf"f(data)?sync\(\d+<[^>]*/{store}/", line):
            under_way[thread] = True
        if "sync" in line and line.endswith("= 0"):
            synced |= under_way.pop(thread, False)
        if re.search(answer, line) and "<... " not in line:
            count, unsafe, synced = count + 1, unsafe + (not synced), False
    return unsafe, count


def get_receipts(gateway):
    sender, _ = joined(gateway, 1), joined(gateway, 2)
    fates = Fates(sender)
    for number in range(COUNT):
        sender.send(2 + number % 2, b"for one who is here, and one who is not")
        fates.until(number + 1)
    return unsafe_answers(gateway, RECEIPT, "mailbox")


def test_a_receipt_follows_the_sync_of_the_mailbox(traced):
    assert get_receipts(traced()) == (0, COUNT)


def test_a_ticket_follows_the_sync_of_the_ledger(traced):
    gateway = traced()
    gateway.device().login().close()
    gateway.api.wait_device("T9000010", connected=False)
    for _ in range(COUNT):
        gateway.api.order("T9000010", "status")
    assert unsafe_answers(gateway, TICKET, "ledger") == (0, COUNT)


def test_a_token_follows_the_sync_of_the_ledger(traced):
    gateway = traced()
    for number in range(COUNT):
        gateway.vehicle(f"139000{number:05}").register()
    assert unsafe_answers(gateway, TOKEN, "ledger") == (0, COUNT)


def test_a_report_is_acknowledged_after_the_sync_of_the_journal(traced):
    gateway = traced()
    vehicle = gateway.vehicle()
    vehicle.authenticate(vehicle.register())
    for _ in range(COUNT):
        vehicle.expect_answer(LOCATION, vehicle.send(LOCATION, bytes(28)))
    unsafe, count = unsafe_answers(gateway, BELIEVED, "journal")
    assert (unsafe, count) == (0, COUNT + 1)  # and that it was authenticated


def test_an_answer_without_a_sync_is_noticed(traced, shim):
    assert get_receipts(traced(env=shim("no_sync"))) == (COUNT, COUNT)
