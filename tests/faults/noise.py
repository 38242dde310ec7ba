"""Everything at once, as a bad day would bring it: terminals that come, go and take each
other over, garbage on every port, callers, flapping clients, commands, a full mailbox.

    with Noise(gateway) as noise:
        ...                     seconds of it, and perhaps a strike
    noise.assert_promises_kept()

Nobody is left at the end: what a gateway holds then, it holds for no reason."""

import contextlib
import http.client
import random
import socket
import threading

from api import Api
from load import Load, assert_kept
from orders import Orders, assert_carried_out
from test_flapping import Flock
from ttms import data, heartbeat

FULL = 0xF00D            # nobody is this terminal, so its mailbox fills
FOUGHT_FOR = range(0xF100, 0xF104)
PATHS = ("/api/v1/devices?limit=1000", "/api/v1/connections", "/api/v1/events?limit=100",
         "/metrics", "/readyz", "/api/v1/nothing", "/api/v1/devices/T9000000",
         "/api/v1/tickets/0123456789abcdef", "/%zz")
BROKEN = (OSError, AssertionError, http.client.HTTPException)  # it was just struck


class Peer(threading.Thread):
    """Takes one step after the other until it is told to end."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway = gateway
        self.over = threading.Event()
        self.failure = None
        self.steps = 0

    def run(self):
        try:
            while not self.over.wait(self.pause):
                with contextlib.suppress(*BROKEN):
                    self.step()
                self.steps += 1
        except Exception as failure:  # told by Noise: a thread has no caller
            self.failure = failure
        self.leave()

    def leave(self):
        """Closes what it holds."""


class Fighter(Peer):
    """Connects under an id that others have, and holds some connections for a while."""
    pause = 0.002

    def __init__(self, gateway):
        super().__init__(gateway)
        self.held = []

    def step(self):
        own = random.choice(FOUGHT_FOR)
        self.held.append(socket.create_connection(self.gateway.address(), 5))
        self.held[-1].sendall(heartbeat(own) + data(random.choice(FOUGHT_FOR), b"mine!"))
        if len(self.held) > 5:
            self.held.pop(random.randrange(5)).close()

    def leave(self):
        for held in self.held:
            held.close()


class Stranger(Peer):
    """Sends what is nearly right, or nothing like it, to any port."""
    pause = 0.002

    def step(self):
        talk = bytearray(heartbeat(77) + data(78, random.randbytes(40)) * 3
                         + b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(random.randrange(9)):
            talk[random.randrange(len(talk))] = random.randrange(256)
        begin = random.randrange(len(talk))
        ports = [self.gateway.address(name) for name in self.gateway.settings["listen"]]
        port = random.choice([*ports, self.gateway.http_address()])
        with socket.create_connection(port, 5) as guest:
            guest.sendall(talk[begin:begin + random.randrange(1, 200)])


class Caller(Peer):
    """Asks for this and that, on connections of its own."""
    pause = 0.01

    def step(self):
        api = Api(self.gateway.http_address())
        try:
            for _ in range(random.randrange(1, 4)):
                assert api.ask(random.choice(PATHS)).status < 500
        finally:
            api.close()


class Flood(Peer):
    """Fills one mailbox beyond its bound, and drops what it holds now and then."""
    pause = 0.01

    def step(self):
        with socket.create_connection(self.gateway.address(), 5) as sender:
            sender.sendall(heartbeat(0xF000) + data(FULL, bytes(500)) * 300)
        if self.steps % 20 == 19:
            api = Api(self.gateway.http_address())
            api.ask(f"/api/v1/devices/{FULL:08x}/mailbox", "DELETE")
            api.close()


class Noise:
    KINDS = (Fighter, Fighter, Stranger, Caller, Flood)

    def __init__(self, gateway):
        self.peers = [kind(gateway) for kind in self.KINDS]
        ports = random.sample(range(31000, 32768), 50)
        self.flock = Flock(gateway.address("clients"), ports, seed=random.random())
        # Nobody stays away: what waits at the end is the flood's.
        self.load = Load(gateway.address(), away=0)
        self.orders = Orders(gateway, machines=3, callers=2)

    def __enter__(self):
        for peer in (*self.peers, self.flock):
            peer.start()
        self.load.__enter__()
        self.orders.__enter__()
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.over.set()
        self.flock.finish()
        for peer in self.peers:
            peer.join(20)
        self.ledger = self.load.finish()
        self.load.__exit__()
        self.book = self.orders.finish()
        self.orders.__exit__()
        for machine in self.orders.machines:
            machine.join(20)

    def assert_promises_kept(self):
        assert not [peer.failure for peer in self.peers if peer.failure], self.peers
        assert all(peer.steps for peer in self.peers), "somebody was silent"
        assert_kept(self.ledger)
        assert_carried_out(self.book)
