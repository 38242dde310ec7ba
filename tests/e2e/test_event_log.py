"""The numbered log of changes: order, resuming, restarts, long poll and stream."""

import json
import re
import select
import socket
import time
import zlib

import pytest

import ttms
from api import API, Stream, check_events, connected, gone, move_of, target
from gateway import is_sanitized
from heartbeat import some_loopback
from restarts import RESTARTS
from terminal import DEADLINE, wait_until


@pytest.fixture(params=(1, pytest.param(2, marks=pytest.mark.threads)),
                ids=("one_shard", "two_shards"))
def relay(gateway, request):
    return gateway.set(shards=request.param)


BATCH = 400  # well below what any of the tests keeps


def make_events(gateway, count, first=0x1000):
    """So many events at least, by terminals that keep taking on new names: each name
    comes with two events, and ends with two. Gives them as the log has them."""
    made, after = [], gateway.api.events()["newest"]
    while len(made) < count:
        names = -(-min(BATCH, count - len(made)) // 4)
        a = gateway.terminal(first)
        a.send_raw(b"".join(ttms.heartbeat(first + n) for n in range(names)))
        a.leave()
        first += names
        goal = len(made) + 4 * names
        while len(made) < goal:
            answer = gateway.api.events(after=after, limit=10000, wait="5s")
            made += answer["events"]
            after = answer["cursor"]
    return made


# Order.

@pytest.mark.threads
def test_events_of_many_are_in_order(gateway):
    gateway.start(shards=2)
    for turn in range(3):
        terminals = gateway.registered(*range(1, 21))
        for terminal in terminals:
            terminal.leave()  # which waits for the end
    for n in range(1, 21):
        gateway.api.wait_history(f"{n:08x}", *connected(), *gone("peer_closed"))
    events = gateway.api.all_events()  # which wants them in order
    assert len(events) == 20 * (4 + 4 + 4)


def test_an_event_says_everything(relay):
    relay.start()
    relay.registered(0xAB)
    event = relay.api.wait_history("000000ab", *connected())[0]
    assert (event["type"], event["device"], event["protocol"], event["listener"]) == \
        ("presence", "000000ab", "ttms", "terminals")
    assert set(event) == {"cursor", "type", "time", "device", "protocol", "listener",
                          "epoch", "sequence", "from", "to", "reason"}


def test_pages_of_events_make_up_the_whole(relay):
    relay.start()
    make_events(relay, 120)
    whole = relay.api.all_events(limit=10000)
    assert len(whole) >= 120
    for limit in (1, 7, 100):
        assert relay.api.all_events(limit=limit) == whole
    assert relay.api.all_events(after=whole[49]["cursor"]) == whole[50:]
    answer = relay.api.events()
    assert answer["cursor"] == answer["newest"] == whole[-1]["cursor"]
    assert answer["oldest"] == whole[0]["cursor"]


def test_the_events_of_one_device(relay):
    relay.start()
    make_events(relay, 120)
    own = "00001005"
    only = relay.api.all_events(device=own)
    assert only == [e for e in relay.api.all_events() if e["device"] == own]
    answer = relay.api.get(f"{API}/devices/{own}/events")
    assert answer["events"] == only
    assert relay.api.all_events(device=own, protocol="ttms") == only


def test_an_empty_log(relay):
    relay.start()
    answer = relay.api.events()
    assert answer["events"] == []
    assert relay.api.events(after=answer["cursor"])["events"] == []
    relay.registered(1)
    wait_until(lambda: len(relay.api.events(after=answer["cursor"])["events"]) == 2,
               "the first two")


def test_nothing_new_gives_the_same_cursor_again(relay):
    relay.start()
    relay.registered(1)
    newest = relay.api.wait_history("00000001", *connected())[-1]["cursor"]
    answer = relay.api.events(after=newest)
    assert (answer["events"], answer["cursor"]) == ([], newest)


def test_a_list_and_what_follows_it(relay):
    """as_of: nothing is missed between a page of devices and the events behind it."""
    relay.start()
    for turn in range(20):
        terminal = relay.terminal(1)
        terminal.heartbeat()
        page = next(relay.api.pages())
        states = {entry["id"]: entry["state"] for entry in page["devices"]}
        events = relay.api.wait_history("00000001", *connected())
        later = [e for e in events if e["cursor"] > page["as_of"]]
        state = states.get("00000001", "close")
        for event in later:  # may tell again what the page has, never leave a gap
            if event["from"] == state:
                state = event["to"]
        assert state == "alive", f"{states} as of {page['as_of']}, then {later}"
        terminal.leave()
        relay.api.wait_history("00000001", *gone("peer_closed"))


# Cursors that cannot be served.

def test_a_cursor_that_was_never_given(relay):
    relay.start()
    relay.registered(1)
    newest = relay.api.wait_history("00000001", *connected())[-1]["cursor"]
    problem = relay.api.problem(410, "cursor-gone", f"{API}/events", after=newest + 1000)
    assert problem["newest"] == newest and problem["oldest"] <= newest


@pytest.fixture
def short(relay):
    """Only the newest are kept."""
    return relay.set(events={"keep": KEPT})


KEPT = 1000


def test_a_cursor_behind_which_events_are_gone(short):
    short.start()
    short.registered(1)
    early = short.api.wait_history("00000001", *connected())[0]["cursor"]
    make_events(short, 3 * KEPT)
    answer = short.api.events(limit=10000)
    assert early < answer["oldest"]
    assert KEPT <= len(answer["events"]) < 3 * KEPT
    problem = short.api.problem(410, "cursor-gone", f"{API}/events", after=early)
    assert (problem["oldest"], problem["newest"]) == (answer["oldest"], answer["newest"])
    check_events(short.api.events(after=answer["oldest"], limit=10000)["events"])


def test_a_reader_who_pages_while_the_log_runs_on(short):
    """It gets everything in order, or is told once that it was too slow."""
    short.start()
    newest, cursor = {}, short.api.events()["cursor"]
    for round in range(8):
        make_events(short, 400, first=0x1000 * (round + 1))
        answer = short.api.events(after=cursor, limit=300)
        check_events(answer["events"], newest)
        cursor = answer["cursor"]
        while answer["events"]:
            answer = short.api.events(after=cursor, limit=300)
            check_events(answer["events"], newest)
            cursor = answer["cursor"]
    assert len(newest) >= 800


@pytest.mark.parametrize("query", (
    {"after": "x"}, {"after": -1}, {"after": ""}, {"after": "1" * 30}, {"limit": 0},
    {"limit": 10001}, {"limit": "ten"}, {"wait": "61s"}, {"wait": "5"}, {"wait": "-1s"},
    {"since": 5}), ids=str)
def test_questions_that_make_no_sense(gateway, query):
    gateway.start()
    problem = gateway.api.problem(400, "bad-request", f"{API}/events", **query)
    assert list(query)[0] in problem["detail"]


# Long poll.

class Asked:
    """A request whose answer is not waited for yet."""

    def __init__(self, api, **query):
        self.socket = socket.create_connection(api.address, DEADLINE)
        self.socket.sendall(f"GET {target(API + '/events', query)} HTTP/1.1\r\n"
                            f"Host: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())

    def is_answered(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def answer(self, seconds=30):
        self.socket.settimeout(seconds)
        data = b""
        while more := self.socket.recv(1 << 16):
            data += more
        self.socket.close()
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.split()[1] == b"200", data
        return json.loads(body[body.index(b"{"):body.rindex(b"}") + 1])


def test_a_long_poll_wakes_for_an_event(relay):
    relay.start()
    cursor = relay.api.events()["cursor"]
    asked = [Asked(relay.api, after=cursor, wait="60s") for _ in range(20)]
    relay.api.events()  # our questions were there before this one
    assert not any(one.is_answered() for one in asked)
    relay.registered(1)
    for one in asked:
        answer = one.answer(30)  # long before its 60 s are over
        assert move_of(answer["events"][0]) == ("close", "leave", "connected")
        assert answer["cursor"] == answer["events"][-1]["cursor"]


def test_a_long_poll_for_one_device_waits_for_that_one(relay):
    relay.start()
    cursor = relay.api.events()["cursor"]
    asked = Asked(relay.api, after=cursor, wait="60s", device="00000002")
    relay.registered(1)
    relay.api.wait_history("00000001", *connected())
    assert not asked.is_answered()
    relay.registered(2)
    assert {event["device"] for event in asked.answer(30)["events"]} == {"00000002"}


def test_a_long_poll_ends_empty_when_its_time_is_over(relay):
    relay.start()
    relay.registered(1)
    newest = relay.api.wait_history("00000001", *connected())[-1]["cursor"]
    began = time.monotonic()
    answer = relay.api.events(after=newest, wait="1s")
    assert time.monotonic() - began > 0.9
    assert (answer["events"], answer["cursor"]) == ([], newest)


def test_a_long_poll_does_not_wait_when_there_is_something(relay):
    relay.start()
    relay.registered(1)
    relay.api.wait_history("00000001", *connected())
    assert len(Asked(relay.api, wait="60s").answer(30)["events"]) == 2


def test_askers_who_go_away_are_forgotten(relay):
    relay.start()
    cursor = relay.api.events()["cursor"]
    for _ in range(50):
        Asked(relay.api, after=cursor, wait="60s").socket.close()
    asked = Asked(relay.api, after=cursor, wait="60s")
    relay.registered(1)
    assert asked.answer(30)["events"]


# The stream.

def test_a_stream_tells_what_happens_from_now_on(relay):
    relay.start()
    relay.registered(1)
    relay.api.wait_history("00000001", *connected())
    with relay.api.stream() as stream:
        b = relay.registered(2)
        told = [stream.expect(device="00000002", to="leave"),
                stream.expect(device="00000002", to="alive")]
        b.reset()
        told += [stream.expect(reason="reset", to="leave"),
                 stream.expect(reason="reset", to="close")]
    assert told == relay.api.all_events(device="00000002")


def test_a_stream_begins_where_it_is_told(relay):
    relay.start()
    make_events(relay, 40)
    whole = relay.api.all_events()
    half = whole[len(whole) // 2]["cursor"]
    rest = [event for event in whole if event["cursor"] > half]
    with relay.api.stream(after=half) as stream:
        assert stream.read(len(rest)) == rest
    with relay.api.stream(last_event_id=half) as stream:
        assert stream.read(len(rest)) == rest
    with relay.api.stream(after=whole[0]["cursor"], last_event_id=half) as stream:
        assert stream.read(len(rest)) == rest


def test_a_stream_goes_on_where_it_was_cut(relay):
    relay.start()
    got, last = [], relay.api.events()["cursor"]
    for round in range(10):
        with relay.api.stream(last_event_id=last) as stream:
            make_events(relay, 40, first=0x1000 * (round + 1))
            got += stream.read(5 + round)
            last = got[-1]["cursor"]
    whole = relay.api.all_events()
    assert got == whole[:len(got)]


def test_a_stream_of_one_device(relay):
    relay.start()
    with relay.api.stream(device="00000002") as stream:
        a, b = relay.registered(1, 2)
        a.leave()
        b.leave()
        told = stream.read(4)
    assert [move_of(event) for event in told] == connected() + gone("peer_closed")
    assert {event["device"] for event in told} == {"00000002"}


def test_a_stream_tells_a_reader_that_it_missed_something(short):
    short.start()
    short.registered(1)
    early = short.api.wait_history("00000001", *connected())[0]["cursor"]
    make_events(short, 3 * KEPT)
    with short.api.stream(last_event_id=early) as stream:
        message = stream.next()
        assert message.event == "missed", message
        oldest, newest = message.data["oldest"], message.data["newest"]
        assert early < oldest <= newest
        told = [stream.next() for _ in range(KEPT)]
    assert [message.event for message in told] == ["presence"] * KEPT
    events = [message.data for message in told]
    assert events[0]["cursor"] == oldest
    check_events(events)


def test_a_stream_with_a_wrong_last_event_id(relay):
    relay.start()
    relay.api.problem(400, "bad-request", f"{API}/events", headers={
        "Accept": "text/event-stream", "Last-Event-ID": "yesterday"})


@pytest.mark.long
def test_a_quiet_stream_shows_that_it_lives(gateway):
    gateway.start()
    with gateway.api.stream() as stream:
        while stream.comments < 2:
            stream.wait_bytes(30, "a comment")
        assert not stream.messages


def test_a_stream_ends_with_the_gateway(relay):
    relay.start()
    with relay.api.stream() as stream:
        relay.stop()
        while not stream.has_ended:
            stream.wait_bytes(20, "the end")


# Restarts.

@pytest.mark.parametrize("restart", RESTARTS)
def test_the_log_goes_on_after_a_restart(relay, restart):
    """What a reader has seen is there, as it was; no cursor is given twice."""
    relay.start()
    newest, seen = {}, []
    with relay.api.stream() as stream:
        make_events(relay, 100)
        seen += stream.read(100)
    for round in range(3):
        restart(relay)
        make_events(relay, 40, first=0x2000 * (round + 1))
        whole = relay.api.all_events()
        assert whole[:len(seen)] == seen
        seen = whole
    check_events(seen, newest)
    cursors = [event["cursor"] for event in seen]
    assert len(set(cursors)) == len(cursors)


@pytest.mark.parametrize("restart", RESTARTS)
def test_a_reader_resumes_after_a_restart(relay, restart):
    relay.start()
    with relay.api.stream() as stream:
        make_events(relay, 40)
        first = stream.read(20)
    restart(relay)
    relay.registered(1)
    with relay.api.stream(last_event_id=first[-1]["cursor"]) as stream:
        rest = stream.read(20)
        rest += [stream.expect(device="00000001", to="leave"),
                 stream.expect(device="00000001", to="alive")]
    check_events(first + rest)
    assert relay.api.all_events()[:len(first + rest)] == first + rest


@pytest.mark.parametrize("restart", RESTARTS)
def test_who_is_back_in_time_makes_no_event(relay, restart):
    relay.start()
    relay.registered(1, 2)
    before = relay.api.wait_history("00000002", *connected())
    restart(relay)
    again = relay.registered(2)
    entry = relay.api.wait_device("00000002", connected=True, epoch=2)
    assert entry["state"] == "alive"
    assert relay.api.all_events(device="00000002") == before
    again.leave()
    events = relay.api.wait_history("00000002", *connected(), *gone("peer_closed"))
    assert [event["epoch"] for event in events] == [1, 1, 2, 2]
    assert relay.api.device("00000001")["state"] == "alive"  # still in its time of grace


@pytest.mark.parametrize("restart", RESTARTS)
def test_who_is_not_back_in_time_is_gone(relay, restart):
    relay.start(registry={"restart_grace": "1s"})
    a = relay.registered(1)
    relay.api.wait_history("00000001", *connected())
    restart(relay)
    events = relay.api.wait_history("00000001", *connected(), *gone("not_back"))
    assert events[2]["time"] == events[3]["time"]
    entry = relay.api.wait_device("00000001", state="close", connected=False)
    assert entry["since"] == events[3]["time"]
    a.close()
    relay.registered(1)
    relay.api.wait_history("00000001", *gone("not_back"), *connected())


def test_who_was_in_leave_stays_there_over_a_restart(gateway):
    gateway.listen("clients", protocol="heartbeat", presence={
        "interval": "100ms", "threshold": 1, "strikes": 1, "recover": 2,
        "leave_hold": "1h"})
    gateway.start()
    client = gateway.client().beat()
    gateway.api.wait_device(client.identity, state="leave")
    before = gateway.api.all_events(device=client.identity)
    gateway.kill()
    gateway.restart()
    assert gateway.api.device(client.identity)["state"] == "leave"
    back = gateway.client(ip=client.ip, port=client.port, source=some_loopback())
    back.beat_until(lambda: gateway.api.device(back.identity)["state"] == "alive",
                    "its recovery")
    events = gateway.api.events_of(client.identity)
    assert events[:len(before)] == before
    assert move_of(events[len(before)]) == ("leave", "alive", "recovered")


def test_sighup_is_a_restart_too(relay):
    """A new setting that needs a new worker."""
    relay.start()
    relay.registered(1)
    before = relay.api.wait_history("00000001", *connected())
    worker = relay.worker_pid()
    relay.listen("terminals", receipts=True).write_config()
    relay.send_signal(1)
    relay.wait_new_worker(worker)
    relay.registered(1)
    relay.api.wait_device("00000001", epoch=2, connected=True)
    assert relay.api.all_events(device="00000001") == before


# Many readers.

class Counting(Stream):
    """Of a thousand readers only the cursors are kept, and of those a checksum."""

    count, checksum = 0, 0
    CURSOR = re.compile(rb"^id: (\d+)$", re.MULTILINE)

    def take_messages(self):
        whole, end, rest = self.text.rpartition(b"\n\n")
        self.text = rest
        cursors = self.CURSOR.findall(whole + end)
        self.count += len(cursors)
        for cursor in cursors:
            self.checksum = zlib.crc32(cursor + b" ", self.checksum)


def read_all(readers, count, seconds):
    """Each of these has got so many; whoever is late is named."""
    end = time.monotonic() + seconds
    waiting = {reader.fileno(): reader for reader in readers if reader.count < count}
    poll = select.epoll()
    for number in waiting:
        poll.register(number, select.EPOLLIN)
    while waiting:
        slowest = min(reader.count for reader in waiting.values())
        late = f"{len(waiting)} readers are late, with {slowest} of {count} events"
        assert time.monotonic() < end, late
        for number, _ in poll.poll(1):
            reader = waiting[number]
            reader.take()
            assert not reader.has_ended, f"a reader was cut off: {late}"
            if reader.count >= count:
                poll.unregister(number)
                del waiting[number]
    poll.close()


@pytest.mark.limit(180)
def test_readers_who_never_read_disturb_nobody(gateway, many_descriptors):
    small = is_sanitized()
    readers, silent, count = (100, 5, 800) if small else (990, 10, 2000)
    gateway.start(events={"keep": KEPT})
    make_events(gateway, 200)  # memory that is taken once
    asleep = [Stream(gateway.api.address, receive_buffer=4096).wait_open()
              for _ in range(silent)]
    awake = [Counting(gateway.api.address).wait_open() for _ in range(readers)]
    before, told = gateway.rss_bytes(), []
    for round in range(4):
        told += make_events(gateway, count // 4, first=0x100000 * (round + 1))
        read_all(awake, len(told), 100)
    grown = gateway.rss_bytes() - before
    check_events(told)
    checksum = zlib.crc32(b"".join(b"%d " % event["cursor"] for event in told))
    assert {(reader.count, reader.checksum) for reader in awake} == {(len(told), checksum)}
    allowed = (64 if small else 16) << 20
    assert grown < allowed, f"memory grew by {grown >> 20} MiB for readers who do not read"
    for reader in asleep + awake:
        reader.close()
