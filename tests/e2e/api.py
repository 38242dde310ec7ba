"""The HTTP API, as an application sees it. Formed from the API's page alone.

    gateway.api.devices(state="alive")      every entry, page by page
    gateway.api.device("00000001")          one entry
    gateway.api.history("00000001")         [(from, to, reason), ...]
    gateway.api.events(after=17)            the answer as it is
    gateway.api.problem(404, "not-found", "/api/v1/devices/nobody")
    call = gateway.api.call("T9000010", "status")     under way
    call.answered()                         the device has answered: the ticket
    gateway.api.order("T9000010", "status") with a ttl: the ticket of 202
    with gateway.api.stream() as stream:
        stream.expect(device="00000001", to="alive")"""

import http.client
import json
import re
import select
import socket
import struct
import time
from collections import deque, namedtuple
from datetime import datetime, timezone
from urllib.parse import quote, urlencode

from terminal import wait_until

DEADLINE = 30  # seconds; generous, because nothing waits for it when all is well

API = "/api/v1"
Message = namedtuple("Message", "id event data")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def seconds_of(text):
    """A time of the API, in seconds."""
    assert TIME.fullmatch(text), f"not a time as the API gives it: {text}"
    naive = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    return naive.replace(tzinfo=timezone.utc).timestamp()


class Refused(OSError):
    """A stream that was answered with a problem."""


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        kind = self.headers.get_content_type()
        assert kind in ("application/json", "application/problem+json"), kind
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers.get_content_type()} {self.body[:300]}"


def target(path, query):
    words = {key: str(value).lower() if isinstance(value, bool) else value
             for key, value in query.items() if value is not None}
    return path + ("?" + urlencode(words) if words else "")


def device_path(own, rest=""):
    return f"{API}/devices/{quote(own, safe='')}{rest}"


class Api:
    def __init__(self, address):
        self.address = address
        self.connection = None

    # One exchange.

    def request(self, method, path, headers=None, body=None):
        """On the kept connection; when that one has ended meanwhile, on a new one."""
        kept = self.connection is not None
        try:
            return self.exchange(method, path, headers, body)
        except (http.client.HTTPException, ConnectionError):
            self.close()
            if not kept:
                raise
            return self.exchange(method, path, headers, body)

    def exchange(self, method, path, headers, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=DEADLINE)
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if response.will_close:
            self.close()
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, path, method="GET", **query):
        return self.request(method, target(path, query))

    def get(self, path, **query):
        answer = self.ask(path, **query)
        assert answer.status == 200, f"{path} {query}: {answer}"
        return answer.json()

    def problem(self, status, kind, path, method="GET", headers=None, **query):
        """Refused in this way. Gives the problem document."""
        answer = self.request(method, target(path, query), headers)
        assert answer.status == status, f"{method} {path} {query}: {answer}"
        return check_problem(answer, kind)

    # Devices.

    def pages(self, **query):
        """Each answer in turn, the next one asked for only when it is wanted."""
        page = self.get(f"{API}/devices", **query)
        yield page
        while page["next"] is not None:
            page = self.get(f"{API}/devices", **query, cursor=page["next"])
            yield page

    def devices(self, **query):
        return [entry for page in self.pages(**query) for entry in page["devices"]]

    def ids(self, **query):
        return sorted(entry["id"] for entry in self.devices(**query))

    def device(self, own, **query):
        return self.get(device_path(own), **query)

    def find(self, own, **query):
        """The entry, or None."""
        answer = self.ask(device_path(own), **query)
        if answer.status == 404:
            check_problem(answer, "not-found")
            return None
        assert answer.status == 200, answer
        return answer.json()

    def wait_device(self, own, seconds=DEADLINE, **members):
        """Until it is listed with these members."""
        last = None

        def is_so():
            nonlocal last
            last = self.find(own)
            return last if last and members.items() <= last.items() else None
        try:
            return wait_until(is_so, f"{own} to be {members}", seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {last}") from None

    def wait_gone(self, own, seconds=DEADLINE):
        wait_until(lambda: self.find(own) is None, f"{own} to be forgotten", seconds)

    def kick(self, own):
        answer = self.ask(device_path(own, "/connection"), "DELETE")
        assert (answer.status, answer.body) == (204, b""), answer

    def connections(self, **query):
        found, cursor = [], None
        while True:
            page = self.get(f"{API}/connections", **query, cursor=cursor)
            found += page["connections"]
            cursor = page["next"]
            if cursor is None:
                return found

    # Events.

    def events(self, **query):
        return self.get(f"{API}/events", **query)

    def all_events(self, after=None, **query):
        """Everything that is kept, checked for order."""
        found, answer = [], None
        while answer is None or answer["events"]:
            answer = self.events(after=after, **query)
            found += answer["events"]
            after = answer["cursor"]
        if "device" not in query:
            check_events(found)
        return found

    def events_of(self, own):
        """All that its entry counts: the log may be a moment behind."""
        entry = self.find(own)
        told = []

        def is_caught_up():
            told[:] = self.all_events(device=own)
            return entry["sequence"] <= (told[-1]["sequence"] if told else 0)
        if entry:
            wait_until(is_caught_up, f"the events of {own}", DEADLINE)
        return told

    def history(self, own):
        return [move_of(event) for event in self.events_of(own)]

    def wait_history(self, own, *moves, seconds=DEADLINE):
        """Until it ends with these moves. Gives its events."""
        found = []

        def is_so():
            found[:] = self.all_events(device=own)
            return [move_of(event) for event in found][-len(moves):] == list(moves)
        try:
            wait_until(is_so, f"{own} to have moved {moves}", seconds)
        except AssertionError as late:
            told = [move_of(event) for event in found]
            raise AssertionError(f"{late}; it moved {told}") from None
        return found

    # Commands.

    def visit(self, path, headers=None, method="GET", body=None):
        """A request whose answer is waited for later."""
        return Visit(self.address, method, path, headers, body)

    def call(self, own, what, headers=None, **query):
        """Asks a device; the answer is waited for by what is called next."""
        path = target(device_path(own, "/commands"), query)
        return Call(self.address, path, what, headers)

    def order(self, own, what, ttl="10m", wait="0s", **query):
        """With a ttl, and nobody waits: the ticket."""
        return self.call(own, what, ttl=ttl, wait=wait, **query).accepted()

    def ticket(self, number, **query):
        return check_ticket(self.get(f"{API}/tickets/{number}", **query))

    def wait_ticket(self, number, seconds=DEADLINE, **members):
        last = {}

        def is_so():
            last.update(self.ticket(number))
            return members.items() <= last.items()
        try:
            wait_until(is_so, f"ticket {number} to be {members}", seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {last}") from None
        return last

    def cancel(self, number):
        answer = self.ask(f"{API}/tickets/{number}", "DELETE")
        assert answer.status == 200, answer
        return check_ticket(answer.json())

    def tickets(self, own, **query):
        """A device's, newest first."""
        found = self.get(device_path(own, "/commands"), **query)["tickets"]
        return [check_ticket(ticket) for ticket in found]

    def ticket_moves(self, number):
        """[(from, to, reason), ...] by the events, which may be a moment behind."""
        state, moves = self.ticket(number)["state"], []

        def is_caught_up():
            moves[:] = [move_of(event) for event in self.all_events(type="command")
                        if event["ticket"] == number]
            return moves and moves[-1][1] == state
        wait_until(is_caught_up, f"the event of {number} being {state}", DEADLINE)
        return moves

    def stream(self, after=None, last_event_id=None, **query):
        return Stream(self.address, after, last_event_id, **query)


class Visit:
    """One request under way, on a connection of its own."""

    def __init__(self, address, method, path, headers=None, body=None):
        self.connection = http.client.HTTPConnection(*address, timeout=DEADLINE + 60)
        self.connection.request(method, path, body, headers or {})
        self.socket = self.connection.sock

    def answer(self):
        response = self.connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self.connection.close()
        return answer

    def is_over(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def leave(self):
        """Whoever asked has gone, without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.connection.close()


class Call(Visit):
    """A command under way."""

    def __init__(self, address, path, what, headers=None):
        if isinstance(what, str):
            what = {"command": what}
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        super().__init__(address, "POST", path,
                         {"Content-Type": "application/json", **(headers or {})}, body)

    def ticket(self, status, **members):
        answer = self.answer()
        assert answer.status == status, answer
        ticket = check_ticket(answer.json())
        assert members.items() <= ticket.items(), f"{ticket} is not {members}"
        return ticket

    def answered(self, **members):
        return self.ticket(200, state="answered", **members)

    def accepted(self, **members):
        answer = self.answer()
        assert answer.status == 202, answer
        ticket = check_ticket(answer.json())
        assert answer.headers["Location"] == f"{API}/tickets/{ticket['ticket']}", answer
        assert members.items() <= ticket.items(), f"{ticket} is not {members}"
        return ticket

    def problem(self, status, kind, **members):
        answer = self.answer()
        assert answer.status == status, answer
        problem = check_problem(answer, kind)
        assert members.items() <= problem.items(), f"{problem} is not {members}"
        return problem


OPEN = ("queued", "sent", "acknowledged")
OVER = ("answered", "expired", "superseded", "cancelled", "failed")
REASONS = {"expired": ("unsent", "no_answer"),
           "failed": ("offline", "disconnected", "state", "refused", "unsendable",
                      "ending")}


def check_ticket(ticket):
    """What holds of every ticket."""
    state = ticket["state"]
    assert re.fullmatch("[0-9a-f]{16}", ticket["ticket"]), ticket
    assert state in OPEN + OVER, ticket
    assert ticket["reason"] in REASONS.get(state, (None,)), ticket
    times = {name: ticket[name] and seconds_of(ticket[name])
             for name in ("created", "not_before", "expires", "sent", "acknowledged",
                          "ended")}
    assert (times["ended"] is not None) == (state in OVER), ticket
    assert (times["sent"] is not None) == (ticket["sendings"] > 0), ticket
    way = [times[name] for name in ("created", "sent", "acknowledged", "ended")
           if times[name] is not None]
    assert way[0] == times["created"] and way == sorted(way), f"not in order: {ticket}"
    if state in ("sent", "acknowledged"):
        assert ticket["sendings"] > 0, ticket
    if state == "answered":
        assert ticket["answer"] is not None, ticket
    if ticket.get("answer") is not None:
        answer = ticket["answer"]
        assert re.fullmatch("([0-9a-f]{2})*", answer["body"]), ticket
        assert re.fullmatch("[0-9a-f]{4}", answer["message"]), ticket
        assert isinstance(answer["serial"], int) and "decoded" in answer, ticket
    return ticket


def check_problem(answer, kind):
    assert answer.headers.get_content_type() == "application/problem+json", answer
    problem = answer.json()
    assert problem["type"].endswith("/" + kind), problem
    assert problem["status"] == answer.status and problem["title"], problem
    assert isinstance(problem["detail"], str) and problem["detail"], problem
    return problem


# What every reader may rely on.

STEPS = {("close", "leave"), ("leave", "alive"), ("alive", "leave"), ("leave", "close")}


def move_of(event):
    return event["from"], event["to"], event["reason"]


def connected():
    """The moves of one that comes and may be alive at once."""
    return [("close", "leave", "connected"), ("leave", "alive", "connected")]


def gone(reason):
    return [("alive", "leave", reason), ("leave", "close", reason)]


def check_events(events, newest=None):
    """Cursors grow; of each device the sequence counts, the epoch does not fall, each
    move begins where the last one ended, and time does not run backwards.

    `newest` (a dictionary) carries what is known over several calls."""
    newest = {} if newest is None else newest
    for event in events:
        cursor, last = event["cursor"], newest.get("cursor", 0)
        assert cursor > last, f"cursor {cursor} after {last}: {event}"
        if event["type"] == "gap":  # what was known of anybody may be outdated
            assert event["lost"] > 0, event
            newest.clear()
            newest["cursor"] = cursor
            continue
        newest["cursor"] = cursor
        if event["type"] != "presence":
            check_other_event(event, newest)
            continue
        who = event["protocol"], event["device"]
        before = newest.get(who)
        newest[who] = event
        assert (event["from"], event["to"]) in STEPS, f"not a step: {event}"
        time_of_event = seconds_of(event["time"])
        if before:
            both = f"\n {before}\n {event}"
            assert event["from"] == before["to"], f"moves do not join:{both}"
            assert event["sequence"] == before["sequence"] + 1, f"sequence:{both}"
            assert event["epoch"] >= before["epoch"], f"epoch:{both}"
            assert time_of_event >= seconds_of(before["time"]), f"time:{both}"


TICKET_STEPS = {
    "queued": {"sent", "expired", "superseded", "cancelled", "failed"},
    "sent": {"acknowledged", "answered", "queued", "expired", "failed"},
    "acknowledged": {"answered", "queued", "expired", "failed"},
    "expired": {"answered"},  # by an answer that came late
}


def check_other_event(event, newest):
    assert event["type"] in ("command", "report"), event
    if event["type"] == "report":
        assert event["size"] * 2 >= len(event["body"]), event
        return
    before = newest.get(event["ticket"])
    newest[event["ticket"]] = event
    if event["from"] is None:
        assert before is None and event["to"] in OPEN[:1] + OVER, event
        return
    assert event["to"] in TICKET_STEPS.get(event["from"], ()), f"not a step: {event}"
    assert before is None or before["to"] == event["from"], \
        f"moves do not join:\n {before}\n {event}"


class Stream:
    """A reader of Server-Sent Events. It has no thread: it reads when it is asked."""

    def __init__(self, address, after=None, last_event_id=None, receive_buffer=None,
                 **query):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        lines = [f"GET {target(API + '/events', dict(query, after=after))} HTTP/1.1",
                 f"Host: {address[0]}:{address[1]}", "Accept: text/event-stream"]
        if last_event_id is not None:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        self.raw = bytearray()      # as it came
        self.text = bytearray()     # without the chunks' frames
        self.messages = deque()
        self.comments = 0
        self.has_ended = False
        self.is_chunked = None      # not known before the head is there

    def __enter__(self):
        return self.wait_open()

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def wait_open(self):
        """The gateway has taken us in: what happens from now on, we shall be told."""
        while self.is_chunked is None:
            self.wait_bytes(DEADLINE, "the stream to open")
        return self

    # Bytes to messages.

    def wait_bytes(self, seconds, what):
        assert not self.has_ended, f"the stream ended instead of {what}"
        assert select.select([self.socket], [], [], seconds)[0], \
            f"waited {seconds} s in vain for {what}"
        self.take()

    def take(self):
        """What is there now; for a reader that select() named."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.has_ended = True
            return
        self.raw += data
        if self.is_chunked is None:
            self.take_head()
        if self.is_chunked is not None:
            self.take_chunks()
            self.take_messages()

    def take_head(self):
        head, end, rest = self.raw.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        if lines[0].split()[1] != "200":
            raise Refused(bytes(self.raw).decode())
        assert fields["content-type"].split(";")[0] == "text/event-stream", head
        self.is_chunked = fields.get("transfer-encoding") == "chunked"
        self.raw = rest

    def take_chunks(self):
        if not self.is_chunked:
            self.text += self.raw
            self.raw.clear()
        while (line := self.raw.find(b"\r\n")) >= 0:
            size = int(bytes(self.raw[:line]).split(b";")[0], 16)
            end = line + 2 + size
            if len(self.raw) < end + 2:
                return
            assert self.raw[end:end + 2] == b"\r\n", "a chunk does not end as it says"
            self.text += self.raw[line + 2:end]
            del self.raw[:end + 2]
            self.has_ended = self.has_ended or size == 0

    def take_messages(self):
        *blocks, rest = self.text.replace(b"\r\n", b"\n").split(b"\n\n")
        self.text = bytearray(rest)
        for block in blocks:
            fields = {}
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                if name:
                    fields[name] = fields.get(name, "") + value.removeprefix(" ")
                else:
                    self.comments += 1
            if "data" in fields:  # without it a block tells no event, only where we are
                self.messages.append(Message(fields.get("id"), fields.get("event"),
                                             json.loads(fields["data"])))

    # Waiting.

    def next(self, seconds=DEADLINE, what="an event"):
        end = time.monotonic() + seconds
        while not self.messages:
            self.wait_bytes(max(0.001, end - time.monotonic()), what)
        return self.messages.popleft()

    def expect(self, seconds=DEADLINE, **members):
        """The next event of the log, and it has these members."""
        message = self.next(seconds, f"the event {members}")
        assert message.event == "presence", message
        assert message.id == str(message.data["cursor"]), message
        assert members.items() <= message.data.items(), f"{message.data} is not {members}"
        return message.data

    def read(self, count, seconds=DEADLINE):
        return [self.next(seconds, f"event {n + 1} of {count}").data
                for n in range(count)]
