"""A data set for nnU-Net with folds of any origin."""

import json

import pytest

from fakes.exchange import export_to
from fakes.recordings import make_recording
from sonotempo.data.folds import Fold
from sonotempo.errors import ConfigError
from sonotempo.exchange.nnunet import check_name
from sonotempo.exchange.outgoing import outgoing
from sonotempo.exchange.targets import Export, export, target_named
from sonotempo.structures import NERVE_VESSEL


def four(tmp_path):
    """Four subjects of two frames, one of them labelled."""
    return [
        make_recording(tmp_path / "raw", 2, labelled=[1], subject=name, name=f"{name}/arm")
        for name in ("anna", "ben", "cleo", "dora")
    ]


def with_folds(tmp_path, *folds):
    out = tmp_path / "Dataset001_x"
    what = Export(out, outgoing(four(tmp_path)), NERVE_VESSEL, folds=folds)
    export(target_named("nnunet", folds=True), what)
    return json.loads((out / "splits_final.json").read_text(encoding="utf-8"))


def test_folds_are_by_subject_and_validation_is_in_neither(tmp_path):
    folds = (
        Fold(0, ("anna", "ben"), ("cleo",), ("dora",)),
        Fold(1, ("dora",), ("cleo",), ("anna", "ben")),
    )
    assert with_folds(tmp_path, *folds) == [
        {"train": ["anna-arm_00001", "ben-arm_00001"], "val": ["dora-arm_00001"]},
        {"train": ["dora-arm_00001"], "val": ["anna-arm_00001", "ben-arm_00001"]},
    ]


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        (Fold(3, ("anna",), ("ben",), ("cleo",)), "1 subjects of the data are not in fold 3, dora"),
        (
            Fold(0, ("anna", "eve"), ("ben", "cleo"), ("dora",)),
            "1 subjects of fold 0 have no labelled frame in the data, eve",
        ),
    ],
)
def test_folds_of_other_subjects_are_refused(tmp_path, fold, message):
    with pytest.raises(ConfigError, match=message):
        with_folds(tmp_path, fold)
    assert not (tmp_path / "Dataset001_x").exists()


def test_without_folds_there_are_no_splits(tmp_path):
    export_to("nnunet", tmp_path / "Dataset001_x", four(tmp_path))
    assert not (tmp_path / "Dataset001_x" / "splits_final.json").exists()
    facts = json.loads((tmp_path / "Dataset001_x" / "dataset.json").read_text(encoding="utf-8"))
    assert facts["numTraining"] == 4


def test_names_that_differ_in_punctuation_alone_are_two_cases(tmp_path):
    made = [
        make_recording(tmp_path / "raw", 1, subject="anna", name=name) for name in ("a/b", "a-b")
    ]
    export_to("nnunet", tmp_path / "Dataset001_x", made)
    assert len(list((tmp_path / "Dataset001_x" / "labelsTr").iterdir())) == 2


@pytest.mark.parametrize("name", ["Dataset1_x", "dataset001_x", "Dataset001", "nerves"])
def test_names_that_nnu_net_does_not_find_are_refused(name):
    with pytest.raises(ConfigError, match=f"does not find a data set called '{name}'"):
        check_name(name)
