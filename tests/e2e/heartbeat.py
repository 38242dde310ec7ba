"""One heartbeat client, scripted. Formed from the protocol page alone:

        0        4
        | length | that many bytes of UTF-8 JSON ...

    client = gateway.client()
    client.beat()
    client.expect_closed()      ended, and not one byte was ever sent to it"""

import json
import random
import socket
import struct
import time

from terminal import DEADLINE, Terminal

# The examples of the protocol page: the object, and a string that holds it.
VECTOR_OBJECT = bytes.fromhex("00000038") + \
    b'{"ip": "192.168.1.105", "status": "alive", "pid": 26464}'
VECTOR_STRING = bytes.fromhex("00000044") + \
    rb'"{\"ip\": \"192.168.1.105\", \"status\": \"alive\", \"pid\": 26464}"'

ENCODINGS = ("object", "string")


def frame(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(data)) + data


def encode(content, encoding="object"):
    """`string` is what deployed clients send: the text, encoded once more."""
    text = json.dumps(content)
    return json.dumps(text) if encoding == "string" else text


def some_loopback():
    """An address of this machine that hardly anybody uses just now."""
    return "127." + ".".join(str(random.randrange(1, 255)) for _ in range(3))


class Client:
    def __init__(self, address, ip="192.0.2.1", encoding="object", port=0, source=None,
                 pid=4711):
        self.address = address
        self.ip = ip
        self.encoding = encoding
        self.port = port
        self.source = source or address[0]
        self.pid = pid
        self.socket = None

    @property
    def identity(self):
        return f"{self.ip}:{self.port}"

    # The connection.

    def connect(self):
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        if self.port:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((self.source, self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(self.address)
        self.port = self.socket.getsockname()[1]
        return self

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    reset = Terminal.reset
    is_open = Terminal.is_open
    is_readable = Terminal.is_readable
    wait_until_read = Terminal.wait_until_read

    def expect_closed(self, seconds=DEADLINE):
        """The gateway ended it, and has never sent a byte."""
        self.socket.settimeout(seconds)
        try:
            got = self.socket.recv(4096)
        except ConnectionResetError:
            return
        except socket.timeout:
            raise AssertionError(f"{self.identity}: not ended in {seconds} s") from None
        assert got == b"", f"the gateway answered {got[:60]}"

    # Sending.

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_text(self, text):
        self.send_raw(frame(text))

    def content(self, status="alive"):
        content = {"ip": self.ip, "status": status}
        if self.pid is not None:
            content["pid"] = self.pid
        return content

    def form(self, status="alive"):
        return frame(encode(self.content(status), self.encoding))

    def beat(self, status="alive"):
        self.send_raw(self.form(status))
        return self

    def beat_until(self, condition, what, pause=0.02, seconds=30):
        """Many beats per interval; over when the condition holds."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"beat for {seconds} s in vain for {what}"
            self.beat()
            time.sleep(pause)
        return value
