"""What a data directory of a release was made of, and what has to be found in it.

usage: release.py BINARY NEW-DIRECTORY    makes one, for a format that is new

Do not make one anew for a format that is out there: it is what tells that this program
still reads what that one wrote."""

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

STORES = ("mailbox", "journal", "ledger")
BODIES = [b"first", bytes(range(256)), b"long " * 1500]
PHONE = "13912344329"
SETTINGS = {"shards": 1, "mailbox": {"max_age": "365d"}, "commands": {"keep": "365d"}}


def arrange(gateway):
    gateway.listen("devices", protocol="device").listen("vehicles", protocol="jt808")
    return gateway.set(**SETTINGS)


def tell(gateway):
    """What the reader of a data directory can see without changing it."""
    api = gateway.api
    return {"events": api.all_events(),
            "tickets": api.tickets("T9000010"),
            "devices": sorted(api.ids()),
            "mail": gateway.mail_count(2)}


def write(gateway):
    """Lets everything happen that leaves a trace; gives what to look for."""
    sender = gateway.registered(1)
    sender.send(2, *BODIES)
    gateway.wait_mail(2, len(BODIES))
    machine = gateway.device("T9000010").login()
    machine.report()
    call = gateway.api.call("T9000010", "status", ttl="30d")
    machine.serve(0x1005)
    call.answered()
    machine.close()
    gateway.api.wait_device("T9000010", connected=False)
    gateway.api.order("T9000010", "status", ttl="30d")
    vehicle = gateway.vehicle(PHONE).enter()
    vehicle.locate()
    vehicle.close()
    sender.close()
    gateway.api.wait_device(PHONE, state="close")
    gateway.api.wait_device("00000001", state="close")
    return {"token": vehicle.token.decode(), "made_ms": int(time.time() * 1000),
            **tell(gateway)}


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
    os.environ["HOLDFAST"], into = sys.argv[1], Path(sys.argv[2])
    from gateway import Gateway

    gateway = arrange(Gateway(tempfile.mkdtemp()))
    try:
        told = write(gateway.start())
        gateway.stop()
        for store in STORES:
            (into / store).mkdir(parents=True)
            shutil.copy(gateway.data_dir / store / "data.mdb", into / store)
        (into / "told.json").write_text(json.dumps(told, indent=1) + "\n")
    finally:
        gateway.clean_up()
        shutil.rmtree(gateway.directory)


if __name__ == "__main__":
    main()
