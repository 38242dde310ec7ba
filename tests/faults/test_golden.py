"""Data directories as releases left them: what they wrote is read, in full; what a newer
one wrote is refused with a line that says so, and so is a store in another's place."""

import json
import shutil
import struct
import sys
import time
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import release  # noqa: E402
from devices import STATUS  # noqa: E402

RELEASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
OWN, QUEUED = "T9000010", 0


def lay_out(gateway, name):
    """The directory as it was left, for this gateway; what it has to tell."""
    gateway.data_dir.mkdir(0o700)
    for store in release.STORES:
        (gateway.data_dir / store).mkdir(0o700)
        shutil.copyfile(GOLDEN / name / store / "data.mdb",
                        gateway.data_dir / store / "data.mdb")
        (gateway.data_dir / store / "data.mdb").chmod(0o600)
    return json.loads((GOLDEN / name / "told.json").read_text())


@pytest.fixture
def at_its_time(gateway, shim, tmp_path):
    """Tickets and mail have an end: the wall clock is set to when they were made."""
    def set_clock(made_ms):
        path = tmp_path / "clock"
        path.write_bytes(struct.pack("=q", made_ms - int(time.time() * 1000)))
        gateway.env.update(shim("clock", CLOCK_FILE=str(path)))
    return set_clock


@pytest.mark.parametrize("name", RELEASES)
def test_what_a_release_left_is_read_in_full(gateway, at_its_time, name):
    told = lay_out(gateway, name)
    at_its_time(told["made_ms"])
    release.arrange(gateway).start()
    seen = release.tell(gateway)
    for what in ("tickets", "devices", "mail"):
        assert seen[what] == told[what], what
    assert seen["events"][:len(told["events"])] == told["events"]
    assert not gateway.log_has("damaged") and not gateway.log_has("salvaged")


@pytest.mark.parametrize("name", RELEASES)
def test_what_a_release_left_goes_on(gateway, at_its_time, name):
    told = lay_out(gateway, name)
    at_its_time(told["made_ms"])
    release.arrange(gateway).start()
    gateway.registered(2).expect(1, *release.BODIES)
    vehicle = gateway.vehicle(release.PHONE)
    vehicle.token = told["token"].encode()
    vehicle.authenticate().beat()
    machine = gateway.device(OWN).login()
    machine.serve(STATUS)
    ticket = told["tickets"][QUEUED]
    assert ticket["state"] == "queued"
    gateway.api.wait_ticket(ticket["ticket"], state="answered")


def refusal(gateway):
    """It does not start; the line that says why."""
    release.arrange(gateway).write_config()
    gateway.spawn()
    assert gateway.wait_exit() == 1, gateway.log()
    lines = gateway.log_lines("store refused")
    assert lines and not gateway.log_has("holdfast ready"), gateway.log()
    return lines[0].text


@pytest.mark.parametrize("store", release.STORES)
def test_what_a_newer_version_wrote_is_refused(gateway, store):
    lay_out(gateway, RELEASES[-1])
    path = gateway.data_dir / store / "data.mdb"
    mark = b"holdfast " + store.encode()
    parts = path.read_bytes().split(mark)
    assert len(parts) > 1
    newer = mark.join([parts[0]] + [struct.pack(">I", 99) + part[4:] for part in parts[1:]])
    path.write_bytes(newer)
    line = refusal(gateway)
    assert "written by a newer version (format 99" in line
    assert str(path.parent) in line
    assert path.read_bytes() == newer, "it was refused, and changed"


@pytest.mark.parametrize("one, other", [("mailbox", "journal"), ("journal", "ledger"),
                                        ("ledger", "mailbox")])
def test_a_store_in_the_place_of_another_is_refused(gateway, one, other):
    lay_out(gateway, RELEASES[-1])
    shutil.copyfile(gateway.data_dir / one / "data.mdb",
                    gateway.data_dir / other / "data.mdb")
    assert "format mark is damaged" in refusal(gateway)
