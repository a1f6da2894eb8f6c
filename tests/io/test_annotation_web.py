"""Annotation Web exports: key frames with masks, alone or paired with their recordings."""

import json

import numpy as np
import pytest

from fakes.files import dicom, noise, write_dicom, write_meta, write_png, write_video
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.io.annotation_web import open_annotated, recorded_sequence, sequence_folders
from sonotempo.io.formats import Request
from sonotempo.label_origin import Origin, write_origins
from sonotempo.structures import NERVE_VESSEL

SHAPE = (20, 30)


def export(root, *, subject="7", sequence="left", numbers=(2, 3, 6), suffix=".mhd", spacing=None):
    """Write a sequence as the exporter does and return its folder."""
    folder = root / subject / sequence
    for number in numbers:
        frame = folder / f"us_{number}{suffix}"
        pixels = noise(*SHAPE, seed=number)
        if suffix == ".mhd":
            write_meta(frame, pixels, spacing=spacing, ImageQuality="good")
        else:
            write_png(frame, pixels)
        write_meta(folder / f"us_{number}_gt.mhd", mask_of(number))
    return folder


def mask_of(number):
    return noise(*SHAPE, seed=100 + number, high=3)


def recordings(root, *, subject="7", sequence="left", count=9):
    for number in range(count):
        frame = root / subject / sequence / f"us_{number}.mhd"
        write_meta(frame, noise(*SHAPE, seed=number), spacing=(0.1, 0.2), Timestamp=number * 50)
    return root


@pytest.mark.parametrize("suffix", [".mhd", ".png"])
def test_key_frames_have_their_masks(tmp_path, suffix):
    folder = export(tmp_path, suffix=suffix)
    recording, skipped = open_annotated(Request(folder))
    assert skipped == ()
    assert (recording.subject, recording.name) == ("7", "7/left")
    assert recording.frame_numbers.tolist() == [2, 3, 6]
    assert recording.labelled == (0, 1, 2)
    assert recording.segments() == (range(0, 2), range(2, 3))
    assert recording.timestamps_ns.tolist() == [0, 40_000_000, 160_000_000]
    for i, number in enumerate((2, 3, 6)):
        np.testing.assert_array_equal(recording[i].image_HW, noise(*SHAPE, seed=number))
        np.testing.assert_array_equal(recording.mask(i), mask_of(number))
    assert set(recording.files) == set(folder.iterdir())


def test_polygons_take_the_place_of_masks(tmp_path):
    folder = tmp_path / "7" / "left"
    write_meta(folder / "us_4.mhd", noise(*SHAPE))
    corners = [[2, 2], [10, 2], [10, 8], [2, 8]]
    shapes = [{"label": "vessel", "points": corners, "shape_type": "polygon"}]
    (folder / "us_4.json").write_text(json.dumps({"shapes": shapes}))
    recording = open_recording(folder)
    assert recording.mask(0)[5, 5] == 2
    assert folder / "us_4.json" in recording.files


def test_frames_that_cannot_be_used_are_left_out(tmp_path):
    folder = export(tmp_path, numbers=(1, 2, 3, 4))
    (folder / "us_1.raw").unlink()
    (folder / "us_2_gt.raw").unlink()
    write_meta(folder / "us_3_gt.mhd", mask_of(3)[:10])
    write_meta(folder / "us_9_gt.mhd", mask_of(9))
    recording, skipped = open_annotated(Request(folder))
    assert recording.frame_numbers.tolist() == [2, 3, 4]
    assert recording.labelled == (2,)
    assert [path.path.name for path in skipped] == [
        "us_1.mhd",
        "us_2.mhd",
        "us_3.mhd",
        "us_9_gt.mhd",
    ]
    assert "us_1.raw" in skipped[0].reason
    assert "us_2_gt.raw" in skipped[1].reason
    assert "10x30 pixels but its image us_3.mhd is 20x30" in skipped[2].reason
    assert "has no image of its frame" in skipped[3].reason
    with pytest.raises(RecordingError, match=r"us_1\.raw"):
        open_recording(folder)


def test_a_label_value_without_a_name_is_named(tmp_path):
    folder = export(tmp_path, numbers=(1,))
    write_meta(folder / "us_1_gt.mhd", np.full(SHAPE, 5, np.uint8))
    with pytest.raises(RecordingError, match=r"label value 5, .*\(nerve, vessel\)"):
        open_recording(folder).mask(0)


def test_sequences_are_found_from_any_level(tmp_path):
    folders = [
        export(tmp_path / "set", subject="1"),
        export(tmp_path / "set", subject="2", sequence="a"),
        export(tmp_path / "set", subject="2", sequence="b"),
    ]
    assert list(sequence_folders(tmp_path)) == folders
    assert list(sequence_folders(folders[1])) == [folders[1]]
    for root, names in (
        (tmp_path, ["set/1/left", "set/2/a", "set/2/b"]),
        (tmp_path / "set", ["1/left", "2/a", "2/b"]),
        (tmp_path / "set" / "2", ["2/a", "2/b"]),
        (folders[0], ["1/left"]),
    ):
        data = open_dataset(root, NERVE_VESSEL)
        assert data.layout == "annotation_web"
        assert [recording.name for recording in data.recordings] == names
    assert data.subjects == ("1",)


def test_recordings_fill_the_gaps(tmp_path):
    export(tmp_path / "export" / "set", spacing=(0.5, 0.5))
    frames = recordings(tmp_path / "frames")
    data = open_dataset(tmp_path / "export", NERVE_VESSEL, frames_root=frames)
    (recording,) = data.recordings
    assert data.consecutive_share == 1
    assert (data.frame_count, data.labelled_count) == (9, 3)
    assert (recording.subject, recording.name) == ("7", "set/7/left")
    assert recording.labelled == (2, 3, 6)
    assert recording.spacing_mm == pytest.approx((0.1, 0.2))
    assert recording.timestamps_ns[1] == 50_000_000
    np.testing.assert_array_equal(recording.mask(6), mask_of(6))
    np.testing.assert_array_equal(recording[5].image_HW, noise(*SHAPE, seed=5))
    assert tmp_path / "export" / "set" / "7" / "left" / "us_6_gt.raw" in recording.files


@pytest.mark.parametrize("kind", ["stack", "video", "dicom", "file", "data set level"])
def test_recordings_of_any_kind_fill_the_gaps(tmp_path, kind):
    export(tmp_path / "export" / "set")
    frames = tmp_path / "frames"
    folder = frames / "7" / "left"
    pixels = np.stack([noise(*SHAPE, seed=number) for number in range(9)])
    folder.mkdir(parents=True)
    if kind == "stack":
        write_meta(folder / "cine.mha", pixels)
    elif kind == "video":
        write_video(folder / "cine.mp4", pixels)
    elif kind == "dicom":
        write_dicom(folder / "IM0001", dicom(pixels))
    elif kind == "file":
        folder.rmdir()
        write_meta(frames / "7" / "left.mhd", pixels)
    else:
        write_meta(frames / "set" / "7" / "left.mha", pixels)
    data = open_dataset(tmp_path / "export", NERVE_VESSEL, frames_root=frames)
    (recording,) = data.recordings
    assert (len(recording), recording.labelled) == (9, (2, 3, 6))
    assert recording.subject == "7"
    if kind != "video":
        np.testing.assert_array_equal(recording[6].image_HW, pixels[6])


def test_sequences_without_their_recording_are_skipped(tmp_path):
    export(tmp_path / "export" / "set")
    export(tmp_path / "export" / "set", subject="8")
    export(tmp_path / "export" / "set", subject="9")
    frames = recordings(tmp_path / "frames")
    recordings(frames, subject="9", count=4)
    data = open_dataset(tmp_path / "export", NERVE_VESSEL, frames_root=frames)
    assert data.subjects == ("7",)
    lost, short = data.skipped
    assert "has no recording 8/left" in lost.reason
    assert "annotates frame 6" in short.reason
    assert "holds frames 0 to 3 without it" in short.reason


@pytest.mark.parametrize(
    ("recording", "companions"),
    [
        ("left.mkv", ["left.jsonl", "left.segment-2.mkv", "left.masks-frame.mkv"]),
        ("left.mp4", ["left.json", "left.txt", "left_gt.mhd"]),
        ("left.raw", ["left.yml"]),
        ("left.mhd", ["left.raw", "left_gt.mhd"]),
    ],
)
def test_only_recordings_fit_a_sequence(tmp_path, recording, companions):
    for name in (recording, *companions):
        (tmp_path / "7").mkdir(exist_ok=True)
        (tmp_path / "7" / name).write_text(json.dumps({"sonotempo_stream": 1}))
    found = recorded_sequence(tmp_path, tmp_path / "export" / "7" / "left")
    assert found == tmp_path / "7" / recording


def test_two_recordings_of_one_name_are_refused(tmp_path):
    export(tmp_path / "export" / "set")
    frames = tmp_path / "frames"
    write_meta(frames / "7" / "left.mha", noise(9, *SHAPE))
    write_video(frames / "7" / "left.mp4", noise(9, *SHAPE))
    with pytest.raises(RecordingError, match=r"fits 2 recordings, .*left\.mha and left\.mp4"):
        open_dataset(tmp_path / "export", NERVE_VESSEL, frames_root=frames)


def test_a_wrong_frames_root_is_refused(tmp_path):
    export(tmp_path)
    with pytest.raises(RecordingError, match=r"set data\.frames_root"):
        open_dataset(tmp_path, NERVE_VESSEL, frames_root=tmp_path / "nowhere")


def test_frames_of_two_types_are_refused(tmp_path):
    folder = export(tmp_path, numbers=(1,))
    write_png(folder / "us_2.png", noise(*SHAPE))
    with pytest.raises(RecordingError, match=r"several types \(\.mhd, \.png\)"):
        open_recording(folder)


def test_origins_go_with_their_masks(tmp_path):
    folder = export(tmp_path / "export", numbers=(2, 3, 6))
    write_origins(folder, {3: Origin("propagated"), 6: Origin("model", "frame", is_accepted=True)})
    recording = open_recording(folder)
    assert recording.origins == {
        1: Origin("propagated"),
        2: Origin("model", "frame", is_accepted=True),
    }
    assert recording.origin(0) == Origin()
    whole = recordings(tmp_path / "whole")
    (paired,) = open_dataset(
        tmp_path / "export", NERVE_VESSEL, layout="annotation_web", frames_root=whole
    ).recordings
    assert paired.labelled == (2, 3, 6)
    assert {index: one.use for index, one in paired.origins.items()} == {
        3: "propagated",
        6: "accepted",
    }


def test_an_origin_without_a_mask_is_said_and_the_others_hold(tmp_path):
    folder = export(tmp_path, numbers=(2, 3))
    write_origins(folder, {3: Origin("propagated"), 4: Origin("propagated"), 5: Origin()})
    recording, (skipped,) = open_annotated(Request(folder))
    assert recording.origins == {1: Origin("propagated")}
    assert skipped.reason.endswith(
        "origins.json says where the mask of 2 frames comes from, but there is none"
    )
    assert open_recording(folder).origins == recording.origins


def test_a_mask_that_cannot_be_used_is_reported_once(tmp_path):
    folder = export(tmp_path, numbers=(2, 3))
    write_meta(folder / "us_3_gt.mhd", mask_of(3)[:10])
    write_origins(folder, {3: Origin("propagated")})
    _, skipped = open_annotated(Request(folder))
    assert len(skipped) == 1


def test_damaged_origins_leave_the_recording_out(tmp_path):
    export(tmp_path, sequence="left")
    folder = export(tmp_path, sequence="right")
    (folder / "origins.json").write_text("{")
    dataset = open_dataset(tmp_path, NERVE_VESSEL)
    assert [one.name for one in dataset.recordings] == ["7/left"]
    assert [one.path for one in dataset.skipped] == [folder]
    with pytest.raises(RecordingError, match="does not say where the masks come from"):
        open_recording(folder)
