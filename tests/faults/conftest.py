"""Fixtures that only the rigs need: disks, and libraries that sit before libc."""

import shutil
import subprocess
from pathlib import Path

import pytest

from disks import CopiedExt4, Ext4, Tmpfs

SHIMS = Path(__file__).parent / "shims"


@pytest.fixture
def make_disk(tmp_path):
    made = []

    def make(kind, **options):
        made.append(kind(tmp_path / f"disk{len(made)}", **options))
        return made[-1]

    yield make
    for disk in made:
        disk.close()


@pytest.fixture
def tmpfs(make_disk):
    return lambda size: make_disk(Tmpfs, size=size)


@pytest.fixture
def ext4(make_disk):
    return lambda size="64M": make_disk(Ext4, size=size)


@pytest.fixture
def copied_ext4(make_disk):
    return lambda size="64M": make_disk(CopiedExt4, size=size)


@pytest.fixture
def shim(tmp_path):
    """shim("no_sync"): the environment that puts shims/no_sync.c before libc."""
    def build(name, **env):
        from gateway import is_sanitized
        if not shutil.which("cc"):
            pytest.skip("needs a C compiler for the shim")
        if is_sanitized():
            pytest.skip("a sanitizer wants to be the first library itself")
        library = tmp_path / f"{name}.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, SHIMS / f"{name}.c",
                        "-ldl"], check=True)
        return {"LD_PRELOAD": str(library), **env}
    return build
