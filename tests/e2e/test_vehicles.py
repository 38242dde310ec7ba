"""The conversation of JT/T 808: who gets in, what is answered, what is told once."""

import struct

import pytest

import devices
import vehicles
from api import connected, device_path, gone
from devices import form, form_all
from terminal import wait_until
from vehicles import (ANSWER, AUTHENTICATE, BAD, BATCH, FAILED, HEARTBEAT, LOCATION,
                      LOG_OUT, OK, PLATFORM_ANSWER, REGISTER, REGISTERED, SEND_AGAIN,
                      TIME, UNSUPPORTED, Place, location)

OWN = "13912344329"
YEARS = pytest.mark.parametrize("is_2019", (False, True), ids=("2013", "2019"))


@pytest.fixture
def service(gateway):
    gateway.listen("vehicles", protocol="jt808")
    return gateway.set(shards=2)


def reports(service, own=OWN):
    return service.api.all_events(type="report", device=own)


def wait_reports(service, count, own=OWN):
    wait_until(lambda: len(reports(service, own)) >= count, f"{count} reports")
    told = reports(service, own)
    assert len(told) == count, told
    return told


def replies(vehicle, message=HEARTBEAT):
    """What comes before the answer to one more heartbeat."""
    serial = vehicle.send(message)
    found = []
    while True:
        frame = vehicle.receive()
        assert frame is not None, "closed instead of answered"
        if frame.message == PLATFORM_ANSWER and \
                struct.unpack(">HH", frame.body[:4]) == (serial, message):
            return found
        found.append(frame)


# Getting in.

@YEARS
def test_a_terminal_registers_and_authenticates(service, is_2019):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=is_2019)
    token = vehicle.register()
    assert len(token) >= 16
    vehicle.authenticate()
    vehicle.beat()
    entry = service.api.wait_device(OWN, state="alive", connected=True)
    assert (entry["protocol"], entry["listener"]) == ("jt808", "vehicles")
    assert service.api.history(OWN) == connected()


@YEARS
def test_the_token_is_good_for_later_connections(service, is_2019):
    service.start()
    first = service.vehicle(OWN, is_2019=is_2019).enter()
    first.close()
    for _ in range(2):
        again = service.vehicle(OWN, is_2019=is_2019)
        again.token = first.token
        again.authenticate().beat()
        again.close()
    service.kill()
    service.restart()
    again = service.vehicle(OWN, is_2019=is_2019)
    again.token = first.token
    again.authenticate().beat()


def test_a_terminal_that_moves_to_2019_stays_the_same(service):
    service.start()
    old = service.vehicle(OWN).enter()
    old.close()
    new = service.vehicle(OWN, is_2019=True)
    new.token = old.token
    new.authenticate().beat()
    assert service.api.ids(protocol="jt808") == [OWN]


@pytest.mark.parametrize("version", (1, 2, 255))
def test_answers_have_the_terminals_version(service, version):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=True, version=version).enter()
    vehicle.beat()


@pytest.mark.parametrize("message, body", (
    (HEARTBEAT, b""), (LOCATION, location()), (BATCH, vehicles.batch([location()])),
    (0x0900, b"\0abc"), (0x0702, bytes(34)), (0x0107, vehicles.attributes())))
def test_nothing_but_registration_before_it(service, message, body):
    service.start()
    vehicle = service.vehicle(OWN)
    vehicle.send(message, body)
    vehicle.send(REGISTER, vehicles.registration())
    while (frame := vehicle.receive()) is not None and frame.message != REGISTERED:
        assert frame.message == PLATFORM_ANSWER and frame.body[4] != OK, frame
    assert service.api.find(OWN) is None or not service.api.find(OWN)["connected"]
    assert reports(service) == []


def test_a_wrong_token(service):
    service.start()
    true = service.vehicle(OWN).enter()
    for token in (b"", b"0" * len(true.token), true.token[:-1], true.token + b"0",
                  true.token.swapcase() + b"x"):
        service.vehicle(OWN).authenticate(token, FAILED)
    true.beat()
    assert service.api.device(OWN)["epoch"] == 1


def test_somebody_elses_token(service):
    service.start()
    true, other = service.vehicle(OWN).enter(), service.vehicle("13900000001").enter()
    thief = service.vehicle(OWN)
    thief.authenticate(other.token, FAILED)
    true.beat()
    other.beat()


def test_one_who_has_not_proved_it_evicts_nobody(service):
    service.start()
    true = service.vehicle(OWN).enter()
    for n in range(20):
        thief = service.vehicle(OWN)
        thief.send(LOCATION, location())
        thief.send(REGISTER, vehicles.registration())
        thief.send(AUTHENTICATE, b"guess %d" % n)
        thief.send(LOG_OUT)
        thief.send(ANSWER, struct.pack(">HHB", n, vehicles.CONTROL, OK))
        true.beat()
    assert service.api.device(OWN)["epoch"] == 1
    assert reports(service) == []


def test_one_who_has_not_proved_it_answers_no_command(service):
    service.start()
    true = service.vehicle(OWN).enter()
    call = service.api.call(OWN, {"message_id": vehicles.CONTROL, "body": "04"})
    frame = true.expect(vehicles.CONTROL, b"\4")
    thief = service.vehicle(OWN)
    for serial in range(20):
        thief.acknowledge(frame, vehicles.UNSUPPORTED, serial=serial)
    thief.send(REGISTER, vehicles.registration())
    while thief.receive().message != REGISTERED:
        pass  # everything before it has been read
    assert not call.is_over()
    true.acknowledge(frame)
    assert call.answered()["answer"]["body"] == struct.pack(
        ">HHB", frame.serial, vehicles.CONTROL, OK).hex()


def test_who_is_registered_is_not_registered_again_by_a_stranger(service):
    service.start()
    true = service.vehicle(OWN).enter()
    thief = service.vehicle(OWN)
    assert thief.register(result=3) is None
    true.beat()
    true.close()
    assert service.vehicle(OWN).register(result=3) is None
    again = service.vehicle(OWN)
    again.token = true.token
    again.authenticate().beat()


def test_a_registration_whose_token_got_lost_is_repeated(service):
    service.start()
    service.vehicle(OWN).register()
    again = service.vehicle(OWN)
    again.register()
    again.authenticate().beat()


def test_registering_anew_ends_what_was_proved(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    old = vehicle.token
    new = vehicle.register()
    assert new != old
    vehicle.tell(LOCATION, location(), FAILED)
    vehicle.authenticate(new)
    assert reports(service) == []
    vehicle.beat()
    other = service.vehicle(OWN)
    other.authenticate(old, FAILED)


@pytest.mark.threads
def test_a_revoked_credential(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    answer = service.api.ask(device_path(OWN, "/credential"), "DELETE")
    assert (answer.status, answer.body) == (204, b""), answer
    vehicle.expect_closed()
    again = service.vehicle(OWN)
    again.authenticate(vehicle.token, FAILED)
    again.register()
    again.authenticate().beat()
    service.api.problem(404, "not-found", device_path("13900000001", "/credential"),
                        "DELETE")


def test_only_those_on_the_list(service, tmp_path):
    names = tmp_path / "vehicles.txt"
    names.write_text(f"{OWN}\n013900000002\n")
    service.listen("vehicles", registration="list", registration_list=str(names))
    service.start()
    service.vehicle(OWN).enter().beat()
    service.vehicle("13900000002").enter().beat()
    stranger = service.vehicle("13900000001")
    assert stranger.register(result=4) is None
    stranger.authenticate(b"anything", FAILED)


def test_nobody_new(service):
    service.start()
    known = service.vehicle(OWN).enter()
    service.stop()
    service.listen("vehicles", registration="closed").start()
    assert service.vehicle("13900000001").register(result=4) is None
    again = service.vehicle(OWN)
    again.token = known.token
    again.authenticate().beat()


def test_a_phone_that_is_not_the_proved_one(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    other = service.vehicle("13900000001").enter()
    vehicle.send_raw(form(LOCATION, other.own, 500, location()))
    vehicle.is_readable(0)
    other.beat()
    assert reports(service, "13900000001") == [] == reports(service)
    assert service.api.device("13900000001")["epoch"] == 1


def test_no_token_is_logged_or_kept_readable(service):
    service.start(log={"level": "debug"})
    vehicle = service.vehicle(OWN).enter()
    service.vehicle(OWN).authenticate(b"a guess of a token", FAILED)
    service.stop()
    log = service.log(whole=True)
    for secret in (vehicle.token, b"a guess of a token"):
        assert secret.decode("latin-1") not in log and secret.hex() not in log
    for file in service.data_dir.rglob("*"):
        if file.is_file():
            assert vehicle.token not in file.read_bytes(), file


def test_a_connection_that_never_proves_itself_is_ended(gateway):
    gateway.listen("vehicles", protocol="jt808", register_timeout="1s").start()
    vehicle = gateway.vehicle(OWN)
    vehicle.send(REGISTER, vehicles.registration())
    vehicle.expect(REGISTERED)
    vehicle.expect_closed()


# What is answered, and how.

@YEARS
def test_messages_that_get_the_general_answer(service, is_2019):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=is_2019).enter()
    bodies = {LOCATION: location(), BATCH: vehicles.batch([location()]), HEARTBEAT: b""}
    for message in sorted(vehicles.GENERAL - {AUTHENTICATE, LOG_OUT}):
        vehicle.tell(message, bodies.get(message, b"0123456789" * 4), serial=0x7d7e)
        assert replies(vehicle) == [], f"{message:04x}"


@YEARS
def test_answers_are_not_answered(service, is_2019):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=is_2019).enter()
    bodies = {ANSWER: struct.pack(">HHB", 1, vehicles.CONTROL, 0)}
    for message in sorted(vehicles.NO_ANSWER):
        vehicle.send(message, bodies.get(message, bytes(40)))
        assert replies(vehicle) == [], f"{message:04x}"


def test_messages_that_nobody_knows(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    for message in (0x0999, 0x6006, 0x0f00, 0xffff):
        vehicle.tell(message, b"abc", UNSUPPORTED)
    vehicle.beat()


def test_heartbeats_with_more_in_them(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    vehicle.tell(HEARTBEAT, b"\x64\x1f\0")


def test_the_time(service):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=True).enter()
    vehicle.send(vehicles.ASK_TIME)
    answer = vehicle.expect(TIME)
    assert len(answer.body) == 6 and answer.body.hex().isdigit(), answer
    year, month, day = (int(answer.body.hex()[at:at + 2]) for at in (0, 2, 4))
    assert year >= 24 and 1 <= month <= 12 and 1 <= day <= 31


def test_who_logs_out_is_answered_and_closed(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    vehicle.tell(LOG_OUT)
    vehicle.expect_closed()
    service.api.wait_device(OWN, state="close", connected=False)


# What is told: once, and only when it is safe.

@YEARS
def test_a_location_is_an_event(service, is_2019):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=is_2019).enter()
    body = location(Place(-31.234567, -121.45678, 12, 60.5, 90, "261121120000"),
                    alarms=1 << 1, status=0b1111,
                    extras=bytes.fromhex("0104000000a9e00101"))
    serial = vehicle.tell(LOCATION, body)
    event, = wait_reports(service, 1)
    assert (event["message"], event["name"], event["serial"], event["size"]) == \
        ("0200", "location", serial, len(body))
    assert event["body"] == body.hex()
    assert event["decoded"] == {
        "time": "2026-11-21T04:00:00.000Z", "latitude": -31.234567,
        "longitude": -121.45678, "altitude_m": 12, "speed_kmh": 60.5, "direction": 90,
        "alarms": ["overspeed"], "status": ["acc_on", "fixed", "south", "west"],
        "extras": [{"id": "01", "name": "mileage_km", "value": 16.9},
                   {"id": "e0", "hex": "01"}]}


def test_a_repetition_is_answered_and_not_told_again(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    for _ in range(3):
        vehicle.tell(LOCATION, location(), serial=77)
    wait_reports(service, 1)
    vehicle.tell(LOCATION, location(alarms=1), serial=77)  # another one, by its body
    vehicle.tell(LOCATION, location(), serial=78)
    wait_reports(service, 3)


def test_a_repetition_on_the_next_connection(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    vehicle.tell(LOCATION, location(), serial=77)
    vehicle.reset()
    again = service.vehicle(OWN)
    again.token = vehicle.token
    again.authenticate()
    again.tell(LOCATION, location(), serial=77)
    wait_reports(service, 1)


@pytest.mark.threads
def test_what_was_acknowledged_outlives_a_kill(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    for n in range(20):
        vehicle.tell(LOCATION, location(status=n))
    service.kill()
    service.restart()
    told = [int(event["body"][8:16], 16) for event in wait_reports(service, 20)]
    assert told == list(range(20))


def test_a_batch(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    bodies = [location(status=n, extras=bytes.fromhex("30011f")) for n in range(20)]
    vehicle.tell(BATCH, vehicles.batch(bodies))
    event, = wait_reports(service, 1)
    assert event["name"] == "location_batch" and bodies[19].hex() in event["body"]


ODD_LOCATIONS = (
    b"", b"\0", location()[:27], location(extras=b"\x01\xff\x00"),
    location(extras=b"\x01"),
    location(Place(time="000000000000")), location(Place(time="269999999999")),
    b"\xff" * 28, b"\xff" * 1023)


def test_odd_locations_are_taken(service):
    """Terminals in the field send such: acknowledged, and told as far as it goes."""
    service.start()
    vehicle = service.vehicle(OWN).enter()
    for body in ODD_LOCATIONS:
        serial = vehicle.send(LOCATION, body)
        answer = vehicle.expect(PLATFORM_ANSWER)
        assert struct.unpack(">HH", answer.body[:4]) == (serial, LOCATION), body
        assert answer.body[4] == OK or (len(body) < 28 and answer.body[4] == BAD), body
        vehicle.beat()
    wanted = [body.hex() for body in ODD_LOCATIONS if len(body) >= 28]
    wait_until(lambda: set(wanted) <= {event["body"] for event in reports(service)},
               "their events")


def test_odd_batches_harm_nobody(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    for body in (b"", b"\0", b"\xff\xff\0", b"\0\1\0\xff\xff", b"\0\2\0\0\1a",
                 bytes(1023)):
        vehicle.send(BATCH, body)
        assert vehicle.expect(PLATFORM_ANSWER).body[2:4] == b"\x07\x04", body
    vehicle.beat()


# Sub-packages.

BODY = vehicles.batch([location(status=n) for n in range(90)])


def parcels(vehicle, serial=100, body=BODY):
    return form_all(BATCH, vehicle.own, serial, body, vehicle.version)


@YEARS
@pytest.mark.parametrize("order", ((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 0, 1, 1, 2)))
def test_a_report_in_packages(service, is_2019, order):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=is_2019).enter()
    frames = parcels(vehicle)
    assert len(frames) == 3
    vehicle.send_raw(b"".join(frames[n] for n in order))
    for answer in replies(vehicle):
        if answer.message == PLATFORM_ANSWER:
            serial, message, result = struct.unpack(">HHB", answer.body)
            assert message == BATCH and serial in (100, 101, 102) and result == OK
    event, = wait_reports(service, 1)
    assert event["size"] == len(BODY) and BODY.hex().startswith(event["body"])


@YEARS
def test_a_missing_package_is_asked_for(service, is_2019):
    service.start()
    vehicle = service.vehicle(OWN, is_2019=is_2019).enter()
    frames = parcels(vehicle)
    vehicle.send_raw(frames[0] + frames[2])
    while (asked := vehicle.receive(30)).message != SEND_AGAIN:
        assert asked.message == PLATFORM_ANSWER, asked
    count = ">HHH" if is_2019 else ">HBH"
    assert struct.unpack(count, asked.body) == (100, 1, 2), asked
    assert reports(service) == []
    vehicle.send_raw(frames[1])
    wait_reports(service, 1)


def test_packages_of_two_terminals_do_not_mix(service):
    service.start()
    one, two = service.vehicle(OWN).enter(), service.vehicle("13900000001").enter()
    other = BODY.replace(b"\0\0\0\3", b"\0\0\0\x09")[:len(BODY)]
    other = other[:10] + b"\x55" + other[11:]
    for mine, theirs in zip(parcels(one), parcels(two, body=other)):
        one.send_raw(mine)
        two.send_raw(theirs)
    assert BODY.hex().startswith(wait_reports(service, 1)[0]["body"])
    assert other.hex().startswith(wait_reports(service, 1, "13900000001")[0]["body"])


@pytest.mark.parametrize("total, number", ((0, 0), (0, 1), (1, 0), (3, 4), (3, 65535),
                                           (65535, 1), (65535, 65535), (1, 1)))
def test_packages_with_odd_numbers(service, total, number):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    body = struct.pack(">HH", total, number) + location()
    frame = form(LOCATION, vehicle.own, 300, body,
                 properties=len(body) - 4 | devices.PACKAGED)
    for _ in range(5):
        vehicle.send_raw(frame)
    for answer in replies(vehicle):
        assert answer.message in (PLATFORM_ANSWER, SEND_AGAIN), answer
    assert len(reports(service)) <= (total == 1 and number == 1)


def test_halves_that_never_end_cost_a_bounded_memory(service):
    service.start()
    vehicle = service.vehicle(OWN).enter()
    vehicle.beat()
    before = service.rss_bytes()
    for message in range(0x0800, 0x0a00):  # 512 groups of 100 packages of 1000 bytes
        vehicle.send_raw(b"".join(
            form(message, vehicle.own, n, bytes(1000), total=200, number=n + 1)
            for n in range(0, 100)))
        replies(vehicle)
    assert service.rss_bytes() - before < 16 << 20


def test_registration_in_packages(service):
    """Its fields fit one frame, but vendors do it."""
    from test_device_examples import REGISTER_IN_THREE
    service.start()
    vehicle = service.vehicle("13912344329", is_2019=True)
    vehicle.send_raw(b"".join(REGISTER_IN_THREE))
    while (answer := vehicle.receive()).message != REGISTERED:
        assert answer.message == PLATFORM_ANSWER, answer
    serial, result = struct.unpack(">HB", answer.body[:3])
    assert (serial, result) == (0, OK)
    vehicle.token = answer.body[3:]
    vehicle.authenticate().beat()


# Going.

def test_a_silent_terminal_is_listed_offline(gateway):
    gateway.listen("vehicles", protocol="jt808",
                   presence={"rule": "timeout", "timeout": "500ms"}).start()
    vehicle = gateway.vehicle(OWN).enter()
    vehicle.expect_closed()
    gateway.api.wait_device(OWN, state="close", connected=False)
    assert gateway.api.history(OWN) == connected() + gone("timeout")


@pytest.mark.threads
def test_the_newest_proved_connection_takes_over(service):
    service.start()
    first = service.vehicle(OWN).enter()
    second = service.vehicle(OWN)
    second.token = first.token
    second.send(HEARTBEAT)
    first.beat()
    while second.is_readable(0.05):
        second.receive()
    second.authenticate()
    first.expect_closed()
    second.beat()


@pytest.mark.parametrize("phone, name", (
    ("0", "0"), ("000000000001", "1"), ("999999999999", "999999999999"),
    ("4eb6fb4afd9e", "4eb6fb4afd9e"), ("00abcdef0000", "00abcdef0000")))
def test_phones_of_every_kind(service, phone, name):
    service.start()
    vehicle = service.vehicle(phone).enter()
    assert vehicle.name == name
    service.api.wait_device(name, connected=True)
    vehicle.locate()
    wait_reports(service, 1, name)


@pytest.mark.parametrize("plate", ("粤A12345", "\r\n", "\x1b[31m", "x" * 900))
def test_what_a_terminal_writes_stays_in_its_line(service, plate):
    service.start(log={"level": "debug"})
    vehicle = service.vehicle(OWN)
    vehicle.register(plate=plate)
    vehicle.authenticate()
    assert "\x1b" not in service.log()
