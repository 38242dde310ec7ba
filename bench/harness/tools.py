"""Builds what is measured and knows where it lies."""

import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Tools:
    def __init__(self, build, scratch):
        self.build = os.path.join(TOP, build)
        self.scratch = scratch
        self.holdfast = os.path.join(self.build, "holdfast")
        self.python_relay = os.path.join(TOP, "bench", "python_relay.py")

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def make(self):
        """Set up as ./run does, unless it is already."""
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            self.quietly(["meson", "setup", self.build, TOP])
        self.quietly(["ninja", "-C", self.build, "holdfast", "holdfast-sim", "bench"])

    @staticmethod
    def quietly(command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout[-4000:] + done.stderr[-4000:])

    def describe(self):
        """How the build was configured: optimisation and sanitizers change everything."""
        found = subprocess.run(["meson", "introspect", "--buildoptions", self.build],
                               capture_output=True, text=True, check=True).stdout
        options = {option["name"]: option["value"] for option in json.loads(found)}
        commit = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                                capture_output=True, text=True).stdout.strip()
        return {"build": options["buildtype"], "sanitize": options["b_sanitize"],
                "commit": commit or "unknown"}
