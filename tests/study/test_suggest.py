import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from fakes.experiments import FinishedRun, Told
from fakes.files import write_meta
from fakes.shapes import write_shapes
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io.writers import write_sequence
from sonotempo.label_origin import Origin, write_origins
from sonotempo.study.suggest import suggest_frames
from sonotempo.study.suggest_table import suggestions_table


def suggested(run, data, tmp_path, **more):
    progress = Told()
    with progress:
        found = suggest_frames(run, data, tmp_path / "cache", progress, **{"apart": 2} | more)
    return found, progress


def without_masks(root, subject, frames):
    """Delete the masks of some frames; return the folder."""
    folder = root / f"subject-{subject:02d}" / "sequence-0"
    for frame in frames:
        for path in folder.glob(f"frame_{frame}_gt.*"):
            path.unlink()
    return folder


@pytest.fixture
def sparse(shapes, tmp_path):
    """One subject with two labels and four other masks, one without any, two with all."""
    root = Path(shutil.copytree(shapes, tmp_path / "sparse"))
    folder = without_masks(root, 0, (4, 5))
    write_origins(
        folder,
        {1: Origin("propagated"), 2: Origin("model", "x"), 3: Origin("model", is_accepted=True)},
    )
    without_masks(root, 1, range(6))
    return root


def test_frames_without_a_label_are_suggested_with_their_signs(finished_run, sparse, tmp_path):
    out = tmp_path / "new" / "queue.csv"
    found, progress = suggested(finished_run.folder, sparse, tmp_path, per_recording=9, out=out)
    frames = {(one.doubt.subject, one.doubt.frame) for one in found.queue}
    assert {subject for subject, _ in frames} == {"subject-00", "subject-01"}
    assert {frame for subject, frame in frames if subject == "subject-00"} <= {1, 2, 4, 5}
    distances = {one.doubt.frame: one.doubt.distance for one in found.queue
                 if one.doubt.subject == "subject-00"}  # fmt: skip
    assert all(distances[frame] == {1: 1, 2: 1, 4: 1, 5: 2}[frame] for frame in distances)
    assert all(one.doubt.distance is None for one in found.queue if one.doubt.subject[-1] == "1")
    assert all(0 < one.doubt.confidence <= 1 for one in found.queue)
    assert found.arms == ("frame", "sequence")
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["subject"], int(row["frame"])) for row in rows] == [
        (one.doubt.subject, one.doubt.frame) for one in found.queue
    ]
    assert sum(total for name, total, _ in progress.steps if name.endswith("predicting")) == 4


def test_a_subject_is_predicted_by_a_fold_that_has_not_seen_it(finished_run, sparse, tmp_path):
    _, progress = suggested(finished_run.folder, sparse, tmp_path)
    seen = [name for name, _, _ in progress.steps if name.endswith("predicting")]
    # Labels that were taken away change the content, but not who was scanned.
    folds = load_folds(finished_run.folder / "folds.json")
    unseen = {s: [f.number for f in folds if s not in f.train] for s in
              ("subject-00", "subject-01", "subject-02", "subject-03")}  # fmt: skip
    wanted = sorted({numbers[0] for numbers in unseen.values()})
    assert sorted(seen) == [f"frame and sequence, fold-{n:02d}: predicting" for n in wanted]


def test_data_that_nobody_has_labelled_are_enough(finished_run, tmp_path):
    write_shapes(tmp_path / "new", 2, 5, 32, seed=5)
    for mask in (tmp_path / "new").rglob("*_gt.*"):
        mask.unlink()
    found, _ = suggested(finished_run.folder, tmp_path / "new", tmp_path, count=3)
    assert len(found.queue) == 3
    assert {one.doubt.distance for one in found.queue} == {None}
    assert all("nothing of this recording is labelled" in one.reason for one in found.queue)
    again, _ = suggested(finished_run.folder, tmp_path / "new", tmp_path, count=3)
    assert again == found


def test_an_export_is_paired_with_its_recordings(finished_run, shapes, tmp_path):
    export = Path(shutil.copytree(shapes, tmp_path / "export"))
    for subject in range(4):
        folder = without_masks(export, subject, (1, 2, 3, 4, 5))
        for frame in range(1, 6):
            for path in folder.glob(f"frame_{frame}.*"):
                path.unlink()
    found, _ = suggested(
        finished_run.folder, export, tmp_path, frames_root=shapes, per_recording=9, count=99
    )
    assert len(found.queue) >= 4 * 2
    assert all(one.doubt.distance == one.doubt.frame for one in found.queue)


def test_what_is_left_out_is_said(finished_run, sparse, tmp_path):
    broken = sparse / "subject-02" / "sequence-0" / "frame_0.zraw"
    broken.write_bytes(b"broken")
    found, _ = suggested(finished_run.folder, sparse, tmp_path, count=50, per_recording=1)
    assert len(found.queue) == 2
    assert any("skipped; the first:" in note for note in found.notes)
    assert "2 of 50: no more with 1 a recording, 2 frames apart" in found.notes[-1]


def test_a_run_of_one_arm_ranks_by_confidence_and_distance(shapes, tmp_path):
    root = Path(shutil.copytree(shapes, tmp_path / "one" / "data"))
    run = FinishedRun.of(root, arms=("frame",))
    without_masks(root, 0, (2, 3, 4))
    found, _ = suggested(run.folder, root, tmp_path)
    assert {one.doubt.dice for one in found.queue} == {None}
    assert any("no two arms can disagree" in note for note in found.notes)


def test_what_cannot_be_ranked_is_one_sentence(finished_run, shapes, tmp_path):
    with pytest.raises(RecordingError, match=r"every frame of .* is labelled"):
        suggested(finished_run.folder, shapes, tmp_path)
    with pytest.raises(ConfigError, match="is not a run folder"):
        suggested(shapes, shapes, tmp_path)
    with pytest.raises(ConfigError, match=r"does not end in \.csv"):
        suggested(finished_run.folder, shapes, tmp_path, out=tmp_path / "queue")
    with pytest.raises(ConfigError, match="--count 0 is not positive"):
        suggested(finished_run.folder, shapes, tmp_path, count=0)
    empty = tmp_path / "empty"
    write_sequence(
        empty / "anna" / "one", "frame", np.zeros((3, 32, 32), np.uint8), None, spacing_mm=None,
        timestamps_ns=np.arange(3, dtype=np.int64),
    )  # fmt: skip
    for path in empty.rglob("*.zraw"):
        path.write_bytes(b"")
    with pytest.raises(RecordingError, match=r"nothing in .* can be read"):
        suggested(finished_run.folder, empty, tmp_path)
    shutil.copytree(finished_run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "sequence")
    with pytest.raises(ConfigError, match="no fold that all its arms have finished"):
        suggested(tmp_path / "run", shapes, tmp_path)


def test_the_table_has_a_row_for_every_frame(finished_run, sparse, tmp_path):
    write_meta(sparse / "subject-01" / "sequence-0" / "frame_6.mhd", np.zeros((32, 32), np.uint8))
    found, _ = suggested(finished_run.folder, sparse, tmp_path)
    assert suggestions_table(found).row_count == len(found.queue)
