"""The configuration: every mistake is found, placed and explained, and nothing starts."""

import os
import socket
import subprocess
import tempfile

import pytest

from gateway import BINARY, free_port


@pytest.fixture
def check(gateway):
    """check(text): runs `holdfast -t` on it; also starts it, which must fail alike."""
    def run(text, *options):
        gateway.config_file.write_text(text)
        return gateway.command("-t", "-c", gateway.config_file.name, *options)
    return run


MISTAKES = [
    # name, the file, line:column of the mistake, words that the message contains
    ("an_unknown_key", "shards: 1\nmailbox:\n  max_mesages: 5\n", "3:3",
     ("did you mean", "max_messages")),
    ("an_unknown_section", "mailbocks: {}\n", "1:1", ("did you mean", "mailbox")),
    ("a_key_like_nothing_known", "zzzzqqqq: 1\n", "1:1", ("zzzzqqqq",)),
    ("a_wrong_type", "shards: many\n", "1:9", ("shards",)),
    ("a_list_for_a_number", "shards: [1]\n", "1:9", ("shards",)),
    ("a_bad_unit", "mailbox:\n  max_bytes: 16 parsecs\n", "2:14", ("max_bytes",)),
    ("a_bad_duration", "mailbox:\n  max_age: 7 blinks\n", "2:12", ("max_age",)),
    ("a_number_out_of_range", "shards: 100000\n", "1:9", ("shards",)),
    ("a_negative_number", "shards: -1\n", "1:9", ("shards",)),
    ("an_unknown_choice",
     'listen:\n  x: {protocol: ttms, address: "127.0.0.1:0",\n      length: totl}\n',
     "3:15", ("did you mean", "total")),
    ("an_unknown_protocol", 'listen:\n  x: {protocol: ttmz, address: "127.0.0.1:0"}\n',
     "2:17", ("ttms",)),
    ("a_bad_address", 'listen:\n  x: {protocol: ttms, address: "127.0.0.1:99999"}\n',
     "2:32", ("address",)),
    ("a_name_for_an_address", 'listen:\n  x: {protocol: ttms, address: "nowhere"}\n',
     "2:32", ("address",)),
    ("a_boolean_that_is_none",
     'listen:\n  x: {protocol: ttms, address: "127.0.0.1:0", receipts: perhaps}\n', "2:57",
     ("receipts",)),
    ("broken_yaml", "listen: {\n  x: [\n", "", ()),
    ("a_key_twice", "shards: 1\nshards: 2\n", "2:1", ("shards",)),
    ("a_scalar_file", "hello\n", "1:1", ()),
]


@pytest.mark.parametrize("text, place, words", [case[1:] for case in MISTAKES],
                         ids=[case[0] for case in MISTAKES])
def test_explains(check, text, place, words):
    result = check(text)
    assert result.returncode != 0, "it was accepted"
    assert f"holdfast.yaml:{place}" in result.stderr, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    assert "^" in result.stderr, f"no caret:\n{result.stderr}"


def test_all_mistakes_come_in_one_pass(check):
    result = check("shards: many\nmailbox:\n  max_mesages: 5\n  max_age: soon\n")
    for place in ("1:9", "3:3", "4:12"):
        assert f"holdfast.yaml:{place}" in result.stderr, result.stderr


def test_a_mistake_also_prevents_the_start(gateway):
    gateway.config_file.write_text("shards: many\n")
    gateway.spawn()
    assert gateway.wait_exit() != 0
    assert "holdfast.yaml:1:9" in gateway.log()
    assert not gateway.log_has("holdfast ready")


def test_a_good_file_passes_the_check_and_starts_nothing(gateway):
    gateway.write_config()
    result = gateway.command("-t", "-c", gateway.config_file.name)
    assert result.returncode == 0, result.stderr
    assert not gateway.data_dir.exists()


def test_the_shipped_example_passes_the_check(gateway):
    from gateway import ROOT
    result = gateway.command("-t", "-c", ROOT / "etc" / "holdfast.yaml")
    assert result.returncode == 0, result.stderr


def test_a_missing_file_is_named(gateway):
    result = gateway.command("-c", "not-there.yaml")
    assert result.returncode != 0 and "not-there.yaml" in result.stderr


def test_an_unreadable_file_is_named(gateway):
    result = gateway.command("-c", gateway.directory)
    assert result.returncode != 0 and str(gateway.directory) in result.stderr


def test_an_address_in_use_is_named_with_its_place(gateway):
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        port = other.getsockname()[1]
        gateway.listen("terminals", address=f"127.0.0.1:{port}").write_config()
        gateway.spawn()
        assert gateway.wait_exit() != 0
        assert f"127.0.0.1:{port}" in gateway.log()
        assert "in use" in gateway.log(), gateway.log()


def test_an_unusable_data_directory_is_named(gateway):
    blocker = gateway.directory / "blocker"
    blocker.write_text("a file where a directory should be")
    gateway.set(data_dir=str(blocker / "data")).write_config()
    gateway.spawn()
    assert gateway.wait_exit() != 0
    assert str(blocker) in gateway.log(), gateway.log()


def test_an_unwritable_data_directory_is_named(gateway):
    """As another user: root may write everywhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory() as data:  # pytest's own is closed to others
        os.chmod(data, 0o755)
        gateway.set(data_dir=data).write_config()
        with open(gateway.config_file) as config:
            result = subprocess.run([BINARY, "-c", "/dev/stdin"], stdin=config,
                                    user=65534, group=65534, extra_groups=[], cwd="/",
                                    capture_output=True, text=True, timeout=20)
        assert result.returncode != 0
        assert data in result.stderr, result.stderr


def test_port_0_takes_a_free_port_and_tells_it(gateway):
    gateway.listen("terminals", address="127.0.0.1:0").start()
    line = gateway.wait_log("listener terminals listens")
    gateway.listen("terminals", address=line.pairs["address"])
    a, b = gateway.registered(1, 2)
    a.send(2, b"found you")
    b.expect(1, b"found you")


def test_an_ipv6_listener(gateway):
    gateway.listen("terminals", address=f"[::1]:{free_port()}").start()
    a, b = gateway.registered(1, 2)
    a.send(2, b"six")
    b.expect(1, b"six")


def test_the_data_option_wins_over_the_file(gateway):
    gateway.write_config()
    other = gateway.directory / "elsewhere"
    gateway.spawn("-c", str(gateway.config_file), "--data", str(other))
    gateway.wait_ready()
    assert other.is_dir() and not gateway.data_dir.exists()


def test_the_data_directory_is_for_its_owner_alone(gateway):
    gateway.start()
    a = gateway.registered(1)
    a.send(2, b"secret")
    gateway.wait_mail(2, 1)
    assert gateway.data_dir.stat().st_mode & 0o077 == 0
    for file in gateway.data_dir.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_version_and_help(gateway):
    version, text = gateway.command("--version"), gateway.command("--help")
    assert version.returncode == 0 and "holdfast" in version.stdout
    assert text.returncode == 0
    for option in ("-c", "-t", "--data", "--version"):
        assert option in text.stdout


def test_an_unknown_option_is_refused(gateway):
    result = gateway.command("--frobnicate")
    assert result.returncode != 0 and "frobnicate" in result.stderr
