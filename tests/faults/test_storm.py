"""Everybody comes back in the same second: after a kill, after a restart, and while
the gateway still believes in all the old connections. Nobody stays outside, no mail is
lost, and each old connection gives way to the new one.

--long takes as many sockets as this machine gives to one process."""

import collections
import json
import json
import os
import subprocess
from pathlib import Path

import pytest

import prometheus
import ttms
from crowd import Beating, Crowd, Machine, Relay, Vehicle
from gateway import BINARY, proc_status
from restarts import RESTARTS, kill_all, kill_worker
from terminal import wait_until
from test_receipts import Fates

COMMON = 2000    # sockets of the short round
SPARED = 50      # of the most that a gateway accepts, for others than the crowd
SENDER = 0xffff
PROTOCOLS = ("ttms", "device", "jt808", "heartbeat")


@pytest.fixture
def many(request, many_descriptors):
    """many(gateway): how many connections there shall be at a time."""
    def count(gateway):
        if not request.config.getoption("--long"):
            return COMMON
        return int(gateway.wait_log("worker ready").pairs["max_connections"]) - SPARED
    return count


@pytest.fixture
def stormy(gateway):
    gateway.listen("terminals", reply_heartbeats=True, receipts=True)
    # Silence is not what is tried here: nobody beats twice.
    gateway.listen("devices", protocol="device", presence={"timeout": "1h"})
    gateway.listen("vehicles", protocol="jt808", presence={"timeout": "1h"})
    gateway.listen("clients", protocol="heartbeat",
                   presence={"interval": "1h", "rejoin": "alive"})
    gateway.set(limits={"max_per_address": 1000000}, http={"max_connections": 10},
                registry={"restart_grace": "1s"},
                supervisor={"max_restarts": 1000000, "max_restart_delay": "0s"})
    return gateway


@pytest.fixture
def make_crowd():
    made = []

    def make(gateway, count):
        each = range(count // 4)
        made.append(Crowd([Relay(gateway, 1 + n) for n in each]
                          + [Machine(gateway, f"T{n:07}") for n in each]
                          + [Vehicle(gateway, f"139{n:08}") for n in each]
                          + [Beating(gateway, 10000 + n) for n in each]))
        return made[-1]

    yield make
    for crowd in made:
        crowd.close()


# What the gateway and the kernel count.


def figures(gateway):
    return prometheus.parse(gateway.api.ask("/metrics").body.decode())


def count_online(gateway):
    families = figures(gateway)
    return {protocol: prometheus.total(families, "holdfast_devices", protocol=protocol,
                                       state="alive") for protocol in PROTOCOLS}


def assert_all_online(gateway, crowd):
    wanted = dict.fromkeys(PROTOCOLS, len(crowd.members) // len(PROTOCOLS))
    found = {}

    def are_online():
        found.update(count_online(gateway))
        return found == wanted
    try:
        wait_until(are_online, f"{wanted} to be online", 60)
    except AssertionError as late:
        raise AssertionError(f"{late}; there are {found}") from None


def overflows():
    """Connections that found a listener's queue full, of this whole machine."""
    names, values = [line.split() for line in
                     Path("/proc/net/netstat").read_text().splitlines()
                     if line.startswith("TcpExt:")]
    return int(dict(zip(names, values))["ListenOverflows"])


def wake_ups(gateway):
    pid = gateway.worker_pid()
    return sum(int(proc_status(f"{pid}/task/{thread}")["voluntary_ctxt_switches"])
               for thread in os.listdir(f"/proc/{pid}/task"))


class Report:
    """Printed when the storm is over; pytest -s shows it."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.overflows = overflows()

    def tell(self, name, count, rush):
        print(f"\n{name}: {count} in {rush.seconds:.2f} s, {rush.attempts} attempts, "
              f"{wake_ups(self.gateway) / count:.1f} wake-ups each, "
              f"{overflows() - self.overflows} times a queue was full")


# Mail.


def send_to_each(gateway, members, text):
    sender = gateway.terminal(SENDER)
    sender.heartbeat()
    sender.expect_echo()
    sender.send_raw(b"".join(ttms.data(member.peer.own, text) for member in members))
    fates = Fates(sender).until(len(members))
    assert not fates.refused
    sender.leave()


def relays(crowd):
    return [member for member in crowd.members if isinstance(member, Relay)]


def assert_mail(crowd, members, *texts):
    """Each has just these, in this order, or gets them."""
    def has_come():
        return all(len(member.mail) >= len(texts) for member in members)

    crowd.wait(has_come, "the mail")
    wrong = [member.mail for member in members if member.mail != list(texts)]
    assert not wrong, f"{len(wrong)} have other mail, as {wrong[0]}"


# The storms.


@pytest.mark.limit(600)
@pytest.mark.parametrize("restart", RESTARTS)
def test_all_come_back_at_once(stormy, make_crowd, many, restart):
    stormy.start(shards=2)
    crowd = make_crowd(stormy, many(stormy))
    absent = relays(crowd)[::10]
    crowd.rush(set(crowd.members) - set(absent))
    send_to_each(stormy, absent, b"before")
    report = Report(stormy)
    restart(stormy)
    crowd.wait_lost()
    rush = crowd.rush()
    assert_mail(crowd, absent, b"before")
    assert_all_online(stormy, crowd)
    report.tell(restart.__name__, len(crowd.members), rush)
    for member in absent:
        member.mail.clear()
    send_to_each(stormy, relays(crowd), b"after")
    assert_mail(crowd, relays(crowd), b"after")
    crowd.turn()
    assert crowd.count_in() == len(crowd.members), "some were closed again"


def test_the_rig_notices_who_stays_outside(stormy):
    stormy.start(shards=2, limits={"max_connections": 99})
    crowd = Crowd([Relay(stormy, 1 + n) for n in range(100)])
    with pytest.raises(AssertionError, match="in vain for all to be in"):
        crowd.rush(seconds=1)
    crowd.close()


@pytest.mark.limit(600)
def test_all_take_over_from_their_own_old_connections(stormy, make_crowd, many):
    """As when a network lost its memory: the gateway takes the old ones for alive."""
    stormy.start(shards=2)
    crowd = make_crowd(stormy, many(stormy) // 2)
    crowd.rush()
    assert_all_online(stormy, crowd)
    report = Report(stormy)
    crowd.cut_cables()
    rush = crowd.rush()
    count = len(crowd.members)
    wait_until(lambda: closed(stormy, "replaced") == count, "the old ones to end", 60)
    report.tell("take-over", count, rush)
    assert_all_online(stormy, crowd)
    assert prometheus.total(figures(stormy), "holdfast_relay_takeovers_total") == count
    crowd.drop_left_behind()  # the ends of the old ones change nothing
    send_to_each(stormy, relays(crowd), b"to the new one")
    assert_mail(crowd, relays(crowd), b"to the new one")
    assert_all_online(stormy, crowd)
    assert crowd.count_in() == count


def closed(gateway, reason):
    return prometheus.total(figures(gateway), "holdfast_connections_closed_total",
                            reason=reason)


class Traffic:
    """holdfast-sim: terminals that send to each other, and know of every message."""

    def __init__(self, gateway, count, seconds):
        host, port = gateway.address()
        self.process = subprocess.Popen(
            [BINARY.parent / "holdfast-sim", "terminals", "--address", f"{host}:{port}",
             "--count", str(count), "--pattern", "random", "--rate", str(count),
             "--receipts", "--restart-storm", "--time", str(seconds), "--json"],
            stdout=subprocess.PIPE, text=True)

    def finish(self):
        output, _ = self.process.communicate()
        return json.loads(output)


@pytest.mark.limit(600)
@pytest.mark.parametrize("restart", (kill_worker, kill_all))
def test_nothing_that_was_called_safe_is_lost_in_a_storm(stormy, many, restart):
    """Relay terminals alone, amidst their traffic."""
    stormy.start(shards=2)
    count = many(stormy)
    traffic = Traffic(stormy, count, 3 if count == COMMON else 30)
    for _ in range(2):
        wait_until(lambda: count_online(stormy)["ttms"] == count, "all to be there", 60)
        before = delivered(stormy)
        wait_until(lambda: delivered(stormy) > before, "traffic")
        restart(stormy)
    result = traffic.finish()
    assert traffic.process.returncode == 0, result
    print("\n{}: {count} back in {storm_s:.2f} s, {safe} messages safe, {lost} lost"
          .format(restart.__name__, **result))


def delivered(gateway):
    return prometheus.total(figures(gateway), "holdfast_relay_frames_delivered_total")
