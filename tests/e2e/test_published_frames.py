"""117 frames that terminals sent and other projects publish (../vectors/jt808-frames.txt), in
every shape in which TCP may bring them: same answers, same reports, each told once."""

import struct
from collections import Counter, namedtuple
from pathlib import Path

import pytest

from devices import Unreadable, form, parse
from gateway import ROOT
from terminal import wait_until
from vehicles import (AUTHENTICATE, FAILED, GENERAL, HEARTBEAT, NO_ANSWER, OK,
                      PLATFORM_ANSWER, REGISTER, REGISTERED, UNSUPPORTED, Vehicle)

FILE = ROOT / "tests" / "vectors" / "jt808-frames.txt"
OWN = "13912344329"  # who brings what nobody could have sent

Sent = namedtuple("Sent", "wire frame phone is_2019")


def read_published(path=FILE):
    for line in Path(path).read_text().splitlines():
        if not line.startswith("#"):
            fields = line.split("\t")
            wire = bytes.fromhex(fields[0] if fields[11] == "=" else fields[11])
            yield check_columns(wire, fields)


def check_columns(wire, fields):
    """What we read is what the file says of it."""
    try:
        frame = parse(wire)
    except Unreadable:
        return Sent(wire, None, OWN, False)
    assert fields[4] == "ok" and frame.message == int(fields[1], 16), fields
    assert frame.own.hex() == fields[2].rstrip("!") and str(frame.serial) == fields[3]
    return Sent(wire, frame, frame.own.hex(), frame.version is not None)


PUBLISHED = list(read_published())


def replies_to(sent):
    """Which replies are right: [(message, beginning of the body), ...] in turn."""
    frame = sent.frame
    if frame is None or frame.message in NO_ANSWER:
        return []
    if frame.message == REGISTER:
        # A token, or the news that somebody has it already.
        return [(REGISTERED, struct.pack(">H", frame.serial))]
    result = FAILED if frame.message == AUTHENTICATE \
        else OK if frame.message in GENERAL else UNSUPPORTED
    return [(PLATFORM_ANSWER, struct.pack(">HHB", frame.serial, frame.message, result))]


def is_gate(sent):
    """Registers or authenticates: what was proved before it is void."""
    return sent.frame is not None and sent.frame.message in (REGISTER, AUTHENTICATE)


PROBE = 0xfeed  # serial of a heartbeat that nobody published


class Player:
    """A terminal that plays published frames, each followed by a heartbeat if it has
    proved who it is."""

    def __init__(self, gateway, sent, is_proved=True):
        self.vehicle = gateway.vehicle(sent.phone, is_2019=sent.is_2019)
        self.is_proved = is_proved and not is_gate(sent)
        if self.is_proved:
            self.vehicle.enter()
        self.probe = form(HEARTBEAT, self.vehicle.own, PROBE) if self.is_proved else b""

    def expected(self, sent):
        wanted = replies_to(sent)
        if self.is_proved:
            wanted.append((PLATFORM_ANSWER, struct.pack(">HHB", PROBE, HEARTBEAT, OK)))
        return wanted

    def expect(self, sent):
        for message, body in self.expected(sent):
            frame = self.vehicle.receive()
            assert frame is not None, f"closed amid {sent.wire.hex(' ')}"
            got = frame.message, frame.body[:len(body)]
            assert got == (message, body), \
                f"{sent.wire.hex(' ')}\n got    {got}\n wanted {(message, body)}"

    def play(self, sent, before=b""):
        self.vehicle.send_raw(before + sent.wire + self.probe)
        self.expect(sent)

    def play_guesses(self, gateway, sent):
        """A connection that guesses again and again is closed: one for each cut."""
        for cut in range(1, len(sent.wire)):
            player = Player(gateway, sent)
            player.vehicle.send_raw(sent.wire[:cut])
            player.vehicle.wait_until_read()
            player.vehicle.send_raw(sent.wire[cut:])
            player.expect(sent)
            player.vehicle.close()

    def play_cuts(self, sent):
        """Everywhere: what lies before a cut comes with the end of the last copy."""
        wire = sent.wire
        self.vehicle.send_raw(wire[:1])
        self.vehicle.wait_until_read()
        for cut in range(1, len(wire)):
            after = wire[:cut + 1] if cut + 1 < len(wire) else b""
            self.vehicle.send_raw(wire[cut:] + self.probe + after)
            self.expect(sent)


@pytest.fixture
def played(gateway):
    gateway.listen("vehicles", protocol="jt808")
    return gateway.start(shards=2)


def players(gateway):
    """For each frame in turn the terminal that it comes from, connected."""
    known = {}
    for sent in PUBLISHED:
        if is_gate(sent):
            yield sent, Player(gateway, sent)
            continue
        if sent.phone not in known:
            known[sent.phone] = Player(gateway, sent)
        yield sent, known[sent.phone]


def check_reports(gateway):
    """Each report of a terminal that had proved itself, once and unchanged."""
    wanted = Counter()
    for sent in PUBLISHED:
        if sent.frame and sent.frame.message in GENERAL - {HEARTBEAT, AUTHENTICATE}:
            key = Vehicle(None, sent.phone, sent.is_2019).name, \
                f"{sent.frame.message:04x}", sent.frame.serial, sent.frame.body.hex()
            wanted[key] = 1

    def told():
        return Counter((e["device"], e["message"], e["serial"], e["body"])
                       for e in gateway.api.all_events(type="report", limit=10000))
    wait_until(lambda: sum(told().values()) >= len(wanted), "all reports")
    # Others may be told, too, which have no meaning here; but nothing twice.
    found = told()
    assert not wanted - found, list((wanted - found).items())[:3]
    assert max(found.values()) == 1, found.most_common(3)


def test_the_file_is_whole():
    assert len(PUBLISHED) == 117
    assert sum(len(sent.wire) - 1 for sent in PUBLISHED) == 12790
    assert sum(sent.frame is None for sent in PUBLISHED) == 16


def test_each_frame_whole(played):
    for sent, player in players(played):
        player.play(sent)
    check_reports(played)


@pytest.mark.limit(180)
def test_each_frame_at_every_cut(played):
    for sent, player in players(played):
        if sent.frame and sent.frame.message == AUTHENTICATE:
            player.play_guesses(played, sent)
        else:
            player.play_cuts(sent)
    check_reports(played)


@pytest.mark.limit(180)
def test_each_frame_byte_by_byte(played):
    """One byte to every terminal, and the next one when all of them have been read."""
    scripts = {}
    for sent, player in players(played):
        scripts.setdefault(player, []).append(sent)
    streams = {player: b"".join(sent.wire + player.probe for sent in script)
               for player, script in scripts.items()}
    taken = bytes_taken(played)
    for at in range(max(map(len, streams.values()))):
        for player, stream in streams.items():
            if at < len(stream):
                player.vehicle.send_raw(stream[at:at + 1])
                taken += 1
        wait_until(lambda: bytes_taken(played) == taken, "every byte to be read")
    for player, script in scripts.items():
        for sent in script:
            player.expect(sent)
    check_reports(played)


def bytes_taken(gateway):
    """From all terminals together."""
    return sum(entry["rx_bytes"] for entry in
               gateway.api.connections(listener="vehicles", limit=1000))


def test_all_frames_in_one_write(played):
    """Everything that a terminal ever sent, at once."""
    scripts = {}
    for sent, player in players(played):
        scripts.setdefault(player, []).append(sent)
    for player, script in scripts.items():
        player.vehicle.send_raw(b"".join(sent.wire + player.probe for sent in script))
    for player, script in scripts.items():
        for sent in script:
            player.expect(sent)
    check_reports(played)


@pytest.mark.parametrize("junk", (b"\x7e\x7e", b"\0\1\2\xff", b"GET / HTTP/1.1\r\n\r\n",
                                  "half", b"\x7e\x7d\x03", b"\x7e\x7d"),
                         ids=("delimiters", "bytes", "http", "half", "escape", "cut"))
def test_junk_before_each_frame(played, junk):
    for sent, player in players(played):
        before = sent.wire[:len(sent.wire) // 2] if junk == "half" else junk
        player.play(sent, before)
    check_reports(played)


def test_nothing_is_taken_before_it_is_proved(played):
    """No answer says that it was accepted, no report is told, nobody is listed."""
    for sent in PUBLISHED:
        if is_gate(sent):
            continue
        vehicle = played.vehicle(sent.phone, is_2019=sent.is_2019)
        vehicle.send_raw(sent.wire)
        vehicle.send(AUTHENTICATE, b"\5guess" + bytes(35) if sent.is_2019 else b"guess")
        while (frame := vehicle.receive()) is not None:
            assert frame.message == PLATFORM_ANSWER and frame.body[4] != OK, frame
            if frame.body[2:4] == struct.pack(">H", AUTHENTICATE):
                break
        vehicle.close()
    assert played.api.all_events(type="report") == []
    assert played.api.ids(protocol="jt808", connected=True) == []


def test_nothing_is_taken_for_another_terminal(played):
    """On a connection that has proved to be somebody else."""
    liar = played.vehicle("13800000000").enter()
    for sent in PUBLISHED:
        if sent.frame is None or is_gate(sent):
            continue
        if not liar.is_open():
            token = liar.token
            liar = played.vehicle("13800000000")
            liar.token = token
            liar.authenticate()
        liar.send_raw(sent.wire)
    assert played.api.all_events(type="report") == []
    assert set(played.api.ids(protocol="jt808")) <= {"13800000000"}
