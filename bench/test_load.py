#!/usr/bin/env python3
"""A load program that cannot see a fault measures nothing. Here each fault is committed
on purpose, by a small relay or in a log of stored messages, and the load has to notice.

usage: test_load.py DIRECTORY-OF-THE-PROGRAMS"""

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

DIRECTORY = ""

FAULTY_FRAME = 40  # counted per target: behind the greeting, in the midst of the load


def program(name):
    return os.path.join(DIRECTORY, name)


@contextlib.contextmanager
def floor(name, *words):
    """One of the floors, listening; yields its port and process."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with subprocess.Popen([program(name), str(port), *words]) as process:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port, process
        process.kill()


def check_byte(frame):
    value = 0
    for byte in frame[:-1]:
        value ^= byte
    return value


class FaultyRelay(threading.Thread):
    """Relays, but `spoil` decides what becomes of the frames for a target: it gets the
    list of one target's frames in this turn and their count so far."""

    def __init__(self, spoil):
        super().__init__(daemon=True)
        self.spoil = spoil
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.stopping = False
        self.targets, self.ids, self.rest, self.seen = {}, {}, {}, {}

    def run(self):
        with selectors.DefaultSelector() as events:
            events.register(self.listener, selectors.EVENT_READ)
            while not self.stopping:
                for key, _ in events.select(0.05):
                    if key.fileobj is self.listener:
                        conn, _ = self.listener.accept()
                        events.register(conn, selectors.EVENT_READ)
                    elif not self.on_readable(key.fileobj):
                        events.unregister(key.fileobj)
                        key.fileobj.close()

    def on_readable(self, conn):
        try:
            data = conn.recv(1 << 20)
            self.relay(conn, data)
        except OSError:
            return False
        return bool(data)

    def relay(self, conn, data):
        data = self.rest.get(conn, b"") + data
        for_target = {}
        while len(data) >= 13:
            size = int.from_bytes(data[5:7], "big")
            if len(data) < size:
                break
            frame, data = bytearray(data[:size]), data[size:]
            address = bytes(frame[7:11])
            if frame[11] == 1:
                self.ids[conn], self.targets[address] = address, conn
                continue
            frame[4:5], frame[7:11] = b"X", self.ids[conn]
            frame[-1] = check_byte(frame)
            for_target.setdefault(address, []).append(frame)
        self.rest[conn] = data
        for address, frames in for_target.items():
            before = self.seen.get(address, 0)
            self.seen[address] = before + len(frames)
            whole = self.spoil(frames, before)
            self.targets[address].sendall(b"".join(whole))

    def stop(self):
        self.stopping = True
        self.join()
        self.listener.close()


def run_load(port, *options):
    return subprocess.run(
        [program("load"), "--wire", "ttms", "--port", str(port), "--pairs", "3",
         "--batch", "8", "--warmup", "0.1", "--seconds", "0.2", *options],
        capture_output=True, text=True, timeout=60)


class TheLoad(unittest.TestCase):
    def verdict(self, spoil):
        relay = FaultyRelay(spoil)
        relay.start()
        try:
            return run_load(relay.port)
        finally:
            relay.stop()

    def assert_seen(self, done, **wrong):
        self.assertEqual(done.returncode, 1, done.stderr)
        figures = json.loads(done.stdout)
        for name, least in wrong.items():
            self.assertGreaterEqual(figures[name], least, done.stdout)

    def test_accepts_a_relay_without_faults(self):
        done = self.verdict(lambda frames, before: frames)
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(done.stdout)
        self.assertEqual(figures["sent"], figures["received"])
        self.assertGreater(figures["messages"], 0)

    def test_accepts_the_floor_and_measures_its_processor_time(self):
        with floor("floor_relay") as (port, process):
            done = run_load(port, "--cpu-of", str(process.pid))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads(done.stdout)["server_ns"], 0)

    def test_notices_that_the_last_message_of_a_pair_is_lost(self):
        def drop(frames, before):
            return frames[:-1] if before > FAULTY_FRAME else frames

        done = self.verdict(drop)
        self.assertEqual(done.returncode, 1)
        self.assertIn("sent", done.stderr)

    def test_notices_that_a_message_in_between_is_lost(self):
        def drop(frames, before):
            return frames[1:] if before <= FAULTY_FRAME < before + len(frames) else frames

        self.assert_seen(self.verdict(drop), disorder=1)

    def test_notices_two_messages_that_changed_places(self):
        def swap(frames, before):
            if before > FAULTY_FRAME and len(frames) > 1:
                frames[0], frames[1] = frames[1], frames[0]
            return frames

        self.assert_seen(self.verdict(swap), disorder=2)

    def test_notices_a_message_that_came_twice(self):
        def double(frames, before):
            return [frames[0]] + frames if before > FAULTY_FRAME else frames

        self.assert_seen(self.verdict(double), disorder=1)

    def test_notices_one_wrong_bit_behind_a_fitting_check_byte(self):
        def flip(frames, before):
            if before > FAULTY_FRAME:
                frames[0][-5] ^= 4
                frames[0][-1] ^= 4
            return frames

        self.assert_seen(self.verdict(flip), damaged=1)

    def test_notices_a_wrong_check_byte(self):
        def flip(frames, before):
            if before > FAULTY_FRAME:
                frames[0][-1] ^= 1
            return frames

        self.assert_seen(self.verdict(flip), damaged=1)

    def test_notices_a_connection_that_the_server_closes(self):
        def close(frames, before):
            if before > FAULTY_FRAME:
                raise OSError
            return frames

        self.assertEqual(self.verdict(close).returncode, 1)


class Newcomers(unittest.TestCase):
    def come(self, port, *words):
        return subprocess.run([program("newcomers"), "ttms", str(port), "8", *words],
                              capture_output=True, text=True, timeout=60)

    def test_counts_those_who_stay_and_those_who_go(self):
        with floor("floor_relay") as (port, process):
            stay = self.come(port, "stay", "100", str(process.pid))
            go = self.come(port, "go", "0.2", str(process.pid))
        self.assertEqual(json.loads(stay.stdout)["came"], 100, stay.stderr)
        self.assertGreater(json.loads(go.stdout)["came"], 0, go.stderr)

    def served_by(self, answer):
        """What the load says of a server that gives everybody this one answer."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        peer, _ = listener.accept()
                        with peer:
                            peer.recv(65536)
                            peer.sendall(answer)
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            done = self.come(listener.getsockname()[1], "stay", "100")
            listener.shutdown(socket.SHUT_RDWR)
        return done

    def test_notices_that_the_server_ends_a_connection(self):
        done = self.served_by(b"")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("ended", done.stderr)

    def test_notices_that_the_server_speaks_another_language(self):
        done = self.served_by(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("language", done.stderr)


class Letters(unittest.TestCase):
    """The log of floor_mail has frames of 64 bytes, one behind the other."""
    TERMINALS, EACH, FRAME = 8, 30, 64

    def post(self, port, step):
        return subprocess.run(
            [program("letters"), "ttms", str(port), step, str(self.TERMINALS),
             str(self.EACH), "2", "16"], capture_output=True, text=True, timeout=60)

    def fetched(self, spoil):
        """What is fetched when the stored frames are `spoil`ed meanwhile."""
        with tempfile.TemporaryDirectory() as where:
            with floor("floor_mail", where) as (port, _):
                stored = self.post(port, "store")
            self.assertEqual(stored.returncode, 0, stored.stderr)
            log = os.path.join(where, "log")
            with open(log, "rb") as file:
                data = file.read()
            frames = [data[at:at + self.FRAME]
                      for at in range(0, len(data), self.FRAME)]
            self.assertEqual(len(frames), self.TERMINALS * self.EACH)
            with open(log, "wb") as file:
                file.write(b"".join(spoil(frames)))
            with floor("floor_mail", where) as (port, _):
                return self.post(port, "fetch")

    def assert_seen(self, done, wrong):
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertGreaterEqual(json.loads(done.stdout)["wrong"], wrong, done.stdout)

    def test_accepts_what_was_stored(self):
        done = self.fetched(lambda frames: frames)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["messages"],
                         self.TERMINALS * self.EACH)

    def test_notices_that_a_message_is_lost(self):
        self.assert_seen(self.fetched(lambda frames: frames[:40] + frames[41:]), 1)

    def test_notices_that_a_message_came_twice(self):
        self.assert_seen(self.fetched(lambda frames: frames[:41] + frames[40:]), 1)

    def test_notices_two_messages_that_changed_places(self):
        def swap(frames):
            address = frames[40][7:11]
            later = next(n for n in range(41, len(frames))
                         if frames[n][7:11] == address)
            frames[40], frames[later] = frames[later], frames[40]
            return frames

        self.assert_seen(self.fetched(swap), 2)

    def test_notices_one_wrong_bit(self):
        def flip(frames):
            frame = bytearray(frames[40])
            frame[-5] ^= 4
            return frames[:40] + [bytes(frame)] + frames[41:]

        self.assert_seen(self.fetched(flip), 1)


class Presence(unittest.TestCase):
    def test_a_gateway_without_sockets_is_still_built_as_the_real_one(self):
        with tempfile.TemporaryDirectory() as where:
            done = subprocess.run(
                [program("presence_bench"), "--dir", where, "--devices", "1000"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        self.assertEqual(done.returncode, 0)
        self.assertGreater(json.loads(done.stdout)["bytes"], 0)


if __name__ == "__main__":
    DIRECTORY = sys.argv[1]
    unittest.main(argv=sys.argv[:1], verbosity=2)
