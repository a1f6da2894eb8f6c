"""`sonotempo data export` and `import`, as they are typed."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from fakes.files import noise, write_meta, write_png
from sonotempo import cli
from sonotempo.errors import SonotempoError
from sonotempo.io import open_dataset
from sonotempo.label_origin import Origin, read_origins, write_origins
from sonotempo.structures import NERVE_VESSEL


def call(*arguments):
    """Run a command in this process; return what it printed, or raise what ended it."""
    result = CliRunner().invoke(cli.app, ["data", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return " ".join(result.output.split())


@pytest.mark.parametrize("name", ["coco", "nifti", "cvat"])
def test_there_and_back(shapes, tmp_path, name):
    said = call("export", shapes, tmp_path / "out", "--to", name)
    assert "24 frames of 4 recordings of 4 subjects: " in said
    said = call("import", tmp_path / "out", tmp_path / "back", "--from", name)
    assert "24 frames, 24 of them labelled, of 4 recordings of 4 subjects: " in said
    assert "Label values from 1: nerve, vessel" in said
    back = open_dataset(tmp_path / "back", NERVE_VESSEL)
    made = open_dataset(shapes, NERVE_VESSEL)
    for one, other in zip(back.recordings, made.recordings, strict=True):
        assert (one.name, one.subject) == (other.name, other.subject)
        np.testing.assert_array_equal(one.mask(3), other.mask(3))


def test_the_folds_of_a_run(finished_run, shapes, tmp_path):
    run, folds = finished_run.folder, finished_run.folder / "folds.json"
    for name, options in (("run", ("--run", run)), ("folds", ("--folds", folds))):
        out = tmp_path / f"Dataset001_{name}"
        said = call("export", shapes, out, "--to", "nnunet", *options)
        assert "24 frames of 4 recordings of 4 subjects, in 2 folds: " in said
        assert "copy splits_final.json" in said
    by_run, by_folds = (
        json.loads((tmp_path / f"Dataset001_{name}" / "splits_final.json").read_text("utf-8"))
        for name in ("run", "folds")
    )
    assert by_run == by_folds
    # As if nnU-Net had made no mistake.
    masks = tmp_path / "Dataset001_run" / "labelsTr"
    call("import-nnunet", masks, "--dataset", masks.parent, "--out", tmp_path / "masks")
    assert len(list((tmp_path / "masks").rglob("*.png"))) == 24


def test_frames_without_masks(tmp_path):
    write_meta(tmp_path / "in" / "anna" / "arm.mha", noise(3, 8, 9))
    with pytest.raises(SonotempoError, match="none of the 3 frames of 1 recordings has a mask"):
        call("export", tmp_path / "in", tmp_path / "out", "--to", "cvat")
    said = call("export", tmp_path / "in", tmp_path / "out", "--to", "cvat", "--all-frames")
    assert "3 frames of 1 recordings of 1 subjects" in said


def test_masks_that_nobody_accepted_go_out_only_where_that_is_kept(shapes, tmp_path):
    shutil.copytree(shapes, tmp_path / "in")
    origins = {1: Origin("model", "m"), 2: Origin("propagated"), 3: Origin("model", "m", True)}
    write_origins(tmp_path / "in" / "subject-00" / "sequence-0", origins)
    said = call("export", tmp_path / "in", tmp_path / "coco", "--to", "coco")
    assert "2 masks of other origins than human, accepted are left out" in said
    assert "22 frames" in said
    said = call("export", tmp_path / "in", tmp_path / "m", "--to", "coco", "--use", "model, human")
    assert "22 frames" in said
    assert "24 frames" in call("export", tmp_path / "in", tmp_path / "aw", "--to", "annotation-web")
    assert read_origins(tmp_path / "aw" / "subject-00" / "sequence-0") == origins
    with pytest.raises(SonotempoError, match="unknown --use 'modell'; did you mean 'model'"):
        call("export", tmp_path / "in", tmp_path / "x", "--to", "coco", "--use", "modell")


def test_unknown_subjects_are_said(tmp_path):
    for folder in ("images", "masks"):
        write_png(tmp_path / "in" / folder / "a.png", noise(8, 9, high=2))
    said = call("export", tmp_path / "in", tmp_path / "out", "--to", "labelme")
    assert "do not say who was scanned" in said


def test_what_cannot_be_used_is_said(shapes, tmp_path):
    shutil.copytree(shapes, tmp_path / "in")
    (tmp_path / "in" / "subject-00" / "sequence-0" / "frame_2.zraw").unlink()
    said = call("export", tmp_path / "in", tmp_path / "out", "--to", "coco")
    assert "1 files or folders cannot be used: " in said
    assert "frame_2" in said
    assert "23 frames" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "coko"), "unknown --to 'coko'; did you mean 'coco'"),
        (("--to", "coco", "--layout", "still"), "unknown layout 'still'"),
        (("--to", "coco", "--shapes", "boxes"), "unknown --shapes 'boxes'"),
        (("--to", "nifti", "--all-frames"), "NIfTI cannot hold what --all-frames asks for"),
        (("--to", "coco", "--run", "run"), "COCO cannot hold what --folds and --run ask"),
        (("--to", "nnunet"), "does not find a data set called 'out'"),
        (("--to", "coco", "--structures", "nerve"), "label value 2, but only 1 structures"),
    ],
)
def test_options_that_do_not_go_together(shapes, tmp_path, options, message):
    with pytest.raises(SonotempoError, match=message):
        call("export", shapes, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_a_run_brings_its_own_structures_and_folds(shapes, tmp_path):
    options = ("--run", "run", "--structures", "nerve", "--folds", "folds.json")
    with pytest.raises(SonotempoError, match="--structures and --folds cannot be given with --run"):
        call("export", shapes, tmp_path / "Dataset001_x", "--to", "nnunet", *options)
