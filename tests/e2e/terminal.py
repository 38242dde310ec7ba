"""One terminal, scripted: a test reads as a conversation.

    a = gateway.registered(1)
    a.send(2, b"hi")
    b.expect(1, b"hi")

Waiting is always for a condition, with a deadline that only a fault reaches."""

import fcntl
import os
import select
import socket
import struct
import time

import ttms

SIOCOUTQ = 0x5411
DEADLINE = 15  # seconds; generous, because nothing waits for it when all is well


def wait_until(condition, what="a condition", seconds=DEADLINE):
    end = time.monotonic() + seconds
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


class Terminal:
    def __init__(self, address, own=None, reading="total", receive_buffer=None,
                 send_buffer=None, source=None):
        self.address = address
        self.own = own
        self.reading = reading
        self.receive_buffer = receive_buffer
        self.send_buffer = send_buffer
        self.source = source
        self.socket = None
        self.buffer = bytearray()
        self.stamps = 0

    # The connection.

    def connect(self):
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if self.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        if self.send_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        if self.source:
            self.socket.bind((self.source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(self.address)
        self.buffer.clear()
        return self

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def reset(self):
        """Ends the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def leave(self):
        """Says that it will send no more, takes everything that is still on its way, and
        closes. Nothing that our TCP acknowledged stays unread. Returns the frames."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.leave_after_end()

    def leave_after_end(self):
        """The same when the gateway is the one to end it. A last frame may be cut off:
        it was not delivered, and comes again to the next connection."""
        frames = []
        while self.holds_frame() or self.receive_more():
            if self.holds_frame():
                frames.append(self.receive())
        self.close()
        return frames

    # Sending.

    def send_raw(self, data):
        self.socket.sendall(data)

    def heartbeat(self, own=None):
        if own is not None:
            self.own = own
        self.stamps += 1
        self.send_raw(ttms.heartbeat(self.own, self.reading, self.stamps))

    def send(self, target, *payloads):
        self.send_raw(b"".join(ttms.data(target, p, self.reading) for p in payloads))

    def register(self, own=None):
        """Heartbeat, then a message to itself: when that is back, the gateway knows us.
        What arrives before it is kept for expect()."""
        self.heartbeat(own)
        self.synchronise()

    def synchronise(self):
        self.stamps += 1
        token = b"to myself %d" % self.stamps
        self.send(self.own, token)
        kept = bytearray()
        while True:
            frame = self.receive()
            assert frame is not None, "closed instead of registered"
            if frame.address == self.own and frame.content == token:
                break
            kept += frame.raw
        self.buffer[:0] = kept

    def wait_until_read(self):
        """The gateway's process has taken from its socket what we have sent. OSError: it
        never will, the connection was reset."""
        def is_read():
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            return (not bytes_unacknowledged(self.socket)
                    and queues_of_peer(self.socket)[1] == 0)

        wait_until(is_read, "the gateway to read")

    # Receiving.

    def holds_frame(self):
        size = ttms.complete_size(self.buffer, self.reading)
        return size if size is not None and len(self.buffer) >= size else None

    def receive(self, seconds=DEADLINE):
        """The next frame; None when the gateway has ended the connection."""
        while not (size := self.holds_frame()):
            if not self.receive_more(seconds):
                assert not self.buffer, f"ended inside a frame: {bytes(self.buffer[:64])}"
                return None
        raw = bytes(self.buffer[:size])
        del self.buffer[:size]
        return ttms.parse(raw, self.reading)

    def receive_more(self, seconds=DEADLINE):
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionResetError:
            return False
        except socket.timeout:
            raise AssertionError(f"terminal {self.own}: nothing came in {seconds} s; "
                                 f"held: {bytes(self.buffer[:64])}") from None
        self.buffer += data
        return bool(data)

    def receive_raw(self, size):
        while len(self.buffer) < size:
            assert self.receive_more(), f"closed after {len(self.buffer)} of {size} bytes"
        raw = bytes(self.buffer[:size])
        del self.buffer[:size]
        return raw

    def expect_raw(self, wanted):
        got = self.receive_raw(len(wanted))
        assert got == wanted, \
            f"\n got    {got[:80].hex(' ')}\n wanted {wanted[:80].hex(' ')}"

    def expect(self, sender, *payloads):
        """These messages of that sender, and nothing between them."""
        for payload in payloads:
            frame = self.receive()
            assert frame is not None, f"closed instead of {payload[:40]}"
            got = (frame.address, frame.command, frame.content)
            assert got == (sender, ttms.DATA, payload), \
                f"\n got    {got[0]:08x} {got[1]:02x} {got[2][:60]}" \
                f"\n wanted {sender:08x} aa {payload[:60]}"

    def expect_echo(self):
        """The last heartbeat, echoed (listener with reply_heartbeats)."""
        self.expect_raw(ttms.form(ttms.HEARTBEAT, self.own, struct.pack(">I", self.stamps),
                                  self.reading, start=ttms.FROM_GATEWAY))

    def expect_nothing(self):
        """Nothing is waiting: on a listener with reply_heartbeats, the echo comes next."""
        self.heartbeat()
        self.expect_echo()

    def expect_with_echo(self, sender, *payloads):
        """These messages, and the echo of the last heartbeat somewhere among them."""
        frames = [self.receive() for _ in range(len(payloads) + 1)]
        assert sum(f.command == ttms.HEARTBEAT for f in frames) == 1, frames
        got = [(f.address, f.content) for f in frames if f.command == ttms.DATA]
        assert got == [(sender, payload) for payload in payloads], got

    def expect_closed(self, seconds=DEADLINE):
        frame = self.receive(seconds)
        assert frame is None, f"a frame instead of the end: {frame}"

    def wait_quiet(self):
        """Nothing arrives here or is acknowledged any more: a reader that stopped. TCP may
        put off an acknowledgement for 0.2 s."""
        before, since = None, 0
        while before != (now := (len(self.unread()), queues_of_peer(self.socket))) \
                or time.monotonic() < since + 0.3:
            if before != now:
                before, since = now, time.monotonic()
            time.sleep(0.02)

    def wait_end(self, seconds=DEADLINE):
        """The gateway has ended the connection; nothing of what came before is read."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        assert poll.poll(seconds * 1000), f"not ended within {seconds} s"

    def is_readable(self, seconds=0):
        return bool(select.select([self.socket], [], [], seconds)[0])

    def is_open(self):
        """Nothing to read and no end: does not wait."""
        if not self.is_readable():
            return True
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except ConnectionResetError:
            return False

    # Looking at our own TCP.

    def unread(self):
        """The bytes that our kernel has acknowledged and we have not read; they stay."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1 << 26, socket.MSG_PEEK)
        except BlockingIOError:
            return b""
        finally:
            self.socket.settimeout(DEADLINE)


def queues_of_peer(ours):
    """Of the other end of a local connection, from /proc/net/tcp: bytes that were sent
    and not acknowledged, bytes that were received and not read."""
    local, remote = ours.getsockname()[1], ours.getpeername()[1]
    table = "/proc/net/tcp6" if ours.family == socket.AF_INET6 else "/proc/net/tcp"
    with open(table) as file:
        next(file)
        for line in file:
            fields = line.split()
            if (int(fields[1].rsplit(":", 1)[1], 16) == remote
                    and int(fields[2].rsplit(":", 1)[1], 16) == local):
                return tuple(int(queue, 16) for queue in fields[4].split(":"))
    return 0, 0


def bytes_unacknowledged(ours):
    return struct.unpack("i", fcntl.ioctl(ours.fileno(), SIOCOUTQ, b"\0" * 4))[0]
