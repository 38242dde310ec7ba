"""The disk is full: nothing new is called safe, online terminals go on conversing, mail
that was accepted is delivered, and when space returns so does service, without restart."""

import random
import time

import pytest

from load import Load, assert_kept
from progress import Rounds
from terminal import wait_until
from test_receipts import Fates, joined


@pytest.fixture
def on_small_disk(make_gateway, tmpfs):
    def make(size="24m", **options):
        disk = tmpfs(size)
        gateway = make_gateway()
        gateway.listen("terminals", receipts=True, reply_heartbeats=True, **options)
        gateway.set(data_dir=str(disk.directory / "data"))
        gateway.set(mailbox={"max_messages": 1000000, "max_bytes": "1GiB"})
        return gateway.start(), disk
    return make


def send_until_refused(sender, fates, target):
    """Returns how many were accepted before the first refusal."""
    sent = fates.decided
    while not fates.refused:
        sender.send(target, *(b"%06d" % n + bytes(3000) for n in range(sent, sent + 50)))
        sent += 50
        fates.until(sent)
        assert sent < 20000, "a disk of 24 MB took 60 MB"
    return fates.refused[0] - 1


def test_accepted_mail_is_delivered_and_room_comes_back(on_small_disk):
    gateway, _ = on_small_disk()
    a = joined(gateway, 1)
    fates = Fates(a)
    accepted = send_until_refused(a, fates, 9)
    assert accepted > 100
    c, d = joined(gateway, 3), joined(gateway, 4)
    c.send(4, b"online terminals do not need the disk")
    d.expect(3, b"online terminals do not need the disk")
    receiver = gateway.terminal(9)
    receiver.heartbeat()
    got = []
    while len(got) < accepted:
        frame = receiver.receive()
        if frame.address == 1:
            got.append(int(frame.content[:6]))
    refused = {number - 1 for number in fates.refused}
    assert got == [n for n in range(fates.decided) if n not in refused][:len(got)]

    def accepted_again():
        before = len(fates.refused)
        a.send(8, b"after the flood")
        fates.until(fates.decided + 1)
        return len(fates.refused) == before

    wait_until(accepted_again, "new mail to be accepted", 20)


def test_a_disk_filled_by_others(on_small_disk):
    gateway, disk = on_small_disk()
    worker = gateway.worker_pid()
    a = joined(gateway, 1)
    fates = Fates(a)
    a.send(9, b"before")
    fates.until(1)
    disk.fill()
    send_until_refused(a, fates, 8)
    disk.make_room()

    def accepted_again():
        before = len(fates.refused)
        a.send(9, b"after")
        fates.until(fates.decided + 1)
        return len(fates.refused) == before

    wait_until(accepted_again, "new mail to be accepted", 20)
    assert gateway.worker_pid() == worker, "it had to restart"
    receiver = gateway.terminal(9)
    receiver.heartbeat()
    receiver.expect_with_echo(1, b"before", b"after")


def test_a_full_disk_is_logged_and_not_for_every_message(on_small_disk):
    gateway, _ = on_small_disk()
    a = joined(gateway, 1)
    send_until_refused(a, Fates(a), 9)
    lines = [line for line in gateway.log_lines()
             if "space" in line.text or "full" in line.text]
    assert lines and len(lines) < 100, gateway.log()


def test_a_full_disk_shows_in_readyz(on_small_disk):
    gateway, disk = on_small_disk()
    a = joined(gateway, 1)
    assert gateway.api.ask("/readyz").status == 200
    disk.fill()
    send_until_refused(a, Fates(a), 9)

    def is_not_ready():
        return gateway.api.ask("/readyz").status == 503
    wait_until(is_not_ready, "/readyz to tell", 30)
    detail = gateway.api.problem(503, "not-ready", "/readyz")["detail"]
    assert "space" in detail or "full" in detail, detail
    assert gateway.api.get("/healthz") == {"status": "ok"}
    disk.make_room()
    wait_until(lambda: gateway.api.ask("/readyz").status == 200, "/readyz to recover", 30)


def test_presence_goes_on_while_the_disk_is_full(on_small_disk):
    """Events may be lost then; that they were is told, and states stay true."""
    gateway, disk = on_small_disk()
    joined(gateway, 1)
    disk.fill()
    for turn in range(50):
        joined(gateway, 100 + turn).close()
    wait_until(lambda: len(gateway.api.ids(state="close")) == 50, "the end of 50", 30)
    disk.make_room()
    newest = gateway.api.events()["newest"]

    def tells_again():
        joined(gateway, 7).close()
        return gateway.api.events()["newest"] > newest + 10
    wait_until(tells_again, "events to be kept again", 30)
    assert gateway.api.wait_device("00000001", state="alive")["connected"]
    gateway.api.all_events()


def test_it_starts_on_a_full_disk(on_small_disk):
    gateway, disk = on_small_disk()
    a = joined(gateway, 1)
    fates = Fates(a)
    a.send(9, b"kept")
    fates.until(1)
    gateway.stop()
    disk.fill()
    gateway.restart()
    receiver = gateway.terminal(9)
    receiver.heartbeat()
    receiver.expect_with_echo(1, b"kept")


@pytest.mark.parametrize("durability", ("offline", "all"))
def test_kill_9_on_a_disk_that_fills_and_empties(on_small_disk, durability, rounds):
    gateway, disk = on_small_disk(durability=durability)
    gateway.kill()
    gateway.listen("terminals", reply_heartbeats=False)
    gateway.start(shards=2, supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"})
    turns = Rounds(f"kill -9 on a full disk, durability {durability}", rounds)
    # Nobody stays away: mail that only grows would fill the disk for good.
    with Load(gateway.address(), away=0) as load:
        for _ in turns:
            load.wait_progress(50)
            disk.fill()
            time.sleep(random.uniform(0, 0.2))
            gateway.kill()
            gateway.restart()
            disk.make_room()
        ledger = load.finish()
    turns.report(ledger.summary())
    assert_kept(ledger)
