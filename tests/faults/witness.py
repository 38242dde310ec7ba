"""Who reads the events as an application would, and remembers each one.

    with Witness(gateway) as witness:
        ...                          strikes, while terminals come and go
        witness.vouch()              what it has seen until now was synced, so it must stay
    assert_remembered(gateway, witness)

A cursor may never stand for two events, whatever happens to the gateway."""

import http.client
import json
import threading

from terminal import wait_until

PATIENCE_S = 5


def read_events(gateway, after, wait="0s"):
    """The events behind this cursor, or None if they are not kept any more."""
    connection = http.client.HTTPConnection(*gateway.http_address(), timeout=PATIENCE_S)
    try:
        connection.request("GET", f"/api/v1/events?after={after}&wait={wait}&limit=1000")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status in (200, 410), body
    return body["events"] if answer.status == 200 else None


def read_all(gateway):
    events = []
    while more := read_events(gateway, events[-1]["cursor"] if events else 0):
        events += more
    return events


class Witness(threading.Thread):
    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway = gateway
        self.lock = threading.Lock()
        self.seen = {}  # cursor: event
        self.vouched = {}
        self.disowned = set()
        self.problems = []
        self.over = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join(2 * PATIENCE_S)

    def run(self):
        after = 0
        while not self.over:
            try:
                events = read_events(self.gateway, after, "1s")
            except (OSError, ValueError, http.client.HTTPException):
                continue  # it was just struck
            self.note(after, events or [])
            if events is None:
                after = 0
            elif events:
                after = events[-1]["cursor"]

    def note(self, after, events):
        with self.lock:
            for event in events:
                cursor = event["cursor"]
                if cursor <= after:
                    self.problems.append(f"{cursor} came after {after}")
                if self.seen.setdefault(cursor, event) != event:
                    self.problems.append(f"{cursor}: {self.seen[cursor]}, then {event}")
                after = cursor

    def vouch(self):
        with self.lock:
            self.vouched = {c: e for c, e in self.seen.items() if c not in self.disowned}

    def testimony(self):
        """What was vouched for, to hold a copy of the gateway to it that was made later."""
        other = Witness(None)
        with self.lock:
            other.seen, other.vouched = dict(self.vouched), dict(self.vouched)
        return other

    def disown(self):
        """What came since vouch() was told while the disk failed: it may be forgotten."""
        with self.lock:
            self.disowned |= self.seen.keys() - self.vouched.keys()

    def wait_more(self, count=1):
        goal = len(self.seen) + count
        wait_until(lambda: len(self.seen) >= goal, f"{count} more events", 30)


def assert_remembered(gateway, witness):
    """All that was vouched for is there, and each device's events follow each other."""
    kept = read_all(gateway)
    by_cursor = {event["cursor"]: event for event in kept}
    assert len(by_cursor) == len(kept)
    lost = [event for cursor, event in witness.vouched.items()
            if by_cursor.get(cursor) != event]
    other = [(event, by_cursor[cursor]) for cursor, event in witness.seen.items()
             if by_cursor.get(cursor, event) != event]
    assert not witness.problems and not lost and not other, (witness.problems, lost, other)
    last = {}
    for event in kept:
        device, place = event["device"], (event["epoch"], event["sequence"])
        if device in last:
            assert place[0] >= last[device][0], (last[device], event)
            assert place[1] == last[device][1] + 1, (last[device], event)
        last[device] = place
    assert witness.vouched and last, "nothing was seen: nothing was tested"
