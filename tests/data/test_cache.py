import errno
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from fakes.recordings import Generated, half_and_half, make_recording
from sonotempo.data import cache as cache_module
from sonotempo.data.cache import cache_recording, cache_recordings
from sonotempo.errors import RecordingError
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Box
from sonotempo.structures import FEMORAL


def key_of(recording, root, size=32, area=None):
    return cache_recording(recording, root, size, area).key


def test_frames_and_masks_on_disk_are_those_of_the_fit(tmp_path):
    recording = make_recording(tmp_path, 5, labelled=(1, 3), spacing_mm=(0.2, 0.1))
    cached = cache_recording(recording, tmp_path / "cache", 32, None)
    fit = fit_frame(recording[0], 32)
    assert len(cached) == 5
    assert cached.labelled == (1, 3)
    assert cached.spacings_mm == (fit.spacing_mm,) * 5
    assert cached.timestamps_ns == tuple(recording.timestamps_ns)
    assert (cached.subject, cached.name) == (recording.subject, recording.name)
    frames, masks = cached.frames_TSS(), cached.masks_MSS()
    for index in range(5):
        np.testing.assert_array_equal(frames[index], fit.image(recording[index].image_HW))
    for row, index in enumerate(cached.labelled):
        np.testing.assert_array_equal(masks[row], fit.mask(recording.mask(index)))


def test_a_recording_comes_from_the_cache_without_reading_a_frame(tmp_path):
    recording = make_recording(tmp_path, 3)
    first = cache_recording(recording, tmp_path / "cache", 32, None)
    again = make_recording(tmp_path, 3, subject="bob", name="bob/two")
    second = cache_recording(again, tmp_path / "cache", 32, None)
    assert again.images.reads == []
    assert second.folder == first.folder
    assert (second.subject, second.name) == ("bob", "bob/two")
    np.testing.assert_array_equal(second.frames_TSS(), first.frames_TSS())


def test_opening_the_cache_maps_pixels_and_reads_none(tmp_path):
    cached = cache_recording(make_recording(tmp_path, 3), tmp_path / "cache", 32, None)
    assert isinstance(cached.frames_TSS(), np.memmap)
    assert isinstance(cached.masks_MSS(), np.memmap)
    assert not cached.frames_TSS().flags.writeable


def test_the_same_content_elsewhere_has_the_same_key(tmp_path):
    here = key_of(make_recording(tmp_path / "here", 3), tmp_path / "a")
    there = key_of(make_recording(tmp_path / "there", 3, subject="bob"), tmp_path / "b")
    assert here == there


CHANGES = {
    "a changed file": lambda r, folder: make_recording(folder, 4, content=b"Pixels"),
    "another mask": lambda r, folder: make_recording(folder, 4, labelled=(1,)),
    "another spacing": lambda r, folder: replace(r, spacing_mm=(0.1, 0.1)),
    "another area": lambda r, folder: replace(r, area=Box(0, 0, 20, 20)),
    "other structures": lambda r, folder: replace(r, structures=FEMORAL),
    "a gap by renamed files": lambda r, folder: replace(r, frame_numbers=np.array([0, 1, 5, 6])),
    "other times": lambda r, folder: replace(r, timestamps_ns=r.timestamps_ns * 2),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_has_a_key_of_its_own(tmp_path, what):
    recording = make_recording(tmp_path, 4)
    before = key_of(recording, tmp_path / "cache")
    assert key_of(CHANGES[what](recording, tmp_path), tmp_path / "cache") != before


def test_another_fit_has_a_key_of_its_own(tmp_path):
    recording, root = make_recording(tmp_path, 2), tmp_path / "cache"
    keys = {key_of(recording, root, 32), key_of(recording, root, 64)}
    assert len(keys | {key_of(recording, root, 32, Box(0, 0, 9, 9))}) == 3


def test_a_recording_without_files_is_refused_as_its_key_would_not_be_its_own(tmp_path):
    recording = replace(make_recording(tmp_path, 2), files=())
    with pytest.raises(RecordingError, match="names no files"):
        key_of(recording, tmp_path / "cache")


def test_a_file_that_is_gone_makes_an_error_value(tmp_path):
    recording = make_recording(tmp_path, 2)
    recording.files[0].unlink()
    (found,) = cache_recordings([recording], tmp_path / "cache", 32, None)
    assert isinstance(found, RecordingError)
    assert str(recording.files[0]) in str(found)


def test_memory_does_not_grow_with_the_recording(tmp_path):
    def peak(frames):
        recording = make_recording(
            tmp_path / str(frames), frames, shape_HW=(200, 200), labelled=range(0, frames, 5)
        )
        tracemalloc.start()
        try:
            cache_recording(recording, tmp_path / "cache", 64, None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # work that is done once
    assert peak(100) < 1.2 * peak(10)


def test_a_cut_off_fit_leaves_nothing_that_passes_for_complete(tmp_path):
    broken = make_recording(tmp_path, 4, broken={2: RecordingError("torn")})
    (found,) = cache_recordings([broken], tmp_path / "cache", 32, None)
    assert str(found) == "torn"
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(cache_recording(make_recording(tmp_path, 4), tmp_path / "cache", 32, None)) == 4


def test_a_fit_that_is_killed_leaves_a_folder_that_is_not_used(tmp_path, monkeypatch):
    root = tmp_path / "cache"
    with monkeypatch.context() as patched:
        patched.setattr(cache_module.shutil, "rmtree", lambda *_, **__: None)
        broken = make_recording(tmp_path, 4, broken={2: RecordingError("killed")})
        list(cache_recordings([broken], root, 32, None))
    assert len(list(root.iterdir())) == 1
    recording = make_recording(tmp_path, 4)
    cached = cache_recording(recording, root, 32, None)
    assert sorted(recording.images.reads[:1]) == [0]
    assert cached.frames_TSS()[3].any()


def test_a_folder_that_was_copied_by_half_is_made_anew(tmp_path):
    recording = make_recording(tmp_path, 3)
    whole = cache_recording(recording, tmp_path / "cache", 32, None)
    frames = np.array(whole.frames_TSS())
    (whole.folder / "recording.json").unlink()
    (whole.folder / "masks.npy").unlink()
    again = cache_recording(recording, tmp_path / "cache", 32, None)
    np.testing.assert_array_equal(again.frames_TSS(), frames)
    assert len(again.masks_MSS()) == 3
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [again.key]


def test_a_mask_that_cannot_be_used_is_noted_and_the_others_stay_in_place(tmp_path):
    masks = {
        0: RecordingError("torn mask"),
        1: half_and_half((40, 48), 2),
        2: np.zeros((3, 3), np.uint8),
        3: half_and_half((40, 48), 1),
    }
    recording = make_recording(tmp_path, 4, masks=masks)
    cached = cache_recording(recording, tmp_path / "cache", 32, None)
    assert cached.labelled == (1, 3)
    assert cached.dropped_masks[0] == "torn mask"
    assert "3x3" in cached.dropped_masks[1]
    shown = cached.as_recording(recording.structures)
    assert shown.labelled == (1, 3)
    assert set(np.unique(shown.mask(1))) == {0, 2}
    assert set(np.unique(shown.mask(3))) == {0, 1}
    assert shown.mask(0) is None


def test_a_recording_of_which_no_mask_can_be_used_is_an_error_value_among_the_others(tmp_path):
    bad = make_recording(tmp_path / "bad", 1, masks={0: RecordingError("torn mask")}, content=b"b")
    good = make_recording(tmp_path / "good", 1)
    first, second, third = cache_recordings([good, bad, good], tmp_path / "cache", 32, None)
    assert isinstance(second, RecordingError)
    assert str(second) == "torn mask"
    assert first.key == third.key == key_of(good, tmp_path / "cache")


def test_a_recording_without_masks_can_be_fitted(tmp_path):
    recording = make_recording(tmp_path, 2, labelled=())
    cached = cache_recording(recording, tmp_path / "cache", 32, None)
    assert cached.labelled == ()
    assert cached.dropped_masks == ()


def test_what_cropping_costs_is_counted_in_pixels_of_the_original(tmp_path):
    tall = make_recording(tmp_path, 2, shape_HW=(96, 48))
    cached = cache_recording(tall, tmp_path / "cache", 32, None)
    assert cached.reference_px == (2 * 96 * 24, 0)
    assert cached.cropped_px == (2 * 48 * 24, 0)
    uncropped = make_recording(tmp_path, 2, shape_HW=(24, 48), content=b"flat")
    assert cache_recording(uncropped, tmp_path / "cache", 32, None).cropped_px == (0, 0)


@pytest.mark.parametrize("shape_HW", [(40, 48), (333, 800), (401, 777), (96, 48)])
def test_what_is_evaluated_passes_through_the_fit_unchanged_a_second_time(tmp_path, shape_HW):
    recording = make_recording(tmp_path, 1, shape_HW=shape_HW, spacing_mm=(0.11, 0.1))
    cached = cache_recording(recording, tmp_path / "cache", 64, None)
    shown = cached.as_recording(recording.structures)
    fit = fit_frame(shown[0], 64)
    np.testing.assert_array_equal(fit.image(shown[0].image_HW), cached.frames_TSS()[0])
    np.testing.assert_array_equal(fit.mask_back(shown.mask(0)), cached.masks_MSS()[0])
    assert shown.spacing_mm == pytest.approx(cached.spacings_mm[0], rel=0.02)


def test_every_frame_keeps_its_own_spacing_where_the_depth_was_changed(tmp_path):
    """NSD in millimetres of a frame is wrong with the spacing of another."""
    depths_mm = ((0.1, 0.1), (0.1, 0.1), (0.2, 0.2), None)
    recording = make_recording(tmp_path, 4, spacings_mm=depths_mm)
    cached = cache_recording(recording, tmp_path / "cache", 32, None)
    expected = [fit_frame(frame, 32).spacing_mm for frame in recording]
    assert list(cached.spacings_mm) == expected
    shown = cached.as_recording(recording.structures)
    assert shown.spacing_mm is None
    for frame, pair in zip(shown, expected, strict=True):
        assert frame.spacing_mm == (pair and (pair[1], pair[1]))
        assert shown.spacing_at(frame.index) == frame.spacing_mm


def test_another_spacing_of_one_frame_is_another_key(tmp_path):
    same = key_of(make_recording(tmp_path, 2, spacings_mm=((0.1, 0.1),) * 2), tmp_path / "cache")
    changed = make_recording(tmp_path, 2, spacings_mm=((0.1, 0.1), (0.2, 0.2)))
    assert key_of(changed, tmp_path / "cache") != same


def test_a_gap_in_the_frame_numbers_stays_one(tmp_path):
    recording = make_recording(tmp_path, 4, numbers=[3, 4, 8, 9])
    cached = cache_recording(recording, tmp_path / "cache", 32, None)
    assert cached.segments() == (range(2), range(2, 4))
    assert cached.as_recording(recording.structures).segments() == cached.segments()
    assert not cached.is_still


def test_a_cache_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "cache").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"cache cannot be created .*data\.cache"):
        cache_recording(make_recording(tmp_path / "r", 1), tmp_path / "cache", 32, None)


def test_frames_of_several_sizes_are_fitted_each_by_itself(tmp_path):
    class Growing(Generated):
        def __getitem__(self, index):
            return np.full((40 + 8 * index, 48), 100, np.uint8)

    recording = replace(make_recording(tmp_path, 2, labelled=()), images=Growing(2))
    frames = cache_recording(recording, tmp_path / "cache", 32, None).frames_TSS()
    assert [int((frame[:, 0] > 0).sum()) for frame in frames] == [27, 32]


def test_a_cache_can_be_moved(tmp_path):
    recording = make_recording(tmp_path, 2)
    cache_recording(recording, tmp_path / "cache", 32, None)
    shutil.move(tmp_path / "cache", tmp_path / "moved")
    again = make_recording(tmp_path, 2)
    moved = cache_recording(again, tmp_path / "moved", 32, None)
    assert again.images.reads == []
    assert moved.frames_TSS().shape == (2, 32, 32)


def test_a_full_disk_is_a_sentence_before_anything_is_written(tmp_path, monkeypatch):
    def full(descriptor, offset, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    recording = make_recording(tmp_path / "a", 4)
    with pytest.raises(
        RecordingError, match=r"no space for fitted frames .* MB are needed, .* free"
    ):
        cache_recording(recording, tmp_path / "cache", 32, None)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("name", ["frames.npy", "masks.npy", "recording.json"])
@pytest.mark.parametrize("damage", ["a flipped bit", "cut short", "empty"])
def test_what_is_damaged_in_the_cache_is_fitted_again(tmp_path, name, damage):
    recording = make_recording(tmp_path / "a", 4)
    cached = cache_recording(recording, tmp_path / "cache", 32, None)
    frames, masks = np.array(cached.frames_TSS()), np.array(cached.masks_MSS())
    content = bytearray((cached.folder / name).read_bytes())
    if damage == "a flipped bit":
        content[len(content) // 2] ^= 1
    kept = {"a flipped bit": len(content), "cut short": len(content) // 2, "empty": 0}[damage]
    (cached.folder / name).write_bytes(content[:kept])
    again = cache_recording(recording, tmp_path / "cache", 32, None)
    np.testing.assert_array_equal(again.frames_TSS(), frames)
    np.testing.assert_array_equal(again.masks_MSS(), masks)
    assert again.labelled == cached.labelled


def test_the_content_is_that_of_the_files_whatever_the_fit(tmp_path):
    recording, root = make_recording(tmp_path / "a", 4), tmp_path / "cache"
    content = {cache_recording(recording, root, size, None).content for size in (32, 64)}
    other = replace(recording, structures=FEMORAL)
    content.add(cache_recording(other, root, 32, Box(0, 0, 9, 9)).content)
    assert len(content) == 1
    changed = make_recording(tmp_path / "b", 4, content=b"Pixels")
    assert cache_recording(changed, root, 32, None).content not in content


KEY = "0123456789abcdef01234567"
CACHING = """
import sys, time
from fakes.recordings import make_recording
from sonotempo.data.cache import cache_recording
recording = make_recording(sys.argv[1], 3)
def slow(index):
    print("begun", flush=True)
    time.sleep(60)
recording.images.__class__.__getitem__ = lambda self, index: slow(index)
cache_recording(recording, __import__("pathlib").Path(sys.argv[1]) / "cache", 32, None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="asks about processes as POSIX does")
def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", CACHING, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "begun\n"
    (left,) = (tmp_path / "cache").iterdir()
    assert cache_module.remove_leftovers(tmp_path / "cache") == []  # it still runs
    process.kill()
    process.communicate()
    (cached,) = cache_recordings([make_recording(tmp_path, 3)], tmp_path / "cache", 32, None)
    assert not left.exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cached.key]


@pytest.mark.parametrize(
    ("name", "days_old", "is_removed"),
    [
        (f"{KEY}-ab12_z9x", 2, True),  # an earlier version's
        (f"{KEY}-ab12_z9x", 0, False),
        (f"{KEY}-00000000-17-ab12_z9x", 2, True),  # another computer's
        (f"{KEY}-00000000-17-ab12_z9x", 0, False),
        (KEY, 99, False),
        ("my-own-folder", 99, False),
        (f"{KEY}-notes", 99, False),
    ],
)
def test_only_leftovers_are_removed_from_a_cache(tmp_path, name, days_old, is_removed):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "frames.npy").write_bytes(b"x")
    then = time.time() - days_old * 86_400
    for path in (folder / "frames.npy", folder):
        os.utime(path, (then, then))
    assert cache_module.remove_leftovers(tmp_path) == ([folder] if is_removed else [])
    assert folder.exists() != is_removed
