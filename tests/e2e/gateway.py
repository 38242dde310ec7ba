"""One running gateway, as a test sees it: start, stop, kill, read the log.

    gateway.start()              waits until it says that it is ready
    gateway.terminal(7)          a connected terminal (terminal.py)
    gateway.client()             a connected heartbeat client (heartbeat.py)
    gateway.device("T9000010")   a connected vending machine (devices.py)
    gateway.vehicle("139...")    a connected terminal of JT/T 808 (vehicles.py)
    gateway.api                  its HTTP API (api.py)
    gateway.kill_worker()        SIGKILL to the process that serves
    gateway.kill()               SIGKILL to everything at once
    gateway.stop()               SIGTERM, waits, and wants exit status 0
    gateway.wait_log("closed", reason="idle")"""

import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
from collections import namedtuple
from pathlib import Path

from api import Api
from devices import Device
from heartbeat import Client
from terminal import Terminal, wait_until
from vehicles import Vehicle

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("HOLDFAST", ROOT / "build" / "holdfast")).absolute()

Line = namedtuple("Line", "time level text pairs")
LINE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) (error|warn|info|debug) +(.*)")
# Ports of listeners come from below the range that outgoing connections use, so that a
# restart finds its port free although the tests connect hundreds of times meanwhile.
# None is given out twice before all the others were: a gateway has several.
PORTS = itertools.cycle(random.sample(range(15000, 31000), 16000))


def free_port():
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def is_sanitized():
    """Sanitizers cost memory and time: limits on both are wider then."""
    binary = BINARY.read_bytes()
    return b"__asan_init" in binary or b"__tsan_init" in binary


def environment():
    """Of what we start: perhaps with a library before libc (--short-io)."""
    env = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
    if "HOLDFAST_PRELOAD" in env:
        env["LD_PRELOAD"] = env["HOLDFAST_PRELOAD"]
    return env


def parse_line(raw):
    match = LINE.fullmatch(raw)
    if not match:
        return Line("", "", raw, {})
    pairs = dict(word.split("=", 1) for word in match[3].split() if "=" in word)
    return Line(match[1], match[2], match[3], pairs)


class Gateway:
    def __init__(self, directory, prefix=(), env=None, host="127.0.0.1"):
        self.directory = Path(directory)
        self.config_file = self.directory / "holdfast.yaml"
        self.log_file = self.directory / "log"
        self.prefix = list(prefix)
        self.env = dict(env or {})
        self.host = host
        self.process = None
        self.may_crash = False  # a test that makes it crash says so
        self.starts_at = 0  # offset in the log file of the newest start
        self.settings = {"data_dir": str(self.directory / "data"), "listen": {}}
        self.terminals = []
        self.application = None
        # Beyond loopback it would want a token.
        self.set(http={"address": f"{host}:{free_port()}" if host == "127.0.0.1" else ""})
        self.listen("terminals")

    # Settings: call before start().

    def listen(self, name, **options):
        """Adds a listener, or changes the options of one."""
        listener = self.settings["listen"].setdefault(
            name, {"protocol": "ttms", "address": f"{self.host}:{free_port()}"})
        listener.update(options)
        return self

    def set(self, **sections):
        """set(shards=2, mailbox={"max_messages": 5}): merged into what is set already."""
        for key, value in sections.items():
            if isinstance(value, dict):
                self.settings.setdefault(key, {}).update(value)
            else:
                self.settings[key] = value
        return self

    @property
    def data_dir(self):
        return Path(self.settings["data_dir"])

    def write_config(self):
        self.config_file.write_text(json.dumps(self.settings, indent=2) + "\n")

    # Life.

    def spawn(self, *arguments):
        """Starts it without waiting for anything."""
        assert not self.is_running()
        env = {**environment(), **self.env}
        self.starts_at = self.log_file.stat().st_size if self.log_file.exists() else 0
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(BINARY), *(arguments or ("-c", str(self.config_file)))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                cwd=self.directory, start_new_session=True)
        return self.process

    def start(self, **sections):
        self.set(**sections)
        self.write_config()
        self.spawn()
        self.wait_ready()
        return self

    def wait_ready(self, seconds=20):
        def ready():
            assert self.is_running(), f"ended with {self.process.returncode}:\n{self.log()}"
            return self.log_has("holdfast ready")
        wait_until(ready, "the gateway to be ready", seconds)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number):
        os.kill(self.supervisor_pid(), number)

    def wait_exit(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            late = f"still running after {seconds} s:\n{self.log()}"
            raise AssertionError(late) from None

    def stop(self, seconds=20):
        self.send_signal(signal.SIGTERM)
        status = self.wait_exit(seconds)
        assert status == 0, f"exit status {status}:\n{self.log()}"

    def kill(self):
        """Everything at one moment: supervisor, worker, and what wraps them."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            wait_until(lambda: not group_members(self.process.pid), "the group to be gone")

    def restart(self):
        """Starts again with the same files, after stop() or kill()."""
        self.spawn()
        self.wait_ready()

    def kill_worker(self, number=signal.SIGKILL):
        pid = self.worker_pid()
        os.kill(pid, number)
        return pid

    def freeze_worker(self):
        """SIGSTOP, and none of its threads runs any more."""
        pid = self.kill_worker(signal.SIGSTOP)
        wait_until(lambda: all(proc_status(f"{pid}/task/{thread}")["State"].startswith("T")
                               for thread in os.listdir(f"/proc/{pid}/task")),
                   "the worker to stop")
        return pid

    def kill_supervisor(self):
        """The worker is left alone: it has to notice and to leave."""
        worker = self.worker_pid()
        os.kill(self.supervisor_pid(), signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not pid_exists(worker), "the worker to leave")

    def wait_new_worker(self, old, seconds=20):
        wait_until(lambda: self.worker_pid() != old, "a new worker", seconds)
        return self.worker_pid()

    def worker_pid(self):
        """The newest one that the log names."""
        started = re.findall(r"worker (\d+) started", self.log())
        assert started, f"no worker started:\n{self.log()}"
        return int(started[-1])

    def supervisor_pid(self):
        """Not simply our child: that may be strace or ip."""
        if not self.prefix:
            return self.process.pid
        return int(proc_status(self.worker_pid())["PPid"])

    def rss_bytes(self):
        """Memory of the worker that is not shared with files."""
        status = proc_status(self.worker_pid())
        return sum(int(status[k].split()[0]) * 1024 for k in ("RssAnon", "RssShmem"))

    def cpu_seconds(self, pid=None):
        fields = Path(f"/proc/{pid or self.worker_pid()}/stat").read_text()
        utime, stime = fields.rsplit(")", 1)[1].split()[11:13]
        return (int(utime) + int(stime)) / os.sysconf("SC_CLK_TCK")

    # Peers.

    def address(self, listener="terminals"):
        host, port = self.settings["listen"][listener]["address"].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def http_address(self):
        host, port = self.settings["http"]["address"].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def terminal(self, own=None, listener="terminals", **options):
        """A connected terminal; with `reading` it forms its frames in that reading."""
        terminal = Terminal(self.address(listener), own, **options).connect()
        self.terminals.append(terminal)
        return terminal

    def registered(self, *ids, **options):
        """Connected, and the gateway has seen the heartbeat."""
        terminals = [self.terminal(own, **options) for own in ids]
        for terminal in terminals:
            terminal.register()
        return terminals[0] if len(terminals) == 1 else terminals

    def client(self, listener="clients", **options):
        """A connected heartbeat client."""
        client = Client(self.address(listener), **options).connect()
        self.terminals.append(client)
        return client

    def device(self, own="T9000010", listener="devices", **options):
        """A connected vending machine; it has not logged in yet."""
        device = Device(self.address(listener), own, **options).connect()
        self.terminals.append(device)
        return device

    def vehicle(self, phone="13912344329", listener="vehicles", **options):
        """A connected terminal of JT/T 808; it has neither registered nor authenticated."""
        vehicle = Vehicle(self.address(listener), phone, **options).connect()
        self.terminals.append(vehicle)
        return vehicle

    @property
    def api(self):
        if self.application is None:
            self.application = Api(self.http_address())
        return self.application

    # The log.

    def log(self, whole=False):
        """What was written since the newest start."""
        if not self.log_file.exists():
            return ""
        with open(self.log_file, "rb") as file:
            file.seek(0 if whole else self.starts_at)
            return file.read().decode("latin-1")

    def log_lines(self, verb="", whole=False, **pairs):
        """Lines that contain `verb` as words and have all these key=value pairs."""
        word = re.compile(rf"(?<!\S){re.escape(verb)}(?!\S)" if verb else "")
        wanted = {k: str(v) for k, v in pairs.items()}
        lines = (parse_line(raw) for raw in self.log(whole).splitlines())
        return [line for line in lines
                if word.search(line.text) and wanted.items() <= line.pairs.items()]

    def log_has(self, verb="", **pairs):
        return bool(self.log_lines(verb, **pairs))

    def wait_log(self, verb="", seconds=10, count=1, **pairs):
        what = f"log line '{verb}' {pairs}"
        try:
            wait_until(lambda: len(self.log_lines(verb, **pairs)) >= count, what, seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; the log was:\n{self.log()}") from None
        return self.log_lines(verb, **pairs)[-1]

    # The command line beside the running gateway.

    def command(self, *arguments, seconds=20):
        return subprocess.run([str(BINARY), *map(str, arguments)], env=environment(),
                              text=True, errors="replace", cwd=self.directory,
                              timeout=seconds, capture_output=True)

    def mail_count(self, own):
        """Messages that wait for this terminal, by `holdfast mail list`."""
        result = self.command("mail", "list", "--data", self.data_dir)
        assert result.returncode == 0, result.stderr
        for line in result.stdout.splitlines():
            if f"{own:08x}" in line:
                numbers = re.findall(r"(?<!\S)\d+(?!\S)", line.replace(f"{own:08x}", ""))
                return int(numbers[0])
        return 0

    def wait_mail(self, own, count, seconds=15):
        wait_until(lambda: self.mail_count(own) == count,
                   f"{count} messages for {own:08x}", seconds)

    def clean_up(self):
        for terminal in self.terminals:
            terminal.close()
        if self.application is not None:
            self.application.close()
        self.kill()


def proc_status(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def pid_exists(pid):
    """A zombie has ended, whoever forgot to collect it."""
    try:
        return not proc_status(pid)["State"].startswith(("Z", "X"))
    except (FileNotFoundError, ProcessLookupError):
        return False


def group_members(group):
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getpgid(int(entry)) == group and pid_exists(entry):
                    members.append(int(entry))
            except ProcessLookupError:
                pass
    return members
