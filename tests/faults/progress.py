"""Progress of a long rig on a terminal, and one line at its end."""

import os
import time


class Rounds:
    """for number in Rounds("kill worker", 200): ..."""

    def __init__(self, name, count):
        self.name = name
        self.count = count
        self.began = time.monotonic()
        try:
            self.terminal = os.open("/dev/tty", os.O_WRONLY)
        except OSError:
            self.terminal = None

    def __iter__(self):
        for number in range(1, self.count + 1):
            self.show(f"\r{self.name}: round {number} of {self.count} ")
            yield number
        self.show("\n")

    def show(self, text):
        if self.terminal is not None:
            os.write(self.terminal, text.encode())

    def report(self, text):
        """Seen with pytest -s, and in the report of a failing test."""
        seconds = time.monotonic() - self.began
        print(f"\n{self.name}: {self.count} rounds in {seconds:.0f} s: {text}")
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None
