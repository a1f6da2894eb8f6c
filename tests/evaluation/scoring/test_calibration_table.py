"""Probabilities of labelled frames, counted by recording, kept on disk, and compared."""

from dataclasses import replace

import numpy as np
import pytest

from fakes.comparisons import write_run
from fakes.predictors import Recorder
from fakes.recordings import half_and_half, make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.report.documents import markdown
from sonotempo.evaluation.report.files import to_csv
from sonotempo.evaluation.scoring.calibration_table import CALIBRATION_COLUMNS, counts_of
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import joined, read_scores, write_scores

SHAPE = (64, 64)
SMALL = EvaluateConfig(bootstrap_draws=200)


class Sure(Recorder):
    """Predicts one structure in a part of the image, with one probability."""

    def __init__(self, probability, **more):
        super().__init__(**more)
        self.probability = probability

    def step(self, frame):
        (prediction,) = super().step(frame)
        confidence_HW = np.full(frame.image_HW.shape, self.probability, np.float32)
        return (replace(prediction, confidence_HW=confidence_HW),)


def scored(predictor, recordings):
    return evaluate(predictor, recordings, SMALL, arm="frame", fold=0)


def test_only_labelled_frames_are_counted_and_only_predicted_pixels(tmp_path):
    recording = make_recording(tmp_path, 4, labelled=(1, 3), shape_HW=SHAPE)
    answer = half_and_half(SHAPE)
    table = scored(Sure(0.8, answer=lambda frame: answer), [recording]).calibration
    assert tuple(table.columns) == CALIBRATION_COLUMNS
    reference = np.stack([recording.mask(i) for i in (1, 3)])
    for label, name in enumerate(recording.structures.names, start=1):
        rows = table[table["structure"] == name]
        assert rows["predicted"].sum() == 2 * (answer == label).sum()
        assert rows["right"].sum() == ((answer == label) & (reference == label)).sum()


def test_masks_without_probabilities_have_no_table(tmp_path):
    recording = make_recording(tmp_path, 2, labelled=(0, 1), shape_HW=SHAPE)
    assert scored(Recorder(), [recording]).calibration is None
    answer = half_and_half(SHAPE)
    assert scored(Recorder(answer=lambda frame: answer), [recording]).calibration is None


def test_the_table_comes_back_from_disk_and_joins(tmp_path):
    recording = make_recording(tmp_path, 2, labelled=(0, 1), shape_HW=SHAPE)
    answer = half_and_half(SHAPE)
    found = scored(Sure(0.8, answer=lambda frame: answer), [recording])
    without = scored(Recorder(), [recording])
    write_scores(tmp_path / "job", joined([found, without]))
    back = read_scores(tmp_path / "job").calibration
    assert back.equals(found.calibration)
    predicted, right = counts_of(back, ["nobody", recording.subject])
    assert predicted[0].sum() == 0
    assert predicted[1].sum() == back["predicted"].sum()
    assert right.sum() == back["right"].sum()


@pytest.fixture
def run(tmp_path):
    """A run whose frame arm says 90 % and is right in about half of its pixels."""
    folder = write_run(
        tmp_path / "run",
        arms=("frame", "sequence"),
        subjects=6,
        structures="nerve+vessel",
        evaluate=SMALL,
    )
    answer = half_and_half(SHAPE)
    for job in (folder / "frame").glob("fold-*"):
        scores = read_scores(job)
        recordings = [
            make_recording(tmp_path / name, 2, labelled=(0, 1), shape_HW=SHAPE, subject=name)
            for name in scores.frames["subject"].unique()
        ]
        counted = scored(Sure(0.9, answer=lambda frame: answer), recordings).calibration
        write_scores(job, replace(scores, calibration=counted))
    return folder


def test_the_comparison_says_how_far_probabilities_are_off(run):
    comparison = compare([run])
    assert {one.arm for one in comparison.calibration} == {"frame"}
    nerve, vessel = comparison.calibration
    assert (vessel.pixels, vessel.error) == (0, None), "it was never predicted"
    for one in (nerve,):
        assert one.confidence == pytest.approx(0.9, abs=0.01)
        assert one.error == pytest.approx(abs(one.confidence - one.right), abs=0.002)
        assert one.error_low <= one.error <= one.error_high
    assert "ECE" in markdown(comparison)
    assert "calibration,nerve,frame" in to_csv(comparison)
