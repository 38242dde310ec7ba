"""The outside ledger: what was sent, what was called safe, what came, in which order.

It knows nothing of the gateway. Each message carries its sender, target and a number that
grows per sender and target, and its whole content follows from these. Afterwards:

    lost        called safe by a receipt, and never delivered
    refused     named by a refusal: not promised, and may be missing
    reordered   first arrivals of one sender at one target do not grow
    repeated    came again. Allowed only at the beginning of a connection, in order, and
                for frames whose acknowledgement (or its record on the disk) was on its
                way when the fault struck, so none older than IN_FLIGHT
    foreign     content that nobody sent"""

import random
import struct
import threading
import time
from collections import defaultdict

HEAD = struct.Struct(">4sIIQ")
MAGIC = b"LDGR"
IN_FLIGHT = 10  # seconds, at most, between its arrival and the fault; usually some ms


def body(sender, target, number):
    size = 8 + (number * 7919 + sender) % 400
    filler = random.Random(number << 32 | sender).randbytes(8) * (size // 8)
    return HEAD.pack(MAGIC, sender, target, number) + filler


class Ledger:
    def __init__(self, in_flight=IN_FLIGHT):
        self.in_flight = in_flight
        self.lock = threading.Lock()
        self.sent = defaultdict(int)        # (sender, target) -> next number
        self.safe = defaultdict(set)        # (sender, target) -> numbers
        self.refused = defaultdict(set)
        self.arrived = defaultdict(list)    # (sender, target) -> (connection, number)
        self.times = {}                     # (sender, target, number) -> first arrival
        self.ends = {}                      # (target, connection) -> when it ended
        self.repeat_ages = [0]
        self.foreign = []
        self.elsewhere = None               # a ledger of what need not come here any more

    # What the peers report.

    def next_body(self, sender, target):
        with self.lock:
            number = self.sent[sender, target]
            self.sent[sender, target] = number + 1
        return number, body(sender, target, number)

    def note_fate(self, sender, target, number, refused):
        with self.lock:
            (self.refused if refused else self.safe)[sender, target].add(number)

    def note_arrival(self, target, connection, sender, content):
        """`connection` grows with each connection of this target."""
        with self.lock:
            if len(content) < HEAD.size:
                return self.foreign.append((sender, target, content))
            magic, wrote, meant, number = HEAD.unpack_from(content)
            pair = (wrote, meant)
            if (magic != MAGIC or wrote != sender or meant != target
                    or number >= self.sent[pair] or content != body(wrote, meant, number)):
                return self.foreign.append((sender, target, content))
            self.arrived[pair].append((connection, number))
            first = self.times.setdefault((*pair, number), (connection, time.monotonic()))
            if first[0] != connection:
                ended = self.ends.get((target, first[0]), first[1])
                self.repeat_ages.append(ended - first[1])

    def note_end(self, target, connection):
        self.ends[target, connection] = time.monotonic()

    # A copy of the gateway, made at some moment.

    def promised(self):
        with self.lock:
            return {pair: set(numbers) for pair, numbers in self.safe.items()}

    def of_copy(self, promised):
        """What a copy must hold: all that was promised before, except what has arrived
        from the gateway that lives on."""
        copy = Ledger(self.in_flight)
        with self.lock:
            copy.sent.update(self.sent)
        copy.safe.update(promised)
        copy.elsewhere = self
        return copy

    # What follows from it.

    def numbers_arrived(self, pair):
        with self.lock:
            here = {number for _, number in self.arrived[pair]}
        return here | self.elsewhere.numbers_arrived(pair) if self.elsewhere else here

    def arrivals(self):
        with self.lock:
            return sum(len(numbers) for numbers in self.arrived.values())

    def missing(self):
        left = {pair: sorted(numbers - self.numbers_arrived(pair))
                for pair, numbers in self.promised().items()}
        return {pair: numbers for pair, numbers in left.items() if numbers}

    def problems(self):
        """Sentences; empty when every promise was kept."""
        found = [f"LOST: {s:x} to {t:x}: safe, and never came: {few(numbers)}"
                 for (s, t), numbers in self.missing().items()]
        found += [f"FOREIGN: to {t:x}, said to be from {s:x}: {content[:40]!r}"
                  for s, t, content in self.foreign[:5]]
        if max(self.repeat_ages) > self.in_flight:
            found.append(f"REPEATED: had arrived {max(self.repeat_ages):.1f} s before the "
                         f"end of its connection")
        for (sender, target), arrivals in self.arrived.items():
            found += [f"{sender:x} to {target:x}: {problem}"
                      for problem in order_problems(arrivals)]
            both = self.safe[sender, target] & self.refused[sender, target]
            if both:
                found.append(f"both safe and refused: {few(both)}")
        return found

    def repeated(self):
        return sum(len(a) - len({n for _, n in a}) for a in self.arrived.values())

    def summary(self):
        count = lambda table: sum(len(numbers) for numbers in table.values())
        return (f"{sum(self.sent.values())} sent, {count(self.safe)} receipted, "
                f"{count(self.refused)} refused, {count(self.arrived)} arrived, "
                f"{self.repeated()} of them again "
                f"(oldest by {max(self.repeat_ages):.2f} s), "
                f"{sum(map(len, self.missing().values()))} lost")


def order_problems(arrivals):
    """One sender's messages at one target, as (connection, number) in order of arrival.
    Within a connection numbers grow. What came before may come again only at the
    beginning of a connection; then, for good, only what is new."""
    problems, newest, last, connection = [], -1, -1, None
    known, before = set(), set()  # all; those of former connections
    for on, number in arrivals:
        if on != connection:
            connection, last, before = on, -1, set(known)
        if number <= last:
            problems.append(f"REORDERED: {number} after {last} on connection {on}")
        elif number in before and last > -1 and last not in before:
            problems.append(f"REPEATED after new ones: {number} on connection {on}")
        elif number not in known and number < newest:
            problems.append(f"REORDERED: {number} came first after {newest}")
        known.add(number)
        newest, last = max(newest, number), max(last, number)
    return problems[:10]


def few(numbers):
    numbers = sorted(numbers)
    return f"{len(numbers)}: {numbers[:8]}{'...' if len(numbers) > 8 else ''}"
