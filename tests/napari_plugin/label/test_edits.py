"""Steps that are undone as one, without touching what somebody painted since."""

import numpy as np
import pytest

from fakes.recordings import make_recording
from napari_sonotempo.label.edits import Edits
from napari_sonotempo.label.labelling import Labelling
from napari_sonotempo.label.propagation import PropagationResult
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.label_origin import Origin
from sonotempo.labels.propagate import Propagated
from sonotempo.structures import NERVE_VESSEL

CARRIED = Origin("propagated")
ONES = np.ones((40, 48), np.uint8)


@pytest.fixture
def work(tmp_path):
    """Eight frames: 1 and 6 by a person, 2 to 5 propagated."""
    origins = dict.fromkeys(range(2, 6), CARRIED)
    masks = LazyMasks(make_recording(tmp_path, 8, labelled=range(1, 7), origins=origins))
    return Labelling(masks, NERVE_VESSEL)


def uses(work):
    return {position: origin.use for position, origin in work.masks.origins.items()}


def test_a_step_of_many_frames_is_undone_as_one(tmp_path):
    edits = Edits(LazyMasks(make_recording(tmp_path, 8, labelled=[1])))
    step = edits.begin("propagation")
    for position in range(2, 6):
        edits.give(step, position, ONES, CARRIED)
    assert edits.next_undo == "propagation"
    undone = edits.undo()
    assert (undone.restored, undone.kept) == (4, 0)
    assert edits.masks.labelled == (1,)
    assert edits.undo() is None


def test_paint_after_a_step_survives_its_undo(tmp_path):
    edits = Edits(LazyMasks(make_recording(tmp_path, 8, labelled=[1])))
    step = edits.begin("propagation")
    for position in range(2, 6):
        edits.give(step, position, ONES, CARRIED)
    edits.masks[4, 3, 3] = 2
    undone = edits.undo()
    assert (undone.restored, undone.kept) == (3, 1)
    assert edits.masks.labelled == (1, 4)
    assert edits.masks[4, 3, 3] == 2


def test_accept_and_reject_and_back(work):
    work.act("accept", 3, "")
    assert work.masks.origin(3) == Origin("propagated", is_accepted=True)
    work.act("reject", 5, "")
    assert work.masks.origin(5) is None
    assert work.act("undo", 0, "") == "undone: reject"
    work.act("undo", 0, "")
    assert uses(work)[3] == uses(work)[5] == "propagated"
    with pytest.raises(RecordingError, match="nothing to undo"):
        work.act("undo", 0, "")


def test_up_to_here_begins_after_the_last_reviewed_frame(work):
    work.act("accept", 3, "")
    assert work.act("accept up to here", 5, "") == "accepted masks: 2"
    assert uses(work) == {1: "human", 2: "propagated", 3: "accepted", 4: "accepted",
                          5: "accepted", 6: "human"}  # fmt: skip
    with pytest.raises(RecordingError, match="no mask of a model or of motion"):
        work.act("accept up to here", 6, "")


def test_the_next_unreviewed_frame_begins_again_at_the_end(work):
    assert [work.next_unreviewed(position) for position in (0, 3, 5)] == [2, 4, 2]
    work.act("accept up to here", 5, "")
    with pytest.raises(RecordingError, match="every mask is reviewed"):
        work.next_unreviewed(0)


def test_what_a_person_has_made_is_never_rejected_or_overwritten(work):
    with pytest.raises(RecordingError, match="a person made the mask"):
        work.act("reject", 1, "")
    with pytest.raises(RecordingError, match="has no mask to reject"):
        work.act("reject", 0, "")
    with pytest.raises(RecordingError, match="a person has marked something"):
        work.act("confirm empty", 1, "")
    with pytest.raises(RecordingError, match="no mask of a model or of motion"):
        work.act("accept", 1, "")
    work.begin_filling()
    work.fill([Propagated(position, ONES * 2, None) for position in range(8)])
    assert [int(work.masks[position].max()) for position in (0, 1, 2, 6, 7)] == [2, 1, 2, 1, 2]


def test_an_empty_frame_is_confirmed(work):
    for position in (0, 3):
        work.act("confirm empty", position, "")
        assert work.masks.origin(position) == Origin("empty")
        assert not work.masks[position].any()
    work.act("undo", 0, "")
    assert work.masks[3].any()


def test_a_name_is_written_only_if_it_is_given(work):
    work.masks[0, 1, 1] = 1
    work.sign("")
    assert work.masks.origin(0) == Origin()
    work.sign("Ada")
    work.act("accept", 2, "Ada")
    for position in (0, 2):
        origin = work.masks.origin(position)
        assert origin.by == "Ada"
        assert origin.at.endswith("+00:00")
    assert work.masks.origin(1).by == ""


def test_how_a_propagation_ended_is_one_sentence(work):
    work.begin_filling()
    work.fill([Propagated(7, ONES, None)])
    assert work.filled(PropagationResult(0.5, False, ())) == (
        True, "propagated masks: 1 (0.5 s)"
    )  # fmt: skip
    is_whole, sentence = work.filled(PropagationResult(0.5, True, ("frame 3 is dark",)))
    assert not is_whole
    assert sentence == ("Cancelled. Propagated masks: 1; Undo removes them; frame 3 is dark")
