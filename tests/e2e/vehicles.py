"""A terminal of JT/T 808, 2013 or 2019, formed from the specification sheet alone.

    vehicle = gateway.vehicle("13912344329")
    vehicle.enter()                         registers and authenticates
    vehicle.locate()                        a location, and its answer
    vehicle.expect(CONTROL, b"\\4")
    vehicle.acknowledge(frame)              by 0001
    vehicle.expect_closed()"""

import struct
from collections import namedtuple

from devices import Peer

ANSWER, HEARTBEAT, LOG_OUT, ASK_TIME, ASK_AGAIN = 0x0001, 0x0002, 0x0003, 0x0004, 0x0005
REGISTER, AUTHENTICATE, PARAMETERS, ATTRIBUTES = 0x0100, 0x0102, 0x0104, 0x0107
LOCATION, BATCH = 0x0200, 0x0704
PLATFORM_ANSWER, SEND_AGAIN, TIME, REGISTERED = 0x8001, 0x8003, 0x8004, 0x8100
SET_PARAMETERS, QUERY_PARAMETERS, CONTROL = 0x8103, 0x8104, 0x8105
QUERY_SOME, QUERY_ATTRIBUTES, TEXT = 0x8106, 0x8107, 0x8300

OK, FAILED, BAD, UNSUPPORTED = 0, 1, 2, 3

# Answered by 8001; what has an answer of its own; what is itself an answer.
GENERAL = {0x0002, 0x0003, 0x0102, 0x0108, 0x0200, 0x0301, 0x0303, 0x0701, 0x0702,
           0x0704, 0x0705, 0x0800, 0x0900, 0x0901}
OWN_ANSWER = {REGISTER: REGISTERED, ASK_TIME: TIME}
NO_ANSWER = {0x0001, 0x0104, 0x0107, 0x0201, 0x0302, 0x0500, 0x0608, 0x0700, 0x0802,
             0x0805, 0x0a00}

Place = namedtuple("Place", "latitude longitude altitude speed direction time",
                   defaults=(31.234567, 121.45678, 12, 60.5, 90, "261121120000"))


def bcd(digits, size):
    """A phone as it stands in frames."""
    return bytes.fromhex(digits.rjust(size * 2, "0"))


def registration(is_2019=False, maker="smich", model="smallchi123", terminal="CHI123",
                 plate="粤A12345", province=40, city=50, colour=1):
    sizes = (11, 30, 30) if is_2019 else (5, 20, 7)
    texts = b"".join(text.encode("gbk").ljust(size, b"\0")
                     for text, size in zip((maker, model, terminal), sizes))
    return struct.pack(">HH", province, city) + texts + bytes([colour]) + \
        plate.encode("gbk")


def proof(token, is_2019=False, imei=b"123456789012345", software=b"3.7.15"):
    """The body of 0102."""
    if not is_2019:
        return token
    return bytes([len(token)]) + token + imei.ljust(15, b"\0") + \
        software.ljust(20, b"\0")


def location(place=Place(), alarms=0, status=3, extras=b""):
    return struct.pack(">IIIIHHH", alarms, status, round(abs(place.latitude) * 1e6),
                       round(abs(place.longitude) * 1e6), place.altitude,
                       round(place.speed * 10), place.direction) \
        + bytes.fromhex(place.time) + extras


def batch(bodies, stored=True):
    return struct.pack(">HB", len(bodies), stored) + \
        b"".join(struct.pack(">H", len(body)) + body for body in bodies)


def parameters(serial, values):
    """The body of 0104: {0x0001: bytes}."""
    return struct.pack(">HB", serial, len(values)) + \
        b"".join(struct.pack(">IB", key, len(value)) + value
                 for key, value in values.items())


def attributes(is_2019=False, kind=7, maker=b"maker", model=b"M1", terminal=b"T1",
               iccid="89860012345678901234", hardware=b"hw1", firmware=b"fw2",
               gnss=3, radio=1):
    """The body of 0107."""
    sizes = (5, 30, 30) if is_2019 else (5, 20, 7)
    texts = b"".join(text.ljust(size, b"\0")
                     for text, size in zip((maker, model, terminal), sizes))
    return struct.pack(">H", kind) + texts + bcd(iccid, 10) + \
        bytes([len(hardware)]) + hardware + bytes([len(firmware)]) + firmware + \
        bytes([gnss, radio])


class Vehicle(Peer):
    def __init__(self, address, phone="13912344329", is_2019=False, **options):
        super().__init__(address, bcd(phone, 10 if is_2019 else 6), **options)
        self.is_2019 = is_2019
        self.token = None

    @property
    def name(self):
        """As the API lists it."""
        text = self.own.hex()
        return (text.lstrip("0") or "0") if text.isdigit() else text

    # Getting in.

    def register(self, result=OK, **fields):
        """Gives the token, None if refused."""
        serial = self.send(REGISTER, registration(self.is_2019, **fields))
        answer = self.expect(REGISTERED)
        assert struct.unpack(">HB", answer.body[:3]) == (serial, result), answer
        token = answer.body[3:]
        assert bool(token) == (result == OK), answer
        if token:
            self.token = token
        return token or None

    def authenticate(self, token=None, result=OK):
        token = self.token if token is None else token
        self.expect_answer(AUTHENTICATE, self.send(AUTHENTICATE,
                                                   proof(token, self.is_2019)), result)
        return self

    def enter(self):
        if self.token is None:
            self.register()
        return self.authenticate()

    # What is answered by 8001.

    def expect_answer(self, message, serial, result=OK):
        wanted = struct.pack(">HHB", serial, message, result)
        return self.expect(PLATFORM_ANSWER, wanted)

    def tell(self, message, body=b"", result=OK, **options):
        """Sends it and waits for its answer."""
        serial = self.send(message, body, **options)
        self.expect_answer(message, serial, result)
        return serial

    def beat(self):
        self.tell(HEARTBEAT)
        return self

    expect_nothing = beat

    def locate(self, *args, **fields):
        return self.tell(LOCATION, location(*args, **fields))

    # Answers to commands.

    def acknowledge(self, frame, result=OK, serial=None):
        """0001: names message and serial of what it answers."""
        serial = frame.serial if serial is None else serial
        self.send(ANSWER, struct.pack(">HHB", serial, frame.message, result))
        return frame
