"""Terminals under load that write the ledger: senders that wait for receipts, targets
that come and go. All of them reconnect by themselves, whatever happens to the gateway."""

import itertools
import random
import select
import socket
import struct
import threading
import time
from collections import deque

import ttms
from ledger import IN_FLIGHT, Ledger
from terminal import wait_until

WINDOW = 400  # frames that a sender leaves undecided before it waits


class Peer(threading.Thread):
    """A terminal that connects again whenever its connection ended."""

    def __init__(self, load, own):
        super().__init__(daemon=True)
        self.load = load
        self.own = own
        self.socket = None
        self.failure = None

    def run(self):
        try:
            while not self.load.is_over(self):
                if self.connect():
                    self.converse()
                    self.socket.close()
        except Exception as failure:  # shown by Load.finish(): a thread has no caller
            self.failure = failure
            raise

    def connect(self):
        try:
            self.socket = socket.create_connection(self.load.address, 5)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(ttms.heartbeat(self.own))
            self.buffer = bytearray()
            return True
        except OSError:
            time.sleep(0.01)
            return False

    def read_frames(self, seconds):
        """Frames that are there within the time; None when the connection ended."""
        try:
            if not select.select([self.socket], [], [], seconds)[0]:
                return []
            data = self.socket.recv(1 << 18)
        except OSError:
            return None
        if not data:
            return None
        self.buffer += data
        frames = []
        while (size := ttms.complete_size(self.buffer, "total")) \
                and len(self.buffer) >= size:
            frames.append(ttms.parse(bytes(self.buffer[:size])))
            del self.buffer[:size]
        return frames


class Sender(Peer):
    def converse(self):
        self.undecided = deque()  # (number of the frame, target, number in the ledger)
        self.frames = 0
        while not self.load.is_over(self):
            if not self.send_burst() or not self.read_fates(0.002):
                return
        end = time.monotonic() + 3
        while self.undecided and time.monotonic() < end and self.read_fates(0.05):
            pass

    def send_burst(self):
        if len(self.undecided) >= WINDOW:
            return self.read_fates(0.1)
        burst = []
        for _ in range(random.randrange(1, 30)):
            target = random.choice(self.load.target_ids)
            number, body = self.load.ledger.next_body(self.own, target)
            self.frames += 1
            self.undecided.append((self.frames, target, number))
            burst.append(ttms.data(target, body))
        try:
            self.socket.settimeout(5)
            self.socket.sendall(b"".join(burst))
            return True
        except OSError:
            self.read_fates(0)  # receipts may have come before the end
            return False

    def read_fates(self, seconds):
        frames = self.read_frames(seconds)
        for frame in frames or []:
            number = struct.unpack(">I", frame.content)[0]
            if frame.command == ttms.REFUSAL:
                (at,) = [u for u in self.undecided if u[0] == number]
                self.undecided.remove(at)
                self.load.ledger.note_fate(self.own, at[1], at[2], refused=True)
            else:
                assert frame.command == ttms.RECEIPT and number <= self.frames, frame
                while self.undecided and self.undecided[0][0] <= number:
                    _, target, in_ledger = self.undecided.popleft()
                    self.load.ledger.note_fate(self.own, target, in_ledger, refused=False)
        return frames is not None


class Target(Peer):
    connection = 0

    def converse(self):
        self.connection += 1
        stay = time.monotonic() + random.uniform(0.05, 1.0)
        leaving = False
        while not self.load.is_over(self):
            frames = self.read_frames(0.05)
            if frames is None:
                self.load.ledger.note_end(self.own, self.connection)
                break
            for frame in frames:
                if frame.command == ttms.DATA:
                    self.load.ledger.note_arrival(self.own, self.connection,
                                                  frame.address, frame.content)
            if not leaving and self.load.comings_and_goings and time.monotonic() > stay:
                # Say that we leave, and still take all that our TCP acknowledges.
                leaving = True
                try:
                    self.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    break
        if leaving:
            time.sleep(random.uniform(0, 0.2))


class Load:
    """`with Load(address) as load:` sends until finish() or the end of the block.

    Of the targets, `away` more connect only when all is over: their mail has to stay."""

    generations = itertools.count(1)

    def __init__(self, address, senders=2, targets=3, away=1, comings_and_goings=True,
                 in_flight=IN_FLIGHT):
        self.address = address
        self.ledger = Ledger(in_flight)
        # Ids of its own: a store may still hold what an earlier load was not promised.
        first = next(Load.generations) << 12
        self.target_ids = [first + 0xA0 + n for n in range(targets + away)]
        self.comings_and_goings = comings_and_goings
        self.senders = [Sender(self, first + 0x50 + n) for n in range(senders)]
        self.targets = [Target(self, own) for own in self.target_ids]
        self.away = self.targets[targets:]
        self.senders_over = self.targets_over = False

    def __enter__(self):
        for peer in self.targets + self.senders:
            if peer not in self.away:
                peer.start()
        return self

    def __exit__(self, *_):
        self.senders_over = self.targets_over = True
        for peer in self.senders + self.targets:
            if peer.is_alive():
                peer.join(20)

    def is_over(self, peer):
        return self.targets_over if isinstance(peer, Target) else self.senders_over

    def receipted(self):
        with self.ledger.lock:
            return sum(len(numbers) for numbers in self.ledger.safe.values())

    def wait_progress(self, count=1, seconds=30):
        """So many more messages were called safe: the gateway is at work."""
        goal = self.receipted() + count
        wait_until(lambda: self.receipted() >= goal, f"{count} more receipts", seconds)

    def stop_sending(self):
        self.senders_over = True
        for peer in self.senders:
            peer.join(20)

    def all_arrive(self, seconds):
        """False: something safe is missing, and nothing came for so long."""
        came, end = -1, 0
        while True:
            began = time.monotonic()
            if not self.ledger.missing():
                return True
            now = time.monotonic()
            if came != self.ledger.arrivals():
                came, end = self.ledger.arrivals(), now + seconds
            elif now > end:
                return False
            time.sleep(0.05 + 3 * (now - began))  # the targets need this processor, too

    def finish(self, seconds=30, want_complete=True):
        """Ends the sending, lets everything arrive, and returns the ledger. `seconds`: of
        silence, after which nothing more is expected."""
        self.stop_sending()
        self.comings_and_goings = False
        for peer in self.away:
            peer.start()
        if not self.all_arrive(seconds) and want_complete:
            raise AssertionError("\n".join(self.ledger.problems()))
        self.targets_over = True
        for peer in self.targets:
            peer.join(20)
        failures = [p.failure for p in self.senders + self.targets if p.failure]
        assert not failures, failures
        return self.ledger


class Collection(Load):
    """Takes what a copy of the gateway holds for the targets of another load, by a ledger
    that says what must be there."""

    def __init__(self, address, load, ledger):
        super().__init__(address, senders=0, targets=0, away=0)
        self.ledger = ledger
        self.targets = self.away = [Target(self, own) for own in load.target_ids]


def assert_kept(ledger):
    problems = ledger.problems()
    assert not problems, "\n".join(problems + [ledger.summary()])
    assert any(ledger.safe.values()), "nothing was receipted: nothing was tested"
