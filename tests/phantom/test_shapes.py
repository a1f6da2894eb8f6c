import hashlib

import numpy as np
import pytest

from sonotempo.io import open_dataset
from sonotempo.phantom.shapes import moving_shapes, write_shapes
from sonotempo.structures import NERVE_VESSEL


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    names = [str(path.relative_to(root)) for path in files]
    return names, [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_what_is_written_opens_as_a_data_set(tmp_path):
    told = []
    write_shapes(tmp_path, 3, 4, 48, seed=1, on_subject=lambda: told.append(1))
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert found.layout == "annotation_web"
    assert found.subjects_known
    assert found.subjects == ("subject-00", "subject-01", "subject-02")
    assert found.consecutive_share == 1
    assert found.skipped == ()
    assert len(told) == 3
    for recording in found.recordings:
        assert recording.labelled == (0, 1, 2, 3)
        assert recording[0].image_HW.shape == (48, 48)
        assert recording.spacing_mm == (0.3, 0.3)
        assert np.diff(recording.timestamps_ns).tolist() == [50_000_000] * 3


def test_the_same_seed_writes_the_same_files_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_shapes(tmp_path / name, 1, 2, 32, seed=seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a")[1] != digest(tmp_path / "c")[1]


@pytest.mark.parametrize("seed", range(5))
def test_both_shapes_are_in_every_frame_and_move_smoothly(seed):
    images, masks = moving_shapes(20, 64, np.random.default_rng(seed))
    assert images.dtype == masks.dtype == np.uint8
    assert images.shape == masks.shape == (20, 64, 64)
    for label in (1, 2):
        areas = (masks == label).sum((1, 2))
        assert (areas > 20).all()
        moved = (np.diff((masks == label).astype(int), axis=0) != 0).sum((1, 2))
        assert (moved < areas[:-1]).all()
        assert moved.any()


def test_a_vessel_is_darker_than_what_surrounds_it():
    images, masks = moving_shapes(8, 64, np.random.default_rng(0))
    assert images[masks == 2].mean() < 0.5 * images[masks == 0].mean()


def test_subjects_differ(tmp_path):
    write_shapes(tmp_path, 2, 1, 32, seed=0)
    first, second = open_dataset(tmp_path, NERVE_VESSEL).recordings
    assert not np.array_equal(first[0].image_HW, second[0].image_HW)
