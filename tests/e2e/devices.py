"""Devices that speak in frames between 7E and 7E, formed from the protocol page alone.

    7E message properties [version] id serial [total number] body xor 7E

    device = gateway.device("T9000010", state="ready")
    device.login()
    query = device.expect(STATUS)
    device.answer(query)
    device.expect_closed()

The length of the id's bytes decides about the header: 8 are ASCII, 6 the phone of JT/T
808-2013, 10 that of 2019, with a version byte before it. vehicles.py builds on this."""

import selectors
import socket
import struct
import threading
from collections import namedtuple

from terminal import DEADLINE, Terminal
from ttms import xor

LOGIN, HEARTBEAT, REPORT = 0x1001, 0x1002, 0x1003
TURN_ON, STATUS, RESTART = 0x1004, 0x1005, 0x1006
TURN_ON_BODY, TURN_ON_SERIAL = bytes.fromhex("0003010000000000"), 0x0010

STATES = {"on": 1, "paused": 2, "cooling": 3, "standby": 4, "ready": 5}

PACKAGED, VERSIONED = 1 << 13, 1 << 14
BODY_MAX = 1023

# The examples of the protocol page.
VECTORS = {
    "login": "7e10010000543930303030313000017c7e",
    "query": "7e10050000543930303030313000027b7e",
    "answer": "7e1005000454393030303031300002000000057a7e",
    "turn_on": "7e10040008543930303030313000100003010000000000627e",
    "escaping": "7e100300045439303030303130007d027d017d020001077e",
}
VECTORS = {name: bytes.fromhex(text) for name, text in VECTORS.items()}

Frame = namedtuple("Frame", "message properties version own serial total number body")


class Unreadable(ValueError):
    """What came is no frame."""


def escape(raw):
    return raw.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")


def unescape(raw):
    parts = raw.split(b"\x7d")
    for part in parts[1:]:
        if part[:1] not in (b"\x01", b"\x02"):
            raise Unreadable("7d before neither 01 nor 02")
    return parts[0] + b"".join((b"\x7d" if part[0] == 1 else b"\x7e") + part[1:]
                               for part in parts[1:])


def enclose(content):
    """Header and body as they go onto the wire."""
    return b"\x7e" + escape(content + bytes([xor(content)])) + b"\x7e"


def form(message, own, serial, body=b"", version=1, total=0, number=0, properties=None):
    if properties is None:
        properties = len(body)
        properties |= PACKAGED if total else 0
        properties |= VERSIONED if len(own) == 10 else 0
    head = struct.pack(">HH", message, properties)
    head += bytes([version]) if len(own) == 10 else b""
    head += own + struct.pack(">H", serial)
    head += struct.pack(">HH", total, number) if total else b""
    return enclose(head + body)


def form_all(message, own, serial, body, version=1):
    """The same in as many packages as it takes; each has a serial of its own."""
    pieces = [body[at:at + BODY_MAX] for at in range(0, len(body), BODY_MAX)] or [b""]
    if len(pieces) == 1:
        return [form(message, own, serial, body, version)]
    return [form(message, own, (serial + n) & 0xffff, piece, version, len(pieces),
                 n + 1) for n, piece in enumerate(pieces)]


def parse(wire, is_ascii=False):
    """Takes a frame apart, and believes none of it unchecked."""
    if wire[:1] != b"\x7e" or wire[-1:] != b"\x7e" or b"\x7e" in wire[1:-1]:
        raise Unreadable("not between two 7e")
    raw = unescape(wire[1:-1])
    if len(raw) < 5:
        raise Unreadable("too short")
    if xor(raw[:-1]) != raw[-1]:
        raise Unreadable("wrong check byte")
    message, properties = struct.unpack_from(">HH", raw)
    version, at = None, 4
    if properties & VERSIONED and not is_ascii:
        version, at = raw[4], 5
    id_size = 8 if is_ascii else 6 if version is None else 10
    own, at = raw[at:at + id_size], at + id_size
    packaged = bool(properties & PACKAGED)
    if len(raw) < at + 2 + 4 * packaged + 1:
        raise Unreadable("too short")
    serial, at = struct.unpack_from(">H", raw, at)[0], at + 2
    total = number = 0
    if packaged:
        total, number = struct.unpack_from(">HH", raw, at)
        at += 4
    body = raw[at:-1]
    if properties & BODY_MAX != len(body):
        raise Unreadable(f"{len(body)} bytes of body, {properties & BODY_MAX} declared")
    if properties >> 10 & 7:
        raise Unreadable("encrypted")
    return Frame(message, properties, version, own, serial, total, number, body)


class Peer:
    """One connection that speaks in such frames."""

    is_ascii = False

    def __init__(self, address, own, version=1, receive_buffer=None):
        self.address = address
        self.own = own              # as it stands in frames
        self.version = version
        self.receive_buffer = receive_buffer
        self.socket = None
        self.buffer = bytearray()
        self.serial = 0             # of the next frame that is no answer

    def connect(self):
        self.socket = socket.socket()
        if self.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   self.receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer.clear()
        return self

    close = Terminal.close
    reset = Terminal.reset
    is_open = Terminal.is_open
    is_readable = Terminal.is_readable
    send_raw = Terminal.send_raw
    wait_until_read = Terminal.wait_until_read
    wait_end = Terminal.wait_end

    def fileno(self):
        return self.socket.fileno()

    # Sending.

    def next_serial(self):
        serial, self.serial = self.serial, (self.serial + 1) & 0xffff
        return serial

    def form(self, message, body=b"", serial=None, **options):
        """A frame of ours; returns its serial, too."""
        serial = self.next_serial() if serial is None else serial
        options.setdefault("version", self.version)
        own = options.pop("own", self.own)
        return serial, form(message, own, serial, body, **options)

    def send(self, message, body=b"", serial=None, **options):
        serial, frame = self.form(message, body, serial, **options)
        self.send_raw(frame)
        return serial

    # Receiving.

    def receive(self, seconds=DEADLINE):
        """The next frame; None when the gateway has ended the connection."""
        while (end := self.buffer.find(b"\x7e", 1)) < 0:
            if not self.receive_more(seconds):
                assert not self.buffer, f"ended inside a frame: {self.buffer.hex(' ')}"
                return None
        wire = bytes(self.buffer[:end + 1])
        del self.buffer[:end + 1]
        return self.check(wire)

    def check(self, wire):
        """The gateway's own frames have to be in order, in our form of header."""
        try:
            frame = parse(wire, self.is_ascii)
        except Unreadable as why:
            raise AssertionError(f"{why}: {wire.hex(' ')}") from None
        version = self.version if len(self.own) == 10 else None
        assert (frame.own, frame.version) == (self.own, version), \
            f"not for {self.own.hex()} of version {version}: {frame}"
        return frame

    def receive_more(self, seconds=DEADLINE):
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            return False
        except socket.timeout:
            raise AssertionError(f"{self.own}: nothing came in {seconds} s; held: "
                                 f"{self.buffer.hex(' ')}") from None
        self.buffer += data
        return bool(data)

    def expect(self, message, body=None, serial=None, seconds=DEADLINE):
        frame = self.receive(seconds)
        assert frame is not None, f"closed instead of {message:04x}"
        assert frame.message == message, f"{frame} is not {message:04x}"
        assert body is None or frame.body == body, f"{frame} has not {body.hex()}"
        assert serial is None or frame.serial == serial, f"{frame} has not {serial}"
        return frame

    def expect_closed(self, seconds=DEADLINE):
        frame = self.receive(seconds)
        assert frame is None, f"a frame instead of the end: {frame}"


class Device(Peer):
    """A vending machine: PROTOCOLS, section 3."""

    is_ascii = True

    def __init__(self, address, own="T9000010", state="ready", **options):
        super().__init__(address, own.encode().ljust(8), **options)
        self.state = state

    @property
    def name(self):
        return self.own.decode().rstrip().upper()

    def check(self, wire):
        """The gateway may write the id in capitals, as it lists it."""
        try:
            frame = parse(wire, True)
        except Unreadable as why:
            raise AssertionError(f"{why}: {wire.hex(' ')}") from None
        assert frame.own.upper() == self.own.upper(), f"not for {self.own}: {frame}"
        return frame

    def login(self):
        self.expect(LOGIN, b"\0", self.send(LOGIN))
        return self

    def beat(self):
        """A heartbeat and its answer: what was sent before it has been read."""
        self.expect(HEARTBEAT, b"\0", self.send(HEARTBEAT))
        return self

    expect_nothing = beat

    def state_body(self, more=b""):
        return bytes([0, 0, 0, STATES.get(self.state, self.state)]) + more

    def report(self, more=b""):
        return self.send(REPORT, self.state_body(more))

    def answer(self, frame, body=None, serial=None):
        """With the same id and serial, unless a test wants it wrong."""
        self.send(frame.message, self.state_body() if body is None else body,
                  frame.serial if serial is None else serial)
        return frame

    def serve(self, message, count=1):
        """Expects this command and answers it."""
        for _ in range(count):
            self.answer(self.expect(message))
        return self


class Fleet:
    """Peers that answer in the background: `respond(peer, frame)` for each frame.

        with Fleet(devices, Device.answer):
            ..."""

    def __init__(self, peers, respond):
        self.peers = peers
        self.respond = respond
        self.failure = None
        self.ours, self.theirs = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ours.close()
        self.thread.join(DEADLINE)
        self.theirs.close()
        if self.failure and kind is None:
            raise self.failure

    def run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.theirs, selectors.EVENT_READ)
            for peer in self.peers:
                selector.register(peer, selectors.EVENT_READ, peer)
            try:
                while self.turn(selector):
                    pass
            except Exception as failure:  # told by the test's own thread
                self.failure = failure

    def turn(self, selector):
        for key, _ in selector.select():
            if key.data is None:
                return False
            if not self.take(key.data):
                selector.unregister(key.data)
        return True

    def take(self, peer):
        if not peer.receive_more():
            return False
        while peer.buffer.find(b"\x7e", 1) >= 0:
            self.respond(peer, peer.receive())
        return True
