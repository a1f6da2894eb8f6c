import pandas as pd
import pytest

from fakes.predictors import Recorder
from fakes.recordings import make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import joined, read_scores, write_scores
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS, pooled
from sonotempo.evaluation.scoring.mask_files import write_masks


@pytest.fixture
def scored(tmp_path):
    recording = make_recording(tmp_path / "data", 4)
    config = EvaluateConfig(streaming_latency_ms=20)
    folder = tmp_path / "arm"
    evaluation = evaluate(
        Recorder(),
        [recording],
        config,
        arm="frame",
        fold=0,
        on_masks=lambda masks: write_masks(folder, masks),
    )
    write_scores(folder, evaluation)
    return folder, evaluation


def test_scores_come_back_as_they_were(scored):
    folder, evaluation = scored
    back = read_scores(folder)
    assert back.missing == ()
    for name in ("frames", "temporal", "streaming"):
        pd.testing.assert_frame_equal(getattr(back.evaluation, name), getattr(evaluation, name))


def test_folders_of_older_versions_can_be_read_and_say_what_they_lack(scored):
    folder, evaluation = scored
    for name in ("temporal.parquet", "streaming.parquet", "masks/anna__one.npz"):
        (folder / name).unlink()
    (folder / "masks").rmdir()
    old = evaluation.frames.drop(columns=["state_age", "nsd"])
    old.to_parquet(folder / "frames.parquet", index=False)
    back = read_scores(folder)
    assert list(back.evaluation.frames.columns) == list(FRAME_COLUMNS)
    assert back.evaluation.frames.state_age.tolist() == [0] * len(old)
    assert back.evaluation.temporal.empty
    assert back.evaluation.streaming is None
    assert len(pooled(back.evaluation.frames)) == 2
    (said,) = back.missing
    assert "no state ages, no NSD, no temporal metrics, no masks" in said
    assert "delete" in said
    assert "finished.json" in said


def test_a_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(SonotempoError, match=r"no frames\.parquet"):
        read_scores(tmp_path)


def test_scores_are_joined_and_taken_apart_by_arm(scored):
    _, evaluation = scored
    other = evaluate(Recorder(), [], EvaluateConfig(), arm="none", fold=0)
    both = joined([evaluation, other])
    pd.testing.assert_frame_equal(both.of_arm("frame").frames, evaluation.frames)
    assert both.of_arm("none").frames.empty
    assert both.of_arm("none").temporal.empty
