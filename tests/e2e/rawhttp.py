"""HTTP byte by byte: what no library would send.

    status, headers, body, ended = ask(gateway, b"GET / HTTP/1.1\\r\\n...")
    with Raw(gateway) as raw:
        raw.send(get("/healthz"))
        raw.answer()"""

import socket
from collections import namedtuple

DEADLINE = 30  # seconds; generous, because nothing waits for it when all is well
Answer = namedtuple("Answer", "status headers body ended")


def request(line, *headers, host="localhost", body=b""):
    lines = [line if isinstance(line, bytes) else line.encode()]
    if host is not None:
        lines.append(b"Host: " + host.encode())
    lines += [h if isinstance(h, bytes) else h.encode() for h in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(path, *headers, **options):
    return request(f"GET {path} HTTP/1.1", *headers, **options)


class Raw:
    """One connection."""

    def __init__(self, gateway, source=None):
        self.socket = socket.create_connection(
            gateway.http_address(), DEADLINE, source and (source, 0))
        self.buffer = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, raw):
        """As much as is taken: a refusal may come before the end."""
        try:
            self.socket.sendall(raw)
        except OSError:
            pass
        return self

    def more(self):
        try:
            part = self.socket.recv(65536)
        except ConnectionError:
            part = b""
        self.buffer += part
        self.ended = not part
        return bool(part)

    def answer(self, method="GET"):
        """The next one; None when the connection ends instead."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                assert not self.buffer, f"ended within the head: {self.buffer[:200]}"
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        line, *fields = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1", line
        headers = dict(f.split(": ", 1) for f in fields)
        status = int(status)
        empty = method == "HEAD" or status in (100, 204, 304)
        size = 0 if empty else int(headers["Content-Length"])
        while len(self.buffer) < size:
            assert self.more(), f"ended within the body of {line}"
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return Answer(status, headers, body, headers.get("Connection") == "close")

    def is_ended(self):
        """Waits for the end; anything else that comes is an error."""
        while self.more():
            pass
        assert not self.buffer, f"more than expected: {self.buffer[:200]}"
        return True


def ask(gateway, raw, method="GET"):
    with Raw(gateway) as connection:
        return connection.send(raw).answer(method)
