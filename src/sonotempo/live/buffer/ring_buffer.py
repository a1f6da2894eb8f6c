"""Frames in shared memory: one writer that never waits, any number of readers in any process.

The memory is one block, all of it reserved at the start (:mod:`sonotempo.live.buffer.ring_block`):
a header, a record for each slot, then the slots' pixels. Frame ``n`` lies in slot ``n % slots``.
No process holds a lock, so a process that is killed leaves nothing locked; the next writer
continues with the next number.

**Why no reader ever gets a torn frame.** Every slot carries two numbers (a seqlock that counts in
frame numbers). The writer stores ``begun = n``, then pixels and record, then ``done = n``, and last
the header's ``written = n + 1``. A reader loads ``done``, copies, loads ``begun``, and keeps the
copy only if both are ``n``. If any byte of the copy came from a later frame ``m``, then ``begun =
m`` was stored before that byte, so the reader sees it and discards the copy; if any byte was
not yet written, ``done`` was not yet ``n``. Numbers are unique, so a slot cannot look unchanged
after two changes.

This needs the stores, and the loads, to happen in program order:

- Every number is one aligned 8-byte word, stored and loaded by one machine instruction
  (``memoryview`` of format ``q`` copies native words), so no reader sees half of it.
- x86-64 keeps stores in order, and loads in order; the interpreter's C functions in between keep
  the compiler from reordering them.
- ARM and others may reorder them. :meth:`_Attached._fence` between the steps releases and acquires
  a private lock: a store with release order, then a load with acquire order. Nothing moves past the
  release from before or past the acquire from after, and a release followed by an acquire keeps its
  order (ARMv8: "RCsc"). So nothing passes the pair in either direction.
"""

import math
import os
import secrets
import threading
import time
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np

from sonotempo.errors import SourceError
from sonotempo.framing import Framing
from sonotempo.live.buffer.ring_block import (
    HEADER_WORDS,
    PREFIX,
    RECORD_WORDS,
    BufferHandle,
    attach_block,
    bytes_of,
    create_block,
)
from sonotempo.live.closing import Closing
from sonotempo.recording import Box, Frame, Image, Spacing
from sonotempo.sector import Sector

# Words of the header.
_WRITTEN = 0
# Words of a slot's record.
_BEGUN, _DONE, _HOST_NS, _PROBE_NS, _HEIGHT, _WIDTH, _ROW_MM, _COLUMN_MM, _ASPECT, _AREA = range(10)
_SECTOR = _AREA + 4
_NEVER = -1
_UNKNOWN = math.nan
_SECTOR_NUMBERS = 6
_POLL_S = 0.0005


@dataclass(frozen=True, slots=True)
class StreamedFrame:
    """One frame from the buffer: a private copy.

    Attributes:
        frame: pixels and geometry; its index is ``number`` and its time stamp the probe's.
        number: sequence number since the buffer was created, from 0, without gaps.
        host_ns: :func:`time.monotonic_ns` when it was captured: one clock for all processes.
    """

    frame: Frame
    number: int
    host_ns: int

    @property
    def probe_ns(self) -> int:
        """Time by the probe's own clock, or the recording's time stamp."""
        return self.frame.timestamp_ns


class RingBuffer(Closing):
    """Creates and owns the shared memory: closing removes it.

    The default holds 10 s of 1024×1024 pixels at 30 frames a second, 302 MiB.

    >>> with RingBuffer(seconds=1, rate_hz=4, height_px=8, width_px=8) as buffer:
    ...     with buffer.writer() as writer, buffer.reader() as reader:
    ...         _ = writer.write(np.full((6, 8), 7, np.uint8), probe_ns=5)
    ...         streamed = reader.next()
    >>> streamed.number, streamed.frame.image_HW.shape, streamed.probe_ns
    (0, (6, 8), 5)

    Args:
        seconds: how far back frames can be read.
        rate_hz: the highest expected frame rate.
        height_px: rows of the largest frame.
        width_px: columns of it; other shapes with at most as many pixels fit too.

    Raises:
        SourceError: sizes that are not positive, or not enough shared memory.
    """

    def __init__(
        self,
        seconds: float = 10,
        rate_hz: float = 30,
        height_px: int = 1024,
        width_px: int = 1024,
    ) -> None:
        if not (0 < seconds * rate_hz < math.inf and height_px > 0 and width_px > 0):
            raise SourceError(
                f"a ring buffer of {seconds} s at {rate_hz} frames a second and "
                f"{height_px}x{width_px} pixels; expected numbers above 0"
            )
        capacity = max(1, math.ceil(seconds * rate_hz))
        name = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(4)}"
        self.handle = BufferHandle(name, capacity, height_px, width_px)
        self._memory, self._held = create_block(self.handle)
        words = bytes_of(self._memory).cast("q")
        for slot in range(self.handle.slots):
            at = HEADER_WORDS + slot * RECORD_WORDS
            words[at + _BEGUN] = words[at + _DONE] = _NEVER
        words.release()
        self._is_open = True

    def writer(self) -> "RingWriter":
        """Attach the one writer in this process."""
        return RingWriter(self.handle)

    def reader(self, start: Literal["oldest", "now"] = "oldest") -> "RingReader":
        """Attach a reader in this process; see :class:`RingReader`."""
        return RingReader(self.handle, start)

    def close(self) -> None:
        """Remove the memory; attached writers and readers keep their view."""
        if self._is_open:
            self._is_open = False
            self._memory.close()
            self._memory.unlink()
            if self._held is not None:
                os.close(self._held)


class _Attached(Closing):
    """A view of the buffer's memory from one thread of any process.

    Args:
        handle: of the buffer.

    Raises:
        SourceError: the buffer is closed.
    """

    def __init__(self, handle: BufferHandle) -> None:
        self._is_open = False
        self.handle = handle
        self._memory = attach_block(handle)
        self._words = bytes_of(self._memory)[: handle.pixels_at].cast("q")
        self._reals = bytes_of(self._memory)[: handle.pixels_at].cast("d")
        self._order = threading.Lock()
        self._order.acquire()
        self._is_open = True

    @property
    def written(self) -> int:
        """How many frames have been written since the buffer was created."""
        return int(self._words[_WRITTEN])

    @property
    def oldest(self) -> int:
        """Number of the oldest frame that can still be read; ``written`` if there is none yet."""
        return max(0, self.written - self.handle.capacity)

    def close(self) -> None:
        """Release the memory; may be called twice."""
        if self._is_open:
            self._is_open = False
            self._words.release()
            self._reals.release()
            self._memory.close()

    def __del__(self) -> None:
        self.close()  # else closing the memory fails because of the views

    def _fence(self) -> None:
        """Keep loads and stores in order, in both directions; see the module."""
        self._order.release()
        self._order.acquire()

    def _record(self, number: int) -> int:
        """Return the first word of a frame's record."""
        return HEADER_WORDS + number % self.handle.slots * RECORD_WORDS

    def _pixels(self, number: int, height: int, width: int) -> Image:
        """Return the slot's pixels in place; release them before closing."""
        handle = self.handle
        at = handle.pixels_at + number % handle.slots * handle.slot_bytes
        return np.ndarray((height, width), np.uint8, self._memory.buf, at)


class RingWriter(_Attached):
    """Writes frames, from any one thread of any one process at a time.

    A second writer may follow after the first has ended or was killed.
    """

    #: What the user has said about the frames; it takes the place of what the source knows. May be
    #: set by any thread.
    framing: Framing | None = None

    def write(
        self,
        image_HW: Image,
        *,
        probe_ns: int,
        host_ns: int | None = None,
        spacing_mm: Spacing | None = None,
        area: Box | None = None,
        pixel_aspect: float = 1.0,
        sector: Sector | None = None,
    ) -> int:
        """Overwrite the oldest frame with a new one, and return its number.

        Args:
            image_HW: uint8 grey pixels.
            probe_ns: time by the probe's own clock.
            host_ns: :func:`time.monotonic_ns` of its capture; by default now.
            spacing_mm: millimetres a pixel as (row, column), or None if unknown.
            area: the part of the image that shows ultrasound, or None for all of it.
            pixel_aspect: height of a pixel divided by its width, where the spacing is unknown.
            sector: the shape of the image in the area, or None if it fills it.

        Raises:
            SourceError: not a uint8 HW image, or larger than the buffer's frames.
        """
        if host_ns is None:
            host_ns = time.monotonic_ns()
        self._check(image_HW)
        height, width = image_HW.shape
        words, reals, number = self._words, self._reals, self.written
        at = self._record(number)
        words[at + _BEGUN] = number
        self._fence()
        self._pixels(number, height, width)[...] = image_HW
        words[at + _HOST_NS], words[at + _PROBE_NS] = host_ns, probe_ns
        words[at + _HEIGHT], words[at + _WIDTH] = height, width
        reals[at + _ASPECT] = pixel_aspect
        framing = self.framing
        if framing is not None and framing.shape_HW == image_HW.shape:
            area, sector = framing.area, framing.sector
            spacing_mm = framing.spacing_mm or spacing_mm
        reals[at + _ROW_MM], reals[at + _COLUMN_MM] = spacing_mm or (_UNKNOWN, _UNKNOWN)
        box = (area.top, area.left, area.bottom, area.right) if area else (_NEVER, 0, 0, 0)
        for i, edge in enumerate(box):
            words[at + _AREA + i] = edge
        for i, value in enumerate(astuple(sector) if sector else (_UNKNOWN,) * _SECTOR_NUMBERS):
            reals[at + _SECTOR + i] = value
        self._fence()
        words[at + _DONE] = number
        self._fence()
        words[_WRITTEN] = number + 1
        return number

    def _check(self, image_HW: Image) -> None:
        if image_HW.dtype != np.uint8 or image_HW.ndim != 2 or image_HW.size == 0:
            raise SourceError(
                f"a frame of shape {image_HW.shape} and type {image_HW.dtype}; the buffer takes "
                "uint8 grey images of rows x columns: convert it before writing"
            )
        handle = self.handle
        if image_HW.size > handle.slot_bytes:
            height, width = image_HW.shape
            raise SourceError(
                f"a frame of {height}x{width} pixels (rows x columns) does not fit the buffer's "
                f"{handle.height_px}x{handle.width_px}; make the buffer larger, or have the "
                "source send smaller frames"
            )


class RingReader(_Attached):
    """Reads copies of frames; each reader has its own position and its own count of overruns.

    A reader belongs to one thread.

    Args:
        handle: of the buffer.
        start: where :meth:`next` begins: at the oldest frame, or at the first new one.
    """

    def __init__(self, handle: BufferHandle, start: Literal["oldest", "now"] = "oldest") -> None:
        super().__init__(handle)
        #: Frames that were overwritten before :meth:`next` could read them.
        self.overruns = 0
        self._next = self.oldest if start == "oldest" else self.written

    def newest(self, after: int = -1) -> StreamedFrame | None:
        """Return the newest frame if its number is above ``after``, else None.

        :meth:`next` continues after it; the frames between count as skipped, not as overruns.
        """
        while (newest := self.written - 1) > after:
            streamed = self.read(newest)
            if streamed is not None:
                self._next = max(self._next, newest + 1)
                return streamed
        return None

    def next(self) -> StreamedFrame | None:
        """Return the oldest frame not yet read, or None if all are.

        Frames that were overwritten unread are counted in :attr:`overruns`.
        """
        while self._next < self.written:
            lost = max(0, self.oldest - self._next)
            self.overruns += lost
            self._next += lost
            streamed = self.read(self._next)
            if streamed is not None:
                self._next += 1
                return streamed
        return None

    def read(self, number: int) -> StreamedFrame | None:
        """Return a frame by number, or None if it is overwritten or not yet written."""
        if not 0 <= number < self.written:
            return None
        words, at = self._words, self._record(number)
        if words[at + _DONE] != number:
            return None
        self._fence()
        height, width = words[at + _HEIGHT], words[at + _WIDTH]
        host_ns, probe_ns = words[at + _HOST_NS], words[at + _PROBE_NS]
        row_mm, column_mm = self._reals[at + _ROW_MM], self._reals[at + _COLUMN_MM]
        aspect = self._reals[at + _ASPECT]
        top, left, bottom, right = words[at + _AREA : at + _AREA + 4].tolist()
        sector = self._reals[at + _SECTOR : at + _SECTOR + _SECTOR_NUMBERS].tolist()
        # The writer may be changing it, so the size can mix those of two frames.
        if not 0 < height * width <= self.handle.slot_bytes:
            return None
        image_HW = self._pixels(number, height, width).copy()
        self._fence()
        if words[at + _BEGUN] != number:
            return None
        frame = Frame(
            image_HW,
            number,
            probe_ns,
            None if math.isnan(row_mm) else (row_mm, column_mm),
            None if top == _NEVER else Box(top, left, bottom, right),
            aspect,
            None if math.isnan(sector[0]) else Sector(*sector),
        )
        return StreamedFrame(frame, number, host_ns)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a frame newer than all that this reader has returned; False after the time.

        It polls 2000 times a second: a killed process could leave a shared lock or semaphore taken.
        """
        deadline = time.monotonic() + timeout_s
        while self.written <= self._next:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_POLL_S, left))
        return True
