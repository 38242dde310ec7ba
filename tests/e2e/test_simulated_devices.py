"""The simulator's devices and the gateway, told apart: neither may break the other's
protocol, and what one side counts the other has seen."""

import json
import subprocess
import time

import pytest

from api import device_path, target
from gateway import BINARY

SECONDS = 30


class Simulated:
    """holdfast-sim, in a `with`; afterwards `result` is what it counted."""

    def __init__(self, gateway, kind, listener, *options):
        host, port = gateway.address(listener)
        self.command = [str(BINARY.parent / "holdfast-sim"), kind, "--address",
                        f"{host}:{port}", "--json", "--time", str(SECONDS), *options]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        output, _ = self.process.communicate(timeout=SECONDS)
        self.result = json.loads(output)


@pytest.fixture
def served(gateway):
    gateway.listen("devices", protocol="device")
    gateway.listen("vehicles", protocol="jt808", id="jt808")
    return gateway.start()


def wait_online(gateway, protocol, count, seconds=SECONDS):
    until = time.monotonic() + seconds
    while len(gateway.api.get("/api/v1/devices", protocol=protocol, connected=True)
              ["devices"]) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def wait_reports(gateway, count, seconds=SECONDS):
    until = time.monotonic() + seconds
    while True:
        reports = gateway.api.get("/api/v1/events", type="report",
                                  limit=10000)["events"]
        if len(reports) >= count:
            return reports
        assert time.monotonic() < until
        time.sleep(0.02)


def command(gateway, own, wait="5s", **body):
    path = target(device_path(own, "/commands"), {"wait": wait})
    return gateway.api.request("POST", path, {"Content-Type": "application/json"},
                               json.dumps(body))


def test_machines_are_accepted_and_their_reports_are_events(served):
    with Simulated(served, "devices", "devices", "--count", "20", "--state", "mixed",
                   "--heartbeat", "100ms", "--report", "100ms") as simulated:
        wait_online(served, "device", 20)
        reports = wait_reports(served, 100)
    assert simulated.result["ok"], str(simulated.result)
    assert simulated.result["accepted"] == 20
    names = {report["device"]: report["decoded"]["state"] for report in reports}
    assert names["T9000010"] == "on" and names["T9000014"] == "ready"


def test_vehicles_prove_themselves_and_report_where_they_are(served):
    with Simulated(served, "jt808", "vehicles", "--count", "20", "--version", "mixed",
                   "--heartbeat", "100ms", "--report", "100ms") as simulated:
        wait_online(served, "jt808", 20)
        reports = [report for report in wait_reports(served, 100)
                   if report["name"] == "location"]
    assert simulated.result["ok"], str(simulated.result)
    assert simulated.result["acknowledged"] > 100
    assert len({report["device"] for report in reports}) == 20
    assert all(22 <= report["decoded"]["latitude"] < 23 for report in reports)


def test_machines_answer_in_their_manner(served):
    manners = ["--count=10", "--answer=20%:never", "--answer=20%:serial",
               "--answer=20%:twice", "--answer=20%:300ms"]
    with Simulated(served, "devices", "devices", *manners) as simulated:
        wait_online(served, "device", 10)
        for own in ("T9000010", "T9000012"):  # never; with another serial
            assert command(served, own, wait="500ms", command="status").status == 504
        for own in ("T9000014", "T9000016", "T9000018"):  # twice, late, at once
            answer = command(served, own, command="status")
            assert answer.status == 200, answer
            assert answer.json()["answer"]["decoded"]["state"] == "ready"
        assert command(served, "T9000019", command="turn_on").status == 200
        answer = command(served, "T9000019", command="status").json()
        assert answer["answer"]["decoded"]["state"] == "on"
    assert simulated.result["ok"], str(simulated.result)
    assert simulated.result["withheld"] == 1


@pytest.mark.parametrize("version", ["2013", "2019"])
def test_vehicles_do_what_they_are_told(served, version):
    with Simulated(served, "jt808", "vehicles", "--count", "2", "--version", version,
                   "--extra-parameters", "40", "--lose-packages") as simulated:
        wait_online(served, "jt808", 2)
        own = "13900000001"
        done = command(served, own, command="set_parameters",
                       args={"parameters": {"plate": "京A12345", "heartbeat_s": 7}})
        assert done.status == 200, done
        shown = command(served, own, command="query_some_parameters",
                        args={"parameters": ["plate", "0001"]}).json()["answer"]
        assert [item["value"] for item in shown["decoded"]["parameters"]] == \
            ["京A12345", 7]
        answer = command(served, own, wait="20s", command="query_parameters")
        assert answer.status == 200, answer  # its last package had to be asked for
        assert len(answer.json()["answer"]["decoded"]["parameters"]) == 47
        for name in ("query_attributes", "query_location", "link_check"):
            assert command(served, own, command=name).status == 200, name
        text = command(served, own, command="text",
                       args={"text": "请休息", "flags": ["urgent"]})
        assert text.json()["answer"]["decoded"]["result"] == "ok"
        unknown = command(served, own, message_id="8400", body="00")
        assert unknown.status == 502, unknown
        assert unknown.json()["answer"]["decoded"]["result"] == "unsupported"
    assert simulated.result["ok"], str(simulated.result)
    assert simulated.result["resent"] == 1
