import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from fakes.experiments import Told, tiny_experiment
from fakes.shapes import write_shapes
from sonotempo.evaluation.report.page.viewer import ClipLimits
from sonotempo.evaluation.scoring.mask_files import read_masks
from sonotempo.study import clips as module
from sonotempo.study.clips import report_clips
from sonotempo.study.crossval import crossvalidate


@pytest.fixture
def clips(finished_run):
    with Told() as progress:
        return report_clips([finished_run.folder], progress)


@pytest.fixture
def copy(finished_run, tmp_path):
    """A copy of the run, to be spoilt."""
    return shutil.copytree(finished_run.folder, tmp_path / "run")


def test_every_recording_is_there_with_what_was_scored(finished_run, clips):
    frames = pd.read_parquet(finished_run.folder / "frames.parquet")
    shown = list(clips.shown)
    assert clips.of == len(shown) == frames["recording"].nunique()
    for clip in shown:
        assert set(clip.arms) == set(finished_run.experiment.arms)
        assert clip.of_frames == len(clip.frames_TSS)
        for arm, drawn in clip.arms.items():
            of_arm = frames[(frames["recording"] == clip.name) & (frames["arm"] == arm)]
            assert np.nansum(drawn.dice_TK) == pytest.approx(of_arm["dice"].sum())
            for row in of_arm.itertuples():
                t = clip.frame_numbers.tolist().index(row.frame)
                label = clips.structures.label(row.structure)
                assert (clip.reference_TSS[t] == label).sum() == row.reference_px
                assert (drawn.masks_TSS[t] == label).sum() == row.predicted_px


def test_masks_are_those_of_the_fold_that_tested_the_subject(finished_run, clips):
    frames = pd.read_parquet(finished_run.folder / "frames.parquet")
    clip = next(iter(clips.shown))
    [fold] = frames.loc[frames["recording"] == clip.name, "fold"].unique()
    saved = read_masks(finished_run.folder / "sequence" / f"fold-{fold:02d}", clip.name)
    np.testing.assert_array_equal(clip.arms["sequence"].masks_TSS, saved.masks_TSS)


def test_the_worst_recording_is_read_first(finished_run, clips):
    frames = pd.read_parquet(finished_run.folder / "frames.parquet")
    mean = frames.groupby("recording")["dice"].mean()
    assert next(iter(clips.shown)).name == mean.idxmin()


def test_long_recordings_are_cut_around_their_worst_frame(finished_run):
    with Told() as progress:
        clips = report_clips([finished_run.folder], progress, ClipLimits(frames=2))
    whole = {clip.name: clip for clip in report_clips([finished_run.folder], Told()).shown}
    for clip in clips.shown:
        assert (len(clip.frames_TSS), clip.of_frames) == (2, len(whole[clip.name].frames_TSS))
        dice_T = pd.concat(
            pd.DataFrame(drawn.dice_TK, whole[clip.name].frame_numbers)
            for drawn in whole[clip.name].arms.values()
        )
        worst = dice_T.stack().groupby(level=0).mean().idxmin()
        assert worst in clip.frame_numbers
        assert (
            clip.timestamps_ns[0]
            == (
                whole[clip.name].timestamps_ns[
                    whole[clip.name].frame_numbers.tolist().index(clip.frame_numbers[0])
                ]
            )
        )


def test_no_more_recordings_are_chosen_than_fit(finished_run):
    clips = report_clips([finished_run.folder], Told(), ClipLimits(clips=2))
    assert len(list(clips.shown)) == 2
    assert clips.of > 2


def test_data_that_are_gone_are_a_sentence(copy):
    settings = yaml.safe_load((copy / "config.yaml").read_text(encoding="utf-8"))
    settings["data"]["root"] = str(copy / "moved")
    (copy / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    said = report_clips([copy], Told())
    assert said.startswith("the recordings cannot be opened (")
    assert "moved" in said


def test_masks_that_were_never_kept_are_a_sentence(copy):
    shutil.rmtree(copy / "sequence" / "fold-00" / "masks")
    said = report_clips([copy], Told())
    assert "the masks of sequence on" in said
    assert "run `sonotempo crossval` again" in said


def test_a_recording_that_left_the_data_is_a_sentence(copy, monkeypatch):
    def without_the_worst(experiment, progress):
        cohort = opened(experiment, progress)
        return replace(cohort, recordings=cohort.recordings[:1])

    opened = module.open_cohort
    monkeypatch.setattr(module, "open_cohort", without_the_worst)
    said = report_clips([copy], Told())
    assert "scored recordings are no longer in the data, such as" in said


def test_arms_without_a_run_are_a_sentence(copy, tmp_path):
    for arm in ("frame", "sequence"):
        shutil.copytree(copy / arm / "fold-00", tmp_path / arm)
        shutil.copy(copy / "scored.json", tmp_path / arm)
    said = report_clips([tmp_path / "frame", tmp_path / "sequence"], Told())
    assert "none of the folders is a run" in said


def test_several_seeds_are_shown_by_the_first_and_said(finished_run, copy):
    settings = yaml.safe_load((copy / "config.yaml").read_text(encoding="utf-8"))
    settings["seed"] += 1
    (copy / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    clips = report_clips([copy, finished_run.folder], Told())
    assert clips.note == (
        "Of arms with several seeds, masks and Dice are those of seed "
        f"{finished_run.experiment.seed}."
    )


def test_a_still_is_shown_as_the_clip_that_ends_in_it(tmp_path):
    write_shapes(tmp_path / "data", 8, 1, 32, seed=1)
    with Told() as progress:
        crossvalidate(
            tiny_experiment(tmp_path / "data", tmp_path / "cache"), tmp_path / "run", progress
        )
        clips = report_clips([tmp_path / "run"], progress)
        clip = next(iter(clips.shown))
    assert len(clip.frames_TSS) == 16
    assert np.flatnonzero(clip.labelled_T).tolist() == [15]
    assert all(drawn.predicted_T[15] for drawn in clip.arms.values())
    assert np.isfinite(clip.arms["frame"].dice_TK[15]).any()
