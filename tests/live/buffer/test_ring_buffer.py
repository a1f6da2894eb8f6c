"""The ring buffer: what is read is what was written, whoever writes, reads or is killed."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakes.numbered_frames import (
    check_numbered,
    read_until,
    write_for,
    write_numbered,
    write_without_end,
)
from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingBuffer, RingReader, RingWriter

SHAPE = (16, 20)
SHARED = Path("/dev/shm")
SPAWN = multiprocessing.get_context("spawn")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev/shm")


def buffer_of(capacity, shape_HW=SHAPE):
    return RingBuffer(seconds=capacity, rate_hz=1, height_px=shape_HW[0], width_px=shape_HW[1])


def there(handle):
    return (SHARED / handle.name).exists()


class RingBufferMachine(RuleBasedStateMachine):
    """Any order of writing and reading, against a plain count of frames."""

    def __init__(self):
        super().__init__()
        self.buffer = buffer_of(3)
        self.writer = self.buffer.writer()
        self.written = 0
        self.readers = []  # (reader, the next number it is owed, its overruns)

    def teardown(self):
        self.writer.close()
        for reader, _, _ in self.readers:
            reader.close()
        self.buffer.close()
        assert not there(self.buffer.handle)

    @rule(count=st.integers(1, 9))
    def write(self, count):
        for _ in range(count):
            assert write_numbered(self.writer, self.written, SHAPE) == self.written
            self.written += 1

    @rule()
    def another_writer_follows(self):
        self.writer.close()
        self.writer = RingWriter(pickle.loads(pickle.dumps(self.buffer.handle)))

    @precondition(lambda self: len(self.readers) < 3)
    @rule(start=st.sampled_from(["oldest", "now"]))
    def attach(self, start):
        first = max(0, self.written - 3) if start == "oldest" else self.written
        self.readers.append((RingReader(self.buffer.handle, start), first, 0))

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 2))
    def read_next(self, which):
        which %= len(self.readers)
        reader, owed, overruns = self.readers[which]
        streamed = reader.next()
        lost = max(0, self.written - 3 - owed)
        if owed == self.written:
            assert streamed is None
            assert not reader.wait(0)
        else:
            assert streamed.number == owed + lost
            check_numbered(streamed, SHAPE)
            overruns += lost
            self.readers[which] = reader, owed + lost + 1, overruns
        assert reader.overruns == overruns

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 2), after=st.integers(-1, 40))
    def read_newest(self, which, after):
        which %= len(self.readers)
        reader, _, overruns = self.readers[which]
        streamed = reader.newest(after)
        if self.written - 1 > after:
            assert streamed.number == self.written - 1
            check_numbered(streamed, SHAPE)
            self.readers[which] = reader, self.written, overruns
        else:
            assert streamed is None

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 2), number=st.integers(-2, 50))
    def read_by_number(self, which, number):
        reader, _, _ = self.readers[which % len(self.readers)]
        streamed = reader.read(number)
        if max(0, self.written - 3) <= number < self.written:
            assert streamed.number == number
            check_numbered(streamed, SHAPE)
        elif 0 <= number == self.written - 4 and streamed is not None:
            check_numbered(streamed, SHAPE)  # the spare slot is not overwritten yet
        else:
            assert streamed is None

    @invariant()
    def counts_agree(self):
        for reader, _, _ in self.readers:
            assert reader.written == self.written
            assert reader.oldest == max(0, self.written - 3)


TestRingBufferMachine = RingBufferMachine.TestCase
TestRingBufferMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_every_frame_read_under_load_is_one_that_was_written():
    largest_HW = (120, 160)
    with buffer_of(3, largest_HW) as buffer:
        ready, stop, results = SPAWN.Event(), SPAWN.Event(), SPAWN.Queue()
        count = SPAWN.Value("q", 0)
        writer = SPAWN.Process(target=write_for, args=(buffer.handle, 2.5, largest_HW, count))
        reader = SPAWN.Process(
            target=read_until, args=(buffer.handle, ready, stop, largest_HW, results)
        )
        reader.start()
        assert ready.wait(30)
        writer.start()
        checked = 0
        with buffer.reader() as newest:  # a third process reads in its own way
            while writer.is_alive():
                streamed = newest.newest(after=newest.written - 2)
                if streamed is not None:
                    check_numbered(streamed, largest_HW)
                    checked += 1
        writer.join()
        stop.set()
        read, overruns = results.get(timeout=20)
        reader.join()
        assert writer.exitcode == reader.exitcode == 0
        assert read + overruns == count.value
        assert read > 50
        assert overruns > 0  # it was under load: three slots, and a reader that checks every byte
        assert checked > 50
    assert not there(buffer.handle)


@linux
def test_a_killed_writer_is_followed_by_another_and_leaves_no_memory():
    largest_HW = (60, 80)
    buffer = buffer_of(4, largest_HW)
    child = SPAWN.Process(target=write_without_end, args=(buffer.handle, largest_HW))
    child.start()
    with buffer.reader() as reader:
        assert reader.wait(20)
        time.sleep(0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        before = reader.written
        assert there(buffer.handle)
        check_numbered(reader.newest(), largest_HW)
        with buffer.writer() as writer:
            for number in range(before, before + 12):
                assert write_numbered(writer, number, largest_HW) == number
                check_numbered(reader.newest(), largest_HW)
    buffer.close()
    assert not there(buffer.handle)


OWNER = """
    import sys, time
    from sonotempo.live.buffer.ring_buffer import RingBuffer
    buffer = RingBuffer(seconds=1, rate_hz=4, height_px=16, width_px=20)
    print(buffer.handle.name, flush=True)
    time.sleep(60)
"""
ATTACHED = """
    import sys
    from sonotempo.live.buffer.ring_block import BufferHandle
    from sonotempo.live.buffer.ring_buffer import RingReader
    RingReader(BufferHandle(sys.argv[1], 4, 16, 20))  # and ends without closing
"""


def python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@linux
def test_an_unrelated_process_that_attached_does_not_take_the_memory_with_it():
    with buffer_of(4) as buffer:
        process = python(ATTACHED, buffer.handle.name)
        _, complaints = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "leaked" not in complaints
        time.sleep(0.2)
        assert there(buffer.handle)
        buffer.reader().close()


@linux
def test_a_killed_owner_leaves_no_memory():
    process = python(OWNER)
    name = process.stdout.readline().strip()
    assert (SHARED / name).exists()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while (SHARED / name).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not (SHARED / name).exists()


def test_waiting_ends_with_a_frame_or_with_the_time():
    with buffer_of(2) as buffer, buffer.writer() as writer, buffer.reader() as reader:
        began = time.monotonic()
        assert not reader.wait(0.05)
        assert 0.05 <= time.monotonic() - began < 1
        later = threading.Timer(0.05, write_numbered, (writer, 0, SHAPE))
        later.start()
        assert reader.wait(5)
        later.join()
        assert reader.next().number == 0
        assert not reader.wait(0)


def test_a_frame_keeps_its_pixels_when_its_slot_is_overwritten():
    with buffer_of(1) as buffer, buffer.writer() as writer, buffer.reader() as reader:
        write_numbered(writer, 0, SHAPE)
        streamed = reader.next()
        for number in range(1, 6):
            write_numbered(writer, number, SHAPE)
        check_numbered(streamed, SHAPE)
        assert reader.read(0) is None


def test_images_that_are_views_are_written_as_they_look():
    pixels = np.arange(400, dtype=np.uint8).reshape(20, 20)
    with buffer_of(2) as buffer, buffer.writer() as writer, buffer.reader() as reader:
        writer.write(pixels[::2, ::-1], probe_ns=0)
        np.testing.assert_array_equal(reader.next().frame.image_HW, pixels[::2, ::-1])


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((17, 20), np.uint8), r"17x20 pixels .* does not fit the buffer's 16x20"),
        (np.zeros((4, 4), np.float32), r"type float32; the buffer takes uint8"),
        (np.zeros((4, 4, 3), np.uint8), r"shape \(4, 4, 3\)"),
        (np.zeros((0, 4), np.uint8), r"shape \(0, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused_and_writing_goes_on(image, sentence):
    with buffer_of(2) as buffer, buffer.writer() as writer, buffer.reader() as reader:
        with pytest.raises(SourceError, match=sentence):
            writer.write(image, probe_ns=0)
        assert write_numbered(writer, 0, SHAPE) == 0
        check_numbered(reader.next(), SHAPE)


def test_a_turned_frame_with_as_many_pixels_fits():
    with buffer_of(2) as buffer, buffer.writer() as writer, buffer.reader() as reader:
        writer.write(np.zeros((20, 16), np.uint8), probe_ns=0)
        assert reader.next().frame.image_HW.shape == (20, 16)


def test_attaching_to_a_closed_buffer_says_so():
    buffer = buffer_of(2)
    handle = pickle.loads(pickle.dumps(buffer.handle))
    buffer.close()
    buffer.close()
    assert handle == buffer.handle
    with pytest.raises(SourceError, match="the ring buffer is closed"):
        RingReader(handle)


@pytest.mark.parametrize("given", [{"seconds": 0}, {"rate_hz": -1}, {"height_px": 0}])
def test_sizes_that_make_no_sense_are_refused(given):
    with pytest.raises(SourceError, match="expected numbers above 0"):
        RingBuffer(**given)


@linux
def test_too_little_shared_memory_is_said_at_the_start_and_nothing_stays():
    before = set(SHARED.iterdir())
    with pytest.raises(SourceError, match=r"MiB of shared memory.*--shm-size"):
        RingBuffer(seconds=10_000, rate_hz=1000, height_px=4096, width_px=4096)
    assert not {path for path in set(SHARED.iterdir()) - before if str(os.getpid()) in path.name}


def test_the_default_holds_ten_seconds_at_thirty_frames():
    handle = BufferHandle("x", 300, 1024, 1024)
    assert handle.size_bytes - handle.pixels_at == 301 * 1024 * 1024
    with RingBuffer() as buffer:
        assert (buffer.handle.capacity, buffer.handle.slot_bytes) == (300, 1024 * 1024)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (241, 241), (242, 242), (65, 127)])
def test_frames_of_any_size_have_room(height, width):
    image_HW = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    with RingBuffer(1, 3, height, width) as buffer, buffer.reader() as reader:
        with buffer.writer() as writer:
            for _ in range(5):
                number = writer.write(image_HW, probe_ns=0)
        np.testing.assert_array_equal(reader.read(number).frame.image_HW, image_HW)
