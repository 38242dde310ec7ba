"""What a device, a stranger or an application can make grow, and where it ends."""

import pytest

import vehicles
from api import API
from devices import HEARTBEAT, LOGIN, STATUS, form
from terminal import wait_until
from vehicles import LOCATION, location

OWN = "T9000010"
PHONE = "13912344329"


@pytest.fixture
def service(gateway):
    gateway.listen("devices", protocol="device").listen("vehicles", protocol="jt808")
    return gateway.set(shards=2)


def test_a_frame_that_never_ends(service):
    service.listen("devices", read_timeout="1s").start()
    device = service.device().login()
    device.send_raw(form(HEARTBEAT, device.own, 1)[:-1])
    device.expect_closed()
    service.wait_log("closed")


def test_one_byte_now_and_then_does_not_help(service):
    """The time runs from the first byte of a frame, not from the last."""
    service.listen("devices", read_timeout="1s").start()
    device = service.device().login()
    frame = form(HEARTBEAT, device.own, 1, bytes(1000))
    for byte in frame:
        if device.is_readable(0.05):
            break
        device.send_raw(bytes([byte]))
    else:
        raise AssertionError("it took all the time it wanted")
    device.expect_closed()


@pytest.mark.parametrize("listener", ("devices", "vehicles"))
def test_who_says_nothing_is_ended(service, listener):
    service.listen(listener, register_timeout="1s").start()
    guest = service.device("SILENT", listener=listener)
    guest.expect_closed()


def test_bytes_without_a_delimiter_cost_no_memory(service):
    service.start()
    device = service.device().login()
    before = service.rss_bytes()
    try:
        for _ in range(200):
            device.send_raw(b"a" * 100000)
        device.send_raw(b"\x7e")
        device.beat()
    except (ConnectionError, AssertionError):
        pass  # it may as well be sent away
    assert service.rss_bytes() - before < 4 << 20
    service.device("T9000011").login()


def test_the_largest_frame_passes(service):
    service.start()
    device = service.device().login()
    device.send(HEARTBEAT, b"\x7e" * 1023)
    device.expect(HEARTBEAT, b"\0")
    call = service.api.call(OWN, {"message_id": 0x2000, "body": "7d" * 1023})
    frame = device.expect(0x2000, b"\x7d" * 1023)
    assert frame.total == 0
    device.answer(frame, b"\x7e" * 1023)
    assert call.answered()["answer"]["body"] == "7e" * 1023


def test_ten_thousand_reports_are_each_told_once(service):
    """Sent without waiting; each is acknowledged, and in turn."""
    service.start()
    vehicle = service.vehicle(PHONE).enter()
    count = 10000
    frames = [form(LOCATION, vehicle.own, n, location(status=n)) for n in range(count)]
    for at in range(0, count, 500):
        vehicle.send_raw(b"".join(frames[at:at + 500]))
        for n in range(at, at + 500):
            vehicle.expect_answer(LOCATION, n)

    def told():
        return [event["serial"] for event in
                service.api.all_events(type="report", device=PHONE, limit=10000)]
    wait_until(lambda: len(told()) >= count, "all reports")
    assert told() == list(range(count))


def test_a_device_that_does_not_read(service):
    """Its commands end when their time is over, and others are not held up."""
    service.start(commands={"max_queued": 100})
    slow = service.device("SLOW", receive_buffer=2048).login()
    other = service.device("OTHER").login()
    before = service.rss_bytes()
    long = {"message_id": 1, "body": "00" * 30000}
    calls = [service.api.call("SLOW", long, wait="2s") for _ in range(50)]
    call = service.api.call("OTHER", "status")
    other.serve(STATUS)
    call.answered()
    for call in calls:
        call.problem(504, "no-answer")
    assert service.rss_bytes() - before < 32 << 20
    slow.close()


def test_old_tickets_make_room(service):
    service.start(commands={"max_tickets": 20})
    device = service.device().login()
    numbers = []
    for _ in range(50):
        call = service.api.call(OWN, "status", ttl="1m")
        device.serve(STATUS)
        numbers.append(call.answered()["ticket"])
    kept = [ticket["ticket"] for ticket in service.api.tickets(OWN)]
    assert 1 <= len(kept) <= 20 and kept == numbers[::-1][:len(kept)]
    assert service.api.ask(f"{API}/tickets/{numbers[0]}").status == 404


def test_open_tickets_make_none(service):
    service.start(commands={"max_tickets": 5})
    service.device().login().close()
    service.api.wait_device(OWN, connected=False)
    for _ in range(5):
        service.api.order(OWN, "status")
    service.api.call(OWN, "status", ttl="1m").problem(429, "queue-full")


@pytest.mark.parametrize("own", (
    "../../et", "a/b?c#d%", "A B&C=D", '"<>\\\'`{}', "%2e%2e%2f"[:8], "~!@$^*()"))
def test_ids_are_never_a_path(service, own):
    service.start()
    device = service.device(own).login()
    name = device.name
    service.api.wait_device(name, connected=True)
    call = service.api.call(name, "status", ttl="1m")
    device.serve(STATUS)
    assert call.answered()["device"] == name
    service.kill()
    service.restart()
    assert service.api.find(name) is not None
    assert len(service.api.tickets(name)) == 1


def test_a_thousand_guesses_while_the_true_one_works(service):
    service.start()
    true = service.vehicle(PHONE).enter()
    for n in range(50):
        thief = service.vehicle(PHONE)
        guesses = b"".join(form(vehicles.AUTHENTICATE, thief.own, i, b"%016d" % i)
                           for i in range(20))
        try:
            thief.send_raw(guesses)
        except ConnectionError:
            pass
        if n % 10 == 0:
            true.locate()
        thief.close()
    true.beat()
    assert service.api.device(PHONE)["epoch"] == 1
    assert len(service.log().splitlines()) < 500


def test_two_who_fight_for_one_id_are_both_seen(service):
    """Each takes over from the other; whoever came last is asked."""
    service.start()
    current = service.device().login()
    for _ in range(30):
        newer = service.device()
        newer.send(LOGIN)
        newer.expect(LOGIN, b"\0")
        current.expect_closed()
        current = newer
    call = service.api.call(OWN, "status")
    current.serve(STATUS)
    call.answered()
    assert service.api.device(OWN)["epoch"] == 31
