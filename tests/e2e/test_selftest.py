"""`holdfast selftest`: what a buyer runs first."""

import json
import subprocess

from gateway import BINARY, environment


def selftest(*arguments, cwd):
    return subprocess.run([str(BINARY), "selftest", *arguments], cwd=cwd,
                          env=environment(), capture_output=True, text=True, timeout=120)


def test_it_passes_and_leaves_nothing_behind(tmp_path):
    done = selftest("--time", "10", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["passed"] is True
    kills = found["kills"]
    assert kills["kills"] > 0 and kills["safe"] > 0
    assert kills["lost"] == kills["disordered"] == 0
    assert kills["delivered"] >= kills["safe"]
    for relay in found["relays"]:
        assert relay["received"] == relay["sent"] > 0
        assert relay["disordered"] == 0
    assert found["disk"]["syncs"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path):
    done = selftest("--dir", str(tmp_path / "nowhere"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("holdfast: cannot write below ")
    assert done.stderr.count("\n") == 1


def test_what_is_not_understood_is_refused(tmp_path):
    for wrong in (["--time", "5"], ["--time", "x"], ["--time", ""], ["there"]):
        assert selftest(*wrong, cwd=tmp_path).returncode == 2, wrong
