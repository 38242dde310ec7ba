"""Which allocations of a gateway fail, and how many have: beside shims/no_memory.c."""

import mmap
import struct

ALWAYS = 1 << 60
ORDERS = struct.Struct("5q")  # first, last, step, least, process
COUNTS = struct.Struct("2q")  # calls, failed


class Memory:
    """Memory(tmp_path).env(shim): an environment in which nothing fails before fail()."""

    def __init__(self, directory):
        self.path = directory / "no_memory"
        self.path.write_bytes(bytes(ORDERS.size + COUNTS.size))
        with open(self.path, "r+b") as file:
            self.mapped = mmap.mmap(file.fileno(), 0)

    def env(self, shim, **env):
        return shim("no_memory", NO_MEMORY_FILE=str(self.path), **env)

    def fail(self, first, last=None, step=1, least=0, process=0):
        """The `first` call from now on, then each `step`-th until `last`; alone, if that
        is not given. Only blocks of `least` bytes and more count; of one process."""
        self.suffice()
        COUNTS.pack_into(self.mapped, ORDERS.size, 0, 0)
        ORDERS.pack_into(self.mapped, 0, first, last or first, step, least, process)

    def suffice(self):
        """From now on there is memory for all again."""
        ORDERS.pack_into(self.mapped, 0, 0, 0, 1, 0, 0)

    @property
    def calls(self):
        """That counted; fail(ALWAYS) counts all."""
        return COUNTS.unpack_from(self.mapped, ORDERS.size)[0]

    @property
    def failed(self):
        return COUNTS.unpack_from(self.mapped, ORDERS.size)[1]
