"""kill -9 at the very moment at which a vehicle terminal was told its token, or that it is
believed: whatever was told holds afterwards.

A token that was told opens the door after the restart. An id that was proved once is
nobody else's, whoever asks for it. A report that was acknowledged is an event."""

import pytest

from api import device_path
from progress import Rounds
from vehicles import FAILED, LOCATION

TERMINAL_REGISTERED = 3  # 8100: "terminal already registered"


@pytest.fixture
def service(gateway):
    gateway.listen("vehicles", protocol="jt808")
    return gateway.set(shards=2, supervisor={"max_restarts": 1000000,
                                             "max_restart_delay": "0s"}).start()


def kill_everything(service):
    service.kill()
    service.restart()


def kill_the_worker(service):
    service.wait_new_worker(service.kill_worker())


@pytest.mark.parametrize("strike", (kill_everything, kill_the_worker))
def test_what_a_terminal_was_told_holds(service, strike, rounds):
    turns = Rounds(f"kill -9 of a gateway with terminals ({strike.__name__})", rounds)
    proved = []
    for number in turns:
        own = f"1390000{number:04}"
        vehicle = service.vehicle(own)
        token = vehicle.register()
        strike(service)
        vehicle = service.vehicle(own)
        vehicle.authenticate(token)
        proved.append((own, token))
        strike(service)
        thief = service.vehicle(own)
        thief.register(result=TERMINAL_REGISTERED)
        thief.authenticate(b"0" * 32, result=FAILED)
        vehicle = service.vehicle(own)
        vehicle.authenticate(token)
        serial = vehicle.send(LOCATION, bytes(28))
        vehicle.expect_answer(LOCATION, serial)
        strike(service)
        told = [event for event in service.api.all_events(type="report", device=own)
                if event["serial"] == serial]
        assert told, f"the report {serial} of {own} was acknowledged, and is no event"
    for own, token in proved:
        service.vehicle(own).authenticate(token)
    turns.report(f"{len(proved)} terminals believed at once after each of their kills")


def test_a_token_that_was_revoked_stays_void(service, rounds):
    turns = Rounds("kill -9 behind a revocation", max(1, rounds // 2))
    for number in turns:
        own = f"1380000{number:04}"
        vehicle = service.vehicle(own)
        token = vehicle.register()
        vehicle.authenticate(token)
        answer = service.api.ask(device_path(own, "/credential"), method="DELETE")
        assert answer.status == 204, answer
        kill_everything(service)
        stranger = service.vehicle(own)
        stranger.authenticate(token, result=FAILED)
        stranger.authenticate(stranger.register())
    turns.report("none of them worked again")
