import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.predictors import Recorder
from fakes.shapes import moving_shapes
from sonotempo.config import EvaluateConfig, StressConfig
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS
from sonotempo.evaluation.scoring.stress import (
    KINDS,
    Disturbance,
    disturbed,
    dropped,
    phases,
    schedule,
)
from sonotempo.evaluation.scoring.stress_table import STRESS_COLUMNS, score_stress
from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL


def recording(frames=60, size=48, name="subject/sequence", numbers=None):
    images, masks = moving_shapes(frames, size, np.random.default_rng(0))
    return Recording(
        source=__file__,
        subject="subject",
        name=name,
        images=images,
        timestamps_ns=np.arange(frames, dtype=np.int64) * 50_000_000,
        structures=NERVE_VESSEL,
        frame_numbers=np.arange(frames) if numbers is None else np.asarray(numbers),
        mask_readers={i: lambda i=i: masks[i] for i in range(frames)},
    )


@settings(max_examples=40, deadline=None)
@given(frames=st.integers(2, 90), longest=st.integers(1, 60), seed=st.integers(0, 99))
def test_disturbances_stay_within_the_recording_and_apart(frames, longest, seed):
    whole = recording(frames)
    config = StressConfig(longest_frames=longest)
    found = schedule(whole, config, seed)
    assert found == schedule(whole, config, seed), "the same seed"
    end = 0
    for one in found:
        assert end + 8 <= one.start < one.stop < frames
        assert one.stop - one.start <= longest
        assert one.kind in KINDS
        end = one.stop


def test_recordings_and_seeds_differ_and_kinds_take_turns():
    whole = recording(900, size=8)
    config = StressConfig(longest_frames=5)
    first = schedule(whole, config, 0)
    assert first != schedule(whole, config, 1)
    assert first != schedule(recording(900, size=8, name="other"), config, 0)
    assert {one.kind for one in first[: len(KINDS)]} == set(KINDS)
    assert schedule(whole, StressConfig(kinds=("dark",)), 0)[0].kind == "dark"


def test_no_disturbance_crosses_a_gap():
    numbers = [*range(30), *range(40, 70)]
    for seed in range(20):
        for one in schedule(recording(60, numbers=numbers), StressConfig(), seed):
            assert one.stop <= 30 or one.start >= 30


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_does_what_its_name_says_and_references_stay(kind):
    whole = recording()
    one = Disturbance(kind, 10, 15, 3)
    changed = disturbed(whole, [one])
    for index in range(60):
        same = np.array_equal(changed.images[index], whole.images[index])
        assert same or 10 <= index < 15
        assert np.array_equal(changed.mask(index), whole.mask(index))
    now, before = changed.images[12].astype(float), whole.images[12].astype(float)
    assert changed.images[12].dtype == np.uint8
    assert np.array_equal(changed.images[12], changed.images[12]), "reading twice is the same"
    if kind == "dark":
        assert now.max() <= 0.11 * before.max()
    elif kind == "contact_loss":
        kept = now.sum(0) / np.maximum(before.sum(0), 1)
        assert (kept < 0.5).mean() >= 0.45
    elif kind == "noise":
        assert abs(np.corrcoef(now.ravel(), before.ravel())[0, 1]) < 0.1
    elif kind == "freeze":
        assert np.array_equal(changed.images[12], whole.images[9])
    elif kind == "drop":
        assert dropped([one]) == {10, 11, 12, 13, 14}
    else:
        label = 1 + 3 % 2
        inside = whole.mask(12) == label
        assert now[inside].mean() < 0.2 * before[inside].mean()
        darkened = now < 0.5 * np.maximum(before, 10)
        assert darkened.sum() > 2 * inside.sum(), "decoys lie elsewhere"


def test_phases_follow_a_disturbance_until_the_next():
    of = phases([Disturbance("dark", 2, 4, 0), Disturbance("drop", 6, 7, 0)], 9)
    assert [phase for phase, _, _ in of] == [
        *["sound"] * 2,
        *["inside"] * 2,
        *["after"] * 2,
        "inside",
        *["after"] * 2,
    ]
    assert of[5] == ("after", "dark", 1)
    assert of[8] == ("after", "drop", 1)


def test_a_dropped_frame_keeps_the_mask_before_and_is_never_shown():
    whole = recording(40)
    config = EvaluateConfig(stress=StressConfig(kinds=("drop",), longest_frames=4))
    predictor = Recorder(answer=lambda frame: np.full_like(frame.image_HW, frame.index % 3))
    table = score_stress(predictor, whole, config, arm="a", fold=0, seed=1)
    gone = dropped(schedule(whole, config.stress, 1))
    assert gone
    assert [call for call in predictor.calls if call != "reset"] == [
        index for index in range(40) if index not in gone
    ]
    assert list(table.columns) == [*FRAME_COLUMNS, *STRESS_COLUMNS]
    assert set(table.loc[table["phase"] == "inside", "frame"]) == gone


def test_evaluation_adds_the_table_only_if_it_is_asked_for():
    whole = recording(40)
    plain = evaluate(Recorder(), [whole], EvaluateConfig(), arm="a", fold=0)
    assert plain.stress is None
    both = evaluate(Recorder(), [whole], EvaluateConfig(stress=StressConfig()), arm="a", fold=0)
    assert both.stress is not None
    assert len(both.stress) == 80
    assert both.frames.equals(plain.frames)


def test_a_recording_too_short_for_a_disturbance_has_no_rows():
    config = EvaluateConfig(stress=StressConfig())
    assert score_stress(Recorder(), recording(5), config, arm="a", fold=0, seed=0).empty
