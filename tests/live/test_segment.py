import json
from pathlib import Path

import numpy as np
import pytest

from fakes.onnx_models import write_model
from fakes.recordings import make_recording
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.segment import ABOUT_FILE, segment_recording
from sonotempo.structures import NERVE_VESSEL


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name, arms in {
        "frame": ("frame",),
        "sequence": ("sequence",),
        "pair": ("frame", "sequence"),
    }.items():
        write_model(folder / f"{name}.onnx", arms=arms)
        made[name] = OnnxPredictor(folder / f"{name}.onnx", threads=1)
    yield made
    for predictor in made.values():
        predictor.close()


def recorded(tmp_path, count=6, **more):
    return make_recording(tmp_path / "in", count, spacing_mm=(0.1, 0.2), **more)


def test_what_is_written_is_read_back_with_the_masks_of_the_predictor(tmp_path, predictors):
    predictor = predictors["sequence"]
    recording = recorded(tmp_path, numbers=[3, 4, 5, 6, 7, 8])
    done = segment_recording(recording, predictor, tmp_path / "anna" / "masks")
    back = open_recording(tmp_path / "anna" / "masks", NERVE_VESSEL)
    assert (done.frames, done.skipped, done.resets) == (6, (), ((3, "start"),))
    assert back.subject == "anna"
    assert back.frame_numbers.tolist() == [3, 4, 5, 6, 7, 8]
    assert back.timestamps_ns.tolist() == recording.timestamps_ns.tolist()
    assert back.spacing_mm == pytest.approx((0.1, 0.2))
    assert back.labelled == tuple(range(6))
    predictor.reset()
    for index, frame in enumerate(recording):
        np.testing.assert_array_equal(back[index].image_HW, frame.image_HW)
        (prediction,) = predictor.step(frame)
        np.testing.assert_array_equal(back.mask(index), prediction.mask_HW)
    assert any(back.mask(i).any() for i in range(6))


def test_a_pair_writes_a_folder_for_each_arm(tmp_path, predictors):
    done = segment_recording(recorded(tmp_path), predictors["pair"], tmp_path / "masks")
    assert list(done.folders) == ["frame", "sequence"]
    masks = {}
    for arm, folder in done.folders.items():
        assert folder == tmp_path / "masks" / arm
        back = open_recording(folder)
        masks[arm] = [back.mask(i) for i in back.labelled]
        assert json.loads((folder / ABOUT_FILE).read_text())["arm"] == arm
    assert len(masks["frame"]) == len(masks["sequence"]) == 6
    assert not np.array_equal(masks["frame"], masks["sequence"])


def test_beside_the_masks_stands_what_made_them(tmp_path, predictors):
    segment_recording(recorded(tmp_path), predictors["frame"], tmp_path / "masks")
    about = json.loads((tmp_path / "masks" / ABOUT_FILE).read_text(encoding="utf-8"))
    assert about["model"] == "tiny frame"
    assert about["engine"] == predictors["frame"].engine
    assert [(one["label"], one["name"]) for one in about["structures"]] == [
        (1, "nerve"),
        (2, "vessel"),
    ]


def test_nothing_says_where_the_recording_lay(tmp_path, predictors):
    source = recorded(tmp_path).source
    recording = recorded(tmp_path, broken={2: RecordingError(f"{source} is cut short")})
    segment_recording(recording, predictors["frame"], tmp_path / "masks")
    text = (tmp_path / "masks" / ABOUT_FILE).read_text(encoding="utf-8")
    about = json.loads(text)
    assert str(tmp_path) not in text
    assert about["recording"] == "/".join(recording.source.parts[-2:])
    assert about["skipped"] == [f"frame 2: {about['recording']} is cut short"]


def test_a_gap_in_time_resets_the_state(tmp_path, predictors):
    recording = recorded(tmp_path)
    recording.timestamps_ns[3:] += 2_000_000_000
    done = segment_recording(recording, predictors["sequence"], tmp_path / "masks")
    assert done.resets == ((0, "start"), (3, "gap"))
    done = segment_recording(recording, predictors["sequence"], tmp_path / "more", max_gap_ms=5000)
    assert done.resets == ((0, "start"),)


def test_a_frame_that_cannot_be_read_is_left_out_and_listed(tmp_path, predictors):
    recording = recorded(tmp_path, broken={2: RecordingError("its data are damaged")})
    done = segment_recording(recording, predictors["frame"], tmp_path / "masks")
    assert done.frames == 5
    assert done.skipped == ("frame 2: its data are damaged",)
    assert open_recording(tmp_path / "masks").frame_numbers.tolist() == [0, 1, 3, 4, 5]


def test_a_recording_without_a_readable_frame_is_refused(tmp_path, predictors):
    broken = {i: RecordingError("its data are damaged") for i in range(6)}
    with pytest.raises(RecordingError, match=r"no frame .* could be read; frame 0: its data"):
        segment_recording(
            recorded(tmp_path, broken=broken), predictors["frame"], tmp_path / "masks"
        )


def test_every_frame_is_reported(tmp_path, predictors):
    seen = []
    recording = recorded(tmp_path, broken={1: RecordingError("damaged")})
    segment_recording(
        recording, predictors["frame"], tmp_path / "masks", on_frame=lambda: seen.append(1)
    )
    assert len(seen) == 6


def test_the_video_has_a_frame_for_every_mask(tmp_path, predictors):
    segment_recording(
        recorded(tmp_path), predictors["pair"], tmp_path / "masks", video=tmp_path / "overlay.mp4"
    )
    assert len(open_recording(tmp_path / "overlay.mp4")) == 6


def test_a_folder_that_holds_files_is_left_alone(tmp_path, predictors):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "old.mhd").write_text("precious", encoding="utf-8")
    with pytest.raises(RecordingError, match="is not empty"):
        segment_recording(recorded(tmp_path), predictors["frame"], tmp_path / "masks")
    with pytest.raises(RecordingError, match="cannot be created"):
        segment_recording(
            recorded(tmp_path), predictors["frame"], tmp_path / "masks" / "old.mhd" / "more"
        )


def test_a_folder_that_may_not_be_listed_is_a_sentence(tmp_path, predictors, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    one = recorded(tmp_path)
    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(RecordingError, match=r"cannot be read \(Permission denied\).*--out"):
        segment_recording(one, predictors["frame"], tmp_path / "masks")


def test_a_disk_that_fills_up_leaves_the_frames_before_complete(tmp_path, predictors, monkeypatch):
    import sonotempo.live.segment as module

    real = module.write_frame

    def full(folder, stem, *arguments, **options):
        if stem.endswith("_3"):
            raise OSError(28, "No space left on device")
        real(folder, stem, *arguments, **options)

    monkeypatch.setattr(module, "write_frame", full)
    with pytest.raises(RecordingError, match=r"No space left on device.*the 3 frames before"):
        segment_recording(
            recorded(tmp_path),
            predictors["frame"],
            tmp_path / "masks",
            video=tmp_path / "overlay.mp4",
        )
    assert open_recording(tmp_path / "masks").labelled == (0, 1, 2)
    assert len(open_recording(tmp_path / "overlay.mp4")) == 3
