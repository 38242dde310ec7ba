"""`holdfast ls|show|watch|kick` against an API that answers well, oddly, or not at all."""

import gzip
import json
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from gateway import BINARY, free_port
from mock_api import MockApi, device, event
from terminal import wait_until
from watching import Watch, environment


@pytest.fixture
def api():
    api = MockApi()
    yield api
    api.close()


def run(api, *arguments, status=0, env=None):
    """Runs a command to its end; returns what it wrote."""
    url = [] if api is None else ["--url", api.url]
    done = subprocess.run([str(BINARY), *arguments, *url], env=environment(**(env or {})),
                          capture_output=True, text=True, timeout=50)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def refused(api, *arguments, **options):
    """... which fails with one sentence."""
    done = run(api, *arguments, status=1, **options)
    assert re.fullmatch(r"holdfast: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


@pytest.fixture
def watch(api):
    made = []

    def make(*arguments, **options):
        made.append(Watch("--url", api.url, *arguments, **options))
        return made[-1]

    yield make
    api.over.set()
    for one in made:
        one.clean_up()


def streams(api):
    return [call for call in api.calls if call[3].get("Accept") == "text/event-stream"]


# ls


def test_ls_shows_a_device_per_line(api):
    api.devices = [device("00000001"),
                   device("00000002", state="close", mailbox={"messages": 3, "bytes": 9})]
    lines = run(api, "ls").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["00000001", "alive"],
                                                    ["00000002", "close"]]
    assert lines[1].split()[4] == "3"


def test_in_a_pipe_each_cell_is_one_word(api):
    api.devices = [device("00000001", listener=None, last_seen=None, address="")]
    out = run(api, "ls").stdout
    assert "\t" not in out and "\033" not in out
    assert out.split() == ["00000001", "alive", "2026-11-21T11:25:02.500Z", "-", "0", "-",
                           "-"]


def test_one_page_is_sorted(api):
    api.devices = [device(own) for own in ("00000009", "0000000a", "00000001")]
    ids = [line.split()[0] for line in run(api, "ls").stdout.splitlines()]
    assert ids == ["00000001", "00000009", "0000000a"]


def test_filters_are_the_apis(api):
    api.devices = [device("00000001")]
    run(api, "ls", "--state", "leave,close", "--protocol", "ttms", "--listener", "a b&c",
        "--prefix", "0%")
    assert api.calls[0][2] == {"state": "leave,close", "protocol": "ttms",
                               "listener": "a b&c", "prefix": "0%", "limit": "1000"}


def test_ls_stops_at_its_limit_and_says_so(api):
    api.devices = [device(f"{n:08x}") for n in range(30)]
    done = run(api, "ls", "--limit", "20")
    assert len(done.stdout.splitlines()) == 20
    assert "--all" in done.stderr
    assert "--all" not in run(api, "ls", "--limit", "30").stderr


@pytest.mark.limit(120)
def test_ls_all_lists_a_hundred_thousand(api):
    api.devices = [device(f"{n:08x}") for n in range(100_000)]
    ids = [line.split()[0] for line in run(api, "ls", "--all").stdout.splitlines()]
    assert ids == [d["id"] for d in api.devices]


def test_the_json_of_many_pages_is_one_document(api):
    api.devices = [device(f"{n:08x}") for n in range(2500)]
    api.events = [event(77, "00000001", "close", "leave")]
    listed = json.loads(run(api, "ls", "--all", "--json").stdout)
    assert listed == {"as_of": 77, "devices": api.devices, "next": None}
    listed = json.loads(run(api, "ls", "--limit", "5", "--json").stdout)
    assert listed == {"as_of": 77, "devices": api.devices[:5], "next": "5"}


def test_no_devices_is_no_error(api):
    assert run(api, "ls").stdout == ""
    assert json.loads(run(api, "ls", "--json").stdout)["devices"] == []


def test_what_a_device_says_cannot_reach_the_terminal(api):
    evil = "x\033[2J\n\x9b\u202e y"
    api.devices = [device(evil, listener=evil, address=evil, claims=evil)]
    api.events = [event(1, evil, evil, evil, evil, listener=evil)]
    for command in (["ls"], ["ls", "--json"], ["show", evil], ["show", evil, "--json"]):
        out = run(api, *command).stdout
        assert re.fullmatch(r"[ -~\n]*", out), out
    assert len(run(api, "ls").stdout.splitlines()) == 1


def test_missing_and_strange_members_are_shown_as_nothing(api):
    api.devices = [{"id": "00000001", "state": 5, "mailbox": [], "since": "yesterday"}]
    assert "00000001" in run(api, "ls").stdout
    assert "00000001" in run(api, "ls", "--json").stdout
    api.on("GET", "/api/v1/devices", lambda call: call.json({"devices": "none"}))
    assert run(api, "ls").stdout == ""


# show and kick


def test_show_is_a_card_with_the_last_events(api):
    api.devices = [device("00000001", length="total")]
    api.events = [event(n, "00000001", "alive", "leave", f"why{n}") for n in range(1, 26)]
    out = run(api, "show", "ttms/00000001").stdout
    for text in ("alive", "192.0.2.7:40110", "1204", "88", "length", "total", "epoch"):
        assert text in out
    assert re.findall(r"why\d+", out) == [f"why{n}" for n in range(16, 26)]
    assert api.calls[0][2] == {"protocol": "ttms"}


def test_show_json_is_the_apis(api):
    api.devices = [device("00000001", claims="alive", pid=7)]
    assert json.loads(run(api, "show", "00000001", "--json").stdout) == api.devices[0]


def test_an_unknown_device_is_a_plain_sentence(api):
    assert refused(api, "show", "0000000f") == \
        "holdfast: there is no device `0000000f`\n"


def test_an_id_in_several_protocols_wants_a_choice(api):
    api.devices = [device("1"), device("1", protocol="heartbeat")]
    assert "--protocol" in refused(api, "show", "1")
    assert "heartbeat/1" in run(api, "show", "1", "--protocol", "heartbeat").stdout


def test_ids_are_encoded(api):
    own = "[2001:db8::1]:40110 /%?#"
    api.devices = [device(own)]
    run(api, "show", own)
    run(api, "kick", own)
    assert api.calls[-1][:2] == \
        ("DELETE", "/api/v1/devices/%5B2001%3Adb8%3A%3A1%5D%3A40110%20%2F%25%3F%23/"
         "connection")


def test_kick_says_what_it_did(api):
    api.devices = [device("00000001")]
    assert "00000001" in run(api, "kick", "00000001").stdout
    assert run(api, "kick", "00000001", "--json").stdout == ""
    assert "no device" in refused(api, "kick", "00000009")


# watch


def test_watch_shows_each_event_and_ends_with_130(api, watch):
    api.events = [event(1, "00000001", "close", "leave"),
                  event(2, "00000001", "leave", "alive")]
    w = watch("--after", "0")
    first, second = w.wait_lines(2)
    assert "00000001" in first and "close -> leave" in first and "connected" in first
    assert "leave -> alive" in second
    assert w.end() == 130
    assert w.said == [] and len(w.lines) == 2


def test_watch_begins_with_what_happens_from_now_on(api, watch):
    api.events = [event(41, "00000001", "close", "leave")]

    def tell(call):
        call.begin_stream()
        call.send(event(42, "00000001", "leave", "alive"))
        call.stay()

    api.on("GET", "/api/v1/events", [lambda call: api.tell(call, api.events), tell])
    w = watch()
    w.wait_lines(1)
    assert "leave -> alive" in w.lines[0]
    assert streams(api)[0][3]["Last-Event-ID"] == "41"


def test_watch_json_is_one_event_per_line(api, watch):
    api.events = [event(1, "00000001", "close", "leave", listener="a\nb\u202e"),
                  event(2, "00000001", "leave", "alive")]
    w = watch("--after", "0", "--json")
    assert [json.loads(line) for line in w.wait_lines(2)] == api.events
    assert all(line.isascii() for line in w.lines)


def test_watch_of_one_device_asks_for_it(api, watch):
    api.events = [event(1, "00000001", "close", "leave"),
                  event(2, "00000002", "close", "leave")]
    w = watch("--device", "ttms/00000002", "--after", "0")
    assert "00000002" in w.wait_lines(1)[0]
    assert streams(api)[0][2] == {"device": "00000002", "protocol": "ttms"}


def test_watch_goes_on_where_the_stream_broke(api, watch):
    events = [event(n, "00000001", "close", "leave", f"why{n}") for n in range(1, 7)]

    def two_more(call):
        seen = int(call.headers["Last-Event-ID"])
        call.begin_stream()
        for one in events[seen:seen + 2]:
            call.send(one)
        call.send_text("id: 99\nevent: presence\ndata: {")  # half an event is none

    api.on("GET", "/api/v1/events", two_more)
    w = watch("--after", "0")
    assert [re.search(r"why\d", line)[0] for line in w.wait_lines(6)] == \
        [f"why{n}" for n in range(1, 7)]
    assert "trying again" in w.said[0]


def test_watch_waits_for_a_gateway_that_is_away(api, watch):
    def one(call):
        call.begin_stream()
        call.send(event(1, "00000001", "close", "leave"))

    api.on("GET", "/api/v1/events", one)
    w = watch("--after", "0")
    w.wait_said("trying again")
    api.stop()
    api.events = [event(1, "00000001", "close", "leave"),
                  event(2, "00000001", "leave", "alive")]
    api.odd.clear()
    api.start()
    w.wait_said("connected again")
    assert "leave -> alive" in w.wait_lines(2)[1]
    assert streams(api)[-1][3]["Last-Event-ID"] == "1"


@pytest.mark.parametrize("options, wanted", [((), "missed"), (("--json",), '"oldest":500')])
def test_watch_says_plainly_what_it_missed(api, watch, options, wanted):
    def tell(call):
        call.begin_stream()
        call.send({"oldest": 500, "newest": 501}, "missed", 499)
        call.send(event(500, "00000001", "close", "leave"))
        call.stay()

    api.on("GET", "/api/v1/events", tell)
    w = watch("--after", "3", *options)
    lines = w.wait_lines(2)
    assert "missed" in lines[0] and "500" in lines[0] and wanted in lines[0]
    assert "00000001" in lines[1]


def test_watch_goes_on_when_its_cursor_is_gone(api, watch):
    def one(call):
        call.begin_stream()
        call.send(event(9000, "00000001", "close", "leave"))

    def gone(call):
        call.problem(410, "cursor-gone", "9000 was never given", oldest=1, newest=4)

    def again(call):
        call.begin_stream()
        call.send(event(5, "00000001", "leave", "alive"))
        call.stay()

    api.events = [event(4, "00000001", "close", "leave")]
    api.on("GET", "/api/v1/events",
           [one, gone, lambda call: api.tell(call, api.events), again])
    w = watch("--after", "8999")
    lines = w.wait_lines(3)
    assert "missed" in lines[1] and "leave -> alive" in lines[2]


def test_a_cursor_that_is_gone_from_the_start_is_refused(api):
    api.on("GET", "/api/v1/events",
           lambda call: call.problem(410, "cursor-gone", "the events behind 3 are gone"))
    assert "behind 3" in refused(api, "watch", "--after", "3")


def test_lost_events_are_said(api, watch):
    def tell(call):
        call.begin_stream()
        call.send({"cursor": 7, "type": "gap", "lost": 12})
        call.stay()

    api.on("GET", "/api/v1/events", tell)
    assert "12 events were lost" in watch("--after", "0").wait_lines(1)[0]


@pytest.mark.parametrize("line, times", [("data: <html>\n\n", 1), ("data: [1]\n\n", 1),
                                         ("data: ", 1_000_000), ("data: x\n", 1_000_000)])
def test_watch_ends_when_a_stream_is_garbage(api, line, times):
    def tell(call):
        call.begin_stream()
        call.send_text(line * times)
        call.stay()

    api.on("GET", "/api/v1/events", tell)
    refused(api, "watch", "--after", "0")


def test_a_silent_stream_is_left(api, watch):
    def silent(call):
        call.begin_stream()
        call.stay()

    api.on("GET", "/api/v1/events", silent)
    w = watch("--after", "0", "--timeout", "1")
    w.wait_said("trying again")
    wait_until(lambda: len(streams(api)) > 1, "another try")


def test_watch_ends_quietly_when_its_reader_leaves(api):
    watching = subprocess.Popen(
        [str(BINARY), "watch", "--after", "0", "--url", api.url], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: streams(api), "the stream")
    watching.stdout.close()
    assert watching.wait(20) == 0
    assert watching.stderr.read() == b""


def test_ls_ends_quietly_when_its_reader_leaves(api):
    api.devices = [device(f"{n:08x}") for n in range(20_000)]
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" ls --all --url "$1" | head -n 3', str(BINARY),
         api.url], env=environment(), capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 3)


def test_a_full_disk_is_a_failure(api):
    api.devices = [device("00000001")]
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BINARY), "ls", "--url", api.url], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=environment())
    assert done.returncode == 1 and "written" in done.stderr


# A gateway that is not there, or is something else


COMMANDS = [("ls",), ("show", "00000001"), ("watch",), ("kick", "00000001")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_nobody_there_tells_which_address_was_tried(command):
    url = f"http://127.0.0.1:{free_port()}"
    sentence = refused(None, *command, env={"HOLDFAST_URL": url})
    assert url in sentence and "running" in sentence


def everywhere(api, answer):
    for method in ("GET", "DELETE"):
        for path in ("", "/00000001", "/00000001/connection"):
            api.on(method, "/api/v1/devices" + path, answer)
    api.on("GET", "/api/v1/events", answer)


ODD = {
    "html": lambda call: call.raw(200, b"<html>welcome</html>"),
    "no object": lambda call: call.json([1, 2]),
    "cut json": lambda call: call.raw(200, b'{"devices": [', "application/json"),
    "nothing": lambda call: call.raw(200),
    "not found": lambda call: call.raw(404, b"<html>not here</html>"),
    "redirect": lambda call: call.raw(302),
    "failure": lambda call: call.raw(500, b"oops"),
    "closed": lambda call: [call.raw(200, b'{"devi', length=5000),
                            call.connection.shutdown(socket.SHUT_RDWR)],
    "no answer": lambda call: call.connection.shutdown(socket.SHUT_RDWR),
    "garbage": lambda call: call.wfile.write(b"\0\1\2\r\n\r\n" * 9),
    "problem": lambda call: call.problem(503, "not-ready", "the gateway is \033[2J ending"),
    "bomb": lambda call: bomb(call),
}
BOMB = gzip.compress(bytes(100_000_000), 1)


def bomb(call):
    call.send_response(200)
    call.send_header("Content-Encoding", "gzip")
    call.send_header("Content-Length", str(len(BOMB)))
    call.end_headers()
    call.wfile.write(BOMB)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_one_sentence(api, command, odd):
    everywhere(api, ODD[odd])
    sentence = refused(api, *command)
    assert re.fullmatch(r"[ -~]+\n", sentence)


def test_an_endless_answer_is_not_read_to_its_end(api):
    written = []

    def endless(call):
        call.raw(200, length=2 ** 40)
        while len(written) < 300:
            call.wfile.write(b" " * 2 ** 20)
            written.append(call)

    everywhere(api, endless)
    refused(api, "ls")
    assert len(written) < 100


def test_a_slow_gateway_is_not_waited_for_for_ever(api):
    everywhere(api, lambda call: call.stay())
    assert "1 s" in refused(api, "ls", "--timeout", "1")


def test_no_redirect_takes_the_token_elsewhere(api, tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    other = MockApi()

    def elsewhere(call):
        call.send_response(307)
        call.send_header("Location", other.url + "/api/v1/devices")
        call.send_header("Content-Length", "0")
        call.end_headers()

    api.on("GET", "/api/v1/devices", elsewhere)
    refused(api, "ls", "--token-file", str(token),
            env={"http_proxy": other.url, "all_proxy": other.url})
    assert not other.calls
    other.close()


# Token and address


def test_a_token_is_read_from_a_file(api, tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    api.token = "0123456789abcdef"
    run(api, "ls", "--token-file", str(token))
    run(api, "ls", env={"HOLDFAST_TOKEN_FILE": str(token)})
    assert "--token-file" in refused(api, "ls")
    token.write_text("another, with blanks")
    assert "no token" in refused(api, "ls", "--token-file", str(token))
    token.write_text("another-one-of-letters")
    sentence = refused(api, "ls", "--token-file", str(token))
    assert str(token) in sentence and "another" not in sentence
    assert "No such file" in refused(api, "ls", "--token-file", str(tmp_path / "none"))


@pytest.mark.whole_io("libcurl's TLS stays where an interrupted call has left it")
def test_a_certificate_that_nobody_here_trusts_is_refused(api, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("needs openssl for a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    api.server.socket = context.wrap_socket(api.server.socket, server_side=True)
    api.url = api.url.replace("http:", "https:")
    said = refused(api, "ls")
    assert "is not trusted here" in said and "update-ca-certificates" in said
    assert not api.calls


def test_an_address_is_an_option_or_in_the_environment(api):
    api.devices = [device("00000001")]
    for url in (api.url, api.url + "/", api.url.replace("http://", "")):
        done = run(None, "ls", "--url", url, env={"HOLDFAST_URL": "http://127.0.0.1:1"})
        assert "00000001" in done.stdout
        assert "00000001" in run(None, "ls", env={"HOLDFAST_URL": url}).stdout


def test_settings_name_address_and_token(api, tmp_path):
    api.token = "0123456789abcdef"
    api.devices = [device("00000001")]
    token, settings = tmp_path / "token", tmp_path / "holdfast.yaml"
    token.write_text(api.token + "\n")
    token.chmod(0o600)
    for address in (f"127.0.0.1:{api.port}", f"0.0.0.0:{api.port}"):
        settings.write_text(json.dumps({"http": {"address": address,
                                                 "token_file": str(token)}}))
        done = run(None, "ls", "-c", str(settings),
                   env={"HOLDFAST_URL": "http://127.0.0.1:1"})
        assert "00000001" in done.stdout
    settings.write_text(json.dumps({"http": {"address": ""}}))
    assert "http.address" in refused(None, "ls", "-c", str(settings))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://user:secret@127.0.0.1:8002",
                                 "http://127.0.0.1:8002/?a=b", "http://", "http://a b"])
def test_an_address_that_is_none_is_refused(url):
    assert "secret" not in refused(None, "ls", "--url", url)


# The command line


@pytest.mark.parametrize("command, wanted", [
    (("watsch",), "`watch`"), (("-c", "x", "ls"), "comes first"), (("show",), "holdfast ls"),
    (("show", "1", "2"), "one device"), (("ls", "1"), "show"), (("ls", "--limit", "0"), "--"),
    (("ls", "--frob"), "--frob"), (("watch", "--after", "-1"), "--after"),
    (("watch", "1"), "--device 1"), (("kick",), "device"), (("ls", "--timeout", "x"), "--")])
def test_a_misunderstood_command_line_is_status_2(command, wanted):
    done = run(None, *command, status=2)
    assert wanted in done.stderr and "--help" in done.stderr and not done.stdout


@pytest.mark.parametrize("command", ["ls", "show", "watch", "send", "ticket", "kick",
                                     "mail"])
def test_each_command_has_help(command):
    assert f"usage: holdfast {command}" in run(None, command, "--help").stdout
    assert f"holdfast {command} " in run(None, "--help").stdout
