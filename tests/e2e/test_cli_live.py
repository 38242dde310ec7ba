"""`holdfast ls|show|watch|send|ticket|kick` as somebody uses them beside a running gateway."""

import json
import os
import pty
import re

import pytest

from devices import STATUS, Device, Fleet
from gateway import BINARY
from terminal import wait_until
from watching import Watch, environment


def ask(gateway, *arguments, status=0):
    done = gateway.command(*arguments, "-c", gateway.config_file)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def rows(gateway, *arguments):
    return [line.split() for line in ask(gateway, "ls", *arguments).splitlines()]


@pytest.fixture
def watch(gateway):
    made = []

    def make(*arguments):
        made.append(Watch("-c", str(gateway.config_file), *arguments))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()


def moves(w):
    """What a watch wrote, without times."""
    return [re.search(r"(\S+) +(\w+ -> \w+)  (\w+)", line).groups() for line in w.lines]


def on_terminal(*arguments, **env):
    """What a command writes to a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(BINARY, [str(BINARY), *map(str, arguments)],
                  environment(TERM="xterm", NO_COLOR="", **env))
    written = b""
    try:
        while piece := os.read(fd, 65536):
            written += piece
    except OSError:
        pass  # how the end of a terminal looks
    os.close(fd)
    assert os.waitpid(pid, 0)[1] == 0, written
    return written.decode()


def test_ls_shows_who_is_there_and_what_waits(gateway):
    gateway.start()
    a, b = gateway.registered(1, 2)
    b.close()
    wait_until(lambda: rows(gateway, "--state", "close"), "2 to be gone")
    a.send(2, b"hello")
    gateway.wait_mail(2, 1)
    alive, = rows(gateway, "--state", "alive")
    gone, = rows(gateway, "--state", "leave,close")
    assert (alive[0], alive[1], alive[4], alive[6]) == \
        ("00000001", "alive", "0", "terminals")
    assert (gone[0], gone[1], gone[4], gone[6]) == ("00000002", "close", "1", "terminals")
    listed = json.loads(ask(gateway, "ls", "--json"))
    assert sorted(d["id"] for d in listed["devices"]) == ["00000001", "00000002"]
    assert rows(gateway, "--prefix", "00000002") == [gone]


def test_ls_follows_pages_to_the_end(gateway):
    gateway.start()
    gateway.registered(*range(1, 61))
    some = json.loads(ask(gateway, "ls", "--limit", "25", "--json"))
    assert len(some["devices"]) == 25 and some["next"]
    assert sorted(row[0] for row in rows(gateway, "--all")) == \
        [f"{n:08x}" for n in range(1, 61)]


def test_on_a_terminal_there_are_heading_colours_and_counts(gateway):
    gateway.start()
    gateway.registered(1)
    seen = on_terminal("ls", "-c", gateway.config_file)
    assert "STATE" in seen and "\033[32malive\033[0m" in seen and "s ago" in seen
    assert "1 device, 1 alive" in seen
    seen = on_terminal("show", "00000001", "-c", gateway.config_file)
    assert re.search(r"state +\033\[32malive\033\[0m since \d+ s ago \(20", seen)
    assert re.search(r"last seen +\d+ s ago \(20", seen) and ", connected" in seen


def test_a_list_that_a_filter_left_empty_says_so(gateway):
    gateway.start()
    ls = ("ls", "-c", gateway.config_file)
    assert "asked for" not in on_terminal(*ls)
    gateway.registered(1)
    for option in (("--listener", "nope"), ("--prefix", "f"), ("--state", "close"),
                   ("--protocol", "heartbeat")):
        assert "no device is what was asked for" in on_terminal(*ls, *option)
    assert "asked for" not in on_terminal(*ls, "--listener", "terminals")


def test_show_tells_all_about_a_device(gateway):
    gateway.start()
    a, b = gateway.registered(1, 2)
    a.send(2, b"hello")
    b.expect(1, b"hello")
    b.close()
    wait_until(lambda: "leave -> close" in ask(gateway, "show", "ttms/00000002"),
               "2 to be gone")
    card = ask(gateway, "show", "00000002")
    assert "not connected" in card and re.search(r"delivered +[1-9]", card)
    assert [line.split()[1:4] for line in card.split("last events\n")[1].splitlines()] == \
        [["close", "->", "leave"], ["leave", "->", "alive"],
         ["alive", "->", "leave"], ["leave", "->", "close"]]
    assert json.loads(ask(gateway, "show", "00000001", "--json"))["state"] == "alive"
    assert "0000000f" in ask(gateway, "show", "0000000f", status=1)


def test_watch_sees_a_terminal_come_and_go(gateway, watch):
    gateway.start()
    a = gateway.registered(1)
    w = watch("--after", "0")
    w.wait_lines(2)
    a.close()
    w.wait_lines(4)
    gateway.registered(1)
    w.wait_lines(6)
    assert moves(w) == [("00000001", "close -> leave", "connected"),
                        ("00000001", "leave -> alive", "connected"),
                        ("00000001", "alive -> leave", "peer_closed"),
                        ("00000001", "leave -> close", "peer_closed"),
                        ("00000001", "close -> leave", "connected"),
                        ("00000001", "leave -> alive", "connected")]
    assert w.end() == 130 and w.said == []


def test_watch_of_one_device_sees_no_other(gateway, watch):
    gateway.start()
    w = watch("--device", "ttms/00000002", "--after", "0")
    gateway.registered(1, 2)
    w.wait_lines(2)
    assert {move[0] for move in moves(w)} == {"00000002"}


def test_a_cursor_that_was_never_given_is_refused(gateway):
    gateway.start()
    gateway.registered(1)
    assert "99999999" in ask(gateway, "watch", "--after", "99999999", status=1)


def test_watch_survives_a_restart_without_a_hole(gateway, watch):
    gateway.start()
    a = gateway.registered(1)
    w = watch("--after", "0", "--json")
    w.wait_lines(2)
    gateway.kill()
    w.wait_said("trying again")
    a.close()
    gateway.restart()
    gateway.registered(2)
    w.wait_said("connected again")
    w.wait_lines(4)
    events = [json.loads(line) for line in w.lines]
    assert [e["device"] for e in events] == ["00000001"] * 2 + ["00000002"] * 2
    cursors = [e["cursor"] for e in events]
    assert cursors == sorted(set(cursors))


def test_kick_closes_the_connection_and_says_so(gateway, watch):
    gateway.start()
    a = gateway.registered(1)
    w = watch("--after", "0")
    w.wait_lines(2)
    assert "00000001" in ask(gateway, "kick", "00000001")
    a.expect_closed()
    w.wait_lines(4)
    assert moves(w)[2:] == [("00000001", "alive -> leave", "kicked"),
                            ("00000001", "leave -> close", "kicked")]
    assert "00000001" in ask(gateway, "kick", "00000001", status=1)


def test_a_token_is_asked_for_and_its_file_named(gateway):
    token = gateway.directory / "token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    gateway.start(http={"token_file": str(token)})
    assert rows(gateway) == []
    url = "http://%s:%d" % gateway.http_address()
    done = gateway.command("ls", "--url", url)
    assert done.returncode == 1 and "--token-file" in done.stderr
    wrong = gateway.directory / "wrong"
    wrong.write_text("fedcba9876543210")
    done = gateway.command("ls", "--url", url, "--token-file", wrong)
    assert done.returncode == 1 and str(wrong) in done.stderr
    assert "fedcba" not in done.stderr + gateway.log()


def test_a_stopped_gateway_is_named(gateway):
    gateway.start()
    gateway.stop()
    assert "http://%s:%d" % gateway.http_address() in ask(gateway, "ls", status=1)


def test_send_shows_what_a_device_answers(gateway, watch):
    gateway.listen("devices", protocol="device").start()
    device = gateway.device().login()
    w = watch("--type", "command", "--after", "0")
    with Fleet([device], Device.answer):
        lines = [line.split() for line in ask(gateway, "send", "T9000010",
                                              "status").splitlines()]
    assert lines[0][:3] == ["answered", "T9000010", "status"]
    assert lines[1:] == [["state", "ready"], ["code", "5"]]
    wait_until(lambda: any("status answered" in line for line in w.lines), "its event")
    assert "status queued" in w.lines[0]
    assert "command" in ask(gateway, "send", "T9000010", "dance", status=1)


def test_a_ticket_outlives_the_device_and_the_gateway(gateway):
    gateway.listen("devices", protocol="device").start()
    gateway.device().login().close()
    gateway.api.wait_device("T9000010", state="close")
    assert "no connection" in ask(gateway, "send", "T9000010", "status", status=1)
    queued = gateway.command("send", "T9000010", "status", "--ttl", "1h", "--wait", "0s",
                             "-c", gateway.config_file)
    assert queued.returncode == 3
    ticket = queued.stdout.split()[-1]
    gateway.kill()
    gateway.restart()
    gateway.device().login().serve(STATUS)
    card = ask(gateway, "ticket", ticket, "--wait", "10s")
    assert re.search(r"state +answered", card) and re.search(r"code +5", card)
    assert ticket in ask(gateway, "ticket", "--device", "T9000010")
    assert "over" in ask(gateway, "ticket", ticket, "--cancel", status=1)
