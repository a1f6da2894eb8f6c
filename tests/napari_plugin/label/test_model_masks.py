"""Masks that a model has made are reviewed like propagated ones, and kept in drafts."""

import copy

import numpy as np

from fakes.onnx_models import write_model
from fakes.recordings import make_recording
from napari_sonotempo.label.drafts import read_draft, write_draft
from napari_sonotempo.label.labelling import Labelling
from napari_sonotempo.segment.job import SegmentRequest, segment
from napari_sonotempo.segment.layers import GridMasks
from sonotempo.label_origin import Origin

MADE = Origin("model", "tiny frame")


def test_a_models_masks_are_reviewed_and_kept(tmp_path):
    write_model(tmp_path / "frame.onnx")
    recording = make_recording(tmp_path / "scan", 4, labelled=[])
    result = segment(SegmentRequest(recording, (tmp_path / "frame.onnx",), "onnxruntime"))
    work = Labelling(GridMasks(result, (40, 48), 0), result.recording.structures)
    masks = work.masks
    assert masks.origins == dict.fromkeys(range(4), MADE)
    made_HW = masks[1]
    work.act("accept", 0, "")
    work.act("reject", 1, "")
    masks[2] = 2
    assert [masks.origin(index) for index in range(4)] == [
        Origin("model", "tiny frame", is_accepted=True), None, Origin(), MADE
    ]  # fmt: skip
    held = copy.deepcopy(masks)
    work.act("undo", 0, "")
    np.testing.assert_array_equal(masks[1], made_HW)
    assert held.origin(1) is None
    write_draft(tmp_path / "draft.zip", held, work.structures)
    draft = read_draft(tmp_path / "draft.zip")
    assert draft.origins == held.origins
    for index in (0, 2, 3):
        np.testing.assert_array_equal(draft.masks[index], held[index])
