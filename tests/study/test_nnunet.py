"""A run's data and folds for nnU-Net, and its predictions back."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fakes.experiments import FinishedRun, Told
from fakes.shapes import write_shapes
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.exchange.outgoing import outgoing
from sonotempo.exchange.targets import Export, export, target_named
from sonotempo.study.nnunet import import_nnunet, run_recordings
from sonotempo.study.other_tools import evaluate_masks
from sonotempo.training.cohort import open_experiment_data


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("nnunet") / "data"
    write_shapes(root, 4, 4, 32, seed=0)
    return FinishedRun.of(root, arms=("frame",))


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "Dataset007_tiny"
    with Told() as progress:
        recordings, folds = run_recordings(run.folder, run.experiment.data.root, progress)
    what = Export(folder, outgoing(recordings), run.experiment.structures, folds=folds)
    export(target_named("nnunet", folds=True), what)
    return folder


def cases(exported):
    return json.loads((exported / "sonotempo.json").read_text("utf-8"))


def test_every_labelled_frame_is_a_case_with_its_own_pixels(run, exported):
    recordings = {one.name: one for one in open_experiment_data(run.experiment).recordings}
    assert len(cases(exported)) == sum(len(r.labelled) for r in recordings.values())
    for case, (name, number) in cases(exported).items():
        recording = recordings[name]
        index = list(recording.frame_numbers).index(number)
        image = np.array(Image.open(exported / "imagesTr" / f"{case}_0000.png"))
        mask = np.array(Image.open(exported / "labelsTr" / f"{case}.png"))
        np.testing.assert_array_equal(image, recording[index].image_HW)
        np.testing.assert_array_equal(mask, recording.mask(index))


def test_the_description_is_nnu_net_s(run, exported):
    facts = json.loads((exported / "dataset.json").read_text("utf-8"))
    names = run.experiment.structures.names
    assert facts["labels"] == {"background": 0, **{name: k for k, name in enumerate(names, 1)}}
    assert facts["numTraining"] == len(cases(exported))
    assert (facts["channel_names"], facts["file_ending"]) == ({"0": "B-mode"}, ".png")


def test_the_folds_are_ours_and_subjects_never_leak(run, exported):
    splits = json.loads((exported / "splits_final.json").read_text("utf-8"))
    folds = json.loads((run.folder / "folds.json").read_text("utf-8"))
    known = cases(exported)
    for split, fold in zip(splits, folds, strict=True):
        subjects = {side: {known[case][0].split("/")[0] for case in split[side]} for side in split}
        assert subjects["train"] == set(fold["train"])
        assert subjects["val"] == set(fold["test"])
        assert not subjects["train"] & subjects["val"]
    validated = [case for split in splits for case in split["val"]]
    assert sorted(validated) == sorted(known), "every case is predicted once"


def test_predictions_come_back_as_an_arm(run, exported, tmp_path):
    """The references themselves, as if nnU-Net had made no mistake."""
    splits = json.loads((exported / "splits_final.json").read_text("utf-8"))
    folders = []
    for number, split in enumerate(splits):
        folder = tmp_path / f"fold_{number}" / "validation"
        folder.mkdir(parents=True)
        for case in split["val"]:
            shutil.copy(exported / "labelsTr" / f"{case}.png", folder)
        folders.append(folder)
    assert import_nnunet(folders, exported, tmp_path / "masks") == len(cases(exported))
    with Told() as progress:
        scored = evaluate_masks(
            tmp_path / "masks",
            run.experiment.data.root,
            run.folder,
            tmp_path / "cache",
            progress,
            arm="nnunet",
        )
    frames = scored.evaluation.frames
    assert frames.loc[frames["reference_px"] > 0, "dice"].min() == 1.0


def test_bad_input_is_a_sentence(run, exported, tmp_path):
    some = tmp_path / "some"
    some.mkdir()
    with pytest.raises(RecordingError, match="have no prediction, such as"):
        import_nnunet([some], exported, tmp_path / "out")
    for path in (exported / "labelsTr").glob("*.png"):
        shutil.copy(path, some)
    (some / "stranger.png").write_bytes(b"")
    with pytest.raises(RecordingError, match="1 are no cases of the data set, such as stranger"):
        import_nnunet([some], exported, tmp_path / "out")
    (some / "stranger.png").unlink()
    with pytest.raises(ConfigError, match="is not empty"):
        import_nnunet([some], exported, exported)
    with pytest.raises(ConfigError, match="does not say which frames"):
        import_nnunet([some], tmp_path, tmp_path / "out")
