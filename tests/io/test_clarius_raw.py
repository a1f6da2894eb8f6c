"""Clarius raw envelope files: shape, spacing, laziness, and what is refused."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.files import noise, write_clarius
from sonotempo.errors import RecordingError
from sonotempo.io.clarius_raw import open_clarius_raw
from sonotempo.io.formats import Request
from sonotempo.recording import Box


def opened(path, **options):
    return open_clarius_raw(Request(path, **options))


@given(shape=st.tuples(st.integers(1, 4), st.integers(2, 9), st.integers(1, 20)))
@settings(max_examples=20, deadline=None)
def test_lines_become_columns(tmp_path_factory, shape):
    lines = noise(*shape)
    path = write_clarius(tmp_path_factory.mktemp("raw") / "a_env.raw", lines)
    recording = opened(path, pitch_mm=0.3)
    assert len(recording) == shape[0]
    for i in range(shape[0]):
        np.testing.assert_array_equal(recording[i].image_HW, lines[i].T)
    assert recording.timestamps_ns.tolist() == [i * 55_000_000 for i in range(shape[0])]
    assert recording.spacing_mm == pytest.approx((1540 / 30e3, 0.15))
    assert recording.files == (path, path.with_suffix(".yml"))


def test_spacing_needs_the_pitch(tmp_path):
    assert opened(write_clarius(tmp_path / "a.raw", noise(1, 4, 9))).spacing_mm is None


def test_spacing_that_contradicts_the_depth_is_unknown(tmp_path):
    path = write_clarius(tmp_path / "a.raw", noise(1, 4, 100), depth_mm=20)
    assert opened(path, pitch_mm=0.3).spacing_mm is None


def test_a_long_recording_opens_without_being_read(tmp_path):
    path = write_clarius(tmp_path / "a.raw", np.zeros((1, 300, 590), np.uint8))
    frames = 10_000
    with path.open("r+b") as file:
        file.seek(4)
        file.write(np.uint32(frames).tobytes())
        file.truncate(20 + frames * (8 + 300 * 590))  # sparse: it takes no room on the disk
        for i in range(frames):
            file.seek(20 + i * (8 + 300 * 590))
            file.write(np.uint64(i * 1000).tobytes())
    opened(path)  # imports and caches are not what is measured
    tracemalloc.start()
    start = time.perf_counter()
    recording = opened(path)
    seconds = time.perf_counter() - start
    recording[frames - 1]
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(recording) == frames
    assert seconds < 5
    assert peak_bytes < 4_000_000


def test_steered_lines_are_refused(tmp_path):
    path = write_clarius(tmp_path / "a.raw", noise(1, 4, 9), angle="-2.5 °")
    with pytest.raises(RecordingError, match=r"a\.raw holds steered lines"):
        opened(path)


@pytest.mark.parametrize(("kind", "name"), [(0, "iq"), (2, "rf"), (3, "plane-wave iq")])
def test_signals_that_are_no_image_are_refused(tmp_path, kind, name):
    path = write_clarius(tmp_path / "a.raw", noise(1, 4, 9).astype("<i2"), kind=kind)
    with pytest.raises(RecordingError, match=f"holds {name} data of 2 bytes.*export the envelope"):
        opened(path)


def test_a_file_cut_short_says_how_many_frames_it_holds(tmp_path):
    path = write_clarius(tmp_path / "a.raw", noise(5, 4, 9))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RecordingError, match="holds 3 of 5 frames"):
        opened(path)


@pytest.mark.parametrize("content", [b"", b"1234567", bytes(100), b"not a raw file of Clarius"])
def test_other_raw_files_are_refused(tmp_path, content):
    path = write_clarius(tmp_path / "a.raw", noise(1, 4, 9))
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"a\.raw is not a Clarius raw file"):
        opened(path)


def test_a_missing_description_is_named(tmp_path):
    path = write_clarius(tmp_path / "a.raw", noise(1, 4, 9))
    path.with_suffix(".yml").unlink()
    with pytest.raises(RecordingError, match=r"lacks its description a\.yml; copy it"):
        opened(path)


@pytest.mark.parametrize("text", ["a: [", "just a word", "\xff"])
def test_a_description_that_makes_no_sense_is_refused(tmp_path, text):
    path = write_clarius(tmp_path / "a.raw", noise(1, 4, 9))
    path.with_suffix(".yml").write_text(text, encoding="latin-1")
    with pytest.raises(RecordingError, match=r"a\.yml"):
        opened(path)


def test_a_real_carotid_opens(real_data):
    recording = opened(real_data / "clarius-raw" / "carotid_env.raw", pitch_mm=0.2)
    assert recording[0].image_HW.shape == (592, 304)
    assert recording.area == Box(0, 0, 585, 304)
    assert recording.spacing_mm == pytest.approx((0.0513, 0.1261), abs=1e-4)
    assert recording.area.bottom * recording.spacing_mm[0] == pytest.approx(30, abs=0.1)
