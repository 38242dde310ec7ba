"""The registry: what is remembered of a device, over restarts too, and when it is not."""

import pytest

from api import connected, gone, seconds_of
from restarts import RESTARTS
from terminal import wait_until


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def relay(gateway, request):
    gateway.listen("clients", protocol="heartbeat")
    return gateway.set(shards=request.param)


def test_an_entry_says_everything(relay):
    relay.start()
    a = relay.registered(0xAB)
    entry = relay.api.wait_device("000000ab", state="alive")
    assert set(entry) >= {"id", "protocol", "listener", "state", "since", "last_seen",
                          "address", "connected", "epoch", "sequence", "mailbox",
                          "counters"}
    assert (entry["id"], entry["protocol"], entry["listener"]) == \
        ("000000ab", "ttms", "terminals")
    host, port = a.socket.getsockname()
    assert entry["address"] == f"{host}:{port}"
    assert (entry["connected"], entry["epoch"], entry["sequence"]) == (True, 1, 2)
    assert entry["mailbox"] == {"messages": 0, "bytes": 0}
    assert entry["since"] == relay.api.events_of("000000ab")[-1]["time"]
    assert seconds_of(entry["last_seen"]) >= seconds_of(entry["since"]) - 0.01


def test_the_length_that_was_chosen_is_shown(relay):
    relay.start()
    for own, reading in enumerate(("total", "rest", "content1", "content2"), 1):
        relay.registered(own, reading=reading)
        assert relay.api.wait_device(f"{own:08x}", connected=True)["length"] == reading


def test_last_seen_goes_on_with_each_message(relay):
    relay.start()
    a, client = relay.registered(1), relay.client().beat()
    relay.api.wait_device(client.identity)
    for own, speak in (("00000001", lambda: a.send(9, b"data")),
                       ("00000001", a.heartbeat), (client.identity, client.beat)):
        before = seconds_of(relay.api.device(own)["last_seen"])

        def was_seen():
            speak()
            return seconds_of(relay.api.device(own)["last_seen"]) > before
        wait_until(was_seen, "a later last_seen")


def test_the_address_is_that_of_the_last_connection(relay):
    relay.start()
    a = relay.registered(1, source="127.0.0.2")
    first = relay.api.wait_device("00000001", connected=True)["address"]
    assert first == "%s:%d" % a.socket.getsockname()
    a.leave()
    assert relay.api.wait_device("00000001", state="close")["address"] == first
    a = relay.registered(1, source="127.0.0.3")
    relay.api.wait_device("00000001", address="%s:%d" % a.socket.getsockname())


def test_the_listener_is_where_it_was_seen_last(relay):
    relay.listen("others").start()
    relay.registered(1).leave()
    relay.api.wait_device("00000001", state="close", listener="terminals")
    relay.registered(1, listener="others")
    relay.api.wait_device("00000001", state="alive", listener="others")


def test_messages_are_counted(relay):
    relay.start()
    a, b = relay.registered(1, 2)  # by a heartbeat, and a message to themselves
    a.send(2, *(b"%d" % n for n in range(50)))
    a.heartbeat()
    b.expect(1, *(b"%d" % n for n in range(50)))

    def counts(own, messages_in, messages_out):
        counters = {"connections": 1, "messages_in": messages_in,
                    "messages_out": messages_out}
        return lambda: relay.api.device(own)["counters"] == counters
    wait_until(counts("00000001", 53, 1), "53 messages in", 30)
    wait_until(counts("00000002", 2, 51), "51 messages out", 30)
    b.leave()
    b = relay.registered(2)
    relay.api.wait_device("00000002", epoch=2)
    counters = relay.api.device("00000002")["counters"]
    assert counters["connections"] == 2
    assert counters["messages_out"] >= 51


# Over restarts.

@pytest.mark.parametrize("restart", RESTARTS)
def test_a_device_is_remembered_over_a_restart(relay, restart):
    relay.start()
    a, b = relay.registered(1, 2)
    client = relay.client().beat()
    relay.api.wait_device(client.identity, state="alive")
    a.leave()
    relay.api.wait_history("00000001", *gone("peer_closed"))
    before = {entry["id"]: entry for entry in relay.api.devices()}
    restart(relay)
    after = {entry["id"]: entry for entry in relay.api.devices()}
    assert sorted(after) == sorted(before)
    for own, entry in after.items():
        for key in ("protocol", "listener", "state", "since", "address", "epoch",
                    "sequence"):
            assert entry[key] == before[own][key], f"{key} of {own}"
        assert entry["connected"] is False and entry["last_seen"]
    assert after["00000001"] == before["00000001"]
    relay.registered(1)
    events = relay.api.wait_history("00000001", *gone("peer_closed"), *connected())
    assert [event["epoch"] for event in events] == [1, 1, 1, 1, 2, 2]


def test_what_was_seen_last_survives_an_orderly_restart(relay):
    relay.start()
    a, b = relay.registered(1, 2)
    relay.api.wait_device("00000002", connected=True)
    since = relay.api.device("00000001")["since"]

    def was_seen_later():
        a.send(2, b"life")
        return relay.api.device("00000001")["last_seen"] > since
    wait_until(was_seen_later, "a last_seen behind since")
    a.synchronise()
    before = relay.api.device("00000001")
    relay.stop()
    relay.restart()
    after = relay.api.device("00000001")
    assert after["last_seen"] >= before["last_seen"]
    assert after["counters"]["messages_in"] >= before["counters"]["messages_in"]


def test_nothing_changes_over_many_restarts(gateway):
    gateway.listen("clients", protocol="heartbeat").start()
    for terminal in gateway.registered(*range(1, 31)):
        terminal.leave()
    wait_until(lambda: len(gateway.api.ids(state="close")) == 30, "the end of all")
    before = sorted(gateway.api.devices(), key=lambda entry: entry["id"])
    for entry in before:
        gateway.api.wait_history(entry["id"], *connected(), *gone("peer_closed"))
    events = gateway.api.all_events()
    for n in range(6):
        RESTARTS[n % 3](gateway)
        now = sorted(gateway.api.devices(), key=lambda entry: entry["id"])
        assert len(now) == len(before)
        for after, entry in zip(now, before):
            assert after == entry
    assert gateway.api.all_events() == events


def test_a_removed_listener_does_not_take_its_devices_along(gateway):
    gateway.listen("others").start()
    gateway.registered(1, listener="others").leave()
    gateway.api.wait_device("00000001", state="close", listener="others")
    gateway.stop()
    del gateway.settings["listen"]["others"]
    gateway.start()
    assert gateway.api.device("00000001")["state"] == "close"
    gateway.registered(1)
    gateway.api.wait_device("00000001", state="alive", listener="terminals")


# Forgetting, and the bound.

def test_who_is_away_for_long_is_forgotten(relay):
    relay.start(registry={"forget_after": "1s"})
    a, b = relay.registered(1, 2)
    client = relay.client().beat()
    relay.api.wait_device(client.identity, connected=True)
    a.leave()
    client.close()
    relay.api.wait_gone("00000001")
    relay.api.wait_gone(client.identity)
    assert relay.api.device("00000002")["state"] == "alive"
    relay.stop()
    relay.restart()
    assert relay.api.ids() == ["00000002"]


def test_who_was_forgotten_is_new_when_it_returns(relay):
    relay.start(registry={"forget_after": "1s"})
    relay.registered(1).leave()
    relay.api.wait_gone("00000001")
    relay.registered(1)
    entry = relay.api.wait_device("00000001", state="alive")
    assert entry["counters"]["connections"] == 1


def test_no_more_devices_than_max_devices(gateway):
    gateway.start(shards=1, registry={"max_devices": 5})
    known = gateway.registered(1, 2, 3, 4, 5)
    late = gateway.terminal(6)
    late.heartbeat()
    late.expect_closed()
    gateway.wait_log("closed", reason="limit")
    assert gateway.api.ids() == [f"{n:08x}" for n in range(1, 6)]
    known[0].send(2, b"those who are known go on")
    known[1].expect(1, b"those who are known go on")
    known[4].leave()
    gateway.registered(5)  # nor is a known one who returns one more


# Devices that nobody has seen.

def test_mail_for_an_unknown_device_makes_an_entry(relay):
    relay.start()
    a = relay.registered(1)
    a.send(9, b"12345", b"678")
    a.synchronise()
    entry = relay.api.wait_device("00000009", state="close", connected=False)
    assert (entry["protocol"], entry["epoch"], entry["last_seen"]) == ("ttms", 0, None)
    wait_until(lambda: relay.api.device("00000009")["mailbox"]["messages"] == 2,
               "two messages")
    assert relay.api.device("00000009")["mailbox"]["bytes"] >= 8
    assert not relay.api.all_events(device="00000009")
    relay.stop()
    relay.restart()
    assert relay.api.device("00000009")["mailbox"]["messages"] == 2


def test_such_an_entry_goes_with_its_mail(relay):
    relay.start()
    a = relay.registered(1)
    a.send(9, b"for nobody")
    relay.api.wait_device("00000009", state="close")
    wait_until(lambda: relay.api.get("/api/v1/devices/00000009/mailbox")["messages"] == 1,
               "the message")
    answer = relay.api.ask("/api/v1/devices/00000009/mailbox", "DELETE")
    assert answer.status == 200 and answer.json() == {"removed": 1}
    relay.api.wait_gone("00000009")


def test_a_known_device_stays_when_its_mail_goes(relay):
    relay.start()
    a, b = relay.registered(1, 9)
    b.leave()
    relay.api.wait_device("00000009", state="close")
    a.send(9, b"not wanted")
    wait_until(lambda: relay.api.device("00000009")["mailbox"]["messages"] == 1, "mail")
    relay.api.ask("/api/v1/devices/00000009/mailbox", "DELETE")
    wait_until(lambda: relay.api.device("00000009")["mailbox"]["messages"] == 0, "none")
    b = relay.registered(9)
    assert not b.unread()
    assert relay.api.wait_device("00000009", state="alive")["epoch"] == 2


def test_it_becomes_a_device_when_it_comes(relay):
    relay.start()
    a = relay.registered(1)
    a.send(9, b"waits")
    relay.api.wait_device("00000009", state="close")
    b = relay.terminal(9)
    b.heartbeat()
    b.expect(1, b"waits")
    relay.api.wait_history("00000009", *connected())
    entry = relay.api.wait_device("00000009", state="alive", epoch=1)
    wait_until(lambda: relay.api.device("00000009")["mailbox"]["messages"] == 0,
               "its mailbox to be empty")
    assert entry["counters"]["connections"] == 1
