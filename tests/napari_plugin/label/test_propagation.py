"""What a propagation carries where, and how it ends."""

import numpy as np
import pytest

from fakes.onnx_models import write_model
from fakes.recordings import make_recording
from fakes.shapes import moving_shapes
from napari_sonotempo.label.propagation import Wanted, carry, frames_to_fill, planned
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import ModelError, RecordingError
from sonotempo.label_origin import Origin
from sonotempo.structures import AXILLARY, NERVE_VESSEL

FRAMES = 12


@pytest.fixture
def masks(tmp_path):
    """Moving shapes; frames 2 and 9 by a person, 5 propagated."""
    images_THW, masks_THW = moving_shapes(FRAMES, 48, np.random.default_rng(0))
    recording = make_recording(
        tmp_path,
        FRAMES,
        shape_HW=(48, 48),
        masks={index: masks_THW[index] for index in (2, 5, 9)},
        origins={5: Origin("propagated")},
    )
    object.__setattr__(recording, "images", images_THW)
    return LazyMasks(recording)


def carried(request, cancel_after=10**9):
    found = []
    result = carry(
        request,
        lambda frames, done, seconds: found.extend(frames),
        lambda: cancel_after <= len(found),
    )
    return found, result


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("after", "reviewed"), range(6, 9)),
        (Wanted("before", "reviewed"), range(3, 5)),
        (Wanted("both", "reviewed"), range(3, 9)),
        (Wanted("after", "end"), range(6, 12)),
        (Wanted("before", "end"), range(5)),
        (Wanted("both", "frames", 100), range(12)),
        (Wanted("after", "frames", 2), range(6, 8)),
    ],
)
def test_the_frames_that_are_filled(wanted, expected):
    assert frames_to_fill([2, 5, 9], 5, 12, wanted) == expected


def test_both_key_frames_count_in_the_stretch_that_they_enclose(masks):
    request = planned(masks, NERVE_VESSEL, 2, Wanted("after", "reviewed"), None)
    assert (request.within, sorted(request.keys)) == (range(3, 9), [2, 9])
    request = planned(masks, NERVE_VESSEL, 2, Wanted("after", "frames", 2), None)
    assert (request.within, sorted(request.keys)) == (range(3, 5), [2])  # the other is too far
    found, result = carried(planned(masks, NERVE_VESSEL, 2, Wanted("both", "end"), None))
    assert sorted(one.index for one in found if one.mask_HW is not None) == list(range(FRAMES))
    assert [one.index for one in found if one.is_key] == [2, 9]
    assert result.problems == ()
    assert not result.is_cancelled


@pytest.mark.parametrize("position", [0, 5])
def test_only_a_reviewed_mask_is_carried(masks, position):
    with pytest.raises(RecordingError, match="draw, correct or accept it"):
        planned(masks, NERVE_VESSEL, position, Wanted("after", "end"), None)


def test_nothing_to_fill_is_said(masks):
    masks.give(3, masks[2], Origin())
    with pytest.raises(RecordingError, match="no frame to fill on that side"):
        planned(masks, NERVE_VESSEL, 2, Wanted("after", "reviewed"), None)


def test_what_is_done_before_a_cancel_is_reported(masks):
    request = planned(masks, NERVE_VESSEL, 2, Wanted("after", "end"), None)
    found, result = carried(request, cancel_after=0)
    assert result.is_cancelled
    assert len(found) == 1


def test_masks_end_at_a_frame_of_another_size(masks):
    recording = masks.recording
    images = list(recording.images)
    images[4] = np.zeros((30, 48), np.uint8)
    object.__setattr__(recording, "images", images)
    masks.give(9, None, None)
    found, result = carried(planned(masks, NERVE_VESSEL, 2, Wanted("both", "end"), None))
    assert sorted(one.index for one in found if one.mask_HW is not None) == [0, 1, 2, 3]
    assert len(result.problems) == 1
    assert "frame 4 has 30x48 pixels" in result.problems[0]


def test_a_model_of_the_same_structures_refines(masks, tmp_path):
    write_model(tmp_path / "model.onnx", size=48)
    wanted = Wanted("after", "end")
    request = planned(masks, NERVE_VESSEL, 2, wanted, tmp_path / "model.onnx")
    found, _ = carried(request)
    assert len(found) == FRAMES - 3
    write_model(tmp_path / "other.onnx", structures=AXILLARY)
    request = planned(masks, NERVE_VESSEL, 2, wanted, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"other.onnx finds blood, .* but the masks show nerve"):
        carried(request)
