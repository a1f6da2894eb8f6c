"""Videos: every frame is reached in any order, and damage is named."""

import gc
import os
import random
import sys
import threading

import numpy as np
import pytest

from fakes.files import noise, step_of, steps, write_video
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.io.formats import Request
from sonotempo.io.video import open_video

COUNT = 40
KINDS = [
    ("a.mp4", "mpeg4", True),
    ("b.avi", "mjpeg", False),
    ("c.mkv", "mpeg4", True),
    ("d.mov", "mpeg4", False),
    ("e.avi", "mpeg4", True),
    ("f.mp4", "libx264", True),
    ("g.avi", "libx264", True),  # AVI stores no presentation times: these are counted
]


@pytest.mark.parametrize(("name", "codec", "reordered"), KINDS)
def test_frames_are_the_same_in_any_order(tmp_path, name, codec, reordered):
    path = write_video(tmp_path / name, steps(COUNT), codec, reordered=reordered)
    recording = open_video(Request(path))
    assert len(recording) == COUNT
    np.testing.assert_array_equal(
        recording.timestamps_ns, np.arange(COUNT, dtype=np.int64) * 50_000_000
    )
    in_order = [frame.image_HW for frame in recording]
    assert [step_of(image) for image in in_order] == list(range(COUNT))
    indices = list(range(COUNT))
    random.Random(0).shuffle(indices)
    for i in indices:
        np.testing.assert_array_equal(recording[i].image_HW, in_order[i])


def test_black_and_white_are_the_full_range(tmp_path):
    frames = np.zeros((12, 64, 64), np.uint8)
    frames[:, :, 32:] = 255
    image = open_video(Request(write_video(tmp_path / "a.mp4", frames)))[3].image_HW
    assert image[:, :24].max() < 4
    assert image[:, 40:].min() > 251


def test_threads_share_a_recording(tmp_path):
    recording = open_video(Request(write_video(tmp_path / "a.mp4", steps(COUNT))))
    seen = {}

    def read(indices):
        for i in indices:
            seen[i] = step_of(recording[i].image_HW)

    threads = [threading.Thread(target=read, args=(range(k, COUNT, 3),)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {i: i for i in range(COUNT)}


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files through /proc")
def test_no_file_stays_open(tmp_path):
    path = write_video(tmp_path / "a.mp4", steps(COUNT))

    def is_open():
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
        return str(path) in {os.readlink(link) for link in links if os.path.lexists(link)}  # noqa: PTH115

    recording = open_video(Request(path))
    assert not is_open()
    recording[3]
    assert is_open()
    recording[COUNT - 1]
    assert not is_open()
    recording[3]
    del recording
    gc.collect()
    assert not is_open()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_file_cut_short_is_refused_with_the_frame_reached(tmp_path, name):
    options = {"movflags": "faststart"} if name.endswith(".mp4") else None
    path = write_video(tmp_path / name, noise(COUNT, 64, 64), options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(RecordingError, match=rf"{name} is cut short: it ends after frame \d+ of"):
        open_video(Request(path))


def test_a_file_without_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise(COUNT, 64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RecordingError, match=r"a\.mp4 cannot be read as a video.*cut short"):
        open_video(Request(path))


def test_damage_half_way_is_named_and_the_rest_stays_readable(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise(COUNT, 64, 64))
    content = bytearray(path.read_bytes())
    start = content.find(b"mdat") + 4
    middle = start + (content.find(b"moov") - start) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    recording = open_video(Request(path))
    messages = {}
    for i in range(COUNT):
        try:
            recording[i]
        except RecordingError as error:
            messages[i] = str(error)
    assert messages
    for i, message in messages.items():
        assert f"frame {i} of {COUNT} in {path} cannot be decoded" in message
    assert 12 <= min(messages) <= max(messages) < 36  # no further than the key frames around it
    recording[0]
    recording[COUNT - 1]


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"this is no video")
    with pytest.raises(RecordingError, match=r"a\.mp4 cannot be read as a video"):
        open_video(Request(path))


def test_a_file_without_moving_images_is_refused(tmp_path):
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(RecordingError, match="holds no video"):
        open_video(Request(path))


@pytest.mark.parametrize(
    ("name", "frames", "period_ns"),
    [
        ("Reg_Image_18122_crop.mp4", 187, 52_347_594),
        ("Reg_Image_181206_crop.mp4", 495, 52_525_253),
        ("Reg_Image_181432_crop.mp4", 137, 52_240_876),
    ],
)
def test_real_clips_open(real_data, name, frames, period_ns):
    recording = open_video(Request(real_data / "linear-clips" / name))
    assert len(recording) == frames
    assert recording.timestamps_ns[1] == period_ns
    middle = recording[frames // 2].image_HW
    assert middle.shape == recording[0].image_HW.shape
    assert middle.std() > 10


def test_without_pyav_the_error_names_the_extra(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", steps(3), "mpeg4")
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "sonotempo.io.video")
    with pytest.raises(RecordingError, match=r"sonotempo\[video\]"):
        open_recording(path)
