"""Mail for terminals that are away: order, and what survives which end."""

import signal
import struct

import pytest

from terminal import wait_until
from test_receipts import Fates, joined


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def relay(gateway, request):
    return gateway.set(shards=request.param)


def test_mail_comes_at_the_next_heartbeat_in_order(relay):
    relay.start()
    a = relay.registered(1)
    payloads = [b"%d" % n for n in range(300)]
    a.send(2, *payloads)
    a.synchronise()
    b = relay.terminal(2)
    assert b.is_open() and not b.unread()  # connected is not registered
    b.heartbeat()
    b.expect(1, *payloads)


def test_delivered_mail_does_not_come_again(relay):
    relay.listen("terminals", reply_heartbeats=True).start()
    a = relay.terminal(1)
    a.heartbeat()
    a.send(2, b"once")
    b = relay.terminal(2)
    b.heartbeat()
    b.expect_with_echo(1, b"once")
    b.expect_nothing()
    b.leave()
    relay.wait_log("closed", reason="peer_closed")
    b = relay.terminal(2)
    b.expect_nothing()


def test_new_messages_stand_behind_the_mail(relay):
    relay.start()
    a = relay.registered(1)
    a.send(2, *(b"%d" % n for n in range(2000)))
    b = relay.terminal(2)
    b.heartbeat()
    a.send(2, *(b"%d" % n for n in range(2000, 4000)))
    b.expect(1, *(b"%d" % n for n in range(4000)))


def test_mail_of_several_senders_keeps_each_ones_order(relay):
    relay.start()
    senders = relay.registered(*range(1, 6))
    for n in range(100):
        for sender in senders:
            sender.send(9, b"%d" % n)
    for sender in senders:
        sender.synchronise()
    b = relay.terminal(9)
    b.heartbeat()
    got = {n: [] for n in range(1, 6)}
    for _ in range(500):
        frame = b.receive()
        got[frame.address].append(frame.content)
    assert all(mail == [b"%d" % n for n in range(100)] for mail in got.values())


def test_a_message_to_oneself_before_others_is_kept_too(relay):
    relay.start()
    a = relay.registered(1)
    a.register(2)
    a.send(1, b"to whom I was")
    a.synchronise()
    a.heartbeat(1)
    a.expect(2, b"to whom I was")


@pytest.mark.parametrize("durability", ("offline", "all"))
def test_mail_survives_a_restart(relay, durability):
    relay.listen("terminals", durability=durability).start()
    a = relay.registered(1)
    payloads = [b"%d" % n for n in range(100)]
    a.send(2, *payloads)
    a.synchronise()
    relay.stop()
    relay.restart()
    b = relay.terminal(2)
    b.heartbeat()
    b.expect(1, *payloads)


@pytest.mark.parametrize("durability", ("offline", "all"))
@pytest.mark.parametrize("victim", ("worker", "everything"))
def test_what_was_receipted_survives_kill_9(relay, durability, victim):
    relay.listen("terminals", durability=durability, receipts=True,
                 reply_heartbeats=True).start()
    a = joined(relay, 1)
    payloads = [b"%d" % n for n in range(100)]
    a.send(2, *payloads)
    assert Fates(a).until(100).refused == []
    if victim == "worker":
        relay.wait_new_worker(relay.kill_worker())
    else:
        relay.kill()
        relay.restart()
    b = relay.terminal(2)
    b.heartbeat()
    b.expect_with_echo(1, *payloads)


def test_with_durability_all_an_online_readers_mail_survives_kill_9(relay):
    """The reader is connected and does not read: what was receipted is on the disk."""
    relay.listen("terminals", durability="all", receipts=True, reply_heartbeats=True)
    relay.start()
    a, b = joined(relay, 1), joined(relay, 2, receive_buffer=4096)
    payloads = [struct.pack(">I", n) + bytes(2000) for n in range(200)]
    a.send(2, *payloads)
    assert Fates(a).until(200).refused == []
    relay.kill()
    taken = [frame.content for frame in b.leave_after_end()]
    assert taken == payloads[:len(taken)]
    relay.restart()
    b = relay.terminal(2)
    b.heartbeat()
    got = []
    while not got or got[-1] != payloads[-1]:
        frame = b.receive()
        if frame.address == 1:
            got.append(frame.content)
    begin = payloads.index(got[0])
    assert begin <= len(taken) and got == payloads[begin:]


def test_what_a_drain_could_not_deliver_is_delivered_after_it(relay):
    """SIGTERM while a reader is slow: what its TCP has not acknowledged becomes mail."""
    relay.set(supervisor={"drain_timeout": "1s"}).start()
    a, b = relay.registered(1), relay.registered(2, receive_buffer=4096)
    payloads = [struct.pack(">I", n) + bytes(2000) for n in range(500)]
    a.send(2, *payloads)
    a.synchronise()
    relay.stop()
    taken = [frame.content for frame in b.leave_after_end()]
    assert taken == payloads[:len(taken)] and len(taken) < 500
    relay.restart()
    b = relay.terminal(2)
    b.heartbeat()
    first = b.receive().content
    begin = payloads.index(first)
    assert begin <= len(taken), f"lost: {len(taken)} to {begin}"
    b.expect(1, *payloads[begin + 1:])


def test_mail_expires(gateway):
    gateway.listen("terminals", reply_heartbeats=True)
    gateway.start(mailbox={"max_age": "1s"})
    a = joined(gateway, 1)
    a.send(2, b"too old soon")
    gateway.wait_mail(2, 1)
    gateway.wait_mail(2, 0)
    b = joined(gateway, 2)
    b.expect_nothing()


def test_what_is_young_enough_outlives_what_expires(gateway):
    gateway.start(mailbox={"max_age": "2s"})
    a = gateway.registered(1)
    a.send(2, b"old")
    gateway.wait_mail(2, 1)
    gateway.wait_mail(2, 0)
    a.send(2, b"young")
    b = gateway.terminal(2)
    b.heartbeat()
    b.expect(1, b"young")


def test_a_limit_refuses_the_new_and_keeps_the_old(relay):
    relay.start(mailbox={"max_messages": 3})
    a = relay.registered(1)
    a.send(2, *(b"%d" % n for n in range(10)))
    relay.wait_log("refused", count=7)  # the target may live on another shard
    b = relay.terminal(2)
    b.heartbeat()
    b.expect(1, b"0", b"1", b"2")
    a.send(2, b"room again")
    b.expect(1, b"room again")


def test_a_byte_limit_refuses_too(gateway):
    gateway.listen("terminals", receipts=True, reply_heartbeats=True)
    gateway.start(mailbox={"max_bytes": "64KiB"})
    a = joined(gateway, 1)
    a.send(2, *(bytes(30000) for _ in range(4)))
    assert Fates(a).until(4).refused == [3, 4]


def test_the_total_limit_refuses_for_everybody(gateway):
    gateway.listen("terminals", receipts=True, reply_heartbeats=True)
    gateway.start(mailbox={"total_bytes": "1MiB"})
    a = joined(gateway, 1)
    for target in range(100, 140):
        a.send(target, bytes(60000))
    accepted = 40 - len(Fates(a).until(40).refused)
    # 17 fit; each shard may be one message ahead of what the others know.
    assert 14 <= accepted <= 19, f"{accepted} messages of 60 kB fitted in 1 MiB"


def test_a_refusal_is_logged(gateway):
    gateway.start(mailbox={"max_messages": 1})
    a = gateway.registered(1)
    a.send(2, b"kept", b"refused")
    a.synchronise()
    wait_until(lambda: [line for line in gateway.log_lines()
                        if "refused" in line.text and "00000002" in line.text],
               "a line about the refusal")


def test_only_one_gateway_uses_a_data_directory(make_gateway):
    first = make_gateway("first").start()
    second = make_gateway("second")
    second.set(data_dir=str(first.data_dir))
    second.write_config()
    second.spawn()
    assert second.wait_exit() != 0
    assert str(first.data_dir) in second.log(), second.log()
    a, b = first.registered(1, 2)
    a.send(2, b"undisturbed")
    b.expect(1, b"undisturbed")


def test_a_killed_supervisor_leaves_no_lock_behind(gateway):
    gateway.start()
    gateway.kill()
    gateway.restart()
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait_exit() == 0
