"""The parts of the check that need no nnU-Net."""

import json
import shutil

import pytest

from fakes.scripts import load_script

load_script("_environment")
script = load_script("check_nnunet")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("nnunet")
    script.export_cohort(root / "cohort", root / "raw" / script.NAME, size=64)
    return root / "raw" / script.NAME


def test_a_simulated_cohort_is_exported_in_folds_without_a_fault(dataset):
    assert script.split_faults(dataset) == ""
    assert len(list((dataset / "labelsTr").iterdir())) == 16


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda split: split["val"].pop(), "15 cases are predicted, expected 16"),
        (lambda split: split["train"].append(split["val"][0]), "fold 0 has subject-"),
    ],
)
def test_folds_that_leak_or_forget_are_named(dataset, tmp_path, change, fault):
    shutil.copytree(dataset, tmp_path / "copy")
    path = tmp_path / "copy" / "splits_final.json"
    splits = json.loads(path.read_text(encoding="utf-8"))
    change(splits[0])
    path.write_text(json.dumps(splits))
    assert script.split_faults(tmp_path / "copy").startswith(fault)


def test_a_command_of_nnu_net_that_fails_fails_the_check(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "install", lambda *_: None)
    monkeypatch.setattr(
        script, "export_cohort", lambda cohort, dataset: script.Path(dataset).mkdir(parents=True)
    )
    monkeypatch.setattr(script, "split_faults", lambda dataset: "")
    for command, status in ((["true"], 0), (["false"], 1)):
        monkeypatch.setattr(script, "checks", lambda _, c=command: [("integrity", c)])
        assert script.report(tmp_path / command[0], "2") == status
    assert "nnU-Net 2: failed: integrity" in capsys.readouterr().out


def test_torch_is_pinned():
    assert script.torch_pin().startswith("torch==")
