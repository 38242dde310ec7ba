"""What the gateway's HTTP API would say, for tests of the commands that ask it.

    api = MockApi()
    api.devices = [device("00000001")]
    api.events = [event(1, "00000001", "close", "leave")]
    api.on("GET", "/api/v1/devices", lambda call: call.raw(200, b"<html>"))
    api.url, api.calls

It answers as docs/http-api.md says; on() puts something odd in one path's place."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

NOW = "2026-11-21T11:25:02.500Z"


def device(own, **members):
    return {"id": own, "protocol": "ttms", "listener": "terminals", "state": "alive",
            "since": NOW, "last_seen": NOW, "address": "192.0.2.7:40110",
            "connected": True, "epoch": 3, "sequence": 5,
            "mailbox": {"messages": 0, "bytes": 0},
            "counters": {"connections": 3, "messages_in": 1204, "messages_out": 88},
            **members}


def event(cursor, own, before, after, reason="connected", **members):
    return {"cursor": cursor, "type": "presence", "time": NOW, "device": own,
            "protocol": "ttms", "listener": "terminals", "epoch": 3, "sequence": 6,
            "from": before, "to": after, "reason": reason, **members}


def ticket(own="9f1c02a45be08d13", **members):
    return {"ticket": own, "state": "queued", "device": "T9000010", "protocol": "device",
            "command": "status", "message": "1005", "reason": None, "created": NOW,
            "not_before": None, "expires": None, "sent": None, "acknowledged": None,
            "ended": None, "sendings": 0, "durable": True, "answer": None, **members}


def answered(**members):
    return ticket(state="answered", durable=False, sendings=1, sent=NOW,
                  ended="2026-11-21T11:25:02.519Z",
                  answer={"message": "1005", "serial": 2, "body": "00000005",
                          "decoded": {"state": "ready", "code": 5}}, **members)


class Call(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""

    protocol_version = "HTTP/1.1"

    def json(self, value, status=200, content_type="application/json"):
        self.raw(status, json.dumps(value).encode(), content_type)

    def problem(self, status, kind, detail, **members):
        self.json({"type": f"https://holdfast.invalid/problems/{kind}", "status": status,
                   "title": kind, "detail": detail, **members}, status,
                  "application/problem+json")

    def raw(self, status, body=b"", content_type="text/html", length=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True

    def send(self, value, kind=None, cursor=None):
        """One server-sent event; in a stream that has begun."""
        cursor = value["cursor"] if cursor is None else cursor
        kind = kind or value["type"]
        self.send_text(f"id: {cursor}\nevent: {kind}\ndata: {json.dumps(value)}\n\n")

    def send_text(self, text):
        self.wfile.write(text.encode())
        self.wfile.flush()

    def stay(self):
        """The stream stays open until the test is over."""
        self.server.api.over.wait(60)

    # What http.server calls.

    def do_GET(self):
        self.answer()

    def do_DELETE(self):
        self.answer()

    def do_POST(self):
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer()

    def answer(self):
        parts = urlsplit(self.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.server.api.answer(self, parts.path)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # it has heard enough

    def log_message(self, *arguments):
        pass


class MockApi:
    def __init__(self):
        self.devices, self.events, self.calls = [], [], []
        self.oldest = 1
        self.token = None
        self.odd = {}
        self.over = threading.Event()
        self.server = None
        self.port = 0
        self.start()

    def start(self):
        """Also again after stop(), on the same port."""
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Call)
        self.server.daemon_threads = True
        self.server.api = self
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def close(self):
        self.over.set()
        self.stop()

    def on(self, method, path, answer):
        """`answer` is called with the Call; a list: one after another, the last stays."""
        self.odd[method, path] = list(answer) if isinstance(answer, list) else [answer]

    def answer(self, call, path):
        self.calls.append((call.command, path, call.query, dict(call.headers)))
        odd = self.odd.get((call.command, path))
        parts = [unquote(part) for part in path.split("/")[3:]]
        if odd:
            (odd.pop(0) if len(odd) > 1 else odd[0])(call)
        elif self.token and call.headers.get("Authorization") != f"Bearer {self.token}":
            call.problem(401, "unauthorized", "no token, or a wrong one")
        elif parts == ["devices"]:
            self.list(call)
        elif parts == ["events"]:
            self.tell(call, self.events)
        elif len(parts) > 1 and parts[0] == "devices":
            self.one(call, parts[1], parts[2:])
        else:
            call.problem(404, "not-found", f"there is no path `{path}`")

    def list(self, call):
        query = call.query
        states = query["state"].split(",") if "state" in query else None
        chosen = [d for d in self.devices
                  if (not states or d["state"] in states)
                  and all(query.get(name, d.get(name)) == d.get(name)
                          for name in ("protocol", "listener"))
                  and d["id"].startswith(query.get("prefix", ""))]
        begin = int(query.get("cursor", "0"))
        end = begin + int(query.get("limit", "100"))
        call.json({"as_of": self.newest, "devices": chosen[begin:end],
                   "next": str(end) if end < len(chosen) else None})

    def one(self, call, own, rest):
        found = [d for d in self.devices if d["id"] == own
                 and call.query.get("protocol", d["protocol"]) == d["protocol"]]
        if not found:
            call.problem(404, "not-found", f"there is no device `{own}`")
        elif len(found) > 1:
            call.problem(409, "ambiguous", f"`{own}` exists in several protocols")
        elif call.command == "DELETE" and rest == ["connection"]:
            call.send_response(204)
            call.end_headers()
        elif rest == ["events"]:
            self.tell(call, [e for e in self.events if e["device"] == own])
        else:
            call.json(found[0])

    @property
    def newest(self):
        return self.events[-1]["cursor"] if self.events else 0

    def tell(self, call, events):
        after = int(call.headers.get("Last-Event-ID") or call.query.get("after", "0"))
        later = [e for e in events if e["cursor"] > after
                 and call.query.get("device", e["device"]) == e["device"]]
        if call.headers.get("Accept") == "text/event-stream":
            call.begin_stream()
            for one in later:
                call.send(one)
            call.stay()
            return
        later = later[:int(call.query.get("limit", "1000"))]
        call.json({"events": later, "oldest": self.oldest, "newest": self.newest,
                   "cursor": later[-1]["cursor"] if later else self.newest})
