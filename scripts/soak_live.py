"""Run the live parts for long: frames, size and clock jumps, lost connections and crashes.

    .venv/bin/python scripts/soak_live.py [--frames 200000] [--reconnects 1000] [--crashes 50]

Three parts, each with its counts: a process writes numbered frames into the ring buffer while this
one reads and checks every byte; a recorder takes frames whose size and clock jump, and all of them
are read back; a stand-in for a probe's SDK ends, or crashes, again and again, so that the source
connects again. Memory is that of this process after a tenth of each part, and at its end. The exit
status is 1 if a frame was torn or lost, memory has grown by more than 40 MB, or a process or shared
memory is left. Needs Linux.
"""

import argparse
import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from _soak_frames import image_of, probe_ns_of, write_frames
from sonotempo.io import open_recording
from sonotempo.live.buffer.ring_buffer import RingBuffer, StreamedFrame
from sonotempo.live.recording.recorder import Recorder
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.clarius.watchdog import ClariusLimits

_SHAPE_HW = (96, 128)
_FAKES = Path(__file__).parents[1] / "tests"
_MOST_GROWTH_MB = 40.0
_FRAMES_A_SECOND = 2000
_PATIENCE_S = 60.0

Advance = Callable[[], None]


@dataclass(slots=True)
class Counts:
    """What a part of the run has seen.

    Attributes:
        name: of the part.
        written: frames that were sent.
        read: frames that came and were right.
        torn: frames with a wrong byte.
        lost: frames that never came although they should have.
        faults: connections that were lost, and crashes.
        begin_mb: memory after a tenth.
        end_mb: memory at the end.
    """

    name: str
    written: int = 0
    read: int = 0
    torn: int = 0
    lost: int = 0
    faults: int = 0
    begin_mb: float = 0.0
    end_mb: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Whether something is wrong."""
        grown = self.end_mb - self.begin_mb > _MOST_GROWTH_MB
        return bool(self.torn or self.lost or grown or not self.read)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Run the live parts for long, and count.")
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--recorded", type=int, default=5_000)
    parser.add_argument("--reconnects", type=int, default=1000)
    parser.add_argument("--crashes", type=int, default=50)
    options = parser.parse_args()
    sys.exit(report(options.frames, options.recorded, options.reconnects, options.crashes))


def report(frames: int, recorded: int, reconnects: int, crashes: int) -> int:
    """Run all parts and print the table; return 1 if something is wrong."""
    console = Console(width=120, soft_wrap=True)
    with Progress(console=console, transient=True) as progress:

        def bar(title: str, total: int) -> Advance:
            task = progress.add_task(title, total=total)
            return lambda: progress.advance(task)

        parts = [
            stream_frames(frames, bar("frames", frames)),
            record_jumps(recorded, bar("recorded", recorded)),
            lose_connections(reconnects, crashes, bar("faults", reconnects + crashes)),
        ]
    table = Table(box=None)
    table.add_column("part")
    for title in ("written", "read", "torn", "lost", "faults", "MB at 10 %", "MB at the end"):
        table.add_column(title, justify="right")
    for part in parts:
        numbers = (part.written, part.read, part.torn, part.lost, part.faults)
        memory = (f"{part.begin_mb:.0f}", f"{part.end_mb:.0f}")
        table.add_row(part.name, *map(str, numbers), *memory)
    console.print(table)
    processes, blocks = children(), shared_memory()
    console.print(f"left: {len(processes)} processes, {len(blocks)} blocks of shared memory")
    return int(any(part.is_bad for part in parts) or bool(processes or blocks))


def stream_frames(count: int, advance: Advance) -> Counts:
    """Write frames in another process, read and check them here."""
    counts = Counts("ring buffer", written=count)
    with RingBuffer(10, 400, *_SHAPE_HW) as buffer, buffer.reader() as reader:
        spawn = multiprocessing.get_context("spawn")
        process = spawn.Process(
            target=write_frames,
            args=(buffer.handle, count, _SHAPE_HW, _FRAMES_A_SECOND),
            daemon=True,
        )
        process.start()
        last = time.monotonic()
        while counts.read + counts.torn + reader.overruns < count:
            streamed = reader.next()
            if streamed is None:
                if time.monotonic() - last > _PATIENCE_S:
                    break
                time.sleep(0.001)
                continue
            last = time.monotonic()
            if _is_right(streamed):
                counts.read += 1
            else:
                counts.torn += 1
            _note_memory(counts, counts.read, count)
            advance()
        process.join(_PATIENCE_S)
        counts.lost = count - counts.read - counts.torn
    counts.end_mb = memory_mb()
    return counts


def _is_right(streamed: StreamedFrame) -> bool:
    expected = image_of(streamed.number, _SHAPE_HW)
    same = np.array_equal(streamed.frame.image_HW, expected)
    return same and streamed.probe_ns == probe_ns_of(streamed.number)


def record_jumps(count: int, advance: Advance) -> Counts:
    """Record frames whose size and clock jump, and read all of them back; first a tenth of them."""
    begin = _record(Counts("warm-up"), count // 10 + 1, lambda: None)
    counts = _record(Counts("recorder"), count, advance)
    counts.begin_mb = begin.end_mb
    return counts


def _record(counts: Counts, count: int, advance: Advance) -> Counts:
    counts.written = count
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "soak.mkv"
        with RingBuffer(10, 60, *_SHAPE_HW) as buffer, buffer.writer() as writer:
            recorder = Recorder(buffer.reader("now"), path)
            for number in range(count):
                writer.write(image_of(number, _SHAPE_HW), probe_ns=probe_ns_of(number))
                while number - recorder.statistics.frames > 300:
                    time.sleep(0.002)
                advance()
            recorder.stop()
        recording = open_recording(path)
        for frame, number in zip(recording, recording.frame_numbers.tolist(), strict=True):
            if np.array_equal(frame.image_HW, image_of(number, _SHAPE_HW)):
                counts.read += 1
            else:
                counts.torn += 1
        del recording, frame
        counts.lost = count - counts.read - counts.torn
    counts.end_mb = memory_mb()
    return counts


def lose_connections(reconnects: int, crashes: int, advance: Advance) -> Counts:
    """Let the stand-in SDK end or crash, and wait for frames of a new connection each time."""
    counts = Counts("probe")
    height, width = _SHAPE_HW
    sdk = _FAKES / "fakes" / "clarius_sdk"
    sys.path.insert(0, str(_FAKES))
    from fakes.clarius_sdk.pyclariuscast import expected_grey, number_of  # noqa: PLC0415

    orders = ["exit"] * reconnects
    for i in range(crashes):
        orders.insert(i * (len(orders) + 1) // max(1, crashes), "abort")
    limits = ClariusLimits(backoff_s=0.01, backoff_max_s=0.02, steady_s=0.01)
    with (
        tempfile.TemporaryDirectory() as control,
        RingBuffer(10, 60, height, width) as buffer,
        buffer.reader() as reader,
    ):
        os.environ["CLARIUS_STAND_IN"] = control
        source = ClariusSource(
            "192.168.1.1", sdk=sdk, width_px=width, height_px=height, limits=limits
        )
        said, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)  # Python reports every crash at length
        source.start(buffer)

        def check(streamed: StreamedFrame) -> None:
            counts.written += 1
            expected = expected_grey(number_of(streamed.probe_ns), height, width)
            if np.array_equal(streamed.frame.image_HW, expected):
                counts.read += 1
            else:
                counts.torn += 1

        try:
            for order in orders:
                former = source.pid
                (Path(control) / order).touch()
                deadline = time.monotonic() + _PATIENCE_S
                # A frame of a process that began after the fault.
                while time.monotonic() < deadline:
                    streamed = reader.next()
                    if streamed is not None:
                        check(streamed)
                        if source.pid not in (None, former):
                            break
                    time.sleep(0.001)
                else:
                    counts.lost += 1
                counts.faults += 1
                source.events()
                _note_memory(counts, counts.faults, len(orders))
                advance()
        finally:
            source.stop()
            os.dup2(said, 2)
            os.close(said)
            os.close(silent)
        counts.lost += reader.overruns
    counts.end_mb = memory_mb()
    return counts


def _note_memory(counts: Counts, done: int, total: int) -> None:
    if not counts.begin_mb and done >= total // 10:
        counts.begin_mb = memory_mb()


def memory_mb() -> float:
    """Return the memory of this process that is its own."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6


def children() -> list[int]:
    """Return the processes that this one started and that still run, but for Python's tracker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name_end = path.read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_text(encoding="utf-8")
        except OSError:
            continue
        state, parent = name_end[0], int(name_end[1])
        if parent == os.getpid() and state != "Z" and "resource_tracker" not in command:
            found.append(int(path.parent.name))
    return found


def shared_memory() -> list[str]:
    """Return the blocks of shared memory that this process has left."""
    return [path.name for path in Path("/dev/shm").glob(f"sonotempo-{os.getpid()}-*")]


if __name__ == "__main__":
    main()
