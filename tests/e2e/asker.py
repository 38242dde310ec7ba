"""A client of a request/answer service, scripted: `asker.ask(b"hi")` returns the answer.

Written from the protocol alone: ten decimal digits, then so many bytes, both ways."""

import socket

from terminal import DEADLINE


def frame(body):
    return b"%010d" % len(body) + body


class Asker:
    def __init__(self, address):
        self.socket = socket.create_connection(address, DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.socket.getsockname()[1]

    def send(self, raw):
        self.socket.sendall(raw)

    def read(self, size):
        """Exactly so many bytes; fewer if the connection ended before."""
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self.socket.recv(min(size - len(data), 1 << 20))
            except ConnectionResetError:
                break
            if not chunk:
                break
            data += chunk
        return bytes(data)

    def answer(self):
        head = self.read(10)
        assert len(head) == 10 and head.isdigit(), f"no header: {head!r}"
        body = self.read(int(head))
        assert len(body) == int(head), "the answer ended amid its body"
        return body

    def ask(self, body):
        self.send(frame(body))
        return self.answer()

    def expect_closed(self):
        assert self.read(1) == b""

    def close(self):
        self.socket.close()
