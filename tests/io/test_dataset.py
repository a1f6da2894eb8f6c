"""Data sets: layouts, what is skipped, and what is known of them."""

import numpy as np
import pytest

from fakes.files import dicom, noise, write_dicom, write_meta, write_png, write_video
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset
from sonotempo.structures import NERVE_VESSEL


def stills(root, names=("a", "b", "c"), masks="masks", images="images"):
    for i, name in enumerate(names):
        write_png(root / images / f"{name}.png", noise(6, 8, seed=i))
        write_png(root / masks / f"{name}.png", noise(6, 8, seed=i, high=3), palette=True)
    return root


def test_stills_are_recordings_of_one_frame(tmp_path):
    data = open_dataset(stills(tmp_path), NERVE_VESSEL)
    assert data.layout == "stills"
    assert not data.subjects_known
    assert data.subjects == ("a", "b", "c")
    assert data.consecutive_share is None
    assert (data.frame_count, data.labelled_count) == (3, 3)
    np.testing.assert_array_equal(data.recordings[1].mask(0), noise(6, 8, seed=1, high=3))


@pytest.mark.parametrize("masks", ["us_masks", "masks"])
def test_masks_of_stills_may_lie_beside_the_root(tmp_path, masks):
    stills(tmp_path, images="us", masks=masks)
    data = open_dataset(tmp_path / "us", NERVE_VESSEL)
    assert (data.layout, data.labelled_count) == ("stills", 3)


def test_bad_stills_are_skipped_with_their_reasons(tmp_path):
    stills(tmp_path, names="abcdef")
    (tmp_path / "images" / "a.png").write_bytes(b"no image")
    write_png(tmp_path / "masks" / "b.png", noise(6, 7, high=3))
    write_png(tmp_path / "masks" / "c.png", noise(6, 8, 3))
    (tmp_path / "images" / "d.png").unlink()
    (tmp_path / "masks" / "e.png").unlink()
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert data.subjects == ("e", "f")
    assert data.labelled_count == 1
    reasons = {item.path.name: item.reason for item in data.skipped}
    assert set(reasons) == {"a.png", "b.png", "c.png", "d.png"}
    assert "cannot be read as an image" in reasons["a.png"]
    assert "b.png is 6x7 pixels but its image b.png is 6x8" in reasons["b.png"]
    assert "holds colours" in reasons["c.png"]
    assert "has no image of the same name" in reasons["d.png"]


def cohort(root):
    write_video(root / "s1" / "day1" / "a.mp4", noise(4, 32, 48))
    for number in (0, 1, 3):
        write_png(root / "s1" / "b" / f"{number}.png", noise(6, 8))
    write_dicom(root / "s2" / "IM1", dicom(noise(3, 6, 8), PatientID="someone"))
    write_meta(root / "s2" / "c.mha", noise(2, 6, 8))
    return root


def test_the_first_folder_is_the_subject(tmp_path):
    data = open_dataset(cohort(tmp_path), NERVE_VESSEL)
    assert data.layout == "recordings"
    assert data.subjects_known
    assert [(r.subject, r.name, len(r)) for r in data.recordings] == [
        ("s1", "s1/b", 3),
        ("s1", "s1/day1/a", 4),
        ("s2", "s2/IM1", 3),
        ("s2", "s2/c", 2),
    ]
    assert data.consecutive_share == pytest.approx(7 / 8)
    assert data.skipped == ()


def test_files_in_the_root_are_subjects_of_unknown_name(tmp_path):
    cohort(tmp_path)
    write_meta(tmp_path / "x.mha", noise(2, 6, 8))
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert not data.subjects_known
    assert data.subjects == ("s1", "s2", "x")


def test_dicom_files_in_the_root_know_their_patients(tmp_path):
    write_dicom(tmp_path / "a.dcm", dicom(noise(2, 6, 8), PatientID="p1"))
    write_dicom(tmp_path / "b.dcm", dicom(noise(2, 6, 8), PatientID="p1"))
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert (data.subjects, data.subjects_known) == (("p1",), True)
    write_dicom(tmp_path / "c.dcm", dicom(noise(2, 6, 8)))
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert (data.subjects, data.subjects_known) == (("c", "p1"), False)


def test_a_root_of_frames_is_one_recording(tmp_path):
    for number in (0, 1):
        write_png(tmp_path / f"{number}.png", noise(6, 8))
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert [(r.name, len(r)) for r in data.recordings] == [(tmp_path.name, 2)]
    assert not data.subjects_known


def test_recordings_of_one_stem_keep_names_of_their_own(tmp_path):
    write_meta(tmp_path / "s1" / "a.mha", noise(2, 6, 8))
    write_video(tmp_path / "s1" / "a.mp4", noise(2, 32, 32))
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert [r.name for r in data.recordings] == ["s1/a.mha", "s1/a.mp4"]


def test_masks_lie_beside_the_frames_of_a_recording(tmp_path):
    stills(tmp_path / "s1", names="12")
    stills(tmp_path / "s2", names="12", images="left", masks="left_masks")
    data = open_dataset(tmp_path, NERVE_VESSEL, layout="recordings")
    assert [(r.name, r.labelled) for r in data.recordings] == [
        ("s1/images", (0, 1)),
        ("s2/left", (0, 1)),
    ]


def test_bad_recordings_are_skipped_with_their_reasons(tmp_path):
    cohort(tmp_path)
    (tmp_path / "s1" / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "s2" / "a_env.raw.lzo").write_bytes(b"packed")
    (tmp_path / "s2" / "page.pdf").write_bytes(b"no recording")
    (tmp_path / "s2" / "notes.txt").write_text("a sidecar")
    data = open_dataset(tmp_path, NERVE_VESSEL)
    assert len(data.recordings) == 4
    reasons = {item.path.name: item.reason for item in data.skipped}
    assert set(reasons) == {"bad.mp4", "a_env.raw.lzo", "page.pdf"}
    assert "cannot be read as a video" in reasons["bad.mp4"]
    assert "unpack it first" in reasons["a_env.raw.lzo"]
    assert "has an unknown format" in reasons["page.pdf"]


def test_an_empty_folder_is_refused(tmp_path):
    for layout in ("auto", "recordings", "annotation_web"):
        with pytest.raises(RecordingError, match=f"{tmp_path.name} holds no recordings; copy them"):
            open_dataset(tmp_path, NERVE_VESSEL, layout=layout)
    with pytest.raises(RecordingError, match="no folders of images and masks"):
        open_dataset(tmp_path, NERVE_VESSEL, layout="stills")
    with pytest.raises(RecordingError, match=r"is not a folder; set data\.root"):
        open_dataset(tmp_path / "nowhere", NERVE_VESSEL)


def test_a_folder_where_nothing_can_be_used_names_the_first_reason(tmp_path):
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1" / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(RecordingError, match=r"none of the 1 files .* the first: .*bad\.mp4"):
        open_dataset(tmp_path, NERVE_VESSEL)


def test_frames_for_a_layout_that_holds_them_are_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"leave data\.frames_root empty"):
        open_dataset(stills(tmp_path), NERVE_VESSEL, frames_root=tmp_path)


def test_real_stills_open(real_data):
    data = open_dataset(real_data / "usgra-seg", NERVE_VESSEL)
    assert (data.layout, len(data.recordings), data.labelled_count) == ("stills", 204, 204)
    assert data.skipped == ()
    assert data.recordings[0].mask(0).max() <= 2


def test_everything_real_opens(real_data):
    data = open_dataset(real_data, NERVE_VESSEL)
    assert data.layout == "recordings"
    assert data.skipped == ()
    assert {r.subject: len(r) for r in data.recordings if r.subject != "linear-clips"} == {
        "clarius-raw": 1,
        "plus-toolkit": 21,
        "usgra-seg": 204,
    }


def test_every_recording_counts_once_whatever_links_lead_to_it(tmp_path):
    for i in range(2):
        write_png(tmp_path / "data" / "s1" / "scan" / f"us_{i}.png", noise(4, 5, seed=i))
    write_meta(tmp_path / "data" / "s2" / "a.mha", noise(3, 4, 5))
    (tmp_path / "data" / "s1" / "again").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "s3").symlink_to(tmp_path / "data" / "s1")
    (tmp_path / "data" / "s2" / "b.mha").symlink_to(tmp_path / "data" / "s2" / "a.mha")
    found = open_dataset(tmp_path / "data", NERVE_VESSEL)
    assert sorted(recording.name for recording in found.recordings) == ["s1/scan", "s2/a"]
