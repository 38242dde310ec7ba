"""Progress of what takes long: which test of how many, which of its rounds, the time.

On a terminal one line is written over and over; in a pipe there is a line now and then.
`./test` names the descriptor for it in HOLDFAST_PROGRESS, because standard output is
pytest's; else the terminal gets it, if there is one, and only from tests with rounds."""

import os
import time

PAUSE_S = 60  # between two lines in a pipe; minutes are what somebody looks at then


def clock(seconds):
    seconds = int(seconds)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def open_output():
    number = os.environ.get("HOLDFAST_PROGRESS")
    try:
        return int(number) if number else os.open("/dev/tty", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None


class Progress:
    def __init__(self):
        self.output = open_output()
        self.follows_tests = bool(os.environ.get("HOLDFAST_PROGRESS"))
        self.is_terminal = self.output is not None and os.isatty(self.output)
        self.began = self.shown = time.monotonic()
        self.place = ""

    def begin_test(self, number, count, name):
        self.place = f"{number} of {count}, {clock(time.monotonic() - self.began)}: "
        if self.follows_tests:
            self.show(name)

    def show(self, text, is_last=False):
        now = time.monotonic()
        if self.output is None:
            return
        if self.is_terminal:
            os.write(self.output, f"\r\033[K{(self.place + text)[:99]}".encode())
        elif is_last or now >= self.shown + PAUSE_S:
            self.shown = now
            os.write(self.output, f"  {self.place}{text}\n".encode())

    def clear(self):
        if self.is_terminal:
            os.write(self.output, b"\r\033[K")


PROGRESS = Progress()


class Rounds:
    """for number in Rounds("kill worker", 200): ...

    parts() gives them by the hundreds, for a rig that remembers much in each."""

    def __init__(self, name, count):
        self.name = name
        self.count = count
        self.number = 0
        self.began = time.monotonic()

    def __iter__(self):
        return self.some(self.count)

    def parts(self, size=250):
        while self.number < self.count:
            yield self.some(size)

    def some(self, size):
        for _ in range(min(size, self.count - self.number)):
            self.number += 1
            PROGRESS.show(f"{self.name}: round {self.number} of {self.count}{self.left()}")
            yield self.number

    def left(self):
        done, elapsed = self.number - 1, time.monotonic() - self.began
        left = f", {clock(elapsed / done * (self.count - done))} left" if done else ""
        return f", {clock(elapsed)}{left}"

    def report(self, text):
        """Seen with pytest -s, and in the report of a failing test."""
        seconds = time.monotonic() - self.began
        line = f"{self.name}: {self.number} rounds in {seconds:.0f} s: {text}"
        print("\n" + line)
        PROGRESS.show(line, is_last=True)
