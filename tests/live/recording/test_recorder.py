"""Recording a stream: what comes back is what was streamed, whatever ends it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fakes.disks import SmallDisk, files_of
from fakes.numbered_frames import pixels_of, shape_of, write_numbered
from sonotempo.errors import RecordingError, SourceError
from sonotempo.io import open_recording
from sonotempo.io.open import contents
from sonotempo.io.stream_recording import open_predictions
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.recording.recorder import Recorder
from sonotempo.live.sources.source import SourceEvent
from sonotempo.recording import Box, Frame, Prediction
from sonotempo.sector import Sector

SHAPE = (48, 64)


@pytest.fixture
def buffer():
    with RingBuffer(seconds=200, rate_hz=1, height_px=SHAPE[0], width_px=SHAPE[1]) as made:
        yield made


@pytest.fixture
def writer(buffer):
    with buffer.writer() as made:
        yield made


def write_plain(writer, number, *, host_ns=None, **geometry):
    """A frame of constant size."""
    image_HW = np.resize(pixels_of(number, SHAPE), SHAPE)
    host_ns = 10**12 + number * 33_333_333 if host_ns is None else host_ns
    probe_ns = 5_000_000_123 + number * 33_333_334
    writer.write(image_HW, probe_ns=probe_ns, host_ns=host_ns, **geometry)
    return image_HW


WEDGE = Sector(-10.5, 30.25, 11.0, 50.125, -0.5, 0.75)


def predicted(number, shape_HW, model="frame"):
    mask_HW = np.zeros(shape_HW, np.uint8)
    mask_HW[number % 10 :, 3:9] = 1 + number % 2
    frame = Frame(np.zeros(shape_HW, np.uint8), number, 7 * number, None)
    return Prediction(frame, mask_HW, None, number + 1, model)


def test_a_stream_comes_back_with_exact_pixels_times_and_spacing(tmp_path, buffer, writer):
    before = threading.active_count()
    recorder = Recorder(buffer.reader("now"), tmp_path / "out.mkv")
    images = []
    for number in range(40):
        spacing = (0.1, 0.1) if number < 25 else (0.15, 0.15)  # the depth was turned
        turned = {"area": Box(0, 2, 40, 60), "sector": WEDGE if number < 30 else None}
        images.append(write_plain(writer, number, spacing_mm=spacing, **turned))
    recorder.note(SourceEvent("depth", 77, "4 cm"))
    statistics = recorder.stop()
    assert (statistics.frames, statistics.lost, statistics.queued_bytes) == (40, 0, 0)
    assert recorder.stop() == statistics
    assert threading.active_count() == before
    recording = open_recording(tmp_path / "out.mkv")
    assert len(recording) == 40
    for index in [*range(40), 7, 31, 2]:
        frame = recording[index]
        np.testing.assert_array_equal(frame.image_HW, images[index])
        assert frame.spacing_mm == ((0.1, 0.1) if index < 25 else (0.15, 0.15))
        assert frame.area == Box(0, 2, 40, 60)
        assert frame.sector == (WEDGE if index < 30 else None)
    assert recording.spacing_mm is None
    assert recording.sector is None
    assert recording.area == Box(0, 2, 40, 60)
    assert recording.timestamps_ns.tolist() == [i * 33_333_334 for i in range(40)]
    assert recording.host_ns.tolist() == [10**12 + i * 33_333_333 for i in range(40)]
    assert recording.events == ((77, "depth", "4 cm"),)


def test_the_video_is_one_that_any_player_shows(tmp_path, buffer, writer):
    import av

    with Recorder(buffer.reader(), tmp_path / "out.mkv"):
        images = [write_plain(writer, number) for number in range(12)]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"
        assert container.duration == pytest.approx(12 * 33_333, abs=40_000)
        frames = list(container.decode(video=0))
    assert [frame.pts for frame in frames] == [i * 33_333_333 // 1_000_000 for i in range(12)]
    for frame, image_HW in zip(frames, images, strict=True):
        np.testing.assert_array_equal(frame.to_ndarray(), image_HW)


def test_a_change_of_size_starts_a_segment_and_all_segments_open_as_one(tmp_path, buffer, writer):
    with Recorder(buffer.reader(), tmp_path / "out.mkv"):
        for number in range(7):  # every frame has another size than the one before
            write_numbered(writer, number, SHAPE)
    assert files_of(tmp_path) == sorted(
        ["out.jsonl", "out.mkv", *(f"out.segment-{k}.mkv" for k in range(2, 8))]
    )
    recording = open_recording(tmp_path / "out.mkv")
    assert [frame.image_HW.shape for frame in recording] == [shape_of(n, SHAPE) for n in range(7)]
    for number in (6, 0, 3, 1, 2, 5, 4):
        frame = recording[number]
        np.testing.assert_array_equal(frame.image_HW, pixels_of(number, SHAPE))
        assert frame.spacing_mm == (None if number % 2 else (0.1 + number, 0.2 + number))
    assert contents(tmp_path).recordings == (tmp_path / "out.mkv",)
    assert contents(tmp_path).unknown == ()
    assert len(open_recording(tmp_path)) == 7
    (tmp_path / "out.segment-3.mkv").unlink()
    with pytest.raises(RecordingError, match=r"out\.segment-3\.mkv is missing.*copy all files"):
        open_recording(tmp_path / "out.mkv")


def test_a_folder_becomes_a_metaimage_sequence(tmp_path, buffer, writer):
    with Recorder(buffer.reader(), tmp_path / "anna" / "scan") as recorder:
        images = [write_plain(writer, number, spacing_mm=(0.2, 0.1)) for number in range(6)]
        recorder.add((predicted(2, SHAPE),))
    folder = tmp_path / "anna" / "scan"
    assert files_of(folder) == sorted(
        f"scan_{i}.{suffix}" for i in range(6) for suffix in ("mhd", "zraw")
    )
    recording = open_recording(folder)
    assert len(recording) == 6
    assert recording.spacing_mm == (0.2, 0.1)
    assert recording.labelled == ()  # predictions are no annotations
    np.testing.assert_allclose(np.diff(recording.timestamps_ns), 33_333_334, atol=1000)
    for frame, image_HW in zip(recording, images, strict=True):
        np.testing.assert_array_equal(frame.image_HW, image_HW)
    masks = open_recording(tmp_path / "anna" / "scan.masks-frame" / "scan_2.mhd")
    np.testing.assert_array_equal(masks[0].image_HW, predicted(2, SHAPE).mask_HW)
    lines = [json.loads(line) for line in (tmp_path / "anna/scan.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines if "frame" in line] == list(range(6))


def test_predictions_come_back_by_frame_number_and_model(tmp_path, buffer, writer):
    path = tmp_path / "out.mkv"
    with Recorder(buffer.reader(), path) as recorder:
        for number in range(9):
            recorder.add((predicted(number, shape_of(number, SHAPE), "sequence net"),))  # early
            write_numbered(writer, number, SHAPE)
            while recorder.statistics.frames <= number:
                time.sleep(0.001)
            if number % 2:
                recorder.add((predicted(number, shape_of(number, SHAPE), "frame"),))
    assert recorder.statistics.predictions == 9 + 4
    masks = open_predictions(path)
    assert {model: sorted(found) for model, found in masks.items()} == {
        "frame": [1, 3, 5, 7],
        "sequence net": list(range(9)),
    }
    for found in masks.values():
        for number, read in found.items():
            expected = predicted(number, shape_of(number, SHAPE)).mask_HW
            np.testing.assert_array_equal(read(), expected)
    assert open_recording(path).labelled == ()
    assert contents(tmp_path).recordings == (path,)


def test_a_recorder_starts_at_now_and_predictions_of_before_are_left_out(tmp_path, buffer, writer):
    for number in range(5):
        write_plain(writer, number)
    with Recorder(buffer.reader("now"), tmp_path / "out.mkv") as recorder:
        recorder.add((predicted(3, SHAPE),))
        for number in range(5, 9):
            write_plain(writer, number)
    recording = open_recording(tmp_path / "out.mkv")
    assert recording.frame_numbers.tolist() == [5, 6, 7, 8]
    assert recorder.statistics.predictions == 0


def test_probe_times_that_jump_back_give_way_to_the_hosts(tmp_path, buffer, writer):
    with Recorder(buffer.reader(), tmp_path / "out.mkv"):
        for number, probe_ns in enumerate((500, 600, 100, 200)):
            image_HW = np.zeros(SHAPE, np.uint8)
            writer.write(image_HW, probe_ns=probe_ns, host_ns=1000 * number + 9)
    recording = open_recording(tmp_path / "out.mkv")
    assert recording.timestamps_ns.tolist() == [0, 1000, 2000, 3000]  # ns, though mkv keeps ms
    assert recording.probe_ns.tolist() == [500, 600, 100, 200]


def test_a_slow_disk_costs_memory_first_and_then_frames_that_are_counted(tmp_path, monkeypatch):
    from sonotempo.live.recording.matroska import MatroskaFiles

    write = MatroskaFiles.write_frame

    def slowly(self, streamed):
        time.sleep(0.02)
        write(self, streamed)

    monkeypatch.setattr(MatroskaFiles, "write_frame", slowly)
    frame_mib = SHAPE[0] * SHAPE[1] / 2**20
    with (
        RingBuffer(seconds=4, rate_hz=1, height_px=SHAPE[0], width_px=SHAPE[1]) as small,
        small.writer() as writer,
    ):
        recorder = Recorder(small.reader(), tmp_path / "out.mkv", queue_mib=5 * frame_mib)
        for number in range(60):
            write_plain(writer, number)
            time.sleep(0.004)
        statistics = recorder.stop()
    assert statistics.lost > 0
    assert statistics.frames + statistics.lost == 60
    assert all("the disk is too slow" in event.detail for event in recorder.events())
    recording = open_recording(tmp_path / "out.mkv")
    assert len(recording) == statistics.frames
    assert len(recording.segments()) > 1  # gaps show
    for frame, number in zip(recording, recording.frame_numbers.tolist(), strict=True):
        np.testing.assert_array_equal(frame.image_HW, np.resize(pixels_of(number, SHAPE), SHAPE))


@pytest.mark.parametrize("name", ["out.mkv", "out"])
def test_a_full_disk_ends_the_recording_with_an_event_and_keeps_what_was_written(
    tmp_path, buffer, writer, monkeypatch, name
):
    disk = SmallDisk(60_000)
    path = tmp_path / name
    if name == "out":  # whole files are written there
        real = Path.write_bytes
        monkeypatch.setattr(
            Path, "write_bytes", lambda self, data: _write_on(disk, real, self, data)
        )
    else:
        monkeypatch.setattr(Path, "open", disk.in_place_of_open())
    recorder = Recorder(buffer.reader(), path)
    for number in range(60):
        write_plain(writer, number)
    while recorder.problem is None:
        time.sleep(0.005)
    write_plain(writer, 60)  # the stream goes on
    statistics = recorder.stop()
    monkeypatch.undo()
    (event,) = recorder.events()
    assert event.kind == "error"
    assert f"ended after {statistics.frames} frames" in event.detail
    assert "No space left on device" in event.detail
    assert "make room" in event.detail
    recording = open_recording(path)
    assert 10 < statistics.frames < 60
    assert len(recording) == statistics.frames
    for number, frame in enumerate(recording):
        np.testing.assert_array_equal(frame.image_HW, np.resize(pixels_of(number, SHAPE), SHAPE))


def _write_on(disk, write, path, data):
    if len(data) > disk.room_bytes:
        import errno

        write(path, data[: disk.room_bytes])
        raise OSError(errno.ENOSPC, "No space left on device")
    disk.room_bytes -= len(data)
    return write(path, data)


STREAM = """
    import sys, time
    from fakes.numbered_frames import pixels_of
    from sonotempo.live.recording.recorder import Recorder
    from sonotempo.live.buffer.ring_buffer import RingBuffer
    import numpy as np
    path = sys.argv[1]
    with RingBuffer(seconds=3, rate_hz=40, height_px=120, width_px=160) as buffer:
        Recorder(buffer.reader(), path)
        with buffer.writer() as writer:
            began, number = time.monotonic(), 0
            while True:
                image = np.resize(pixels_of(number, (120, 160)), (120, 160))
                writer.write(image, probe_ns=number * 33_000_000, spacing_mm=(0.1, 0.1))
                print(number, time.monotonic_ns(), flush=True)
                number += 1
                time.sleep(max(0, began + number / 30 - time.monotonic()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
@pytest.mark.parametrize("name", ["out.mkv", "out"])
def test_a_killed_recorder_leaves_all_but_the_last_second(tmp_path, name):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STREAM), str(tmp_path / name)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    written = [process.stdout.readline() for _ in range(75)]
    os.kill(process.pid, signal.SIGKILL)
    killed_ns = time.monotonic_ns()
    written += process.communicate()[0].splitlines()
    times = dict(tuple(map(int, line.split())) for line in written if line.count(" ") == 1)
    due = [number for number, at_ns in times.items() if at_ns < killed_ns - 1_000_000_000]
    assert len(due) > 20
    recording = open_recording(tmp_path / name)
    assert len(recording) >= len(due)
    if name == "out.mkv":
        assert recording.frame_numbers.tolist() == list(range(len(recording)))
    assert recording.timestamps_ns[5] == 5 * 33_000_000
    assert recording.spacing_mm == (0.1, 0.1)
    order = np.random.default_rng(0).permutation(len(recording)).tolist()
    for number in [*range(len(recording)), *order]:
        expected = np.resize(pixels_of(number, (120, 160)), (120, 160))
        np.testing.assert_array_equal(recording[number].image_HW, expected)


def test_without_pyav_the_error_names_the_extra_and_the_other_way(tmp_path, buffer, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SourceError, match=r"sonotempo\[video\].*without \.mkv"):
        Recorder(buffer.reader(), tmp_path / "out.mkv")
    assert files_of(tmp_path) == []


def test_what_is_there_is_never_overwritten(tmp_path, buffer):
    (tmp_path / "out.mkv").write_bytes(b"precious")
    (tmp_path / "b.jsonl").write_bytes(b"precious")
    for name, sentence in [
        ("out.mkv", "exists already; record to another name"),
        ("b.mkv", "exists already; record to another name"),
        ("out.mp4", r"give a name ending in \.mkv"),
        ("out.mkv/in a file.mkv", "cannot be written"),
    ]:
        with pytest.raises(SourceError, match=sentence):
            Recorder(buffer.reader(), tmp_path / name)
    assert (tmp_path / "out.mkv").read_bytes() == b"precious"


def test_recording_nothing_leaves_lines_that_say_so(tmp_path, buffer):
    Recorder(buffer.reader(), tmp_path / "out.mkv").stop()
    assert files_of(tmp_path) == ["out.jsonl"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["out.mkv", "out"])
def test_a_closed_recording_survives_a_power_cut(tmp_path, buffer, writer, name, monkeypatch):
    """Every file is handed to the disk before the recorder says that it has stopped."""
    synced = set()
    real = os.fsync

    def fsync(descriptor):
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    recorder = Recorder(buffer.reader("now"), tmp_path / name)
    for number in range(3):
        write_plain(writer, number)
        recorder.add((predicted(number, SHAPE),))
    recorder.stop()
    written = {str(path) for path in tmp_path.rglob("*")}
    assert written - synced == set()
    assert str(tmp_path) in synced
