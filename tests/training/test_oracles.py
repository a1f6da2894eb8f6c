import csv

import numpy as np
import pytest

from fakes.experiments import FinishedRun, tiny_experiment
from sonotempo.config import EvaluateConfig, ModelConfig, TrainConfig
from sonotempo.data.cache import cache_recordings
from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.io import open_dataset
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import phantom_settings
from sonotempo.structures import structure_set
from sonotempo.training.oracles import best_constant_guess, oracle_mask, read_visible

SMALL = {"procedure": "lookalikes", "size": 64, "depth_cm": 3, "event_rate": 0, "seed": 3}


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracles")
    write_cohort(folder / "clips" / "data", phantom_settings(**SMALL, subjects=8, seconds=1.2))
    write_cohort(
        folder / "shuffled" / "data",
        phantom_settings(**SMALL, subjects=6, seconds=0.3, shuffle=True),
    )
    return folder


def finished(root):
    return FinishedRun.of(
        root,
        arms=("frame", "frame_flow", "oracle_frame", "oracle_memory"),
        data=tiny_experiment().data.model_copy(
            update={"root": root, "structures": "lookalikes", "cache": root.with_name("cache")}
        ),
        model=ModelConfig(channels=(4, 8)),
        train=TrainConfig(epochs=1, batch_size=8, accelerator="cpu"),
        evaluate=EvaluateConfig(bootstrap_draws=200, ignored_radius_px=1),
    )


@pytest.fixture(scope="module")
def run(cohorts):
    return finished(cohorts / "clips" / "data")


def nerve_f1(comparison, arm):
    return comparison.cell("nerve", arm, "f1").pooled


def test_the_oracle_with_memory_finds_what_only_earlier_frames_show(run):
    comparison = compare([run.folder])
    assert nerve_f1(comparison, "oracle_memory") == 1
    assert nerve_f1(comparison, "oracle_frame") < 0.95
    assert comparison.cell("blood", "oracle_frame", "dice").mean == 1
    pair = next(one for one in comparison.pairs if one.kind == "available gain")
    assert (pair.arm, pair.baseline) == ("oracle_memory", "oracle_frame")
    assert all("oracle" not in one.arm for one in comparison.pairs if one is not pair)


def test_the_available_gain_is_shared_out_where_there_is_one(run):
    shares = compare([run.folder]).gain_shares
    nerve = next(one for one in shares if (one.structure, one.metric) == ("nerve", "f1"))
    assert nerve.arm == "frame_flow"
    assert nerve.available > 0
    assert nerve.ci_low <= nerve.share <= nerve.ci_high
    blood = next(one for one in shares if (one.structure, one.metric) == ("blood", "f1"))
    assert blood.share is None
    assert "nothing to win" in blood.reason


def test_where_every_frame_is_of_another_subject_memory_is_worth_nothing(cohorts):
    comparison = compare([finished(cohorts / "shuffled" / "data").folder])
    pair = next(one for one in comparison.pairs if one.kind == "available gain")
    assert {one.estimate for one in pair.differences if one.primary} == {0.0}
    assert all("nothing to win" in one.reason for one in comparison.gain_shares)


def test_the_guess_is_where_the_structure_mostly_is(cohorts):
    data = open_dataset(cohorts / "clips" / "data", structure_set("lookalikes"))
    cached = list(cache_recordings(data.recordings[:1], cohorts / "cache3", 32, None))
    guess = best_constant_guess(cached, 2)
    mean = (np.asarray(cached[0].masks_MSS()) == 1).mean(0)
    assert guess[np.unravel_index(mean.argmax(), mean.shape)] == 1
    assert guess[0, 0] == 0
    with pytest.raises(ValueError, match="at least one"):
        best_constant_guess([], 2)


def test_known_structures_lie_over_guesses():
    reference = np.array([[0, 1, 2, 2]], np.uint8)
    guess = np.array([[1, 1, 1, 0]], np.uint8)
    assert oracle_mask(reference, guess, {2}, 2).tolist() == [[1, 1, 2, 2]]
    assert oracle_mask(reference, guess, {1, 2}, 2).tolist() == [[0, 1, 2, 2]]
    assert oracle_mask(reference, guess, (), 2).tolist() == [[1, 1, 1, 0]]


def test_real_data_have_no_oracle(cohorts, tmp_path):
    data = open_dataset(cohorts / "clips" / "data", structure_set("lookalikes"))
    cached = next(iter(cache_recordings(data.recordings[:1], tmp_path / "cache", 32, None)))
    truth = cached.source / "truth.csv"
    text = truth.read_text()
    rows = list(csv.reader(text.splitlines()))
    try:
        truth.unlink()
        with pytest.raises(ConfigError, match="need the truth of a simulation"):
            read_visible(cached, structure_set("lookalikes"))
        truth.write_text("\n".join(",".join(row[:5]) for row in rows))
        with pytest.raises(ConfigError, match="has no column 'visible: blood'"):
            read_visible(cached, structure_set("lookalikes"))
    finally:
        truth.write_text(text)
