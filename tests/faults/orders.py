"""Who asks devices, with a ttl, and holds the gateway to what it promised.

    promised    the call was answered with a ticket: it must end, answered
    answered    somebody was told so: it stays so, and is never sent again
    one         the same key: the same ticket, however often the call was repeated
    sent again  only with the serial of its first sending

Each command has a body of its own, so that its sendings can be told apart. The devices
answer what they get, but now and then leave instead."""

import http.client
import json
import random
import struct
import threading
import time
from collections import defaultdict

from devices import LOGIN, Device
from terminal import wait_until

PATIENCE_S = 5
MESSAGE = 0x2000


def exchange(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Book:
    """What was promised, told and sent: all that is known outside the gateway."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next_order = 0
        self.tickets = {}                # order -> ticket
        self.refused = set()             # orders
        self.answered = {}               # order -> (when it was told, body)
        self.sendings = defaultdict(list)  # order -> (when, serial)
        self.found = []

    def so_far(self):
        """What it says now, to hold a copy of the gateway to it that is made later."""
        book = Book()
        with self.lock:
            book.tickets, book.answered = dict(self.tickets), dict(self.answered)
        return book

    def new_order(self):
        with self.lock:
            self.next_order += 1
            return self.next_order

    def problem(self, text):
        with self.lock:
            self.found.append(text)

    def note_ticket(self, order, ticket):
        with self.lock:
            known = self.tickets.setdefault(order, ticket["ticket"])
        if known != ticket["ticket"]:
            self.problem(f"TWO TICKETS: {order}: {known}, then {ticket['ticket']}")
        self.note_state(order, ticket)

    def note_state(self, order, ticket):
        is_answered = ticket["state"] == "answered"
        body = ticket["answer"]["body"] if is_answered else None
        with self.lock:
            known = self.answered.get(order)
            if is_answered and known is None:
                self.answered[order] = (time.monotonic(), body)
        if known is not None and known[1] != body:
            self.problem(f"FORGOTTEN: {order} was answered with {known[1]}, "
                         f"now {ticket}")

    def note_sending(self, order, serial):
        with self.lock:
            self.sendings[order].append((time.monotonic(), serial))

    def problems(self):
        found = list(self.found)
        for order, sendings in self.sendings.items():
            if len({serial for _, serial in sendings}) > 1:
                found.append(f"OTHER SERIAL: {order}: {sendings}")
            if order in self.answered and sendings[-1][0] > self.answered[order][0]:
                found.append(f"SENT AFTER ITS ANSWER: {order}: {sendings}")
        for order in self.tickets:
            if order not in self.answered:
                found.append(f"LOST: {order}, ticket {self.tickets[order]}, sent "
                             f"{len(self.sendings[order])} times")
        return found[:10]

    def summary(self):
        sendings = sum(map(len, self.sendings.values()))
        again = sendings - len(self.sendings)
        return (f"{len(self.tickets)} promised, {len(self.refused)} refused, "
                f"{len(self.answered)} answered, {again} sent again")


class Machine(threading.Thread):
    """A device that comes back when its connection ends, and now and then ends it."""

    def __init__(self, orders, name, faithless):
        super().__init__(daemon=True)
        self.orders = orders
        self.own = name
        self.faithless = faithless  # of so many commands it leaves at one

    def run(self):
        while not self.orders.machines_over:
            device = Device(self.orders.address, self.own)
            try:
                self.converse(device.connect())
            except (OSError, AssertionError):
                time.sleep(0.02)  # it was just struck
            finally:
                device.close()

    def converse(self, device):
        device.send(LOGIN)
        while not self.orders.machines_over:
            frame = device.receive(1)
            if frame is None:
                return
            if frame.message != MESSAGE:
                continue
            order = struct.unpack(">Q", frame.body)[0]
            self.orders.book.note_sending(order, frame.serial)
            if self.faithless and random.randrange(self.faithless) == 0:
                return
            device.answer(frame, device.state_body(frame.body))


class Caller(threading.Thread):
    def __init__(self, orders):
        super().__init__(daemon=True)
        self.orders = orders
        self.failure = None

    def run(self):
        try:
            while not self.orders.callers_over:
                self.order(self.orders.book.new_order())
                time.sleep(0.01)  # the rig shall not drown in what it has to check
        except Exception as failure:  # told by finish()
            self.failure = failure

    def order(self, number):
        """Until it was promised or refused; with one key."""
        own = random.choice(self.orders.names)
        body = json.dumps({"message_id": MESSAGE,
                           "body": struct.pack(">Q", number).hex()})
        wait = random.choice(("0s", "1s"))
        path = f"/api/v1/devices/{own}/commands?ttl=1h&wait={wait}"
        headers = {"Content-Type": "application/json",
                   "Idempotency-Key": f"order {number} of {self.orders.key}"}
        while not self.orders.callers_over:
            try:
                status, answer = exchange(self.orders.http, "POST", path, body, headers)
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.02)  # it was just struck
                continue
            if status in (200, 202):
                return self.orders.book.note_ticket(number, answer)
            assert status in (404, 409, 429, 503), (status, answer)
            if status == 503 and answer["type"].endswith("store"):
                self.orders.book.refused.add(number)
                return None
            time.sleep(0.02)  # not known yet, a full queue, ending
        return None


def look(address, book, order):
    """What its ticket says now; True if that was told."""
    ticket = book.tickets[order]
    try:
        status, answer = exchange(address, "GET", f"/api/v1/tickets/{ticket}")
    except (OSError, ValueError, http.client.HTTPException):
        return False
    if status == 200:
        book.note_state(order, answer)
    elif status == 404:
        book.problem(f"UNKNOWN: {order}, ticket {ticket}")
    return status == 200


class Orders:
    """with Orders(gateway) as orders: ...; assert_carried_out(gateway, orders)"""

    def __init__(self, gateway, machines=6, callers=4, faithless=20):
        self.book = Book()
        self.key = random.getrandbits(32)  # others ordered before, and numbered likewise
        self.address = gateway.address("devices")
        self.http = gateway.http_address()
        self.names = [f"T900{n:04d}" for n in range(machines)]
        self.machines = [Machine(self, name, faithless) for name in self.names]
        self.callers = [Caller(self) for _ in range(callers)]
        self.machines_over = self.callers_over = False

    def __enter__(self):
        for thread in self.machines + self.callers:
            thread.start()
        return self

    def __exit__(self, *_):
        self.machines_over = self.callers_over = True

    def wait_promised(self, count=1, seconds=30):
        goal = len(self.book.tickets) + count
        wait_until(lambda: len(self.book.tickets) >= goal, f"{count} more tickets",
                   seconds)

    def look(self, order):
        """What its ticket says now."""
        look(self.http, self.book, order)

    def look_at_some(self, count=20):
        orders = list(self.book.tickets)
        for order in random.sample(orders, min(count, len(orders))):
            self.look(order)

    def stop_asking(self):
        self.callers_over = True
        for thread in self.callers:
            thread.join(4 * PATIENCE_S)
        failures = [thread.failure for thread in self.callers if thread.failure]
        assert not failures, failures

    def finish(self, seconds=30):
        """Everything promised gets its time to end, and is looked at once more."""
        self.stop_asking()

        def all_answered():
            waiting = [o for o in self.book.tickets if o not in self.book.answered]
            for order in waiting[:200]:
                self.look(order)
            return not waiting or self.book.found
        try:
            wait_until(all_answered, "all tickets to be answered", seconds)
        except AssertionError:
            pass  # problems() tells which
        for order in list(self.book.tickets):
            self.look(order)
        self.machines_over = True
        return self.book


def assert_carried_out(book):
    problems = book.problems()
    assert not problems, "\n".join(problems + [book.summary()])
    assert book.answered, "nothing was answered: nothing was tested"
