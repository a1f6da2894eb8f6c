"""What is on screen, on toy streams worked out by hand: a frame every 50 ms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.predictors import Recorder
from fakes.recordings import make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.scoring.as_streamed import (
    SCREEN_COLUMNS,
    latencies_of,
    schedule,
    score_stream,
)
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS, pooled

SHAPE = (64, 64)
CONFIG = EvaluateConfig()
CALM = np.random.default_rng(0)


def times(count):
    return np.arange(count, dtype=np.int64) * 50_000_000


def marked(step):
    """A mask of a 16-pixel square that moves a square's width with every frame."""
    mask_HW = np.zeros(SHAPE, np.uint8)
    row, column = divmod(step, 4)
    mask_HW[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 1
    return mask_HW


def moving(folder, count=8, **more):
    masks = {index: marked(index) for index in range(count)}
    return make_recording(folder, count, masks=masks, shape_HW=SHAPE, **more)


def seer(**more):
    """A predictor that is right about the frame that it is shown."""
    return Recorder(answer=lambda frame: marked(frame.index), **more)


def streamed(predictor, recording, latencies_ms, **more):
    table = score_stream(predictor, recording, latencies_ms, CONFIG, arm="sequence", fold=1, **more)
    return table[table.structure == "nerve"]


@pytest.mark.parametrize(
    ("latency_ms", "processed", "on_screen"),
    [
        (0, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        (20, [0, 1, 2, 3, 4, 5], [-1, 0, 1, 2, 3, 4]),
        (50, [0, 1, 2, 3, 4, 5], [-1, 0, 1, 2, 3, 4]),  # done as the next is shown
        # Done at 70, 140, 210, 280: frame 3 comes at 150 and is overtaken by 4 at 200.
        (70, [0, 1, 2, 4, 5], [-1, -1, 0, 1, 1, 2]),
        # Done at 120, 240, 360: at 120 the newest is frame 2, at 240 frame 4.
        (120, [0, 2, 4, 5], [-1, -1, -1, 0, 0, 2]),
        (1000, [0, 5], [-1] * 6),
    ],
)
def test_one_worker_takes_the_newest_frame_whenever_it_is_free(latency_ms, processed, on_screen):
    done = schedule(times(6), [latency_ms], CALM)
    assert done.processed.tolist() == processed
    assert done.on_screen(times(6)).tolist() == on_screen


def test_after_a_pause_the_worker_waits_for_the_next_frame():
    stamps = np.array([0, 50, 500, 550], np.int64) * 1_000_000
    done = schedule(stamps, [60], CALM)
    assert done.processed.tolist() == [0, 1, 2, 3]
    assert (done.finished_ns // 1_000_000).tolist() == [60, 120, 560, 620]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=30),
    st.lists(st.floats(0, 400), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_nothing_is_taken_early_twice_or_out_of_order(periods_ms, latencies_ms, seed):
    stamps = np.cumsum(np.array(periods_ms, np.int64)) * 1_000_000
    done = schedule(stamps, latencies_ms, np.random.default_rng(seed))
    assert np.all(np.diff(done.processed) > 0)
    assert done.processed[-1] == len(stamps) - 1
    assert np.all(done.finished_ns >= stamps[done.processed])
    assert np.all(np.diff(done.finished_ns) >= 0)
    shown = done.on_screen(stamps)
    assert np.all(shown <= np.arange(len(stamps)))
    assert np.all(np.diff(shown) >= 0)


def test_each_frame_is_scored_against_what_was_on_screen(tmp_path):
    rows = streamed(seer(), moving(tmp_path, 6), [70])
    assert rows.shown_frame.tolist() == [-1, -1, 0, 1, 1, 2]
    assert rows.dice.tolist() == [0.0] * 6, "squares do not overlap: every late mask is wrong"
    assert rows.shown_age_ms.tolist()[2:] == [100.0, 100.0, 150.0, 150.0]
    assert rows.shown_age_ms.isna().tolist() == [True, True, False, False, False, False]
    instant = streamed(seer(), moving(tmp_path, 6), [0])
    assert instant.dice.tolist() == [1.0] * 6


def test_a_predictor_with_state_is_stepped_on_the_frames_that_it_would_have_had(tmp_path):
    predictor = seer()
    known = {index: marked(0) for index in range(6)}
    streamed(predictor, moving(tmp_path, 6), [70], known=known)
    assert predictor.calls == ["reset", 0, 1, 2, 4, 5]


def test_a_predictor_without_state_is_asked_only_for_masks_that_are_not_known(tmp_path):
    predictor = seer(stateful=False)
    known = {index: marked(index) for index in (0, 1, 4)}
    rows = streamed(predictor, moving(tmp_path, 6), [70], known=known)
    assert predictor.calls == ["reset", 2, 5]
    again = streamed(seer(stateful=False), moving(tmp_path, 6), [70])
    assert rows.equals(again)


def test_every_gap_begins_a_stream_with_an_empty_screen(tmp_path):
    recording = moving(tmp_path, 6, numbers=[10, 11, 12, 20, 21, 22])
    predictor = seer()
    rows = streamed(predictor, recording, [20])
    assert rows.shown_frame.tolist() == [-1, 10, 11, -1, 20, 21]
    assert predictor.calls == ["reset", 0, 1, 2, "reset", 3, 4, 5]
    assert rows.state_age.tolist() == [1, 2, 3, 1, 2, 3]


def test_only_labelled_frames_are_scored_but_all_are_streamed(tmp_path):
    recording = make_recording(tmp_path, 6, masks={5: marked(4)}, shape_HW=SHAPE)
    rows = streamed(seer(), recording, [20])
    assert (rows.frame.tolist(), rows.shown_frame.tolist(), rows.dice.tolist()) == ([5], [4], [1])


def test_latencies_are_drawn_with_a_seed_and_alike_for_every_arm(tmp_path):
    recording, measured = moving(tmp_path, 16), [10.0, 60.0, 130.0]
    one, same, other = (
        streamed(seer(), recording, measured, seed=seed).shown_frame.tolist() for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other


def test_the_table_can_be_added_up_like_any_table_of_frames(tmp_path):
    rows = streamed(seer(), moving(tmp_path, 6), [0])
    assert list(rows.columns) == [*FRAME_COLUMNS, *SCREEN_COLUMNS]
    assert pooled(rows).f1.tolist() == [1.0]
    assert set(rows.arm) == {"sequence"}
    assert set(rows.fold) == {1}


def test_latencies_may_be_given_for_all_arms_or_by_arm():
    assert latencies_of(None, "frame") is None
    assert latencies_of(25.0, "frame") == (25.0,)
    assert latencies_of((20.0, 30.0), "frame") == (20.0, 30.0)
    assert latencies_of({"frame": (20.0, 30.0)}, "frame") == (20.0, 30.0)
    assert latencies_of({"frame": 20.0}, "sequence") is None
