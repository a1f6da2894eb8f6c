import numpy as np
import pytest

from fakes.recordings import make_recording
from sonotempo.labels.outlines import label_probabilities, most_probable, signed_distances
from sonotempo.labels.refine import refined
from sonotempo.recording import Prediction

SIZE = 100
LABELS = [0, 2, 5]


def square(top, left, label=2, side=30):
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[top : top + side, left : left + side] = label
    return mask


@pytest.fixture
def frame(tmp_path):
    return make_recording(tmp_path, 1, shape_HW=(SIZE, SIZE))[0]


def pooled(frame, propagated, said, confidence: float | None = 0.95):
    probabilities = label_probabilities(
        signed_distances(propagated, LABELS), np.full((SIZE, SIZE), 2, np.float32)
    )
    before = probabilities.copy()
    sure = None if confidence is None else np.full((SIZE, SIZE), confidence, np.float32)
    result = refined(probabilities, LABELS, Prediction(frame, said, sure, 1, "model"))
    assert np.array_equal(probabilities, before)
    assert result.sum(axis=0) == pytest.approx(np.ones((SIZE, SIZE)), abs=1e-4)
    return most_probable(result, LABELS)[0], most_probable(before, LABELS)[0]


@pytest.mark.parametrize("confidence", [0.95, None])
def test_an_outline_moves_to_where_the_model_sees_it(frame, confidence):
    mask, _ = pooled(frame, square(30, 30), square(31, 30), confidence)
    assert np.array_equal(mask, square(31, 30))


def test_far_inside_the_propagated_label_stays(frame):
    said = square(30, 30)
    said[43:47, 43:47] = 0
    mask, _ = pooled(frame, square(30, 30), said)
    assert np.array_equal(mask, square(30, 30))


def test_a_model_that_finds_the_structure_elsewhere_is_not_heard(frame):
    mask, before = pooled(frame, square(30, 30), square(45, 45))
    assert np.array_equal(mask, before)


def test_other_structures_stay_as_they_are(frame):
    both = square(30, 30) + square(30, 62, label=5, side=20)
    said = square(31, 30) + square(30, 62, label=2, side=20)
    mask, before = pooled(frame, both, said)
    assert np.array_equal(mask == 5, before == 5)
    assert np.array_equal(mask == 2, square(31, 30) == 2)


def test_labels_that_were_not_propagated_do_not_appear(frame):
    said = square(31, 30) + square(5, 5, label=7, side=10) + square(70, 70, label=5, side=10)
    mask, _ = pooled(frame, square(30, 30), said)
    assert set(np.unique(mask)) == {0, 2}
