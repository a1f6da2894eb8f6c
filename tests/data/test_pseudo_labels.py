"""Masks carried along the motion to unlabelled frames, and the training that uses them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fakes.experiments import Told, tiny_experiment
from fakes.recordings import make_recording
from sonotempo.data import pseudo_labels
from sonotempo.data.cache import cache_recording
from sonotempo.data.folds import Fold
from sonotempo.data.pseudo_labels import carried_masks, with_pseudo_labels
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, read_facts
from sonotempo.training.job import Job, run_job

SIZE = 64


def scene(shift):
    y, x = np.mgrid[:SIZE, :SIZE]
    texture = 110 + 45 * np.sin((x - shift) / 3.1) * np.sin(y / 4.3) + 30 * np.sin((x - shift) / 9)
    return texture.clip(0, 255).astype(np.uint8)


def disc(shift):
    y, x = np.mgrid[:SIZE, :SIZE]
    return ((y - 30) ** 2 + (x - 24 - shift) ** 2 < 80).astype(np.uint8)


def moving(tmp_path, count=12, labelled=(5,), change=lambda frames: frames, numbers=None):
    """A disc that moves 1 px a frame to the right, with the tissue, labelled in some frames."""
    recording = make_recording(
        tmp_path / "r",
        count,
        numbers=numbers,
        shape_HW=(SIZE, SIZE),
        masks={index: disc(index) for index in labelled},
    )
    frames = change(np.stack([scene(index) for index in range(count)]))
    recording = replace(recording, images=frames)
    return cache_recording(recording, tmp_path / "cache", SIZE, None)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_a_mask_follows_the_tissue_both_ways_as_far_as_it_may(tmp_path):
    found = carried_masks(moving(tmp_path), 4)
    assert sorted(found) == list(range(1, 10))
    for index, mask in found.items():
        assert dice(mask, disc(index)) > 0.9, index
    assert dice(found[1], disc(5)) < 0.8, "it really has moved"


def test_the_nearer_label_counts_and_own_masks_stay(tmp_path):
    recording = moving(tmp_path, labelled=(2, 9))
    found = carried_masks(recording, 11)
    assert sorted(found) == list(range(12))
    for row, index in enumerate((2, 9)):
        assert np.array_equal(found[index], recording.masks_MSS()[row])
    assert dice(found[3], disc(3)) > 0.95
    assert dice(found[8], disc(8)) > 0.95


def test_nothing_is_carried_across_a_cut_or_a_gap(tmp_path):
    def cut(frames):
        frames[8:] = np.random.default_rng(0).integers(255, size=frames[8:].shape, dtype=np.uint8)
        return frames

    assert max(carried_masks(moving(tmp_path / "cut", change=cut), 6)) <= 8
    numbers = [*range(8), *range(20, 24)]
    assert max(carried_masks(moving(tmp_path / "gap", numbers=numbers), 6)) == 7


def test_dark_frames_have_no_label_and_those_after_them_do(tmp_path):
    def dark(frames):
        frames[9] = 0
        return frames

    found = carried_masks(moving(tmp_path, change=dark), 6)
    assert 9 not in found
    assert dice(found[10], disc(10)) > 0.8


def test_they_are_kept_and_made_again_if_damaged(tmp_path, monkeypatch):
    recording = moving(tmp_path)
    more = with_pseudo_labels(recording, 3)
    assert more.labelled == tuple(range(2, 9))
    assert more.masks_MSS().shape == (7, SIZE, SIZE)
    assert recording.masks_MSS().shape == (1, SIZE, SIZE), "its own masks are as they were"
    monkeypatch.setattr(pseudo_labels, "carried_masks", lambda *_: pytest.fail("made again"))
    assert with_pseudo_labels(recording, 3) == more
    monkeypatch.undo()
    file = recording.folder / more.masks_file
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    assert np.array_equal(
        with_pseudo_labels(recording, 3).masks_MSS()[0], carried_masks(recording, 3)[2]
    )
    assert file.read_bytes() != bytes(damaged)
    assert with_pseudo_labels(recording, 2).labelled == tuple(range(3, 8))


def test_what_needs_none_is_returned_as_it_is(tmp_path):
    dense = moving(tmp_path / "dense", count=4, labelled=(0, 1, 2, 3))
    assert with_pseudo_labels(dense, 5) is dense
    still = moving(tmp_path / "still", count=1, labelled=(0,))
    assert with_pseudo_labels(still, 5) is still
    sparse = moving(tmp_path / "sparse")
    assert with_pseudo_labels(sparse, 0) is sparse


def test_both_arms_train_on_them_and_scores_are_of_real_labels_only(tmp_path):
    cohort = [
        replace(moving(tmp_path / name), subject=name, name=name, content=name)
        for name in ("s0", "s1", "s2")
    ]
    base = tiny_experiment()
    experiment = base.model_copy(
        update={
            "data": base.data.model_copy(update={"input_size": SIZE}),
            "train": base.train.model_copy(update={"pseudo_label_frames": 3}),
        }
    )
    told = Told()
    fold = Fold(0, ("s0",), ("s1",), ("s2",))
    for arm in experiment.arms:
        run_job(Job(arm, fold, tmp_path / "run"), experiment, cohort, told)
        folder = tmp_path / "run" / arm / "fold-00"
        facts = read_facts(folder / FACTS_FILE)
        assert (facts.labelled_frames, facts.pseudo_label_frames) == (7, 3)
        finished = json.loads((folder / "finished.json").read_text("utf-8"))
        assert finished["frames"] == len(experiment.structures.names), "one frame of one subject"
    assert "1 labelled frames and 6 pseudo-labels" in told.text
