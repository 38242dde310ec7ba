"""Fixtures that only the rigs need: disks, and libraries that sit before libc."""

import pytest

from disks import CopiedExt4, Ext4, Tmpfs
from preload import build_shim, obstacle


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
        if why := obstacle():
            pytest.skip(why)
        return {"LD_PRELOAD": build_shim(name, tmp_path), **env}
    return build
