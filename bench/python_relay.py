#!/usr/bin/env python3
"""The kind of server that Holdfast replaces, as the comparison for it.

A thread per terminal; one recv() of up to a megabyte; a large piece is split where the
next frame's mark stands, a small one is taken for one frame; every piece is printed in
hexadecimal; the check byte is computed byte by byte. It trusts that a piece ends where a
frame ends, so it is driven with bursts that are written at once.

usage: python_relay.py PORT"""

import socket
import socketserver
import sys
from collections import defaultdict

MARK = b"$TTMS"
HEAD = 12
SMALL = 200
HEARTBEAT, DATA = 0x01, 0xAA

terminals = {}
names = {}
waiting = defaultdict(list)


def register(link, name):
    terminals[name] = link
    names[link] = name
    for each, address in list(terminals.items()):
        print(each, "is", address)
    for frame in waiting.pop(name, []):
        link.send(frame)


def rewritten(frame, sender):
    out = bytearray(frame)
    out[:5] = b"$TTMX"
    out[7:11] = sender
    check = 0
    for byte in out[:-1]:
        check ^= byte
    out[-1] = check
    return out


def forward(link, frame):
    sender = names.get(link)
    if not sender:
        return False
    target = frame[7:11]
    out = rewritten(frame, sender)
    to = terminals.get(target)
    if not to:
        waiting[target].append(out)
        print("kept for", target)
        return True
    print("forward to", target, to)
    to.send(out)
    print("sent", sender, "->", target)
    return True


def split(piece):
    frames = [MARK + rest for rest in piece.split(MARK)[1:]]
    print(len(frames), "frames")
    return frames


def handle_piece(link, piece):
    """False: close the connection."""
    if not piece.startswith(MARK) or len(piece) < HEAD:
        return False
    for frame in split(piece) if len(piece) >= SMALL else [piece]:
        command = frame[11]
        if command == HEARTBEAT:
            register(link, frame[7:11])
        elif command != DATA or not forward(link, frame):
            return False
    return True


class Terminal(socketserver.BaseRequestHandler):
    def handle(self):
        print("connected", self.client_address)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            piece = self.request.recv(1000000)
            if not piece:
                return
            print("from", self.client_address, len(piece), "\r\n", piece.hex(" "))
            if not handle_piece(self.request, piece):
                print("refused", self.client_address)
                return


class Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    Relay(("127.0.0.1", int(sys.argv[1])), Terminal).serve_forever()
