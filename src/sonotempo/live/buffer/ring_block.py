"""The block of shared memory of a ring buffer: its layout, creation and attaching.

A header of 16 words, a record of 24 words (192 bytes) for each slot, then from the next page on the
slots' pixels. :mod:`sonotempo.live.buffer.ring_buffer` defines the meaning of the words.
"""

import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

from sonotempo.errors import SourceError
from sonotempo.owners import has_ended

WORD_BYTES = 8
RECORD_WORDS = 24
HEADER_WORDS = 16
_PAGE = 4096

#: How the names of all blocks begin; the id of the owner's process follows.
PREFIX = "sonotempo"

_FOLDER = Path("/dev/shm")
_creating = threading.Lock()


@dataclass(frozen=True, slots=True)
class BufferHandle:
    """What another process needs to attach to a buffer; it can be pickled.

    Attributes:
        name: of the shared memory.
        capacity: how many of the newest frames can be read.
        height_px: rows of the largest frame that fits.
        width_px: columns of it.
    """

    name: str
    capacity: int
    height_px: int
    width_px: int

    @property
    def slots(self) -> int:
        """One more than the capacity: the slot that is being written cannot be read."""
        return self.capacity + 1

    @property
    def pixels_at(self) -> int:
        """The offset of the first slot's pixels in bytes."""
        records = (HEADER_WORDS + RECORD_WORDS * self.slots) * WORD_BYTES
        return -(-records // _PAGE) * _PAGE

    @property
    def slot_bytes(self) -> int:
        """Bytes of pixels in a slot."""
        return self.height_px * self.width_px

    @property
    def size_bytes(self) -> int:
        """Size of the whole block: whole pages, as the block is read in words of 8 bytes too."""
        used = self.pixels_at + self.slots * self.slot_bytes
        return -(-used // _PAGE) * _PAGE


def create_block(handle: BufferHandle) -> tuple[SharedMemory, int | None]:
    """Create the memory and reserve every page of it, so that no write can fail later.

    What killed processes have left is removed first.

    Returns:
        The memory, and the descriptor of the lock that marks it as in use, to be closed with it.
    """
    with _creating:
        remove_leftovers(_FOLDER)
        return _reserved(handle), _hold_block(handle.name)


def _reserved(handle: BufferHandle) -> SharedMemory:
    try:
        memory = SharedMemory(handle.name, create=True, size=handle.size_bytes)
    except OSError as error:
        raise _no_memory(handle, error) from error
    if sys.platform == "linux":
        try:
            claimed = os.open(_FOLDER / handle.name, os.O_RDWR)
            try:
                os.posix_fallocate(claimed, 0, handle.size_bytes)
            finally:
                os.close(claimed)
        except OSError as error:
            memory.close()
            memory.unlink()
            raise _no_memory(handle, error) from error
    return memory


def remove_leftovers(folder: Path) -> list[str]:
    """Remove the blocks of processes that have ended, and return their names.

    A process that is killed together with all its helpers cannot remove its memory, which then
    stays taken until the computer is started again. Owners hold a lock on their block, because
    containers can share the memory but not the process ids.
    """
    if sys.platform != "linux":
        return []
    import fcntl  # noqa: PLC0415  (of Unix)

    removed = []
    for path in folder.glob(f"{PREFIX}-*"):
        pid = path.name.removeprefix(f"{PREFIX}-").partition("-")[0]
        if not pid.isdecimal() or not (int(pid) == os.getpid() or has_ended(int(pid))):
            continue
        with suppress(OSError), path.open("rb") as block:  # another process was faster
            fcntl.flock(block, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed.append(path.name)
    return removed


def _hold_block(name: str) -> int | None:
    """Lock a block as its owner, for :func:`remove_leftovers`."""
    if sys.platform != "linux":
        return None
    import fcntl  # noqa: PLC0415  (of Unix)

    held = os.open(_FOLDER / name, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


def bytes_of(memory: SharedMemory) -> "memoryview[int]":
    """Return the memory's bytes; they are None after closing."""
    if memory.buf is None:
        raise ValueError("the shared memory is closed")
    return memory.buf


def _no_memory(handle: BufferHandle, error: OSError) -> SourceError:
    return SourceError(
        f"no {handle.size_bytes / 2**20:.0f} MiB of shared memory for a ring buffer of "
        f"{handle.capacity} frames of {handle.height_px}x{handle.width_px} pixels "
        f"({error.strerror or error}); ask for fewer seconds or smaller frames, or enlarge "
        "/dev/shm (in a container: --shm-size)"
    )


_attaching = threading.Lock()


def attach_block(handle: BufferHandle) -> SharedMemory:
    """Open a buffer's memory without becoming its owner.

    Before Python 3.13 attaching also hands the name to the resource tracker, and the tracker of an
    unrelated process removes the memory when that process ends, although others use it
    (python/cpython#82300). Unregistering afterwards does not help: related processes share one
    tracker, which would forget the owner's entry. So the tracker never gets the name.
    """
    try:
        if sys.version_info >= (3, 13):
            return SharedMemory(handle.name, track=False)
        with _attaching:
            register = resource_tracker.register

            def register_others(name: Any, rtype: str) -> None:
                if name.lstrip("/") != handle.name:
                    register(name, rtype)

            resource_tracker.register = register_others
            try:
                return SharedMemory(handle.name)
            finally:
                resource_tracker.register = register
    except FileNotFoundError as error:
        raise SourceError(
            "the ring buffer is closed; attach while the process that made it keeps it open"
        ) from error
