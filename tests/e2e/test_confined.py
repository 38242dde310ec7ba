"""What a process that reads the network may do, should somebody take it over."""

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from gateway import proc_status

NOBODY = "nobody"
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")


def threads_of(pid):
    return [f"{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]


def expect_confined(pid):
    for thread in threads_of(pid):
        status = proc_status(thread)
        assert status["NoNewPrivs"] == "1", thread
        for kind in CAPABILITIES:
            assert int(status[kind], 16) == 0, f"{thread}: {kind} {status[kind]}"
        if os.geteuid() == 0:  # else there is nothing that could be given up
            assert int(status["CapBnd"], 16) == 0, f"{thread}: a program could get it back"


def service_pid(gateway):
    return int(gateway.wait_log("service", name="answers").text.split()[1])


def test_who_serves_has_no_privilege_and_gets_none(gateway):
    gateway.listen("answers", protocol="nbnet", logic="echo").start(shards=2)
    expect_confined(gateway.worker_pid())
    expect_confined(service_pid(gateway))


@pytest.fixture
def open_directory():
    """pytest's own is for its user alone."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_who_serves_is_somebody_else(make_gateway, open_directory):
    gateway = make_gateway(directory=open_directory)
    user = pwd.getpwnam(NOBODY)
    gateway.listen("answers", protocol="nbnet", logic="echo").start(user=NOBODY)
    for pid in (gateway.worker_pid(), service_pid(gateway)):
        expect_confined(pid)
        status = proc_status(pid)
        assert set(status["Uid"].split()) == {str(user.pw_uid)}
        assert set(status["Gid"].split()) == {str(user.pw_gid)}
    assert gateway.data_dir.stat().st_uid == user.pw_uid
    gateway.registered(1)


def test_the_supervisor_reads_no_network(gateway):
    """Its sockets listen; it has none that is connected."""
    gateway.start()
    terminals = gateway.registered(*range(1, 6))
    supervisor = gateway.supervisor_pid()
    held = {os.readlink(f"/proc/{supervisor}/fd/{fd}")
            for fd in os.listdir(f"/proc/{supervisor}/fd")}
    connected = set()
    for line in open(f"/proc/{supervisor}/net/tcp", encoding="ascii").readlines()[1:]:
        fields = line.split()
        if fields[3] == "01":  # established
            connected.add(f"socket:[{fields[9]}]")
    assert len(terminals) == 5 and connected
    assert not held & connected
