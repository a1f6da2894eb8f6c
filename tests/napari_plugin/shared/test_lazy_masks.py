"""Where each mask of an array comes from, whatever is painted, given or taken back."""

import copy

import numpy as np
import pytest

from fakes.recordings import make_recording
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.label_origin import Origin

CARRIED = Origin("propagated")
ONES = np.ones((40, 48), np.uint8)


@pytest.fixture
def masks(tmp_path):
    """Six frames: frame 1 drawn by a person, frame 3 propagated, the others without a mask."""
    return LazyMasks(make_recording(tmp_path, 6, labelled=[1, 3], origins={3: CARRIED}))


def test_origins_are_those_of_the_recording(masks):
    assert masks.origins == {1: Origin(), 3: CARRIED}
    assert masks.origin(0) is None
    assert masks.is_saved


def test_paint_makes_a_mask_a_persons_until_it_is_undone(masks):
    was = masks[3, 5, 5]
    masks[3, 5, 5] = 2
    assert (masks.origin(3), masks.painted) == (Origin(), (3,))
    masks[3, 5, 5] = was  # as napari's undo does
    assert (masks.origin(3), masks.painted) == (CARRIED, ())
    masks[0, 5, 5] = 1
    masks[0, 5, 5] = 0
    assert masks.labelled == (1, 3)


def test_a_given_mask_takes_the_place_of_another_with_its_paint(masks):
    masks[0] = 2
    masks.give(0, ONES, CARRIED)
    assert (masks.origin(0), masks[0].max(), masks.painted) == (CARRIED, 1, ())
    masks.give(1, None, None)
    assert (masks.origin(1), masks[1].max(), masks.labelled) == (None, 0, (0, 3))
    masks[1, 0, 0] = 1
    assert (masks.origin(1), masks.labelled) == (Origin(), (0, 1, 3))


def test_every_state_can_be_restored(masks):
    masks[0] = 2
    states = [masks.state(position) for position in range(6)]
    before, origins = np.asarray(masks), masks.origins
    for position in range(6):
        masks.give(position, ONES, CARRIED)
        masks[position, 3, 3] = 2
    for position, state in enumerate(states):
        masks.restore(position, state)
    np.testing.assert_array_equal(np.asarray(masks), before)
    assert masks.origins == origins


def test_changes_count_as_not_saved_until_they_are(masks, tmp_path):
    masks.set_origin(3, Origin("propagated", is_accepted=True))
    assert not masks.is_saved
    masks.note_saved(tmp_path)
    assert masks.is_saved
    assert masks.saved_in == tmp_path


def test_a_copy_keeps_origins_and_changes_alone(masks):
    masks[0] = 2
    masks.give(4, ONES, CARRIED)
    other = copy.deepcopy(masks)
    other[0] = 1
    other.give(4, None, None)
    assert (masks[0].max(), masks.origins) == (
        2,
        {0: Origin(), 1: Origin(), 3: CARRIED, 4: CARRIED},
    )


def test_masks_of_a_model_are_that_models(tmp_path):
    made = Origin("model", "frame")
    masks = LazyMasks(make_recording(tmp_path, 3), masks={1: ONES}, origin=made)
    assert masks.origins == {1: made}
