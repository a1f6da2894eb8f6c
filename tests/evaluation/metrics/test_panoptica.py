"""Region counts and Dice against panoptica 2.1.7, an independent reference.

panoptica wants numpy < 2.3, so it is not installed here. The figures were made in an environment of
its own (``pip install panoptica==2.1.7 scipy``) from the same :func:`blobs`, by::

    for seed in REFERENCE:
        maps = [ndimage.label(mask, np.ones((3, 3)))[0].astype(np.uint16) for mask in blobs(seed)]
        matcher = MaxBipartiteMatching(
            matching_metric=Metric.IOU, matching_threshold=0.25, strict_threshold=True
        )
        evaluator = Panoptica_Evaluator(
            InputType.UNMATCHED_INSTANCE,
            instance_matcher=matcher,
            instance_metrics=[Metric.DSC, Metric.IOU],
            global_metrics=[Metric.DSC],
        )
        result = evaluator.evaluate(*maps)["ungrouped"]
        print(result.tp, result.fp, result.fn, result.rq, result.global_bin_dsc)

panoptica's NSD averages the shares of the two boundaries and calls itself not comparable; NSD is
held to MONAI's instead, in test_boundary.
"""

import numpy as np
import pytest
from scipy import ndimage

from sonotempo.evaluation.metrics.overlap import pixel_overlaps
from sonotempo.evaluation.metrics.regions import find_regions

#: By seed: true positives, false positives, misses, recognition quality (F1), Dice.
REFERENCE = {
    0: (7, 5, 6, 0.56, 0.7631699496106276),
    1: (6, 7, 5, 0.5, 0.7426955702167767),
    2: (6, 5, 2, 0.631578947368421, 0.7655719139297849),
    3: (8, 4, 2, 0.7272727272727273, 0.8022373152217339),
}


def blobs(seed):
    """A prediction and a reference of about a dozen regions that overlap in part."""
    random = np.random.default_rng(seed)
    truth, noise = (ndimage.gaussian_filter(random.standard_normal((64, 64)), 3) for _ in range(2))
    return truth + 0.6 * noise > 0.06, truth > 0.06


@pytest.mark.parametrize("seed", REFERENCE)
def test_regions_and_dice_are_panoptica_s(seed):
    prediction_HW, reference_HW = blobs(seed)
    counts = find_regions(prediction_HW, reference_HW, 0.0).counts(0.25, "iou")
    f1 = 2 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)
    (pixels,) = pixel_overlaps(prediction_HW.astype(int), reference_HW.astype(int), 1)
    assert (counts.tp, counts.fp, counts.fn) == REFERENCE[seed][:3]
    assert (f1, pixels.dice) == pytest.approx(REFERENCE[seed][3:], abs=1e-6)
