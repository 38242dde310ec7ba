"""Thousands of peers of all protocols, driven by one thread: they connect all at once,
each says who it is, and hears that the gateway knows it.

    crowd = Crowd([Relay(gateway, 7), Machine(gateway, "T9000010"), ...])
    crowd.rush()            all that are away come, and try again until they are in
    crowd.wait_lost()       their connections have ended
    crowd.cut_cables()      they forget their connections; nobody tells the gateway
    crowd.wait(lambda: ...)

A heartbeat client hears nothing by its protocol: the gateway's own count tells that it
is known."""

import collections
import errno
import os
import select
import socket
import struct
import time

import devices
import ttms
import vehicles
from heartbeat import Client, some_loopback
from terminal import Terminal

AGAIN_AFTER = 0.1  # seconds, when a connection was refused or broke

Rush = collections.namedtuple("Rush", "seconds attempts")


class Member:
    """`is_in`: the gateway has shown that it knows it. `peer` forms and reads."""

    source = None

    def __init__(self, peer):
        self.peer = peer
        self.is_in = False

    def greet(self):
        raise NotImplementedError

    def hear(self, frame):
        raise NotImplementedError

    def holds_frame(self):
        return self.peer.holds_frame()

    def connect(self):
        """Begins to; does not wait."""
        self.is_in = False
        self.peer.buffer = bytearray()
        self.peer.socket = ours = socket.socket()
        ours.setblocking(False)
        if self.source:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ours.bind(self.source)
        result = ours.connect_ex(self.peer.address)
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, os.strerror(result))

    def say(self, data):
        sent = self.peer.socket.send(data)
        assert sent == len(data), "a new connection takes no greeting"

    def read(self):
        """False: it has ended."""
        try:
            data = self.peer.socket.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.peer.buffer += data
        while self.holds_frame():
            self.hear(self.peer.receive())
        return bool(data)


class Relay(Member):
    """A relay terminal, at a listener with reply_heartbeats; `mail` is what it got."""

    def __init__(self, gateway, own):
        super().__init__(Terminal(gateway.address("terminals"), own))
        self.mail = []

    def greet(self):
        self.say(ttms.heartbeat(self.peer.own))

    def hear(self, frame):
        if frame.command == ttms.HEARTBEAT:
            self.is_in = True
        else:
            assert frame.command == ttms.DATA, frame
            self.mail.append(frame.content)


class Framed(Member):
    def holds_frame(self):
        return self.peer.buffer.find(b"\x7e", 1) > 0


class Machine(Framed):
    """A vending machine."""

    def __init__(self, gateway, own):
        super().__init__(devices.Device(gateway.address("devices"), own))

    def greet(self):
        self.say(self.peer.form(devices.LOGIN)[1])

    def hear(self, frame):
        assert (frame.message, frame.body) == (devices.LOGIN, b"\0"), frame
        self.is_in = True


class Vehicle(Framed):
    """A terminal of JT/T 808. It registers once, and keeps its token."""

    def __init__(self, gateway, phone):
        super().__init__(vehicles.Vehicle(gateway.address("vehicles"), phone))

    def greet(self):
        if self.peer.token is None:
            self.say(self.peer.form(vehicles.REGISTER, vehicles.registration())[1])
        else:
            self.authenticate()

    def authenticate(self):
        self.serial, frame = self.peer.form(vehicles.AUTHENTICATE,
                                            vehicles.proof(self.peer.token))
        self.say(frame)

    def hear(self, frame):
        if frame.message == vehicles.REGISTERED:
            assert frame.body[2] == vehicles.OK, frame
            self.peer.token = frame.body[3:]
            self.authenticate()
            return
        wanted = struct.pack(">HHB", self.serial, vehicles.AUTHENTICATE, vehicles.OK)
        assert (frame.message, frame.body) == (vehicles.PLATFORM_ANSWER, wanted), frame
        self.is_in = True


class Beating(Member):
    """A heartbeat client: its port is part of its identity, its address is not."""

    def __init__(self, gateway, port):
        super().__init__(Client(gateway.address("clients"), ip="10.0.0.1", port=port))

    def connect(self):
        self.source = (some_loopback(), self.peer.port)
        super().connect()

    def holds_frame(self):
        assert not self.peer.buffer, "the gateway answered a heartbeat"

    def greet(self):
        self.say(self.peer.form())
        self.is_in = True


class Crowd:
    def __init__(self, members):
        self.members = members
        self.epoll = select.epoll()
        self.by_descriptor = {}
        self.is_rushing = False
        self.missing = set()  # they want to be in
        self.again = collections.deque()  # (when, who)
        self.left_behind = []
        self.attempts = 0

    def close(self):
        for member in self.members:
            member.peer.close()
        self.drop_left_behind()
        self.epoll.close()

    # Coming.

    def rush(self, members=None, seconds=60):
        """All of them at once. Returns how long it took, and how many attempts."""
        began, self.attempts, self.is_rushing = time.monotonic(), 0, True
        self.missing = {m for m in members or self.members if not m.is_in}
        for member in list(self.missing):
            self.connect(member)
        self.wait(lambda: not self.missing, "all to be in", seconds)
        self.is_rushing = False
        return Rush(time.monotonic() - began, self.attempts)

    def connect(self, member):
        self.attempts += 1
        try:
            member.connect()
        except OSError:
            self.lose(member)
            return
        descriptor = member.peer.socket.fileno()
        self.by_descriptor[descriptor] = member
        self.epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT)

    def lose(self, member):
        descriptor = member.peer.socket.fileno()
        if self.by_descriptor.pop(descriptor, None):
            self.epoll.unregister(descriptor)
        member.peer.reset()  # its port is free at once
        member.is_in = False
        if self.is_rushing:
            self.missing.add(member)
            self.again.append((time.monotonic() + AGAIN_AFTER, member))

    # What happens meanwhile.

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, \
                f"waited {seconds} s in vain for {what}: {self.count_in()} are in"
            self.turn()

    def turn(self):
        for descriptor, events in self.epoll.poll(0.02, 1024):
            self.handle(self.by_descriptor[descriptor], events)
        while self.again and self.again[0][0] <= time.monotonic():
            self.connect(self.again.popleft()[1])

    def handle(self, member, events):
        try:
            if events & select.EPOLLOUT and not events & select.EPOLLHUP:
                member.greet()
                self.epoll.modify(member.peer.socket.fileno(), select.EPOLLIN)
            is_open = not events & (select.EPOLLIN | select.EPOLLHUP) or member.read()
        except OSError:
            is_open = False
        if not is_open:
            self.lose(member)
        elif member.is_in:
            self.missing.discard(member)

    def count_in(self):
        return sum(member.is_in for member in self.members)

    # Going.

    def wait_lost(self):
        self.wait(lambda: not self.by_descriptor, "all connections to end")

    def cut_cables(self):
        """From now on nobody listens at their connections, which stay open."""
        for descriptor, member in self.by_descriptor.items():
            self.epoll.unregister(descriptor)
            self.left_behind.append(member.peer.socket)
            member.peer.socket = None
            member.is_in = False
        self.by_descriptor.clear()

    def drop_left_behind(self):
        for old in self.left_behind:
            old.close()
        self.left_behind.clear()
