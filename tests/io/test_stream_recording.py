"""Recorded streams whose files break off anywhere, or were damaged later."""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.io.formats import Request
from sonotempo.io.stream_files import is_later_part, is_stream
from sonotempo.io.stream_recording import open_predictions
from sonotempo.io.video import open_video
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.recording.recorder import Recorder
from sonotempo.recording import Frame, Prediction

COUNT = 12
SHAPE = (24, 32)


def image(number):
    return np.random.default_rng(number).integers(0, 256, SHAPE, np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A recording as it lies there while it is recorded, and when it is finished."""
    folder = tmp_path_factory.mktemp("recorded")
    with RingBuffer(COUNT, 1, *SHAPE) as buffer, buffer.writer() as writer:
        recorder = Recorder(buffer.reader(), folder / "finished" / "out.mkv")
        for number in range(COUNT):
            writer.write(image(number), probe_ns=number * 33_333_333, spacing_mm=(0.1, 0.2))
        while recorder.statistics.frames < COUNT:
            time.sleep(0.005)
        shutil.copytree(folder / "finished", folder / "broken off")
        recorder.stop()
    return folder


def check(recording):
    for number, frame in enumerate(recording):
        np.testing.assert_array_equal(frame.image_HW, image(number))
        assert frame.timestamp_ns == number * 33_333_333
        assert frame.spacing_mm == (0.1, 0.2)
    return len(recording)


def test_while_it_is_recorded_all_but_the_newest_frame_are_there(folders):
    assert check(open_recording(folders / "finished" / "out.mkv")) == COUNT
    assert check(open_recording(folders / "broken off" / "out.mkv")) == COUNT - 1


@given(video=st.floats(0, 1), lines=st.floats(0, 1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_files_that_break_off_anywhere_open_up_to_there(folders, video, lines):
    with tempfile.TemporaryDirectory() as folder:
        sizes = {}
        for name, share in (("out.mkv", video), ("out.jsonl", lines)):
            content = (folders / "broken off" / name).read_bytes()
            sizes[name] = int(share * len(content)) / len(content)
            (Path(folder) / name).write_bytes(content[: int(share * len(content))])
        path, problem, recording = Path(folder) / "out.mkv", "", None
        if not is_stream(path):
            return  # without its first line it is a plain video
        try:
            recording = open_recording(path)
        except RecordingError as error:
            problem = str(error)
        if recording is None:
            assert folder in problem
            assert min(sizes.values()) < 0.25  # not even the first frame is whole
        else:
            assert check(recording) >= int(COUNT * min(sizes.values())) - 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace('"frame":3', "frame 3"), r"line 6 of .* is damaged; copy it"),
        (lambda text: text.replace('stream":1', 'stream":9'), "format version 9; expected 1"),
        (lambda text: "\n".join(text.split("\n")[:2]) + "\n", "holds no complete frame"),
    ],
)
def test_damaged_lines_are_named_with_what_to_do(folders, tmp_path, change, sentence):
    for name in ("out.mkv", "out.jsonl"):
        shutil.copy(folders / "finished" / name, tmp_path)
    lines = tmp_path / "out.jsonl"
    lines.write_text(change(lines.read_text()))
    with pytest.raises(RecordingError, match=sentence):
        open_recording(tmp_path / "out.mkv")


def test_without_its_lines_it_is_a_plain_video(folders, tmp_path):
    shutil.copy(folders / "finished" / "out.mkv", tmp_path)
    recording = open_recording(tmp_path / "out.mkv")
    assert type(recording) is type(open_video(Request(tmp_path / "out.mkv")))
    assert len(recording) == COUNT
    assert recording.spacing_mm is None
    np.testing.assert_array_equal(recording[5].image_HW, image(5))


def test_only_parts_of_a_stream_are_taken_for_parts(folders, tmp_path):
    shutil.copytree(folders / "finished", tmp_path, dirs_exist_ok=True)
    for name, is_part in {
        "out.mkv": False,
        "out.segment-2.mkv": True,
        "out.masks-frame.mkv": True,
        "out.segment-12.masks-a-b.mkv": True,
        "other.segment-2.mkv": False,
        "out.segment-2.mp4": False,
        "out.two.mkv": False,
    }.items():
        assert is_later_part(tmp_path / name) == is_part, name


def varied(number, shape):
    return np.random.default_rng(number).integers(0, 256, shape, np.uint8)


@given(
    sections=st.lists(
        st.tuples(
            st.integers(1, 25),
            st.sampled_from([(24, 32), (32, 24), (40, 56), (17, 33)]),
            st.sampled_from([(0.1, 0.2), (0.3, 0.1), None]),
        ),
        min_size=1,
        max_size=5,
    ),
    period_ms=st.sampled_from([5, 33, 200]),
    begins_at_s=st.sampled_from([0, 7]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_frame_and_mask_is_read_back_whatever_changes(sections, period_ms, begins_at_s):
    plan = [(shape, spacing) for count, shape, spacing in sections for _ in range(count)]
    with (
        tempfile.TemporaryDirectory() as folder,
        RingBuffer(len(plan), 1, 40, 56) as buffer,
        buffer.writer() as writer,
    ):
        path = Path(folder) / "out.mkv"
        with Recorder(buffer.reader(), path) as recorder:
            for number, (shape, spacing) in enumerate(plan):
                picture = varied(number, shape)
                probe_ns = (begins_at_s * 1000 + number * period_ms) * 1_000_000
                writer.write(picture, probe_ns=probe_ns, spacing_mm=spacing)
                frame = Frame(picture, number, probe_ns, spacing)
                mask = varied(1000 + number, shape) % 3
                recorder.add((Prediction(frame, mask, None, 1, "a model"),))
            while recorder.statistics.frames < len(plan):
                time.sleep(0.002)
        recording = open_recording(path)
        masks = open_predictions(path)["a model"]
        assert recording.frame_numbers.tolist() == sorted(masks) == list(range(len(plan)))
        for index in np.random.default_rng(0).permutation(len(plan)).tolist():
            shape, spacing = plan[index]
            np.testing.assert_array_equal(recording[index].image_HW, varied(index, shape))
            np.testing.assert_array_equal(masks[index](), varied(1000 + index, shape) % 3)
            assert recording[index].spacing_mm == spacing
            assert recording.timestamps_ns[index] == index * period_ms * 1_000_000


def test_a_last_segment_that_is_damaged_is_not_left_out_silently(tmp_path):
    with (
        RingBuffer(20, 1, 40, 56) as buffer,
        buffer.writer() as writer,
        Recorder(buffer.reader(), tmp_path / "out.mkv") as recorder,
    ):
        for number in range(20):
            shape = (24, 32) if number < 10 else (40, 56)
            writer.write(varied(number, shape), probe_ns=number * 33_000_000)
        while recorder.statistics.frames < 20:
            time.sleep(0.002)
    last = tmp_path / "out.segment-2.mkv"
    last.write_bytes(bytes(last.stat().st_size))
    with pytest.raises(RecordingError, match=r"out\.segment-2\.mkv cannot be read as a video"):
        open_recording(tmp_path / "out.mkv")
