import pandas as pd
import pytest

from fakes.predictors import Recorder
from fakes.recordings import make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import joined, read_scores, write_scores
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
    for name in ("frames", "temporal", "streaming"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(evaluation, name))


@pytest.mark.parametrize("name", ["frames.parquet", "temporal.parquet"])
def test_a_folder_that_lacks_a_table_is_refused(scored, name):
    folder, _ = scored
    (folder / name).unlink()
    with pytest.raises(SonotempoError, match=f"no {name}"):
        read_scores(folder)


def test_scores_are_joined_and_taken_apart_by_arm(scored):
    _, evaluation = scored
    other = evaluate(Recorder(), [], EvaluateConfig(), arm="none", fold=0)
    both = joined([evaluation, other])
    pd.testing.assert_frame_equal(both.of_arm("frame").frames, evaluation.frames)
    assert both.of_arm("none").frames.empty
    assert both.of_arm("none").temporal.empty
