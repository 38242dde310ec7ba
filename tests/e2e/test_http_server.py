"""The HTTP server as such: what it lets through, whom it lets in, how it stands up to
peers that mean no good. What it answers is in the tests of the API."""

import json
import os
import re
import resource
import signal
import socket
import time

import pytest

from gateway import free_port
from rawhttp import Raw, ask, get, request
from terminal import wait_until

POST = "POST /healthz HTTP/1.1"
CHUNKED = "Transfer-Encoding: chunked"
TOKEN = "0123456789abcdef-token"
OK = (200, 405)  # of what is only looked at for its form


def table(gateway, cases):
    """Asks each on a connection of its own: {name: (bytes, statuses, ends)}."""
    wrong = []
    for name, (raw, statuses, *ends) in cases.items():
        got = ask(gateway, raw)
        statuses = statuses if isinstance(statuses, tuple) else (statuses,)
        if (got.status if got else None) not in statuses:
            wrong.append(f"{name}: {got}, not {statuses}")
        elif got and ends and got.ended != ends[0]:
            wrong.append(f"{name}: ended={got.ended}")
    assert not wrong, "\n".join(wrong)
    assert ask(gateway, get("/healthz")).status == 200


# Form.

def test_requests_that_could_be_read_in_two_ways_are_refused(gateway):
    gateway.start()
    line = b"GET /healthz HTTP/1.1\r\n"
    host = b"Host: localhost\r\n"
    table(gateway, {
        "as it should be": (line + host + b"\r\n", 200, False),
        "an empty value": (line + host + b"X:\r\n\r\n", 200),
        "no blank behind the colon": (line + b"Host:localhost\r\n\r\n", 200),
        "many blanks": (line + b"Host:  localhost \t \r\n\r\n", 200),
        "both lengths": (request(POST, "Content-Length: 3", CHUNKED,
                                 body=b"0\r\n\r\n"), 400, True),
        "both lengths, chunked first": (request(POST, CHUNKED, "Content-Length: 3",
                                                body=b"0\r\n\r\n"), 400, True),
        "two lengths": (request(POST, "Content-Length: 3", "Content-Length: 4",
                                body=b"abcd"), 400, True),
        "two lengths alike": (request(POST, "Content-Length: 3", "content-length: 3",
                                      body=b"abc"), 400, True),
        "a list of lengths": (request(POST, "Content-Length: 3, 3", body=b"abc"), 400),
        "a signed length": (request(POST, "Content-Length: +3", body=b"abc"), 400),
        "a negative length": (request(POST, "Content-Length: -1"), 400),
        "a hexadecimal length": (request(POST, "Content-Length: 0x3", body=b"abc"), 400),
        "an empty length": (request(POST, "Content-Length:", body=b"abc"), 400),
        "a length beyond all": (request(POST, "Content-Length: " + "9" * 30), 413),
        "a length of 2^64": (request(POST, f"Content-Length: {2 ** 64}"), 413),
        "two codings": (request(POST, CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400, True),
        "a list of codings": (request(POST, "Transfer-Encoding: gzip, chunked",
                                      body=b"0\r\n\r\n"), 501, True),
        "another coding": (request(POST, "Transfer-Encoding: xchunked"), 501, True),
        "chunked in 1.0": (request("POST /healthz HTTP/1.0", CHUNKED,
                                   body=b"0\r\n\r\n"), 400),
        "a bad chunk": (request(POST, CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"), 400),
        "a chunk beyond all": (request(POST, CHUNKED, body=b"f" * 20 + b"\r\n"), 413),
        "a good chunk": (request(POST, CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n"), OK),
        "a folded header": (line + host + b"X: a\r\n b\r\n\r\n", 400, True),
        "a folded host": (line + b"Host: local\r\n\thost\r\n\r\n", 400, True),
        "folded at once": (line + b" Host: localhost\r\n\r\n", 400, True),
        "a NUL in a value": (line + host + b"X: a\0b\r\n\r\n", 400, True),
        "a NUL behind a value": (line + host + b"X: a\0\r\n\r\n", 400, True),
        "a NUL in a name": (line + host + b"X\0: a\r\n\r\n", 400),
        "a NUL in the target": (b"GET /heal\0thz HTTP/1.1\r\n" + host + b"\r\n", 400),
        "a NUL in the method": (b"GE\0T /healthz HTTP/1.1\r\n" + host + b"\r\n", 400),
        "a control character": (line + host + b"X: a\x1bb\r\n\r\n", 400, True),
        "a bare CR": (line + host + b"X: a\rb\r\n\r\n", 400, True),
        "a bare LF in the first line": (b"GET /healthz HTTP/1.1\n" + host + b"\r\n", 400),
        "a bare LF in a header": (line + b"Host: localhost\n\r\n", 400, True),
        "a bare LF at the end": (line + host + b"\n", 400, True),
        "bare LFs": (line + b"Host: localhost\n\n", 400, True),
        "a blank in a name": (line + host + b"X : a\r\n\r\n", 400, True),
        "no colon": (line + host + b"X\r\n\r\n", 400),
        "no name": (line + host + b": a\r\n\r\n", 400),
        "no host": (line + b"\r\n", 400, True),
        "no host in 1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 400, True),
        "two hosts": (line + host + host + b"\r\n", 400, True),
        "a bad host": (line + b"Host: a b\r\n\r\n", 400),
        "no host in it": (line + b"Host:\r\n\r\n", 400),
        "two keys": (line + host + b"Idempotency-Key: a\r\nIdempotency-Key: a\r\n\r\n",
                     400),
        "two types": (line + host + b"Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
                      400),
        "two tokens": (line + host + b"Authorization: a\r\nAuthorization: b\r\n\r\n", 400),
        "two blanks": (b"GET  /healthz HTTP/1.1\r\n" + host + b"\r\n", 400),
        "a blank in the target": (b"GET /heal thz HTTP/1.1\r\n" + host + b"\r\n", 400),
    })


def test_targets_that_could_be_read_in_two_ways_are_refused(gateway):
    gateway.start()
    table(gateway, {
        "a bad percent": (get("/%zz"), 400, True),
        "half a percent": (get("/a%4"), 400),
        "NUL": (get("/a%00"), 400),
        "bad UTF-8": (get("/%ff"), 400),
        "bad UTF-8, raw": (request(b"GET /\xff HTTP/1.1"), 400),
        "an overlong slash": (get("/%c0%af"), 400),
        "bad UTF-8 in the query": (get("/healthz?a=%ff"), 400),
        "a parameter twice": (get("/healthz?a=1&a=2"), 400),
        "a fragment": (get("/healthz#a"), 400),
        "no path": (get("healthz"), 400),
        "absolute": (get("http://localhost/healthz"), 200),
        "absolute, of elsewhere": (get("http://evil.example/healthz"), 400),
        "absolute, with another port": (get("http://localhost:1/healthz"), 400),
        "absolute, of another scheme": (get("https://localhost/healthz"), 400),
        "a path of many parts": (get("/a" * 100), 400),
    })


def test_other_protocols_are_told_so_or_closed(gateway):
    gateway.start()
    hello = bytes.fromhex("160301020001") + bytes(range(256)) * 2
    table(gateway, {
        "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400, True),
        "HTTP/1.0": (request("GET /healthz HTTP/1.0"), 200),
        "HTTP/1.2": (request("GET /healthz HTTP/1.2"), 200),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, True),
        "HTTP/3": (request("GET /healthz HTTP/3.0"), 505),
        "a bad version": (request("GET /healthz HTTP/1.1x"), 400),
        "TLS": (hello, None),
        "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        "one word": (b"garbage\r\n\r\n", None),
        "many words": (b"a b c d e\r\n\r\n", 400),
        "OPTIONS of no path": (request("OPTIONS * HTTP/1.1"), 400),
        "CONNECT": (request("CONNECT localhost:80 HTTP/1.1"), 501),
        "small letters": (request("get /healthz HTTP/1.1"), 501),
    })


def test_methods_are_known_here_or_not(gateway):
    gateway.start()
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = ask(gateway, request(f"{method} /healthz HTTP/1.1"))
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), method
        assert answer.body.count(b"problems/method-not-allowed") == 1
        assert ask(gateway, request(f"{method} /nowhere HTTP/1.1")).status == 404
    for line in ("BREW /healthz HTTP/1.1", "PROPFIND /nowhere HTTP/1.1",
                 "get /healthz HTTP/1.1"):
        answer = ask(gateway, request(line))
        assert answer.status == 501 and b"problems/not-implemented" in answer.body
        assert "Allow" not in answer.headers


def test_nothing_may_be_too_large(gateway):
    gateway.start()
    headers = [f"X{n}: a" for n in range(10000)]
    table(gateway, {
        "100 headers": (get("/healthz", *headers[:99]), 200),
        "101 headers": (get("/healthz", *headers[:100]), 431, True),
        "10000 headers": (get("/healthz", *headers), 431),
        "headers of 15 KiB": (get("/healthz", "X: " + "a" * 15360), 200),
        "headers of 17 KiB": (get("/healthz", "X: " + "a" * 17408), 431, True),
        "a header of 1 MB": (get("/healthz", "X: " + "a" * 1000000), 431),
        "a query of 7 KiB": (get("/healthz?" + "&".join(["a"] * 3500)), 400),
        "a target of 7 KiB": (get("/" + "a" * 7168), 404),
        "a target of 16 KiB": (get("/" + "a" * 16384), 414, True),
        "a target of 1 MB": (get("/" + "a" * 1000000), 414),
        "a body of 64 KiB": (request(POST, "Content-Length: 65536",
                                     body=b"a" * 65536), OK),
        "one byte more": (request(POST, "Content-Length: 65537",
                                  body=b"a" * 65537), 413, True),
        "a promise of more": (request(POST, "Content-Length: 65537"), 413, True),
        "a promise of 1 MB": (request(POST, "Content-Length: 1048576"), 413, True),
        "a body of 3 MB": (request(POST, "Content-Length: 3000000",
                                   body=b"a" * 3000000), 413, True),
        "chunks of 128 KiB": (request(POST, CHUNKED, body=b"1000\r\n" + b"a" * 4096 + b"\r\n"
                                      + (b"1000\r\n" + b"a" * 4096 + b"\r\n") * 31
                                      + b"0\r\n\r\n"), 413, False),
        "chunks of 3 MB": (request(POST, CHUNKED, body=(b"1000\r\n" + b"a" * 4096 + b"\r\n")
                                   * 800), 413, True),
    })


def test_what_is_refused_says_why(gateway):
    gateway.start()
    answer = ask(gateway, get("/healthz?a=1&a=2"))
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"given twice" in answer.body
    for answer in (answer, ask(gateway, get("/healthz"))):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers


# Connections.

def test_requests_in_a_row_are_answered_in_order(gateway):
    gateway.start()
    with Raw(gateway) as raw:
        raw.send(get("/healthz") * 20 + get("/nowhere") + get("/healthz"))
        statuses = [raw.answer().status for _ in range(22)]
        assert statuses == [200] * 20 + [404, 200]
        raw.send(request(POST, "Content-Length: 3", body=b"abc") + get("/healthz"))
        raw.answer()
        assert raw.answer().status == 200, "the body was taken for a request"


def test_head_has_the_headers_of_get_and_no_body(gateway):
    gateway.start()
    with Raw(gateway) as raw:
        whole = raw.send(get("/healthz")).answer()
        head = raw.send(request("HEAD /healthz HTTP/1.1")).answer("HEAD")
        assert {k: v for k, v in head.headers.items() if k != "Date"} == \
            {k: v for k, v in whole.headers.items() if k != "Date"}
        assert raw.send(get("/healthz")).answer().status == 200
        assert raw.send(request("HEAD /nowhere HTTP/1.1")).answer("HEAD").status == 404
        assert raw.send(get("/healthz")).answer().status == 200


def test_a_connection_ends_when_its_client_says_so(gateway):
    gateway.start()
    for raw in (request("GET /healthz HTTP/1.1", "Connection: close"),
                request("GET /healthz HTTP/1.0")):
        with Raw(gateway) as connection:
            assert connection.send(raw).answer().status == 200
            assert connection.is_ended()


@pytest.mark.parametrize("count", (1, 3))
def test_who_closes_its_side_is_answered_and_closed(gateway, count):
    gateway.start()
    for path in ("/healthz", "/list/", "/api/v1/devices", "/metrics") * 4:
        with Raw(gateway) as raw:
            raw.send(get(path) * count).socket.shutdown(socket.SHUT_WR)
            everything = b""
            while part := raw.socket.recv(65536):
                everything += part
            assert everything.count(b"HTTP/1.1 200 OK\r\n") == count, everything
    with Raw(gateway) as raw:
        assert raw.send(get("/healthz")).answer().status == 200
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.is_ended()


def test_expect_continue_is_answered_before_the_body(gateway):
    gateway.start()
    with Raw(gateway) as raw:
        raw.send(request(POST, "Content-Length: 3", "Expect: 100-continue"))
        assert raw.answer().status == 100
        assert raw.send(b"abc").answer().status in OK
    with Raw(gateway) as raw:
        raw.send(request(POST, "Content-Length: 70000", "Expect: 100-continue"))
        assert raw.answer().status == 413, "it asks for a body that it will refuse"
        assert raw.is_ended()


@pytest.mark.limit(60)
def test_slow_requests_are_cut_off(gateway):
    """One byte a second keeps nobody here: the whole has to come within 10 s."""
    gateway.start()
    slow = [Raw(gateway) for _ in range(3)]
    slow[0].send(b"GET /healthz HTTP/1.1\r\nHost:")
    slow[1].send(get("/healthz")).answer()
    slow[1].send(request(POST, "Content-Length: 100", body=b"abc"))
    slow[2].send(b"\r\n")

    def drip(connection):
        connection.send(b"\r\n" if connection is slow[2] else b"a")
        connection.socket.setblocking(False)
        try:
            return bool(connection.socket.recv(1, socket.MSG_PEEK)) or True
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            connection.socket.setblocking(True)

    for connection in slow:
        wait_until(lambda c=connection: drip(c), "a slow client to be cut off", 30)
    assert [connection.answer().status for connection in slow[:2]] == [408, 408]
    assert ask(gateway, get("/healthz")).status == 200


def open_files(gateway):
    return len(os.listdir(f"/proc/{gateway.worker_pid()}/fd"))


def test_a_thousand_idle_connections_disturb_nobody(gateway):
    gateway.start()
    before = gateway.rss_bytes()
    idle = [Raw(gateway) for _ in range(1000)]
    for raw in idle:
        raw.send(get("/healthz"))
    assert all(raw.answer().status == 200 for raw in idle)
    assert ask(gateway, get("/healthz")).status == 200
    assert gateway.rss_bytes() - before < 100 << 20
    for raw in idle:
        raw.socket.close()
    files = open_files(gateway)
    wait_until(lambda: open_files(gateway) < files or files < 200, "them to go")


def test_the_limits_of_connections_hold(gateway):
    gateway.start(http={"max_connections": 6, "max_per_address": 4})
    inside = [Raw(gateway, "127.0.0.1") for _ in range(4)]
    for raw in inside:
        assert raw.send(get("/healthz")).answer().status == 200
    with Raw(gateway, "127.0.0.1") as fifth:
        assert fifth.answer().status == 429
    others = [Raw(gateway, "127.0.0.2") for _ in range(2)]
    for raw in others:
        assert raw.send(get("/healthz")).answer().status == 200
    with Raw(gateway, "127.0.0.3") as seventh:
        assert seventh.answer().status == 503
    inside[0].socket.close()

    def has_room():
        with Raw(gateway, "127.0.0.1") as raw:
            answer = raw.send(get("/healthz")).answer()
        return answer and answer.status == 200
    wait_until(has_room, "the place that became free")


@pytest.mark.limit(90)
def test_without_descriptors_it_does_not_spin_and_recovers(gateway):
    gateway.start(shards=1)
    worker = gateway.worker_pid()
    with Raw(gateway) as inside:
        assert inside.send(get("/healthz")).answer().status == 200
        count = max(int(fd) for fd in os.listdir(f"/proc/{worker}/fd")) + 1
        hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (count, hard))
        waiting = [Raw(gateway).send(get("/healthz")) for _ in range(3)]
        gateway.wait_log("http paused")
        assert inside.send(get("/healthz")).answer().status == 200
        before, began = gateway.cpu_seconds(), time.monotonic()
        while time.monotonic() - began < 0.5:
            assert inside.send(get("/healthz")).answer().status == 200
            time.sleep(0.05)
        used = (gateway.cpu_seconds() - before) / (time.monotonic() - began)
        assert used < 0.3, f"it spins: {used:.0%} of a core"
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (1024, hard))
        assert [raw.answer().status for raw in waiting] == [200] * 3


@pytest.mark.threads
def test_a_flood_of_requests_is_answered(gateway):
    gateway.start()
    terminal = gateway.registered(1)
    with Raw(gateway) as raw:
        for _ in range(20):
            raw.send(get("/healthz") * 50)
            assert [raw.answer().status for _ in range(50)] == [200] * 50
    gateway.registered(2).send(1, b"meanwhile")
    terminal.expect(2, b"meanwhile")


@pytest.mark.threads
def test_it_ends_in_order_with_connections_open(gateway):
    gateway.start()
    idle = [Raw(gateway).send(get("/healthz")) for _ in range(5)]
    assert all(raw.answer().status == 200 for raw in idle)
    half = Raw(gateway).send(b"GET /healthz HTTP/1.1\r\n")
    gateway.stop()
    assert all(raw.is_ended() for raw in idle)
    answer = half.answer()  # none, if it came too late to be read at all
    assert answer is None or answer.status == 408
    assert gateway.log_has("worker ended")


# Whom it lets in.

def test_requests_of_web_pages_of_elsewhere_are_refused(gateway):
    gateway.start(http={"hosts": ["gw.example", "other.example:8080"]})
    port = gateway.http_address()[1]
    own = f"localhost:{port}"
    table(gateway, {
        "the address": (get("/healthz", host=f"127.0.0.1:{port}"), 200),
        "localhost": (get("/healthz", host=own), 200),
        "a tunnel's port": (get("/healthz", host="localhost:1234"), 200),
        "a name of ours": (get("/healthz", host="GW.example"), 200),
        "a name with its port": (get("/healthz", host="other.example:8080"), 200),
        "a name with another port": (get("/healthz", host="other.example:80"), 403),
        "a rebound name": (get("/healthz", host="evil.example"), 403, False),
        "a rebound name, our port": (get("/healthz", host=f"evil.example:{port}"), 403),
        "another address": (get("/healthz", host="192.0.2.1"), 403),
        "a name that begins like ours": (get("/healthz", host="localhost.evil.example"), 403),
        "our page": (get("/healthz", f"Origin: http://{own}", host=own), 200),
        "our page behind a proxy": (get("/healthz", "Origin: https://gw.example", host=own),
                                    200),
        "a foreign page": (get("/healthz", "Origin: http://evil.example", host=own), 403),
        "a page of another port": (get("/healthz", "Origin: http://localhost:1", host=own),
                                   403),
        "a page of a file": (get("/healthz", "Origin: null", host=own), 403),
        "an empty origin": (get("/healthz", "Origin:", host=own), 403),
        "two origins": (get("/healthz", f"Origin: http://{own}", "Origin: http://evil.example",
                            host=own), 400),
        "fetched by our page": (get("/healthz", "Sec-Fetch-Site: same-origin"), 200),
        "typed by a person": (get("/healthz", "Sec-Fetch-Site: none"), 200),
        "fetched by a foreign page": (get("/healthz", "Sec-Fetch-Site: cross-site"), 403),
        "fetched by a neighbour": (get("/healthz", "Sec-Fetch-Site: same-site"), 403),
        "a form of elsewhere": (request("POST /api/v1/x HTTP/1.1",
                                        "Origin: http://evil.example",
                                        "Content-Type: text/plain",
                                        "Content-Length: 1", body=b"a"), 403),
        "a deletion of elsewhere": (request("DELETE /api/v1/devices/1/connection HTTP/1.1",
                                            "Origin: http://evil.example"), 403),
    })


@pytest.mark.parametrize("path", ["/status/T9000010", "/turnon/T9000010",
                                  "/restart/T9000010"])
def test_what_acts_by_get_is_refused_to_web_pages_of_elsewhere(gateway, path):
    gateway.start(http={"hosts": ["gw.example"]})
    own = f"localhost:{gateway.http_address()[1]}"
    table(gateway, {
        "typed by a person": (get(path, "Sec-Fetch-Site: none", host=own), 409),
        "a link of ours": (get(path, f"Referer: http://{own}/list/", host=own), 409),
        "a link behind a proxy": (get(path, "Referer: https://gw.example/a?b", host=own), 409),
        "a picture of elsewhere": (get(path, "Sec-Fetch-Site: cross-site", host=own), 403),
        "a script of elsewhere": (get(path, "Origin: http://evil.example", host=own), 403),
        "a rebound name": (get(path, host="evil.example"), 403, False),
        "an old browser's picture": (get(path, "Referer: http://evil.example/", host=own),
                                     403),
        "one that names us": (get(path, f"Referer: http://evil.example/http://{own}/",
                                  host=own), 403),
        "a page of another port": (get(path, "Referer: http://localhost:1/", host=own), 403),
        "two of them": (get(path, f"Referer: http://{own}/", f"Referer: http://{own}/",
                            host=own), 400),
        "a form": (request(f"POST {path} HTTP/1.1", "Content-Length: 0"), 405),
    })
    head = ask(gateway, request(f"HEAD {path} HTTP/1.1"), "HEAD")
    assert (head.status, head.headers["Allow"]) == (405, "GET")


def write_token(gateway, text=TOKEN + "\n", mode=0o600):
    path = gateway.directory / "token"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def bearer(token):
    return f"Authorization: Bearer {token}"


def test_only_the_token_opens(gateway):
    gateway.start(http={"token_file": write_token(gateway)})
    table(gateway, {
        "no token": (get("/nowhere"), 401, False),
        "the token": (get("/nowhere", bearer(TOKEN)), 404),
        "in small letters": (get("/nowhere", f"authorization: bearer {TOKEN}"), 404),
        "a wrong one": (get("/nowhere", bearer("x" * len(TOKEN))), 401),
        "its beginning": (get("/nowhere", bearer(TOKEN[:-1])), 401),
        "more than it": (get("/nowhere", bearer(TOKEN + "x")), 401),
        "an empty one": (get("/nowhere", "Authorization: Bearer "), 401),
        "blanks around it": (get("/nowhere", f"Authorization:  Bearer {TOKEN} "), 404),
        "another scheme": (get("/nowhere", f"Authorization: Basic {TOKEN}"), 401),
        "in the query": (get(f"/nowhere?token={TOKEN}"), 401),
        "given twice": (get("/nowhere", bearer(TOKEN), bearer(TOKEN)), 400),
        "health without one": (get("/healthz"), 200),
        "nothing else like it": (get("/healthz/"), 401),
        "figures without one": (get("/metrics"), 401),
    })
    answer = ask(gateway, get("/nowhere"))
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in gateway.log(whole=True)
    assert TOKEN not in gateway.command("-t", "-c", gateway.config_file).stdout


def test_without_the_token_there_is_nothing_to_be_had(gateway):
    """On no path and by no method; who guesses in vain is told to wait, no more."""
    gateway.start(http={"token_file": write_token(gateway)})
    with Raw(gateway) as raw:
        answer = raw.send(get("/api/v1/openapi.json", bearer(TOKEN))).answer()
    paths = [re.sub(r"\{\w+\}", "1", path) for path in json.loads(answer.body)["paths"]]
    assert len(paths) > 15
    tried = [(method, path) for path in (*paths, "/", "/list/", "/turnon/1", "/nowhere")
             for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
             if path != "/healthz"]
    for n, (method, path) in enumerate(tried):
        for headers in ((), (bearer("x" * len(TOKEN)),), (bearer(""),)):
            with Raw(gateway, f"127.0.{n // 250 + 1}.{n % 250 + 1}") as raw:
                raw.send(request(f"{method} {path} HTTP/1.1", *headers))
                answer = raw.answer(method)
            assert answer.status == 401, (method, path, headers, answer)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_whoever_guesses_tokens_has_to_wait(gateway):
    gateway.start(http={"token_file": write_token(gateway)})
    for n in range(10):
        assert ask(gateway, get("/nowhere", bearer(f"guess{n:011}"))).status == 401
    answer = ask(gateway, get("/nowhere", bearer("guess")))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(gateway, get("/nowhere", bearer(TOKEN))).status == 429, \
        "a guesser would see which one is right"
    assert ask(gateway, get("/healthz")).status == 200
    with Raw(gateway, "127.0.0.2") as other:
        assert other.send(get("/nowhere", bearer(TOKEN))).answer().status == 404


def test_a_reload_reads_the_token_again(gateway):
    gateway.start(http={"token_file": write_token(gateway)})
    worker = gateway.worker_pid()
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_log("reload done", worker="kept")
    write_token(gateway, "another-token-0123456789")
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_new_worker(worker)
    wait_until(lambda: ask(gateway, get("/nowhere", bearer("another-token-0123456789")))
               .status == 404, "the new token to count")
    assert ask(gateway, get("/nowhere", bearer(TOKEN))).status == 401


def refused(gateway, **http):
    gateway.set(http=http)
    gateway.write_config()
    result = gateway.command("-t", "-c", gateway.config_file)
    assert result.returncode == 2, result.stdout
    assert "holdfast.yaml:" in result.stderr
    return result.stderr


def test_beyond_this_machine_it_wants_a_token(gateway):
    address = f"0.0.0.0:{free_port()}"
    text = refused(gateway, address=address)
    assert f"`{address}` can be reached from other machines" in text
    assert "token_file" in text
    refused(gateway, address=f"[::]:{free_port()}")
    gateway.start(http={"address": address, "token_file": write_token(gateway)})
    with Raw(gateway) as raw:
        assert raw.send(get("/nowhere", host="192.0.2.7")).answer().status == 401
        assert raw.send(get("/nowhere", host="evil.example")).answer().status == 403


@pytest.mark.parametrize("text, mode, words", [
    (TOKEN, 0o640, "others than its owner"),
    (TOKEN, 0o604, "others than its owner"),
    ("short", 0o600, "fewer than 16"),
    ("", 0o600, "fewer than 16"),
    ("two words of the file", 0o600, "single word"),
    ("0123456789abcdef\n0123456789abcdef", 0o600, "single word"),
    ("x" * 5000, 0o600, "too long"),
])
def test_a_bad_token_file_is_refused(gateway, text, mode, words):
    error = refused(gateway, token_file=write_token(gateway, text, mode))
    assert words in error
    assert len(text) < 16 or text[:16] not in error


def test_a_token_file_that_is_none_is_refused(gateway, tmp_path):
    assert "No such file" in refused(gateway, token_file=str(tmp_path / "nothing"))
    assert "no file" in refused(gateway, token_file=str(tmp_path))


def test_it_cannot_have_the_address_of_a_listener(gateway):
    address = gateway.settings["listen"]["terminals"]["address"]
    assert "`http` has the address of `terminals`" in refused(gateway, address=address)


def test_without_an_address_there_is_no_http(gateway):
    gateway.start(http={"address": ""})
    assert not gateway.log_has("listener http listens")
    result = gateway.command("-t", "-c", gateway.config_file)
    assert "http        off" in result.stdout
    gateway.registered(1)


# Answers that take their time.

def newest(gateway):
    return json.loads(ask(gateway, get("/api/v1/events")).body)["newest"]


def waiting(gateway):
    """A request for what has not happened yet."""
    path = f"/api/v1/events?after={newest(gateway)}&wait=60s"
    return Raw(gateway).send(get(path))


@pytest.mark.threads
def test_a_client_that_leaves_while_its_answer_waits_is_forgotten(gateway):
    gateway.start()
    before = open_files(gateway)
    clients = [waiting(gateway) for _ in range(20)]
    wait_until(lambda: open_files(gateway) >= before + 20, "them to wait")
    for client in clients[:10]:
        client.socket.close()
    wait_until(lambda: open_files(gateway) < before + 20, "some to be forgotten")
    gateway.registered(1)
    assert [client.answer().status for client in clients[10:]] == [200] * 10
    for client in clients:
        client.socket.close()
    wait_until(lambda: open_files(gateway) <= before + 1, "all to be forgotten")


@pytest.mark.threads
def test_the_end_leaves_no_answer_out(gateway):
    gateway.start()
    clients = [waiting(gateway) for _ in range(5)]
    streams = [Raw(gateway).send(get("/api/v1/events", "Accept: text/event-stream"))
               for _ in range(5)]
    for stream in streams:
        while b"\r\n\r\n" not in stream.buffer:
            assert stream.more()
    gateway.stop()
    assert {client.answer().status for client in clients} <= {200, 503}
    for stream in streams:
        while stream.more():
            pass
        assert stream.buffer.endswith(b"\r\n0\r\n\r\n"), "cut, not ended"


@pytest.mark.threads
def test_readers_that_never_read_cost_nobody_else(gateway):
    gateway.start()
    deaf = [Raw(gateway).send(get("/api/v1/events", "Accept: text/event-stream"))
            for _ in range(20)]
    before = gateway.rss_bytes()
    terminal = gateway.terminal(1)
    terminal.register()
    for _ in range(200):
        terminal.leave()
        terminal = gateway.terminal(1)
        terminal.register()
    with waiting(gateway) as reader:
        gateway.registered(2)
        assert reader.answer().status == 200
    assert gateway.rss_bytes() - before < 30 << 20
    assert len(deaf) == 20
