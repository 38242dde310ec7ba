"""A `holdfast watch` under way, as a test sees it.

    w = Watch("--url", url)
    w.wait_lines(2)              what it wrote to standard output so far
    w.wait_said("trying again")  ... and to standard error
    assert w.end() == 130"""

import os
import signal
import subprocess
import threading

import gateway
from terminal import wait_until


def environment(**more):
    """Without settings of ours: the command line takes some from there."""
    env = gateway.environment()
    return {**{k: v for k, v in env.items() if not k.startswith("HOLDFAST_")}, **more}


class Watch:
    def __init__(self, *arguments, env=None):
        self.process = subprocess.Popen(
            [str(gateway.BINARY), "watch", *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment(**(env or {})))
        self.lines, self.said = [], []
        self.threads = [threading.Thread(target=self.gather, args=pair) for pair in (
            (self.process.stdout, self.lines), (self.process.stderr, self.said))]
        for thread in self.threads:
            thread.start()

    def gather(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_lines(self, count, seconds=20):
        wait_until(lambda: len(self.lines) >= count, f"{count} lines", seconds)
        return self.lines

    def wait_said(self, text, seconds=20):
        wait_until(lambda: any(text in line for line in self.said), text, seconds)

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds=20):
        status = self.process.wait(seconds)
        for thread in self.threads:
            thread.join(seconds)
        return status

    def clean_up(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
