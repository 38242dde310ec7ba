"""`holdfast mail list|show|purge`: looking into a data directory."""

import json
import re

import pytest


@pytest.fixture
def filled(gateway):
    """A running gateway with mail for 2 (three messages) and 3 (one)."""
    gateway.start()
    a = gateway.registered(1)
    a.send(2, b"first", b"second", b"third")
    a.send(3, b"other")
    gateway.wait_mail(2, 3)
    gateway.wait_mail(3, 1)
    return gateway


def mail(gateway, *arguments):
    return gateway.command("mail", *arguments, "--data", gateway.data_dir)


def test_list_shows_who_has_mail(filled):
    result = mail(filled, "list")
    assert result.returncode == 0, result.stderr
    assert "00000002" in result.stdout and "00000003" in result.stdout


def test_list_works_on_a_stopped_gateways_directory(filled):
    filled.stop()
    result = mail(filled, "list")
    assert result.returncode == 0, result.stderr
    assert "00000002" in result.stdout and "00000003" in result.stdout


def test_what_programs_read_is_json(filled):
    result = mail(filled, "list", "--json")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert "00000002" in json.dumps(lines)


def test_check_finds_a_store_in_order(filled):
    result = mail(filled, "check")
    assert result.returncode == 0, result.stderr


def test_show_shows_the_messages_of_one_device(filled):
    result = mail(filled, "show", "00000002")
    assert result.returncode == 0, result.stderr
    shown = "".join(re.findall(r"\|(.*)\|", result.stdout))
    places = [shown.find(text) for text in ("first", "second", "third")]
    assert -1 not in places and places == sorted(places), result.stdout
    assert "other" not in shown


def test_purge_is_refused_while_the_gateway_runs(filled):
    result = mail(filled, "purge", "00000002", "--yes")
    assert result.returncode != 0 and result.stderr
    b = filled.terminal(2)
    b.heartbeat()
    b.expect(1, b"first", b"second", b"third")


def test_purge_removes_the_mail_of_one_device(filled):
    filled.stop()
    unsure = mail(filled, "purge", "00000002")
    assert unsure.returncode != 0 and "--yes" in unsure.stderr
    result = mail(filled, "purge", "00000002", "--yes")
    assert result.returncode == 0, result.stderr
    filled.restart()
    a = filled.registered(1)
    a.send(2, b"after the purge")
    b, c = filled.terminal(2), filled.terminal(3)
    b.heartbeat()
    b.expect(1, b"after the purge")
    c.heartbeat()
    c.expect(1, b"other")


@pytest.mark.parametrize("arguments", [("lst",), (), ("show",), ("list", "--dta")])
def test_a_wrong_command_line_is_explained(filled, arguments):
    result = filled.command("mail", *arguments)
    assert result.returncode != 0
    assert "mail" in result.stderr + result.stdout


def test_a_directory_without_a_store_is_an_error(gateway, tmp_path):
    result = gateway.command("mail", "list", "--data", tmp_path / "nothing")
    assert result.returncode != 0 and "nothing" in result.stderr
