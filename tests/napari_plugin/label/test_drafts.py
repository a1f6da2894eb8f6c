"""Drafts are whole, come back the same, and give way to what is saved."""

import numpy as np
import pytest

from fakes.recordings import make_recording
from napari_sonotempo.label.draft_keeper import DraftKeeper
from napari_sonotempo.label.drafts import Drafts, read_draft, write_draft
from napari_sonotempo.label.labelling import Labelling
from napari_sonotempo.label.saved_masks import with_saved_masks
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import Origin, write_origins
from sonotempo.structures import AXILLARY

ORIGINS = {1: Origin(by="Ada", at="2026"), 3: Origin("propagated"), 4: Origin("empty")}


@pytest.fixture
def work(tmp_path):
    masks = LazyMasks(make_recording(tmp_path / "scan", 6, labelled=[]))
    for position, origin in ORIGINS.items():
        masks.give(position, np.full((40, 48), position % 2, np.uint8), origin)
    return Labelling(masks, AXILLARY)


@pytest.fixture
def keeper(tmp_path):
    return DraftKeeper(tmp_path / "drafts", Jobs())


def test_a_draft_comes_back_the_same(work, tmp_path):
    write_draft(tmp_path / "new" / "draft.zip", work.masks, work.structures)
    draft = read_draft(tmp_path / "new" / "draft.zip")
    assert draft.origins == ORIGINS
    assert draft.structures is AXILLARY
    for position, mask_HW in draft.masks.items():
        np.testing.assert_array_equal(mask_HW, work.masks[position])


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_a_damaged_draft_is_one_sentence(tmp_path, content):
    (tmp_path / "draft.zip").write_bytes(content)
    with pytest.raises(RecordingError, match="cannot be read"):
        read_draft(tmp_path / "draft.zip")


def test_two_recordings_of_one_name_have_two_drafts(tmp_path):
    drafts = Drafts(tmp_path)
    one = make_recording(tmp_path / "a", 3)
    other = make_recording(tmp_path / "a", 3)
    assert drafts.path(one) == drafts.path(other)
    object.__setattr__(other, "images", np.ones((3, 40, 48), np.uint8))
    assert drafts.path(one) != drafts.path(other)


def test_what_is_not_saved_is_kept_and_offered(work, keeper, tmp_path):
    recording = work.masks.recording
    assert keeper.offer(recording) is None
    keeper.follow(work)
    keeper.finish()
    assert keeper.offer(recording) is None  # it is open
    later = DraftKeeper(tmp_path / "drafts", Jobs())
    offer = later.offer(recording)
    assert offer.kind == "draft"
    assert "were not saved" in offer.sentence
    later.discard(offer)
    assert later.offer(recording) is None


def test_a_draft_is_written_in_the_background_after_a_pause(work, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sonotempo.label.draft_keeper._QUIET_S", 0.0)
    jobs = Jobs()
    keeper = DraftKeeper(tmp_path / "drafts", jobs)
    keeper.follow(work)
    keeper.look()
    keeper.look()
    jobs.cancel(10)
    jobs.poll()
    (path,) = (tmp_path / "drafts").iterdir()
    assert read_draft(path).origins == ORIGINS
    keeper.look()
    assert not jobs.is_busy


def test_saving_removes_the_draft_and_remembers_the_folder(work, keeper, tmp_path):
    keeper.follow(work)
    keeper.finish()
    folder = tmp_path / "out" / "anna" / "one"
    folder.mkdir(parents=True)
    work.masks.note_saved(folder)
    keeper.look()
    offer = DraftKeeper(tmp_path / "drafts", Jobs()).offer(work.masks.recording)
    assert (offer.kind, offer.path) == ("saved", folder)


def test_a_folder_that_cannot_be_written_is_said_once(work, tmp_path):
    (tmp_path / "drafts").write_text("a file")
    keeper = DraftKeeper(tmp_path / "drafts", Jobs())
    keeper.follow(work)
    keeper.finish()
    assert "cannot be written" in keeper.look()
    assert keeper.look() == ""


def test_saved_masks_find_their_frames_by_number(tmp_path):
    recording = make_recording(tmp_path / "scan", 6, numbers=range(20, 26), labelled=[])
    folder = tmp_path / "out"
    folder.mkdir()
    for number in (21, 24):
        image_HW = recording.images[number - 20]
        mask_HW = np.full((40, 48), number % 2, np.uint8)
        write_frame(folder, f"frame_{number}", image_HW, mask_HW, spacing_mm=None, timestamp_ns=0)
    (folder / "metadata.txt").write_text("label 1: nerve\nlabel 2: vessel\n")
    write_origins(folder, {24: Origin("propagated")})
    found = with_saved_masks(recording, folder)
    assert found.labelled == (1, 4)
    assert [found.mask(index).max() for index in (1, 4)] == [1, 0]
    assert [found.origin(index).kind for index in (1, 4)] == ["human", "propagated"]
    other = make_recording(tmp_path / "other", 6, labelled=[])
    with pytest.raises(RecordingError, match="masks of another recording"):
        with_saved_masks(other, folder)
    object.__setattr__(recording, "images", np.ones((6, 40, 48), np.uint8))
    with pytest.raises(RecordingError, match="masks of another recording"):
        with_saved_masks(recording, folder)
