"""libholdfast as its users have it: installed somewhere, found by pkg-config; and one
running program of theirs.

    library.compile(ROOT / "examples/reverse.c", static=True)   returns a Program
    program.start("127.0.0.1:0")                                waits until it serves
    program.asker().ask(b"hi")"""

import os
import re
import signal
import subprocess

from asker import Asker
from gateway import BINARY, environment, is_sanitized, parse_line
from terminal import wait_until

COMPILERS = {".c": "cc", ".cc": "g++"}
STRICT = ["-Wall", "-Wextra", "-Werror", "-g"]


def build_kind():
    """What a special build of the library wants of a program, too."""
    if b"__gcov_" in BINARY.read_bytes():
        return ["--coverage"]
    return ["-fsanitize=address,undefined"] if is_sanitized() else []


class Library:
    """Built as BINARY was, installed below `directory`; what uses it is built there."""

    def __init__(self, directory):
        self.work = directory
        self.root = directory / "root"
        self.built = {}
        self.programs = []
        subprocess.run(["meson", "install", "-C", BINARY.parent, "--no-rebuild", "--quiet",
                        "--destdir", self.root], check=True, capture_output=True)
        found = list(self.root.rglob("holdfast.pc"))
        assert len(found) == 1, found
        self.pkg_config_dir = found[0].parent
        self.directory = found[0].parents[1]

    def pkg_config(self, *words):
        env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(self.root),
               "PKG_CONFIG_LIBDIR": str(self.pkg_config_dir)}
        return subprocess.run(["pkg-config", *words, "holdfast"], env=env, check=True,
                              capture_output=True, text=True).stdout.split()

    def build(self, source, *flags):
        """Once for all tests."""
        key = (source, *flags)
        if key not in self.built:
            self.built[key] = self.work / f"{source.stem}-{len(self.built)}"
            subprocess.run([COMPILERS[source.suffix], *STRICT, *build_kind(), source,
                            *flags, "-o", self.built[key]], check=True, cwd=self.work)
        return self.built[key]

    def compile(self, source, static=False):
        words = self.pkg_config("--cflags", "--libs", *(["--static"] if static else []))
        if static:
            words = [w.replace("-lholdfast", "-l:libholdfast.a") for w in words]
        self.programs.append(Program(self.build(source, *words), self.directory))
        return self.programs[-1]

    def end_programs(self):
        for program in self.programs:
            program.kill()
        self.programs.clear()


class Program:
    def __init__(self, path, library_directory):
        self.path = path
        self.env = {**environment(), "LD_LIBRARY_PATH": str(library_directory)}
        self.log_file = path.with_suffix(".log")
        self.process = None

    def spawn(self, *words):
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [self.path, *map(str, words)], env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        return self

    def start(self, *words, processes=1):
        self.spawn(*words)
        self.wait_log("ready", count=processes)
        return self

    def address(self):
        host, port = self.log_lines("ready")[0].pairs["address"].rsplit(":", 1)
        return host, int(port)

    def asker(self):
        return Asker(self.address())

    def log(self):
        return self.log_file.read_text("latin-1")

    def log_lines(self, verb, **pairs):
        word = re.compile(rf"(?<!\S){re.escape(verb)}(?!\S)")
        lines = map(parse_line, self.log().splitlines())
        return [line for line in lines
                if word.search(line.text) and pairs.items() <= line.pairs.items()]

    def wait_log(self, verb, count=1, **pairs):
        try:
            wait_until(lambda: len(self.log_lines(verb, **pairs)) >= count,
                       f"{count} times '{verb}' {pairs}")
        except AssertionError as late:
            raise AssertionError(f"{late}; the log was:\n{self.log()}") from None
        return self.log_lines(verb, **pairs)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def wait_exit(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there; the log was:\n{self.log()}") from None

    def stop(self):
        self.signal(signal.SIGTERM)
        status = self.wait_exit()
        assert status == 0, f"exit status {status}:\n{self.log()}"

    def kill(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
