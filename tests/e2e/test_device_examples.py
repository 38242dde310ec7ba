"""The scripted devices themselves, held against published frames: what forms and reads
bytes in these tests has to be right before it may judge a gateway."""

import struct

import pytest

import devices
import vehicles
from devices import Unreadable, form, parse
from vehicles import bcd

PACK = struct.pack
VENDING = b"T9000010"


@pytest.mark.parametrize("name, message, serial, body", (
    ("login", devices.LOGIN, 1, b""),
    ("query", devices.STATUS, 2, b""),
    ("answer", devices.STATUS, 2, b"\0\0\0\5"),
    ("turn_on", devices.TURN_ON, devices.TURN_ON_SERIAL, devices.TURN_ON_BODY),
    ("escaping", devices.REPORT, 0x007e, b"\x7d\x7e\0\1")))
def test_a_vending_machine_speaks_as_the_examples(name, message, serial, body):
    wire = devices.VECTORS[name]
    assert form(message, VENDING, serial, body) == wire
    assert parse(wire, is_ascii=True) == \
        (message, len(body), None, VENDING, serial, 0, 0, body)


# What other projects publish: message, phone (12 digits: 2013, 20: 2019), serial, body.
PUBLISHED = {
    "7e0002000004304832546500b7ca7e": (0x0002, "043048325465", 0xb7, b""),
    "7e80010005043048325465000000b70002004e7e":
        (0x8001, "043048325465", 0, PACK(">HHB", 0xb7, 2, 0)),
    "7e000240000112345678901234567890ffff437e":
        (0x0002, "12345678901234567890", 65535, b""),
    "7e8001400501123456789012345678900000ffff000200c77e":
        (0x8001, "12345678901234567890", 0, PACK(">HHB", 65535, 2, 0)),
    "7e8001000501234567890100007fff0002008e7e":
        (0x8001, "012345678901", 0, PACK(">HHB", 32767, 2, 0)),
    "7e0100002d000123456789000a002800323132333400736d616c6c63686931323300000000000000"
    "00004348493132330001d4c14131323334358a7e":
        (0x0100, "000123456789", 10, vehicles.registration(maker="1234")),
    "7e010040540100000000000123456789000a002800323132333400000000000000736d616c6c6368"
    "69313233000000000000000000000000000000000000004348493132330000000000000000000000"
    "0000000000000000000000000001d4c1413132333435b27e":
        (0x0100, "00000000000123456789", 10, vehicles.registration(True, maker="1234")),
    "7e8100000e01234567890100000000003132333435363738393031377e":
        (0x8100, "012345678901", 0, PACK(">HB", 0, 0) + b"12345678901"),
    "7e81000003012345678900000a006404617e":
        (0x8100, "012345678900", 10, PACK(">HB", 100, 4)),
    "7e0102000b01234567890100003137323939383431373338b57e":
        (0x0102, "012345678901", 0, vehicles.proof(b"17299841738")),
    "7e0102402f010000000001729984173800000b313732393938343137333831323334353637383930"
    "3132333435332e372e31350000000000000000000000000000227e":
        (0x0102, "00000000017299841738", 0, vehicles.proof(b"17299841738", True)),
    "7e810400000144199999990003437e": (0x8104, "014419999999", 3, b""),
    "7e8104400001000000000144199999990003027e":
        (0x8104, "00000000014419999999", 3, b""),
    "7e0104000c000123456789000a00140100000001040000000a907e":
        (0x0104, "000123456789", 10, vehicles.parameters(20, {1: PACK(">I", 10)})),
    "7e81050001012345678900000105087e": (0x8105, "012345678900", 1, b"\5"),
    "7e810540010100000000013912344329000004b47e":
        (0x8105, "00000000013912344329", 0, b"\4"),
    "7e810700000139123443230001f97e": (0x8107, "013912344323", 1, b""),
    "7e8107400001000000000139123443290000b37e":
        (0x8107, "00000000013912344329", 0, b""),
    "7e8300000d012345678900000105736d616c6c63686920353138027e":
        (0x8300, "012345678900", 1, b"\5smallchi 518"),
    "7e8300400e010000000001234567890000010501736d616c6c63686920353138417e":
        (0x8300, "00000000012345678900", 1, b"\5\1smallchi 518"),
    "7e000100050123456789017fff007b01c803bd7e":
        (0x0001, "012345678901", 0x7fff, PACK(">HHB", 123, 456, 3)),
    "7e800300090139123443230000006f030002000300049d7e":
        (0x8003, "013912344323", 0, PACK(">HB3H", 0x6f, 3, 2, 3, 4)),
    "7e8003400a01000000000139123443290000006f0003000200030004d57e":
        (0x8003, "00000000013912344329", 0, PACK(">HH3H", 0x6f, 3, 2, 3, 4)),
    "7e8004400601000000001234567890120001191202101010517e":
        (0x8004, "00000000123456789012", 1, bytes.fromhex("191202101010")),
}


@pytest.mark.parametrize("wire", PUBLISHED, ids=lambda wire: wire[2:30])
def test_a_terminal_speaks_as_published(wire):
    message, phone, serial, body = PUBLISHED[wire]
    own, wire = bytes.fromhex(phone), bytes.fromhex(wire)
    assert form(message, own, serial, body) == wire
    frame = parse(wire)
    assert (frame.message, frame.own, frame.serial, frame.body) == \
        (message, own, serial, body)


REGISTER_IN_THREE = [bytes.fromhex(text) for text in (
    "7e010060240100000000013912344329000000030001000b00026964393837363534333231747970"
    "653030313233343536373831323334353637277e",
    "7e010060240100000000013912344329000100030002383837363534333231494430303030313233"
    "343536373831323334353637383837363534357e",
    "7e0100600e010000000001391234432900020003000333323101b8ca4a2d313233343539347e")]


def test_packages_are_formed_as_published():
    frames = [parse(wire) for wire in REGISTER_IN_THREE]
    body = b"".join(frame.body for frame in frames)
    assert struct.unpack_from(">HH", body) == (11, 2)
    assert "甘J-123459".encode("gbk") in body and len(body) == 86
    for n, (frame, wire) in enumerate(zip(frames, REGISTER_IN_THREE)):
        assert (frame.total, frame.number, frame.serial) == (3, n + 1, n)
        again = form(frame.message, frame.own, n, frame.body, total=3, number=n + 1)
        assert again == wire


def test_a_location_reads_as_published():
    wire = bytes.fromhex(
        "7e0200002c00160128561400020000000000040001005de1f7065c6cef000000000000170117"
        "10044201040000a9002a02000030011b3101030c7e")
    place = vehicles.Place(6.152695, 106.720495, 0, 0, 0, "170117100442")
    extras = bytes.fromhex("01040000a9002a02000030011b310103")
    body = vehicles.location(place, status=0x00040001, extras=extras)
    assert form(0x0200, bcd("1601285614", 6), 2, body) == wire


def test_the_payload_of_the_escaping_example():
    payload = bytes.fromhex("307e087d55")
    assert b"\x7e" + devices.escape(payload) + b"\x7e" == \
        bytes.fromhex("7e307d02087d01557e")
    assert devices.unescape(devices.escape(payload)) == payload


@pytest.mark.parametrize("wire", (
    "7e0002000004304832546500b7cb7e", "7e0002000104304832546500b7cb7e", "7e7d7e",
    "7e00020000043048325465007d037e", "7e000200007e", "7e307d02087d01557e"))
def test_what_is_no_frame_is_not_read(wire):
    with pytest.raises(Unreadable):
        parse(bytes.fromhex(wire))
