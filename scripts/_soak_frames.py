"""Frames whose pixels tell their number, for scripts/soak_live.py and its writing process."""

import time

import numpy as np
from numpy.typing import NDArray

from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter

_NOISE = np.random.default_rng(0).integers(0, 256, 1 << 16, np.uint8)
_EVERY_SIZE = 97
_EVERY_JUMP = 1009
_JUMP_NS = 3_600_000_000_000


def image_of(number: int, largest_HW: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the frame of a number: noise, of a size that changes now and then."""
    step = number // _EVERY_SIZE
    height, width = largest_HW[0] - step % 7, largest_HW[1] - step % 5
    start = number * 7919 % (len(_NOISE) // 2)
    pixels = np.resize(_NOISE[start : start + len(_NOISE) // 2], height * width)
    return (pixels.reshape(height, width) + np.uint8(number % 256)).astype(np.uint8)


def probe_ns_of(number: int) -> int:
    """Return the probe's time of a number: its clock jumps back and forth by an hour."""
    return number * 33_000_000 + (_JUMP_NS if number // _EVERY_JUMP % 2 else 0)


def write_frames(handle: BufferHandle, count: int, largest_HW: tuple[int, int], most: int) -> None:
    """Write numbered frames, at most so many a second."""
    began = time.monotonic()
    with RingWriter(handle) as writer:
        for number in range(count):
            writer.write(image_of(number, largest_HW), probe_ns=probe_ns_of(number))
            ahead_s = (number + 1) / most - (time.monotonic() - began)
            if ahead_s > 0:
                time.sleep(ahead_s)
