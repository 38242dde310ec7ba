"""Lists, single devices, connections, mailboxes, health and figures over HTTP."""

import gzip
import json
import resource
import time

import pytest

import prometheus
import ttms
from api import API, connected, device_path
from gateway import is_sanitized
from terminal import wait_until

DEVICES = f"{API}/devices"


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def relay(gateway, request):
    gateway.listen("clients", protocol="heartbeat")
    return gateway.set(shards=request.param)


def rename_through(gateway, numbers):
    """One terminal that takes on all these names: a device for each."""
    a = gateway.terminal(numbers[0])
    for at in range(0, len(numbers), 1000):
        a.send_raw(b"".join(ttms.heartbeat(n) for n in numbers[at:at + 1000]))
    a.own = numbers[-1]
    a.register()
    return a


# Lists.

def test_filters(relay):
    relay.listen("others").start()
    a, b, c = relay.registered(0x10, 0x11, 0x20)
    d = relay.registered(0x21, listener="others")
    client = relay.client(ip="10.0.0.1").beat()
    relay.api.wait_device(client.identity, state="alive")
    b.leave()
    relay.api.wait_device("00000011", state="close")
    api, terminals = relay.api, ["00000010", "00000011", "00000020", "00000021"]
    assert api.ids() == sorted(terminals + [client.identity])
    assert api.ids(state="close") == ["00000011"]
    assert api.ids(state="alive,close") == api.ids()
    assert api.ids(state="leave") == []
    assert api.ids(protocol="ttms") == terminals
    assert api.ids(protocol="heartbeat") == [client.identity]
    assert api.ids(listener="others") == ["00000021"]
    assert api.ids(connected=False) == ["00000011"]
    assert api.ids(connected=True, protocol="ttms", prefix="0000001") == ["00000010"]
    assert api.ids(prefix="10.0.0.1:") == [client.identity]
    assert api.ids(prefix="0000002") == ["00000020", "00000021"]
    assert api.ids(prefix="x") == []
    assert d.is_open()


def test_pages_hold_each_device_once(relay):
    relay.start()
    count = 1000 if is_sanitized() else 10000
    rename_through(relay, range(1, count + 1))
    wanted = [f"{n:08x}" for n in range(1, count + 1)]
    wait_until(lambda: relay.api.device(wanted[-2])["state"] == "close", "the renames", 60)
    for limit in (count // 7, count, 1000000):
        assert relay.api.ids(limit=limit) == wanted
    assert relay.api.ids(limit=97, prefix="000001") == \
        [own for own in wanted if own.startswith("000001")]
    assert len(relay.api.get(DEVICES)["devices"]) == 100  # if no limit is given
    sizes = [len(page["devices"]) for page in relay.api.pages(limit=count // 4)]
    assert sizes[:4] == [count // 4] * 4 and sum(sizes) == count


def test_pages_are_stable_while_devices_come_and_go(relay):
    """Those that are there all the while come exactly once."""
    relay.start()
    stay = [f"{n:08x}" for n in range(0x100, 0x200)]
    rename_through(relay, range(0x100, 0x200))
    passing, seen = 0x10000, []
    for page in relay.api.pages(limit=20):
        seen += [entry["id"] for entry in page["devices"]]
        rename_through(relay, range(passing, passing + 5)).leave()
        rename_through(relay, range(0x180, 0x190)).leave()  # those who stay move, too
        passing += 5
    assert sorted(own for own in seen if own in set(stay)) == stay
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("query", (
    {"limit": 0}, {"limit": 1000001}, {"limit": -1}, {"limit": "5x"}, {"limit": ""},
    {"state": "asleep"}, {"state": ""}, {"state": "alive,"}, {"connected": "maybe"},
    {"protocol": "smtp"}, {"stat": "alive"}, {"cursor": "!"}, {"cursor": ""},
    {"cursor": "AAAA"}, {"offset": 5}), ids=str)
def test_questions_that_make_no_sense(gateway, query):
    gateway.start()
    problem = gateway.api.problem(400, "bad-request", DEVICES, **query)
    assert list(query)[0] in problem["detail"]


def test_a_parameter_given_twice(gateway):
    gateway.start()
    gateway.api.problem(400, "bad-request", f"{DEVICES}?limit=5&limit=5")
    gateway.api.problem(400, "bad-request", f"{DEVICES}?state=alive&state=close")


def test_a_page_from_before_a_restart(gateway):
    gateway.start()
    rename_through(gateway, range(1, 30))
    cursor = gateway.api.get(DEVICES, limit=5)["next"]
    assert gateway.api.get(DEVICES, limit=5, cursor=cursor)["devices"]
    gateway.stop()
    gateway.restart()
    gateway.api.problem(410, "stale-page", DEVICES, limit=5, cursor=cursor)
    gateway.wait_new_worker(gateway.kill_worker())
    gateway.api.problem(410, "stale-page", DEVICES, limit=5, cursor=cursor)


def test_as_of_is_the_newest_event(relay):
    relay.start()
    relay.registered(1)
    newest = relay.api.wait_history("00000001", *connected())[-1]["cursor"]
    assert relay.api.get(DEVICES)["as_of"] == newest


def test_an_empty_list(gateway):
    gateway.start()
    page = gateway.api.get(DEVICES)
    assert (page["devices"], page["next"]) == ([], None)


# Form.

def test_head_is_get_without_a_body(relay):
    relay.start()
    relay.registered(1)
    for path in (DEVICES, device_path("00000001"), f"{API}/events", f"{API}/connections",
                 f"{API}/openapi.json", "/list/", "/", "/healthz", "/readyz", "/metrics"):
        got, head = relay.api.ask(path), relay.api.ask(path, "HEAD")
        assert (got.status, head.status, head.body) == (200, 200, b""), path
        assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert relay.api.ask(device_path("nobody"), "HEAD").status == 404


def test_gzip_where_it_pays(relay):
    relay.start()
    rename_through(relay, range(1, 101))
    wait_until(lambda: len(relay.api.ids(state="close")) == 99, "the renames")
    plain = relay.api.ask(DEVICES, limit=100)
    packed = relay.api.request("GET", f"{DEVICES}?limit=100", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2
    ids = [entry["id"] for entry in json.loads(gzip.decompress(packed.body))["devices"]]
    assert sorted(ids) == [f"{n:08x}" for n in range(1, 101)]
    small = relay.api.request("GET", "/healthz", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers and small.json() == {"status": "ok"}
    none = relay.api.request("GET", f"{DEVICES}?limit=100", {"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in none.headers


def test_paths_that_are_not_there(gateway):
    gateway.start()
    for path in ("/nothing", f"{API}/device", f"{API}/devices/", f"{API}/devices/a/b",
                 f"{API}/devices//mailbox", "/api/v2/devices", "/list/x"):
        gateway.api.problem(404, "not-found", path)


def test_methods_that_are_not_allowed(gateway):
    gateway.start()
    gateway.registered(1)
    for method, path, allowed in (("POST", DEVICES, "GET"), ("PUT", "/healthz", "GET"),
                                  ("DELETE", device_path("00000001"), "GET"),
                                  ("GET", device_path("00000001", "/connection"),
                                   "DELETE"),
                                  ("POST", device_path("00000001", "/mailbox"), "DELETE")):
        answer = gateway.api.ask(path, method)
        assert answer.status == 405, f"{method} {path}: {answer}"
        assert allowed in answer.headers["Allow"].replace(" ", "").split(",")
        gateway.api.problem(405, "method-not-allowed", path, method)


# One device.

def test_an_unknown_device(relay):
    relay.start()
    for own in ("0000000f", "nobody", "10.0.0.1:5", "x" * 200, "\x01", "\u5fc3", "../.."):
        relay.api.problem(404, "not-found", device_path(own))
        relay.api.problem(404, "not-found", device_path(own, "/mailbox"))
        relay.api.problem(404, "not-found", device_path(own, "/connection"), "DELETE")


def test_an_id_that_needs_encoding(relay):
    relay.start()
    client = relay.client(ip="fe80::1%eth0/64?#&+").beat()
    relay.api.wait_device(client.identity, state="alive")
    relay.api.kick(client.identity)
    client.expect_closed()
    relay.api.wait_device(client.identity, state="close")


def test_two_devices_whose_ids_begin_alike(relay):
    relay.start()
    relay.registered(1, 0x10)
    relay.api.problem(404, "not-found", device_path("0000001"))
    assert relay.api.device("00000010")["id"] == "00000010"


def test_a_protocol_chooses(relay):
    relay.start()
    relay.registered(1)
    assert relay.api.device("00000001", protocol="ttms")["connected"]
    relay.api.problem(404, "not-found", device_path("00000001"), protocol="heartbeat")
    relay.api.problem(400, "bad-request", device_path("00000001"), protocol="smtp")


def test_a_kick(relay):
    relay.start()
    a = relay.registered(1)
    relay.api.kick("00000001")
    a.expect_closed()
    relay.api.wait_device("00000001", connected=False)
    relay.api.problem(404, "not-found", device_path("00000001", "/connection"), "DELETE")


# Mailboxes.

def test_a_mailbox_is_shown_and_emptied(relay):
    relay.start()
    a = relay.registered(1)
    relay.registered(2).leave()
    relay.api.wait_device("00000002", state="close")
    path = device_path("00000002", "/mailbox")
    assert relay.api.get(path) == {"messages": 0, "bytes": 0}
    a.send(2, *(b"%03d" % n for n in range(100)))
    wait_until(lambda: relay.api.get(path)["messages"] == 100, "100 messages")
    assert relay.api.get(path)["bytes"] >= 300
    assert relay.api.device("00000002")["mailbox"] == relay.api.get(path)
    answer = relay.api.ask(path, "DELETE")
    assert (answer.status, answer.json()) == (200, {"removed": 100})
    assert relay.api.get(path) == {"messages": 0, "bytes": 0}
    assert relay.api.ask(path, "DELETE").json() == {"removed": 0}
    a.send(2, b"what comes later")
    b = relay.terminal(2)
    b.heartbeat()
    b.expect(1, b"what comes later")


def test_an_emptied_mailbox_is_empty_after_a_restart(relay):
    relay.start()
    a = relay.registered(1)
    a.send(2, b"away with it")
    path = device_path("00000002", "/mailbox")
    wait_until(lambda: relay.api.find("00000002"), "the entry")
    wait_until(lambda: relay.api.ask(path, "DELETE").json().get("removed") == 1, "it")
    relay.stop()
    relay.restart()
    assert relay.mail_count(2) == 0
    b = relay.registered(2)
    assert not b.unread()


def test_new_mail_and_emptying_at_once(relay):
    """Whatever is removed and whatever is delivered, order holds, and it adds up."""
    relay.start()
    a = relay.registered(1)
    path, removed, count = device_path("00000002", "/mailbox"), 0, 2000
    for at in range(0, count, 100):
        a.send(2, *(b"%05d" % n for n in range(at, at + 100)))
        if relay.api.find("00000002"):
            removed += relay.api.ask(path, "DELETE").json().get("removed", 0)
    a.send(2, b"last")
    b = relay.terminal(2)
    b.heartbeat()
    got = []
    while not got or got[-1] != b"last":
        got.append(b.receive().content)
    assert got == sorted(got) and len(set(got)) == len(got)
    assert len(got) - 1 + removed == count


# For the old server's clients.

@pytest.mark.parametrize("path", ("/list/", "/"))
def test_the_list_of_the_old_server(relay, path):
    relay.start()
    began = time.time()
    a, b, client = relay.registered(1), relay.registered(2), relay.client().beat()
    relay.api.wait_device(client.identity, state="alive")
    b.leave()
    relay.api.wait_device("00000002", state="close")
    answer = relay.api.ask(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].lower() == "text/html; charset=utf-8"
    online = json.loads(answer.body)
    assert sorted(online) == sorted(["00000001", client.identity])
    (host, port), heard = online["00000001"]
    assert (host, port) == a.socket.getsockname()
    assert began - 1 <= heard <= time.time() + 1


def test_the_old_list_is_escaped(relay):
    relay.start()
    client = relay.client(ip="<script>'\"\\&").beat()
    relay.api.wait_device(client.identity)
    body = relay.api.ask("/list/").body
    assert list(json.loads(body)) == [client.identity]
    assert b"<script" not in body


# Connections.

def test_connections_lie_open(relay):
    relay.start()
    a = relay.registered(1)
    b = relay.terminal(listener="terminals")
    b.send_raw(ttms.heartbeat(2)[:9])
    b.wait_until_read()
    both = {c["peer"]: c for c in relay.api.connections()}
    registered = both["%s:%d" % a.socket.getsockname()]
    begun = both["%s:%d" % b.socket.getsockname()]
    assert len(both) == 2
    assert set(registered) >= {
        "session", "shard", "listener", "peer", "device", "state", "registered", "held",
        "read", "wanted", "to_write", "unacknowledged", "age_ms", "idle_ms", "rx_bytes",
        "tx_bytes", "rx_frames", "tx_frames", "length"}
    assert (registered["device"], registered["registered"]) == ("00000001", True)
    assert (registered["listener"], registered["length"]) == ("terminals", "total")
    assert (registered["read"], registered["to_write"]) == (0, 0)
    assert registered["rx_frames"] == 2 and registered["tx_frames"] == 1
    assert (begun["registered"], begun["read"], begun["rx_frames"]) == (False, 9, 0)
    assert {c["shard"] for c in both.values()} <= {0, 1}
    assert registered["age_ms"] >= registered["idle_ms"] >= 0


def test_an_incomplete_frame_says_how_much_is_wanted(relay):
    relay.listen("terminals", length="total").start()
    a, client = relay.registered(1), relay.client()
    a.send_raw(ttms.data(2, bytes(33))[:17])
    client.send_raw(client.form()[:30])
    a.wait_until_read()
    client.wait_until_read()

    def frames():
        return {c["listener"]: (c["read"], c["wanted"]) for c in relay.api.connections()}
    assert frames() == {"terminals": (17, 46), "clients": (30, len(client.form()))}


def test_what_is_not_acknowledged_is_shown(relay):
    relay.set(limits={"output_limit": "64KiB"}).start()
    a = relay.registered(1)
    b = relay.registered(2, receive_buffer=4096)
    a.send(2, *(bytes(1000) for _ in range(500)))
    a.synchronise()
    b.wait_quiet()
    entry = [c for c in relay.api.connections() if c["device"] == "00000002"][0]
    assert entry["unacknowledged"] + entry["to_write"] > 0
    for _ in range(500):
        b.receive()

    def is_done():
        entry = [c for c in relay.api.connections() if c["device"] == "00000002"][0]
        return entry["unacknowledged"] == entry["to_write"] == 0
    wait_until(is_done, "everything to be acknowledged")


def test_connections_by_filter_and_page(relay):
    relay.start()
    relay.registered(*range(1, 41))
    clients = [relay.client().beat() for _ in range(10)]
    wait_until(lambda: len(relay.api.ids(protocol="heartbeat")) == 10, "the clients")
    everyone = relay.api.connections()
    assert len(everyone) == 50 and len({c["session"] for c in everyone}) == 50
    assert sorted(c["device"] for c in relay.api.connections(listener="clients")) == \
        sorted(client.identity for client in clients)
    paged = relay.api.connections(limit=7)
    assert sorted(c["session"] for c in paged) == sorted(c["session"] for c in everyone)
    state = everyone[0]["state"]
    assert relay.api.connections(state=state)
    for query in ({"limit": 0}, {"state": "asleep"}, {"stat": "read"}):
        relay.api.problem(400, "bad-request", f"{API}/connections", **query)


# Health and figures.

def test_health(gateway):
    gateway.start()
    assert gateway.api.get("/healthz") == {"status": "ok"}
    assert gateway.api.ask("/readyz").status == 200


def metrics(gateway):
    answer = gateway.api.ask("/metrics")
    assert answer.status == 200
    kind = answer.headers["Content-Type"].replace(" ", "").lower()
    assert kind.startswith("text/plain;version=0.0.4"), kind
    return prometheus.parse(answer.body.decode())


def test_metrics_are_what_prometheus_reads(relay):
    relay.start()
    before = metrics(relay)
    assert all(name.startswith("holdfast_") or name.startswith("process_")
               for name in before), sorted(before)
    relay.registered(*range(1, 11))
    relay.client().beat()
    wait_until(lambda: len(relay.api.ids()) == 11, "all of them")
    after = metrics(relay)
    limit = resource.prlimit(relay.worker_pid(), resource.RLIMIT_NOFILE)[0]
    assert prometheus.total(after, "process_max_fds") == limit
    assert 11 < prometheus.total(after, "process_open_fds") < limit
    assert {name: set(series) for name, series in after.items()} == \
        {name: set(series) for name, series in before.items()}, "series come with devices"


def test_figures_add_up(relay):
    """accepted = closed + open, on each listener, whatever happened."""
    relay.start()
    terminals = relay.registered(*range(1, 13))
    clients = [relay.client().beat() for _ in range(6)]
    wait_until(lambda: len(relay.api.ids(state="alive")) == 18, "all of them")
    for n, one in enumerate(terminals[:9]):
        (one.leave, one.reset, lambda: one.send_raw(b"nonsense"))[n % 3]()
    clients[0].close()
    clients[1].send_text("nonsense")
    relay.registered(12)
    wait_until(lambda: len(relay.api.connections()) == 7, "seven connections")
    figures = metrics(relay)
    total = prometheus.total
    accepted = total(figures, "holdfast_connections_accepted_total")
    closed = total(figures, "holdfast_connections_closed_total")
    held = total(figures, "holdfast_connections")
    assert (accepted, closed, held) == (19, 12, 7)
    assert total(figures, "holdfast_connections_closed_total", reason="bad_start") == 3
    assert total(figures, "holdfast_connections_closed_total", reason="replaced") == 1
    assert total(figures, "holdfast_devices", state="alive") == 7
    assert total(figures, "holdfast_devices", state="close") == 11
