"""The machine: what it is, and how processes are kept apart on it."""

import contextlib
import os
import platform
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time

SERVER_CORE = 0
LOAD_CORE = 1


def cores():
    return sorted(os.sched_getaffinity(0))


def pinned(core):
    """For Popen's preexec_fn: one core (None: all of them), and as many descriptors as we
    may have."""
    allowed = cores()

    def prepare():
        if core is not None:
            os.sched_setaffinity(0, {allowed[min(core, len(allowed) - 1)]})
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare


IDLE_DRIVER = "/sys/devices/system/cpu/cpuidle/current_driver"
IDLE_LATENCY = "/dev/cpu_dma_latency"


def may_keep_awake():
    """Whether the kernel has an idle state from which a core need not wake up."""
    try:
        with open(IDLE_DRIVER, encoding="ascii") as file:
            return file.read().strip() != "none" and os.access(IDLE_LATENCY, os.W_OK)
    except OSError:
        return False


@contextlib.contextmanager
def awake(wanted):
    """Keeps every core from sleeping: a virtual one takes tens of microseconds to wake, at
    each message. As long as the file is open, idle cores poll. Loops of idle priority
    would do that, too, but the scheduler lets them run for milliseconds when two threads
    of a server take turns on one core."""
    if not wanted:
        yield
        return
    with open(IDLE_LATENCY, "wb", buffering=0) as file:
        file.write(struct.pack("i", 0))
        yield


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find_program(name):
    """Debian keeps daemons in sbin, which is not on every path."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def first_line(command):
    """What a program says of its version, or ''."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0] if text else ""


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gb():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def file_system(where):
    """Of what is mounted, the longest path above it."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1:3] for line in file]
    above = [(path, kind) for path, kind in mounts
             if os.path.commonpath([path, where]) == path]
    return max(above, key=lambda mount: len(mount[0]))[1]


def disk(where):
    """What keeps data there, and how long it takes to make 4 KiB safe."""
    took = []
    with tempfile.TemporaryFile(dir=where, buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            begun = time.monotonic()
            os.fdatasync(file.fileno())
            took.append(time.monotonic() - begun)
    return f"{file_system(where)}, 4 KiB synced in {statistics.median(took) * 1e3:.2f} ms (median)"


def describe(scratch):
    with open("/proc/loadavg", encoding="utf-8") as file:
        load = file.read().split()[0]
    return {
        "cpu": cpu_model(),
        "cores": len(cores()),
        "memory": f"{memory_gb():.0f} GB",
        "disk": disk(scratch),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "load before": float(load),
    }


def children_of(pid):
    """All descendants, nearest first."""
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        except OSError:
            continue
    for child in list(found):
        found += children_of(child)
    return found


def own_memory(pid):
    """Bytes that this process and its descendants alone have written and hold."""
    total = 0
    for process in [pid] + children_of(pid):
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("Private_Dirty:"):
                    total += int(line.split()[1]) * 1024
    return total
