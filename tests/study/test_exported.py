"""Exported models scored like the weights that they were made of."""

import pytest

from fakes.experiments import Told
from fakes.onnx_models import write_model
from fakes.shapes import write_shapes
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.scoring.files import read_scores
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, read_facts
from sonotempo.export.job import export_model
from sonotempo.structures import AXILLARY
from sonotempo.study.exported import evaluate_exported
from sonotempo.study.other_data import evaluate_weights


@pytest.fixture(scope="module")
def pair(finished_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "pair.onnx"
    with Told() as progress:
        export_model(finished_run.folder, path, progress, pair=True)
    return path


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Two subjects that no fold has seen."""
    root = tmp_path_factory.mktemp("others") / "data"
    write_shapes(root, 2, 3, 32, seed=77)
    return root


def test_a_file_has_the_scores_of_its_weights(finished_run, pair, others, tmp_path):
    with Told() as progress:
        found = evaluate_exported(
            pair,
            others,
            tmp_path / "cache",
            progress,
            like=finished_run.folder,
            out=tmp_path / "out",
        )
        for arm in ("frame", "sequence"):
            of_weights = evaluate_weights(
                finished_run.weights(arm), others, tmp_path / "cache", progress
            ).evaluation.frames
            mine = read_scores(tmp_path / "out" / f"{arm}-fp32").frames
            keys = ["recording", "frame", "structure"]
            both = mine.merge(of_weights, on=keys, suffixes=("", "_of_weights"))
            assert len(both) == len(mine) == len(of_weights)
            assert both["dice"].to_numpy() == pytest.approx(
                both["dice_of_weights"].to_numpy(), abs=0.02, nan_ok=True
            )
    assert set(found.evaluation.frames["arm"]) == {"frame-fp32", "sequence-fp32"}
    assert "in the live engine" in found.table.markdown()
    assert read_facts(tmp_path / "out" / "frame-fp32" / FACTS_FILE).external


def test_subjects_of_its_own_fold_are_left_out(finished_run, pair, shapes, tmp_path):
    with Told() as progress:
        found = evaluate_exported(
            pair, shapes, tmp_path / "cache", progress, like=finished_run.folder
        )
    fold = load_folds(finished_run.folder / "folds.json")[0]
    assert not set(found.evaluation.frames["subject"]) & set(fold.train)
    assert "recordings left out: this fold was trained on their subjects" in found.table.markdown()


def test_stress_is_scored_in_the_live_engine_too(finished_run, pair, tmp_path):
    long = tmp_path / "data"
    write_shapes(long, 2, 30, 32, seed=78)
    with Told() as progress:
        found = evaluate_exported(
            pair, long, tmp_path / "cache", progress, like=finished_run.folder, stress=True
        )
    assert set(found.evaluation.stress["arm"]) == {"frame-fp32", "sequence-fp32"}


def test_without_its_run_the_table_says_that_nothing_is_known(pair, others, tmp_path):
    with Told() as progress:
        found = evaluate_exported(pair, others, tmp_path / "cache", progress)
    assert "does not tell which recordings it was trained on" in found.table.markdown()


def test_another_run_is_refused(finished_run, others, tmp_path):
    path = tmp_path / "other.onnx"
    write_model(path, structures=AXILLARY)
    with Told() as progress, pytest.raises(ConfigError, match="give the run that it was exported"):
        evaluate_exported(path, others, tmp_path / "cache", progress, like=finished_run.folder)


def test_data_that_were_all_trained_on_are_refused(finished_run, pair, shapes, tmp_path):
    fold = load_folds(finished_run.folder / "folds.json")[0]
    only = tmp_path / "only"
    only.mkdir()
    for subject in fold.train:
        (only / subject).symlink_to(shapes / subject)
    with Told() as progress, pytest.raises(RecordingError, match="was used to train"):
        evaluate_exported(
            pair,
            only,
            tmp_path / "cache",
            progress,
            like=finished_run.folder,
            follow_links=True,
        )
