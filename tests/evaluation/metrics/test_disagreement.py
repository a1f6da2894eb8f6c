import numpy as np
import pytest

from sonotempo.evaluation.metrics.disagreement import agreement_K, lowest_confidence


def test_specks_of_both_models_do_not_count_and_a_missed_structure_does():
    one_HW, other_HW = np.zeros((2, 20, 20), np.uint8)
    one_HW[:10] = 1
    other_HW[:5] = 1
    one_HW[15, 0] = 2
    other_HW[19, 5] = 2
    one_HW[12, :12] = 3
    dice_K = agreement_K(one_HW, other_HW, 3, smallest_px=10)
    assert dice_K.tolist() == pytest.approx([2 / 3, np.nan, 0.0], nan_ok=True)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="fit both"):
        agreement_K(np.zeros((2, 2), int), np.zeros((3, 2), int), 1, 1)


@pytest.mark.parametrize("size", [1, 3, 20, 64])
def test_confidence_is_of_the_least_sure_pixels(size):
    values = np.random.default_rng(size).random((size, size)).astype(np.float32)
    count = max(1, round(0.05 * size * size))
    assert lowest_confidence(values) == pytest.approx(np.sort(values.ravel())[:count].mean())
