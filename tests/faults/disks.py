"""Small disks of our own: a tmpfs with a size, an ext4 in a file. Each skips the test
with its reason where they cannot be had."""

import contextlib
import fcntl
import os
import struct
import subprocess

import pytest

from terminal import wait_until

# linux/ext4.h: goes away without writing anything more; 2 = not even the journal.
EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
# linux/fs.h: nothing is written to this file system from one to the other.
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878


def run_or_skip(*command):
    try:
        result = subprocess.run([str(word) for word in command], capture_output=True,
                                text=True)
    except FileNotFoundError:
        pytest.skip(f"needs {command[0]}")
    if result.returncode:
        pytest.skip(f"{' '.join(map(str, command))}: {result.stderr.strip()}")


class Tmpfs:
    def __init__(self, directory, size):
        self.directory = directory
        directory.mkdir()
        run_or_skip("mount", "-t", "tmpfs", "-o", f"size={size}", "holdfast", directory)
        self.filler = directory / "filler"

    def fill(self):
        """Takes all the space that is left."""
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError:
                    pass

    def make_room(self):
        self.filler.unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.directory)], capture_output=True)


class Ext4(Tmpfs):
    """On a loop device, so that its power can be cut."""

    def __init__(self, directory, size="64M", image=None):
        self.directory = directory
        directory.mkdir()
        self.image = image or directory.with_suffix(".img")
        self.filler = directory / "filler"
        if not self.image.exists():
            run_or_skip("truncate", "-s", size, self.image)
            run_or_skip("mkfs.ext4", "-q", "-F", self.image)
        self.mount()

    def mount(self):
        run_or_skip("mount", "-o", "loop", self.image, self.directory)

    def unmount(self):
        wait_until(lambda: subprocess.run(["umount", str(self.directory)],
                                          capture_output=True).returncode == 0,
                   "the last user of the disk to be gone")

    @contextlib.contextmanager
    def frozen(self):
        fd = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FIFREEZE, 0)
            yield
        finally:
            fcntl.ioctl(fd, FITHAW, 0)
            os.close(fd)

    def cut_power(self):
        """From now on nothing reaches the device, and every call answers EIO."""
        fd = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        except OSError as refused:
            pytest.skip(f"EXT4_IOC_SHUTDOWN: {refused}")
        finally:
            os.close(fd)

    def power_on(self):
        """What reached the device, after the journal's recovery."""
        self.unmount()
        self.mount()


class CopiedExt4(Ext4):
    """Its image can be copied at one moment, while it is written to: it lies on another
    ext4, which is frozen meanwhile. The copy is what a power cut would have left."""

    def __init__(self, directory, size="64M"):
        self.below = Ext4(directory.with_name(directory.name + "-below"), "1G")
        self.copied = None
        super().__init__(directory, size, self.below.directory / "image")

    @contextlib.contextmanager
    def copy(self):
        """with disk.copy() as other: an Ext4 of its own, gone afterwards."""
        directory = self.directory.with_name(self.directory.name + "-copy")
        image = directory.with_suffix(".img")
        with self.below.frozen():
            run_or_skip("cp", "--sparse=always", self.image, image)
        self.copied = Ext4(directory, image=image)
        yield self.copied
        self.copied.unmount()
        directory.rmdir()
        image.unlink()

    def close(self):
        for disk in (self.copied, super(), self.below):
            if disk is not None:
                disk.close()
