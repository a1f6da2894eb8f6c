"""What the arms of one run say of how they were trained, and whether it is true."""

import hashlib

import pandas as pd
import pytest

from fakes.experiments import FinishedRun
from fakes.shapes import write_shapes
from sonotempo.arms import ARMS
from sonotempo.data.folds import load_folds
from sonotempo.evaluation.scoring.provenance import differing, read_facts
from sonotempo.training.weights import load_weights

# Oracles need a simulation; what is trained together is in test_joint.py.
NAMES = tuple(arm.name for arm in ARMS if not arm.is_oracle and not arm.trained_with)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A cross-validation of every arm there is."""
    root = tmp_path_factory.mktemp("arms") / "data"
    write_shapes(root, 4, 6, 32, seed=0)
    return FinishedRun.of(root, arms=NAMES)


def facts(run, arm, fold=0):
    return read_facts(run.folder / arm / f"fold-{fold:02d}" / "facts.json")


def test_every_arm_is_in_the_table(run):
    assert tuple(dict.fromkeys(cell.arm for cell in run.table.cells)) == NAMES
    assert set(pd.read_parquet(run.folder / "frames.parquet").arm) == set(NAMES)


@pytest.mark.parametrize("control", ["frame_continued", "frame_extra"])
def test_the_sequence_arm_differs_from_its_controls_in_what_was_added_alone(run, control):
    for fold in (0, 1):
        assert differing(facts(run, control, fold), facts(run, "sequence", fold)) == ("added",)


def test_the_sequence_arm_differs_from_the_frame_arm_in_more(run):
    assert {"added", "start_sha256", "faults", "clip_frames", "frozen"} <= set(
        differing(facts(run, "frame"), facts(run, "sequence"))
    )


@pytest.mark.parametrize(("arm", "of"), [("sequence_reset", "sequence"), ("frame_ema", "frame")])
def test_an_arm_without_training_differs_in_how_it_is_run_alone(run, arm, of):
    assert differing(facts(run, arm), facts(run, of)) == ("inference",)
    assert facts(run, arm).weights_sha256 == facts(run, of).weights_sha256
    assert not run.weights(arm).exists()


def test_the_control_has_as_many_parameters_as_the_sequence_arm(run):
    assert facts(run, "frame_extra").parameters == facts(run, "sequence").parameters
    assert facts(run, "frame_continued").parameters == facts(run, "frame").parameters


def test_facts_name_the_weights_the_start_and_the_subjects(run):
    folds = load_folds(run.folder / "folds.json")
    for fold in folds:
        mine = facts(run, "sequence", fold.number)
        frame = run.weights("frame", fold.number).read_bytes()
        assert mine.start_sha256 == hashlib.sha256(frame).hexdigest()
        weights = run.weights("sequence", fold.number)
        assert mine.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert set(mine.trained_subjects) == set(fold.train)
        assert mine.labelled_frames == 6 * len(fold.train)
        count = sum(weight.numel() for weight in load_weights(weights)[0].parameters())
        assert mine.parameters == count


def test_the_steps_are_those_that_were_taken(run):
    # Two epochs; per epoch, each subject's six frames are cut into clips of four frames, and each
    # clip is worked through in chunks of two.
    steps = {name: facts(run, name).optimiser_steps for name in NAMES}
    assert steps["sequence"] == steps["frame_extra"] == steps["frame_continued"] > 0
    frames = facts(run, "frame").labelled_frames
    assert steps["frame"] == 2 * -(-frames // 4)


def test_the_smoothing_is_named_with_its_weight(run):
    assert facts(run, "frame_ema").inference == "ema 0.4"
    assert facts(run, "sequence_reset").inference == "reset"
