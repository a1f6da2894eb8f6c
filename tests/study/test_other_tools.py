import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from fakes.experiments import FinishedRun, Told
from fakes.files import write_png
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.comparison.runs import read_run
from sonotempo.evaluation.scoring.mask_files import read_masks
from sonotempo.evaluation.scoring.provenance import read_facts
from sonotempo.label_origin import Origin, write_origins
from sonotempo.study.other_tools import evaluate_masks


def scored_as(masks, data, like, tmp_path, **more):
    with Told() as progress:
        return evaluate_masks(masks, data, like, tmp_path / "cache", progress, **more)


@pytest.fixture
def drawn(finished_run, tmp_path):
    """The masks of a run's sequence arm, written as another tool would."""
    folder = tmp_path / "nnunet"
    for fold in load_folds(finished_run.folder / "folds.json"):
        job = finished_run.folder / "sequence" / f"fold-{fold.number:02d}"
        for subject in fold.test:
            name = f"{subject}/sequence-0"
            for number, mask_SS in read_masks(job, name).by_number().items():
                write_png(folder / name / f"{number}.png", mask_SS)
    return folder


def test_another_tool_s_masks_get_the_scores_that_an_arm_with_them_gets(
    finished_run, drawn, shapes, tmp_path
):
    out = tmp_path / "scored"
    scored = scored_as(drawn, shapes, finished_run.folder, tmp_path, out=out)
    for name in ("frames", "temporal"):
        own = pd.read_parquet(finished_run.folder / f"{name}.parquet")
        own = own[own.arm == "sequence"].assign(arm="nnunet")
        given = getattr(scored.evaluation, name)
        keys = [key for key in ("recording", "frame", "structure", "metric") if key in own]
        pd.testing.assert_frame_equal(
            given.sort_values(keys, ignore_index=True), own.sort_values(keys, ignore_index=True)
        )
    assert {cell.arm for cell in scored.table.cells} == {"nnunet"}
    assert "masks of another tool" in scored.table.markdown()


def test_the_folder_that_is_written_reads_as_an_arm(finished_run, drawn, shapes, tmp_path):
    out = tmp_path / "scored"
    scored_as(drawn, shapes, finished_run.folder, tmp_path, out=out, arm="nnU-Net")
    facts = read_facts(out / "facts.json")
    assert (facts.arm, facts.external) == ("nnU-Net", True)
    assert json.loads((out / "facts.json").read_text())["external"] is True
    (arm,) = read_run(out).arms
    assert arm.role == "nnU-Net"
    assert len(arm.frames) == 4 * 6 * 2
    kept = read_masks(out, "subject-00/sequence-0")
    with Pillow.open(drawn / "subject-00/sequence-0/3.png") as image:
        np.testing.assert_array_equal(kept.by_number()[3], np.array(image))


def test_masks_go_through_the_same_fit_as_references(finished_run, shapes, tmp_path):
    """Frames of 32 by 32 pixels on a grid of 64: the references themselves are perfect."""
    from sonotempo.io import open_dataset

    experiment = finished_run.experiment
    for recording in open_dataset(shapes, experiment.structures).recordings:
        for index in recording.labelled:
            write_png(tmp_path / "truth" / recording.name / f"{index}.png", recording.mask(index))
    config = tmp_path / "large.yaml"
    config.write_text(f"name: large\ndata: {{root: {shapes}, input_size: 64}}\n")
    frames = scored_as(tmp_path / "truth", shapes, config, tmp_path).evaluation.frames
    assert set(frames.fold) == {0}
    assert frames.dice.dropna().eq(1).all()
    assert frames.fp_reference.sum() == frames.fn_reference.sum() == 0
    assert frames.reference_px.max() > 100


def test_stills_are_scored_as_the_frame_that_every_arm_is_shown_last(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(6):
        image = rng.integers(0, 256, (32, 32)).astype(np.uint8)
        mask = np.zeros((32, 32), np.uint8)
        mask[8:20, 8:20] = 1 + number % 2
        write_png(tmp_path / f"data/images/still{number}.png", image)
        write_png(tmp_path / f"data/masks/still{number}.png", mask)
        write_png(tmp_path / f"other/still{number}.png", mask)
    run = FinishedRun.of(tmp_path / "data", arms=("frame",))
    frames = scored_as(
        tmp_path / "other", tmp_path / "data", run.folder, tmp_path
    ).evaluation.frames
    own = pd.read_parquet(run.folder / "frames.parquet")
    keys = ["fold", "subject", "recording", "frame", "state_age", "structure", "reference_px"]
    pd.testing.assert_frame_equal(
        frames[keys].sort_values(keys, ignore_index=True),
        own[keys].sort_values(keys, ignore_index=True),
    )
    assert frames.dice.dropna().eq(1).all()


def test_masks_that_are_missing_are_counted_and_nothing_is_written(
    finished_run, drawn, shapes, tmp_path
):
    (drawn / "subject-01/sequence-0/2.png").unlink()
    out = tmp_path / "scored"
    with pytest.raises(RecordingError, match=r"1 missing \(frame 2 of subject-01/sequence-0\)"):
        scored_as(drawn, shapes, finished_run.folder, tmp_path, out=out)
    assert not out.exists()


def test_a_mask_is_needed_only_where_there_is_a_reference(finished_run, drawn, shapes, tmp_path):
    data = shutil.copytree(shapes, tmp_path / "data")
    write_origins(data / "subject-01" / "sequence-0", {2: Origin("propagated")})
    (drawn / "subject-01/sequence-0/2.png").unlink()
    scored = scored_as(drawn, data, finished_run.folder, tmp_path)
    assert len(scored.evaluation.frames) == (4 * 6 - 1) * 2
    assert "references: 23 human; not used: 1 propagated" in scored.table.markdown()


def test_masks_of_no_recording_are_said(finished_run, drawn, shapes, tmp_path):
    write_png(drawn / "somebody/else/1.png", np.zeros((32, 32), np.uint8))
    text = scored_as(drawn, shapes, finished_run.folder, tmp_path).table.markdown()
    assert "1 files in nnunet belong to no labelled recording, somebody/else/1.png for one" in text


def test_what_to_score_by_has_to_be_a_run_or_a_config(drawn, shapes, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="not a run folder"):
        scored_as(drawn, shapes, tmp_path / "empty", tmp_path)
