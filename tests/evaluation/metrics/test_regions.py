"""Every rule of the region count on masks worked out by hand, then properties on random masks."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonotempo.evaluation.metrics.regions import (
    RegionCounts,
    count_ratio,
    find_regions,
    smallest_area_px,
)


def count_regions(prediction, reference, threshold=0.25, smallest=0.0, overlap="reference"):
    return find_regions(prediction, reference, smallest).counts(threshold, overlap)


def mask(*rows):
    """Draw a mask: '#' is the structure."""
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def box(shape, rows, columns):
    drawn = np.zeros(shape, bool)
    drawn[slice(*rows), slice(*columns)] = True
    return drawn


def disc(radius, at=(128, 128)):
    rows, columns = np.ogrid[:256, :256]
    return (rows - at[0]) ** 2 + (columns - at[1]) ** 2 <= radius**2


def test_the_smallest_area_is_the_papers_circle_and_scales_with_the_grid():
    assert smallest_area_px(7, 256) == pytest.approx(np.pi * 49)
    assert smallest_area_px(7, 128) == pytest.approx(np.pi * 12.25)
    assert smallest_area_px(0, 256) == 0


@pytest.mark.parametrize(
    ("area_px", "expected"), [(153, RegionCounts(0, 0, 0)), (154, RegionCounts(1, 0, 0))]
)
def test_regions_smaller_than_a_circle_of_7_px_are_ignored_on_both_sides(area_px, expected):
    drawn = np.zeros((256, 256), bool)
    drawn.reshape(-1)[: area_px // 2] = True
    drawn[1].reshape(-1)[: area_px - area_px // 2] = True
    assert count_regions(drawn, drawn, 0.25, smallest_area_px(7, 256)) == expected


def test_a_region_of_exactly_the_smallest_area_counts():
    drawn = box((8, 8), (0, 3), (0, 3))
    assert count_regions(drawn, drawn, 0.25, 9.0) == RegionCounts(1, 0, 0)
    assert count_regions(drawn, drawn, 0.25, 9.1) == RegionCounts(0, 0, 0)


def test_a_small_prediction_is_no_false_positive_and_finds_nothing():
    small, large = disc(5), disc(20)
    assert count_regions(small, np.zeros_like(small), 0.25, smallest_area_px(7, 256)) == (
        RegionCounts(0, 0, 0)
    )
    assert count_regions(small, large, 0.01, smallest_area_px(7, 256)) == RegionCounts(0, 0, 1)


def test_a_prediction_on_ignored_references_only_is_ignored():
    ignored = disc(5, (40, 40))
    prediction = disc(10, (40, 40))
    assert count_regions(prediction, ignored, 0.25, smallest_area_px(7, 256)) == (
        RegionCounts(0, 0, 0)
    )


def test_a_prediction_that_also_touches_a_counted_reference_is_not_ignored():
    reference = mask("##....", "......", "..####", "..####")
    prediction = mask("##....", ".#....", "..#...", "......")
    assert count_regions(prediction, reference, 0.25, 4) == RegionCounts(0, 1, 1)


def test_a_prediction_beside_an_ignored_reference_is_a_false_positive():
    reference = mask("##......", "........")
    prediction = mask("..######", "........")
    assert count_regions(prediction, reference, 0.25, 4) == RegionCounts(0, 1, 0)


@pytest.mark.parametrize("overlap", ["reference", "iou"])
def test_exactly_a_quarter_is_not_more_than_a_quarter(overlap):
    reference = box((8, 8), (2, 6), (2, 6))
    quarter = box((8, 8), (2, 6), (2, 3))
    assert count_regions(quarter, reference, 0.25, 0, overlap) == RegionCounts(0, 1, 1)
    quarter[2, 3] = True
    assert count_regions(quarter, reference, 0.25, 0, overlap) == RegionCounts(1, 0, 0)


def test_strictness_holds_for_thresholds_that_no_double_can_hold():
    # In doubles, 0.29 * 100 is less than 29.
    reference = box((1, 100), (0, 1), (0, 100))
    for hundredths in range(1, 100):
        regions = find_regions(box((1, 100), (0, 1), (0, hundredths)), reference, 0)
        for overlap in ("reference", "iou"):
            assert regions.counts(hundredths / 100, overlap).tp == 0
            assert regions.counts((hundredths - 0.5) / 100, overlap).tp == 1


def test_the_readings_differ_for_a_prediction_much_larger_than_its_reference():
    reference = box((20, 20), (8, 12), (8, 12))
    prediction = box((20, 20), (2, 18), (2, 18))
    regions = find_regions(prediction, reference, 0)
    assert regions.counts(0.25, "reference") == RegionCounts(1, 0, 0)  # 16 of 16
    assert regions.counts(0.25, "iou") == RegionCounts(0, 1, 1)  # 16 of 256


@pytest.mark.parametrize("overlap", ["reference", "iou"])
def test_two_fragments_on_one_reference_are_one_found_and_one_invented(overlap):
    reference = mask("########")
    fragments = mask("###..###")
    assert count_regions(fragments, reference, 0.25, 0, overlap) == RegionCounts(1, 1, 0)


@pytest.mark.parametrize("overlap", ["reference", "iou"])
def test_one_blob_over_two_references_finds_one_of_them(overlap):
    references = mask("###..###")
    blob = mask("########")
    assert count_regions(blob, references, 0.25, 0, overlap) == RegionCounts(1, 0, 1)


def test_the_matching_finds_as_many_as_possible():
    # The left prediction holds enough of both references, the right one of the left only.
    reference = mask("#.######", "#.#.....", "#.#.....")
    prediction = mask("#.#.....", "###.....", "........")
    other = mask(".....###", "........", "........")
    assert count_regions(prediction | other, reference, 0.25) == RegionCounts(2, 0, 0)


def test_pixels_that_meet_at_a_corner_are_one_region():
    diagonal = mask("#..", ".#.", "..#")
    assert count_regions(diagonal, diagonal) == RegionCounts(1, 0, 0)
    assert count_regions(np.zeros_like(diagonal), diagonal, 0.25, 3) == RegionCounts(0, 0, 1)


def test_a_wrong_mask_is_named():
    labels = np.ones((4, 4), np.uint8)
    with pytest.raises(ValueError, match="type uint8; expected a boolean"):
        count_regions(labels, labels)
    with pytest.raises(ValueError, match="same network grid"):
        count_regions(labels > 0, np.ones((4, 5), bool))


def test_speckled_masks_need_no_dense_table():
    dots = np.zeros((256, 256), bool)
    dots[::2, ::2] = True
    assert count_regions(dots, dots) == RegionCounts(128 * 128, 0, 0)


MASKS = arrays(bool, (7, 9))
OVERLAPS = st.sampled_from(["reference", "iou"])
SMALLEST = st.integers(0, 6)


@given(MASKS, SMALLEST, OVERLAPS)
def test_a_perfect_prediction_has_f1_of_1(reference, smallest, overlap):
    counts = count_regions(reference, reference, 0.25, smallest, overlap)
    assert counts.fp == counts.fn == 0


@given(MASKS, MASKS, SMALLEST, OVERLAPS)
def test_every_counted_region_is_counted_once(prediction, reference, smallest, overlap):
    regions = find_regions(prediction, reference, smallest)
    counts = regions.counts(0.25, overlap)
    sizes = [len(part) for part in flood(reference) if len(part) >= smallest]
    assert counts.tp + counts.fn == len(sizes)
    assert sorted(regions.reference_area_px) == sorted(sizes)
    assert counts.tp + counts.fp == len(regions.predicted_area_px)


@given(MASKS, MASKS, SMALLEST, OVERLAPS)
def test_flips_and_transposition_change_nothing(prediction, reference, smallest, overlap):
    counts = count_regions(prediction, reference, 0.25, smallest, overlap)
    for turn in (np.flipud, np.fliplr, np.transpose):
        assert count_regions(turn(prediction), turn(reference), 0.25, smallest, overlap) == counts


@given(MASKS, MASKS)
def test_under_iou_prediction_and_reference_can_be_exchanged(one, other):
    counts = count_regions(one, other, 0.25, 0, "iou")
    swapped = count_regions(other, one, 0.25, 0, "iou")
    assert swapped == RegionCounts(counts.tp, counts.fn, counts.fp)


@given(MASKS, MASKS)
def test_what_is_found_under_iou_is_found_under_the_papers_reading(prediction, reference):
    regions = find_regions(prediction, reference, 0)
    assert regions.counts(0.25, "iou").tp <= regions.counts(0.25, "reference").tp


@settings(max_examples=60)
@given(MASKS, MASKS, SMALLEST, OVERLAPS, st.sampled_from([0.1, 0.25, 0.5]))
def test_counts_equal_those_of_a_slow_count_from_the_rules(
    prediction, reference, smallest, overlap, threshold
):
    counts = count_regions(prediction, reference, threshold, smallest, overlap)
    assert counts == slow_count(prediction, reference, threshold, smallest, overlap)


def flood(drawn):
    """Split a mask into its 8-connected regions, as sets of pixels."""
    left = {tuple(pixel) for pixel in np.argwhere(drawn).tolist()}
    regions = []
    while left:
        region, edge = set(), {left.pop()}
        while edge:
            region |= edge
            near = {(r + i, c + j) for r, c in edge for i in (-1, 0, 1) for j in (-1, 0, 1)}
            edge = near & left
            left -= edge
        regions.append(region)
    return regions


def slow_count(prediction, reference, threshold, smallest, overlap):
    """Count by set arithmetic and by trying every assignment."""
    references = flood(reference)
    kept = [region for region in references if len(region) >= smallest]
    predictions = [
        region
        for region in flood(prediction)
        if len(region) >= smallest
        and (any(region & other for other in kept) or not any(region & o for o in references))
    ]

    def enough(found, true):
        whole = len(true) if overlap == "reference" else len(found | true)
        return len(found & true) / whole > threshold

    few, many = sorted([predictions, kept], key=len)
    hits = [[enough(a, b) if few is predictions else enough(b, a) for b in many] for a in few]
    tp = max(
        sum(hits[i][j] for i, j in enumerate(order))
        for order in permutations(range(len(many)), len(few))
    )
    return RegionCounts(tp, len(predictions) - tp, len(kept) - tp)


def test_ratios_without_regions_are_undefined():
    counts = np.array([[0.0, 3.0], [0.0, 1.0], [2.0, 0.0]])  # a column for each structure
    precision = count_ratio(counts, (1, 0, 0), (1, 1, 0))
    assert np.isnan(precision[0])
    assert precision[1] == 0.75
