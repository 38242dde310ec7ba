"""A link that dies without a word, in network namespaces of our own.

The terminal's side is simply gone: no FIN, no RST. Delivered is what its TCP had
acknowledged; the rest waits for its next connection."""

import contextlib
import ctypes
import os
import re
import subprocess
import struct

import pytest

from disks import run_or_skip
from terminal import wait_until
from test_receipts import Fates
from ttms import DATA

CLONE_NEWNET = 0x40000000
GATEWAY, REMOTE = "10.77.0.1", "10.77.0.2"


class Link:
    """Two namespaces, joined by one cable that can be pulled."""

    def __init__(self):
        self.near, self.far = f"hf-near-{os.getpid()}", f"hf-far-{os.getpid()}"
        for name in (self.near, self.far):
            run_or_skip("ip", "netns", "add", name)
        run_or_skip("ip", "-n", self.near, "link", "add", "cable", "type", "veth", "peer",
                    "name", "cable", "netns", self.far)
        for name, address in ((self.near, GATEWAY), (self.far, REMOTE)):
            run_or_skip("ip", "-n", name, "link", "set", "lo", "up")
            run_or_skip("ip", "-n", name, "address", "add", f"{address}/24", "dev", "cable")
            run_or_skip("ip", "-n", name, "link", "set", "cable", "up")

    def pull(self):
        run_or_skip("ip", "-n", self.far, "link", "set", "cable", "down")

    def plug_in(self):
        run_or_skip("ip", "-n", self.far, "link", "set", "cable", "up")

    def lose(self, percent):
        """Of the packets in each direction, so many never arrive."""
        for name in (self.near, self.far):
            run_or_skip("ip", "netns", "exec", name, "nft", "add table ip lossy; "
                        "add chain ip lossy in { type filter hook input priority 0; }; "
                        f"add rule ip lossy in numgen random mod 100 < {percent} "
                        "counter drop")

    def lost(self):
        """How many packets lose() took from the terminal's side."""
        listed = subprocess.run(["ip", "netns", "exec", self.far, "nft", "list", "ruleset"],
                                capture_output=True, text=True).stdout
        return int(re.search(r"packets (\d+)", listed)[1])

    def block(self, source):
        """What comes from there is dropped: the cable carries one direction."""
        name = self.far if source == GATEWAY else self.near
        run_or_skip("ip", "netns", "exec", name, "nft", "add table ip oneway; "
                    "add chain ip oneway in { type filter hook input priority 0; }; "
                    f"add rule ip oneway in ip saddr {source} drop")

    def unblock(self, source):
        name = self.far if source == GATEWAY else self.near
        run_or_skip("ip", "netns", "exec", name, "nft", "delete table ip oneway")

    def narrow(self, bytes_at_once):
        for name in (self.near, self.far):
            run_or_skip("ip", "-n", name, "link", "set", "cable", "mtu", bytes_at_once)

    @contextlib.contextmanager
    def inside(self, name):
        """Sockets made in this block belong to that namespace for good."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET):
                pytest.skip(f"setns: {os.strerror(ctypes.get_errno())}")
            yield
        finally:
            libc.setns(home, CLONE_NEWNET)
            os.close(home)
            os.close(there)

    def close(self):
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.fixture
def link():
    link = Link()
    yield link
    link.close()


@pytest.fixture
def gateway(make_gateway, link):
    gateway = make_gateway(prefix=["ip", "netns", "exec", link.near], host=GATEWAY)
    return gateway.listen("terminals", reply_heartbeats=True, receipts=True)


def joined(gateway, link, where, own, **options):
    with link.inside(where):
        terminal = gateway.terminal(own, **options)
    terminal.heartbeat()
    terminal.expect_echo()
    return terminal


def messages(count):
    return [struct.pack(">I", n) + bytes(1000) for n in range(count)]


def test_what_was_sent_into_a_dead_link_goes_to_the_next_connection(gateway, link):
    gateway.start(shards=2)
    a = joined(gateway, link, link.near, 1)
    lost = joined(gateway, link, link.far, 2)
    payloads = messages(60)
    a.send(2, *payloads[:10])
    lost.expect(1, *payloads[:10])
    fates = Fates(a).until(10)
    link.pull()
    a.send(2, *payloads[10:])
    # A quarter of a second without an acknowledgement: nobody may call these safe.
    assert not a.is_readable(0.25)
    again = joined_with_mail(gateway, link, 2, payloads[10:])
    fates.until(60)
    assert again.is_open()


def joined_with_mail(gateway, link, own, payloads):
    with link.inside(link.near):
        terminal = gateway.terminal(own)
    terminal.heartbeat()
    terminal.expect_with_echo(1, *payloads)
    return terminal


def test_a_link_that_flaps_loses_and_repeats_nothing(gateway, link):
    gateway.start()
    a = joined(gateway, link, link.near, 1)
    b = joined(gateway, link, link.far, 2)
    payloads = messages(90)
    for start in range(0, 90, 30):
        link.pull()
        a.send(2, *payloads[start:start + 30])
        assert b.is_open()
        link.plug_in()
        b.expect(1, *payloads[start:start + 30])
    Fates(a).until(90)


def test_a_reader_behind_a_dead_link_disturbs_nobody(gateway, link):
    gateway.start(shards=1)
    a, c, d = (joined(gateway, link, link.near, n) for n in (1, 3, 4))
    joined(gateway, link, link.far, 2)
    link.pull()
    for n in range(200):
        a.send(2, *messages(20))
        c.send(4, b"%d" % n)
        d.expect(3, b"%d" % n)


def test_kill_9_while_a_link_is_dead_keeps_what_was_receipted(gateway, link):
    gateway.listen("terminals", durability="all").start(shards=2)
    a = joined(gateway, link, link.near, 1)
    joined(gateway, link, link.far, 2)
    link.pull()
    payloads = messages(50)
    a.send(2, *payloads)
    Fates(a).until(50)
    gateway.wait_new_worker(gateway.kill_worker())
    joined_with_mail(gateway, link, 2, payloads)


def test_an_old_connection_that_comes_back_changes_nothing(gateway, link):
    """A terminal returns by another way while its old connection still looks alive. What
    the old one sends late, and its end, are not the terminal's any more."""
    gateway.start(shards=2)
    a = joined(gateway, link, link.near, 1)
    old = joined(gateway, link, link.far, 2)
    link.pull()
    old.send(1, b"sent into the dead link")
    with link.inside(link.near):
        new = gateway.terminal(2)
    new.heartbeat()
    new.expect_echo()
    link.plug_in()
    old.wait_end()
    a.send(2, b"for the new one")
    new.expect(1, b"for the new one")
    Fates(a).until(1)  # and nothing of the old one came before
    assert len(gateway.log_lines("closed", reason="replaced")) == 1
    assert new.is_open()


def test_who_is_behind_a_dead_link_is_told_as_silent(gateway, link):
    """Long before TCP would notice: nothing of it is in flight."""
    gateway.listen("clients", protocol="heartbeat", presence={
        "interval": "300ms", "threshold": 1, "strikes": 2, "leave_hold": "500ms"})
    gateway.start()
    with link.inside(link.far):
        client = gateway.client()
    client.beat_until(lambda: gateway.log_has("enters", state="alive"), "it to be alive")
    link.pull()
    gateway.wait_log("closed", reason="silent")


def test_half_of_a_link(gateway, link):
    """What the terminal sends arrives; what it is sent, and that it was heard, does not."""
    gateway.start()
    a = joined(gateway, link, link.near, 1)
    b = joined(gateway, link, link.far, 2)
    link.block(GATEWAY)
    payloads = messages(10)
    a.send(2, *payloads)
    b.send(1, b"can you hear me?")
    a.expect(2, b"can you hear me?")
    assert not a.is_readable(0.25)  # nobody may call the ten safe
    link.unblock(GATEWAY)
    got = [b.receive() for _ in range(11)]
    assert [f.content for f in got if f.command == DATA] == payloads
    Fates(a).until(10)


@pytest.mark.limit(120)
def test_a_link_that_loses_every_fifth_packet(gateway, link):
    gateway.start()
    a = joined(gateway, link, link.near, 1)
    b = joined(gateway, link, link.far, 2)
    link.lose(20)
    sent = 0
    while link.lost() < 8:
        payloads = messages(sent + 3)[sent:]
        sent += 3
        a.send(2, *payloads)
        b.expect(1, *payloads)
    Fates(a).until(sent)


def test_a_narrow_link(gateway, link):
    link.narrow("576")
    gateway.start()
    a = joined(gateway, link, link.near, 1)
    b = joined(gateway, link, link.far, 2)
    payloads = messages(100)
    a.send(2, *payloads)
    b.expect(1, *payloads)
    Fates(a).until(100)


@pytest.mark.long
@pytest.mark.limit(300)
def test_a_silent_dead_link_is_noticed(gateway, link):
    """Without anything new to send: TCP keep-alive, 60 s and three probes of 10 s."""
    gateway.start()
    joined(gateway, link, link.far, 2)
    link.pull()
    gateway.wait_log("closed", seconds=150)


@pytest.mark.long
@pytest.mark.limit(300)
def test_a_dead_link_with_data_in_flight_is_noticed(gateway, link):
    gateway.start()
    a = joined(gateway, link, link.near, 1)
    joined(gateway, link, link.far, 2)
    link.pull()
    a.send(2, b"into the void")
    gateway.wait_log("closed", seconds=200)
    wait_until(lambda: gateway.mail_count(2) == 1, "the message to be mail again")
