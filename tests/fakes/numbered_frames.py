"""Frames whose pixels tell their number, and processes that write, read or die on a ring buffer."""

import time

import numpy as np

from sonotempo.live.buffer.ring_buffer import RingReader, RingWriter
from sonotempo.recording import Box

_NOISE = np.random.default_rng(0).integers(0, 256, 1 << 16, np.uint8)


def shape_of(number, largest_HW):
    """Sizes that change from frame to frame."""
    height, width = largest_HW
    return height - number % 3, width - number % 5


def pixels_of(number, largest_HW):
    """The frame of this number: noise that differs in nearly every pixel from all others."""
    height, width = shape_of(number, largest_HW)
    start = number * 7919 % (len(_NOISE) // 2)
    pixels = np.resize(_NOISE[start : start + len(_NOISE) // 2], height * width)
    return (pixels.reshape(height, width) + np.uint8(number % 256)).astype(np.uint8)


def write_numbered(writer, number, largest_HW):
    """Write the frame of this number with geometry and time stamps that also tell it."""
    return writer.write(
        pixels_of(number, largest_HW),
        probe_ns=number * 1000,
        host_ns=number * 1000 + 7,
        spacing_mm=None if number % 2 else (0.1 + number, 0.2 + number),
        area=None if number % 3 else Box(1, 2, 10 + number, 12 + number),
    )


def check_numbered(streamed, largest_HW):
    """Every byte of a streamed frame is that of its number."""
    number, frame = streamed.number, streamed.frame
    np.testing.assert_array_equal(frame.image_HW, pixels_of(number, largest_HW))
    assert frame.index == number
    assert streamed.probe_ns == number * 1000
    assert streamed.host_ns == number * 1000 + 7
    assert frame.spacing_mm == (None if number % 2 else (0.1 + number, 0.2 + number))
    assert frame.area == (None if number % 3 else Box(1, 2, 10 + number, 12 + number))


def write_for(handle, seconds, largest_HW, count):
    """In a process: write numbered frames as fast as possible, and leave how many."""
    with RingWriter(handle) as writer:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            written = write_numbered(writer, writer.written, largest_HW)
        count.value = written + 1


def read_until(handle, ready, stop, largest_HW, results):
    """In a process: read and check all that comes; report frames read and overruns."""
    with RingReader(handle) as reader:
        ready.set()
        read = 0
        while not stop.is_set() or reader.written > 0:
            streamed = reader.next()
            if streamed is not None:
                check_numbered(streamed, largest_HW)
                read += 1
            elif stop.is_set():
                break
        results.put((read, reader.overruns))


def write_without_end(handle, largest_HW):
    """In a process: write until killed."""
    with RingWriter(handle) as writer:
        while True:
            write_numbered(writer, writer.written, largest_HW)
