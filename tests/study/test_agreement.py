import shutil

import numpy as np
import pytest

from fakes.experiments import Told
from fakes.files import noise, write_png
from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError, RecordingError, SonotempoError
from sonotempo.evaluation.comparison.agreement import read_agreement
from sonotempo.label_origin import Origin, write_origins
from sonotempo.structures import NERVE_VESSEL
from sonotempo.study.agreement import compare_readers

RULES = EvaluateConfig(bootstrap_draws=200)


def compared(*folders, **more):
    with Told() as progress:
        return compare_readers(folders, NERVE_VESSEL, progress, rules=RULES, **more), progress


@pytest.fixture
def readers(shapes, tmp_path):
    """Two copies of the same labels; the second lacks a frame and has masks that nobody saw."""
    one, other = (shutil.copytree(shapes, tmp_path / name) for name in ("anna", "ben"))
    folder = other / "subject-00" / "sequence-0"
    for name in ("frame_5_gt.mhd", "frame_5_gt.zraw"):
        (folder / name).unlink()
    write_origins(
        folder,
        {0: Origin("propagated"), 1: Origin("model", "x", is_accepted=True), 9: Origin()},
    )
    return one, other


def test_folders_are_compared_and_what_is_left_out_is_said(readers, tmp_path):
    out = tmp_path / "new" / "agreement.csv"
    found, progress = compared(*readers, out=out)
    assert {cell.mean for cell in found.cells} == {1.0}
    assert {(cell.subjects, cell.frames) for cell in found.cells} == {(4, 22)}
    assert found.notes[:3] == (
        "anna and ben: 22 frames labelled by both; not compared: 2 by anna alone",
        "ben: 1 mask of 22 accepted, not drawn; readers who accept the same model's masks agree "
        "more than they would",
        "ben: 1 mask left out, accepted by nobody",
    )
    assert "ben: 1 skipped; the first: " in found.notes[3]
    assert set(read_agreement(out)) == {"nerve", "vessel"}
    assert ("comparing masks", 22, 0) in progress.steps


def test_stills_are_matched_by_their_names(tmp_path):
    for name in ("anna", "ben"):
        for still in ("a", "b"):
            write_png(tmp_path / name / "images" / f"{still}.png", noise(20, 30))
            mask = np.zeros((20, 30), np.uint8)
            mask[5:15, 5:15] = 1
            write_png(tmp_path / name / "masks" / f"{still}.png", mask)
    found, _ = compared(tmp_path / "anna", tmp_path / "ben")
    assert [(cell.metric, cell.mean, cell.subjects) for cell in found.cells] == [
        ("dice", 1.0, 2),
        ("nsd", None, 0),
    ]
    assert "anna: the subjects are unknown, so every file counts as one" in found.notes


def test_folders_of_one_name_are_told_apart(shapes, tmp_path):
    folders = [shutil.copytree(shapes, tmp_path / name / "labels") for name in ("anna", "ben")]
    assert compared(*folders)[0].readers == ("anna/labels", "ben/labels")


def test_what_cannot_be_compared_is_one_sentence(readers, shapes, tmp_path):
    one, other = readers
    with pytest.raises(ConfigError, match="the agreement of 1 reader cannot be measured"):
        compared(one)
    with pytest.raises(ConfigError, match="a reader is given twice"):
        compared(one, one)
    with pytest.raises(ConfigError, match=r"does not end in \.csv; give for example table\.csv"):
        compared(one, other, out=tmp_path / "table.txt")
    with pytest.raises(RecordingError, match="is not a folder"):
        compared(one, tmp_path / "none")
    (other / "subject-00").rename(other / "somebody")
    for number in (1, 2, 3):
        shutil.rmtree(other / f"subject-{number:02d}")
    with pytest.raises(RecordingError, match="have labelled no frame in common"):
        compared(one, other)


def test_a_file_that_cannot_be_written_is_refused(readers, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SonotempoError, match="give another --out"):
        compared(*readers, out=tmp_path / "file" / "a.csv")
