"""Frames of the terminal relay, formed from the protocol page alone.

        0        5        7         11        12            last
        | $TTMS  | length | address | command | content ... | xor |

This is the second, independent reading of every byte: nothing here was taken from the
gateway's sources, so that a misreading there and one here do not cancel out."""

import struct
from collections import namedtuple

TO_GATEWAY, FROM_GATEWAY = b"$TTMS", b"$TTMX"
HEARTBEAT, RECEIPT, REFUSAL, DATA = 0x01, 0x02, 0x03, 0xAA
HEAD = 12  # bytes before the content

# What the length field counts. The fifth, `ignore`, counts nothing.
BELIEVED = ("total", "rest", "content1", "content2")

# The examples of the protocol page.
VECTOR_HEARTBEAT = bytes.fromhex("2454544d53001100000001 01000003e8c0")
VECTOR_DATA = bytes.fromhex("2454544d53000f00000002aa68699c")
VECTOR_RECEIVED = bytes.fromhex("2454544d58000f00000001aa686994")

Frame = namedtuple("Frame", "address command content raw")


def xor(data):
    value = 0
    for byte in data:
        value ^= byte
    return value


def frame_size(content_size, reading):
    return HEAD + content_size + (2 if reading == "content2" else 1)


def length_value(content_size, reading):
    return {
        "total": frame_size(content_size, "total"),
        "rest": frame_size(content_size, "rest") - 7,
        "content1": content_size,
        "content2": content_size,
        "ignore": 0,
    }[reading]


def form(command, address, content=b"", reading="total", start=TO_GATEWAY, length=None):
    if length is None:
        length = length_value(len(content), reading)
    body = start + struct.pack(">HIB", length, address, command) + content
    if reading == "content2":
        body += b"\0"
    # An XOR over thousands of bytes is slow in Python: fold them as one big number.
    return body + bytes([fast_xor(body)])


def fast_xor(data):
    """The same as xor(), for long frames."""
    while len(data) > 64:
        half = (len(data) + 1) // 2
        low, high = data[:half], data[half:]
        folded = int.from_bytes(low, "little") ^ int.from_bytes(high, "little")
        data = folded.to_bytes(half, "little")
    return xor(data)


def heartbeat(own, reading="total", stamp=1000):
    return form(HEARTBEAT, own, struct.pack(">I", stamp), reading)


def data(target, payload, reading="total"):
    return form(DATA, target, payload, reading)


def received(sender, payload, reading="total"):
    """What the target gets of data(target, payload)."""
    return form(DATA, sender, payload, reading, start=FROM_GATEWAY)


def complete_size(head, reading):
    """Size of the frame that `head` begins, by its length field; None: too few bytes."""
    if len(head) < 7:
        return None
    length = struct.unpack_from(">H", head, 5)[0]
    return {
        "total": length,
        "rest": length + 7,
        "content1": HEAD + length + 1,
        "content2": HEAD + length + 2,
    }[reading]


def parse(raw, reading="total"):
    """Takes a frame from the gateway apart, and believes none of it unchecked."""
    assert raw[:5] == FROM_GATEWAY, f"frame does not begin with $TTMX: {raw[:40].hex(' ')}"
    assert fast_xor(raw[:-1]) == raw[-1], f"wrong check byte: {raw[:64].hex(' ')}"
    address, command = struct.unpack_from(">IB", raw, 7)
    check = 2 if reading == "content2" else 1
    return Frame(address, command, raw[HEAD:-check], raw)
