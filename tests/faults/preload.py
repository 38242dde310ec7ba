"""Libraries that sit before libc: shims/NAME.c, built for one run of the tests."""

import shutil
import subprocess
from pathlib import Path

from gateway import is_sanitized

SHIMS = Path(__file__).parent / "shims"


def obstacle():
    """Why there can be no shim here; or None."""
    if not shutil.which("cc"):
        return "needs a C compiler for the shim"
    if is_sanitized():
        return "a sanitizer wants to be the first library itself"
    return None


def build_shim(name, directory):
    library = Path(directory) / f"{name}.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, SHIMS / f"{name}.c",
                    "-ldl"], check=True)
    return str(library)
