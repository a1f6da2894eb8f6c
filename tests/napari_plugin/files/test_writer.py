"""Edited masks to files that are trained on, and back."""

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer

from fakes.recordings import make_recording
from fakes.shapes import write_shapes
from napari_sonotempo.files import writer as _writer
from napari_sonotempo.files.reader import read_recordings
from napari_sonotempo.files.writer import write_annotation_web
from napari_sonotempo.shared.label_names import named_structures
from napari_sonotempo.shared.layers import masks_layer, recording_layers
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.made_by import made_by
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.io import open_dataset, open_recording
from sonotempo.label_origin import Origin, write_origins
from sonotempo.structures import AXILLARY, NERVE_VESSEL


def opened(path):
    return [Layer.create(*layer) for layer in read_recordings(path)]


def save(path, *layers):
    return write_annotation_web(str(path), [layer.as_layer_data_tuple() for layer in layers])


def read_back(root, structures=NERVE_VESSEL):
    found = open_dataset(root, structures)
    assert not found.skipped
    (recording,) = found.recordings
    return recording


@pytest.fixture
def export(tmp_path):
    write_shapes(tmp_path / "export", 1, 6, 32, seed=0)
    return tmp_path / "export"


def test_masks_that_were_opened_edited_and_saved_are_read_the_same(tmp_path, export):
    image, masks = opened(export)
    masks.paint((2, 10, 10), 2)
    masks.paint((5, 20, 20), 0)
    (folder,) = save(tmp_path / "corrected", masks)
    assert folder == str(tmp_path / "corrected" / "subject-00" / "sequence-0")
    recording = read_back(tmp_path / "corrected")
    before = read_back(export)
    assert (recording.subject, recording.name) == (before.subject, before.name)
    assert recording.spacing_mm == before.spacing_mm
    assert recording.frame_numbers.tolist() == before.frame_numbers.tolist()
    assert recording.timestamps_ns.tolist() == before.timestamps_ns.tolist()
    for index in range(6):
        np.testing.assert_array_equal(recording.mask(index), masks.data[index])
        np.testing.assert_array_equal(recording[index].image_HW, image.data[index])
    assert not np.array_equal(recording.mask(2), before.mask(2))
    np.testing.assert_array_equal(recording.mask(0), before.mask(0))


def test_only_frames_that_are_or_were_labelled_are_saved(tmp_path):
    some_HW, none_HW = np.ones((40, 48), np.uint8), np.zeros((40, 48), np.uint8)
    recording = make_recording(
        tmp_path / "source", 9, numbers=range(10, 19), masks={1: some_HW, 4: none_HW, 5: some_HW}
    )
    _, masks = (Layer.create(*layer) for layer in recording_layers(recording))
    masks.data[5] = 0  # rubbed out: that nothing is there has been said
    masks.paint((7, 5, 5), 2)
    save(tmp_path / "out", masks)
    found = read_back(tmp_path / "out")
    assert found.frame_numbers.tolist() == [11, 14, 15, 17]
    assert [int(found.mask(index).max()) for index in range(4)] == [1, 0, 0, 2]
    assert found.timestamps_ns.tolist() == [0, 150_000_000, 200_000_000, 300_000_000]


def test_names_go_with_the_masks(tmp_path, export):
    _, masks = opened(export)
    masks.features = {"index": [0, 1, 2], "structure": ["background", "artery", "vein"]}
    save(tmp_path / "out", masks)
    assert named_structures(tmp_path / "out" / "subject-00" / "sequence-0").names == (
        "artery",
        "vein",
    )
    assert opened(tmp_path / "out")[1].features["structure"].tolist()[1:] == ["artery", "vein"]


def test_new_labels_are_saved_with_the_image_that_is_saved_with_them(tmp_path):
    images_THW = np.random.default_rng(0).integers(0, 256, (4, 20, 30)).astype(np.uint8)
    placed = {"scale": (0.05, 0.1, 0.2), "units": ("s", "mm", "mm")}
    image = Image(images_THW, name="scan", **placed)
    labels = Labels(np.zeros((4, 20, 30), np.int32), name="new", **placed)
    labels.data[2, 3:6, 3:6] = 2
    save(tmp_path / "out", image, labels)
    found = read_back(tmp_path / "out")
    assert (found.frame_numbers.tolist(), found.spacing_mm) == ([2], (0.1, 0.2))
    np.testing.assert_array_equal(found[0].image_HW, images_THW[2])
    np.testing.assert_array_equal(found.mask(0), labels.data[2])


def test_new_labels_over_a_recording_take_its_frame_numbers_and_name(tmp_path):
    recording = make_recording(tmp_path / "source", 3, numbers=[4, 5, 8], labelled=[])
    (image,) = (Layer.create(*layer) for layer in recording_layers(recording))
    labels = Labels(np.zeros((3, 40, 48), np.uint8), name="new")
    labels.data[2, :9] = 1
    (folder,) = save(tmp_path / "out", image, labels)
    assert folder == str(tmp_path / "out" / "anna" / "one")
    assert read_back(tmp_path / "out").frame_numbers.tolist() == [8]


def test_labels_without_any_image_are_kept_and_the_lack_is_told(tmp_path):
    labels = Labels(np.ones((2, 20, 30), np.uint8), name="lonely")
    with pytest.warns(UserWarning, match="'lonely' are saved without images.*Image layer"):
        (folder,) = save(tmp_path / "out", labels)
    names = {path.name for path in (tmp_path / "out" / "lonely" / "lonely").iterdir()}
    assert folder.endswith("lonely")
    assert {"frame_0_gt.mhd", "frame_1_gt.mhd"} <= names


def test_a_plain_array_finds_the_recording_that_its_facts_name(tmp_path, export):
    _, masks = opened(export)
    masks.data = np.asarray(masks.data)
    masks.data[0] = 1
    save(tmp_path / "out", masks)
    found = read_back(tmp_path / "out")
    assert len(found) == 6
    assert found.mask(0).min() == 1
    np.testing.assert_array_equal(found[0].image_HW, read_back(export)[0].image_HW)


def test_a_single_image_and_its_labels_are_one_frame(tmp_path):
    image = Image(np.zeros((20, 30), np.uint8), name="still")
    labels = Labels(np.ones((20, 30), np.uint8))
    save(tmp_path / "out", image, labels)
    assert read_back(tmp_path / "out").mask(0).min() == 1


def test_what_was_opened_is_never_written_over(tmp_path, export):
    _, masks = opened(export)
    before = {path: path.read_bytes() for path in export.rglob("*") if path.is_file()}
    masks.paint((2, 10, 10), 2)
    with pytest.raises(RecordingError, match="is never overwritten; save to another folder"):
        save(export, masks)
    assert {path: path.read_bytes() for path in export.rglob("*") if path.is_file()} == before


def test_another_programs_folder_is_never_written_to(tmp_path, export):
    _, masks = opened(export)
    other = tmp_path / "out" / "subject-00" / "sequence-0"
    other.mkdir(parents=True)
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(RecordingError, match="already holds other files"):
        save(tmp_path / "out", masks)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_saving_again_replaces_the_whole_sequence(tmp_path):
    masks = Labels(np.zeros((4, 20, 30), np.uint8), name="new")
    image = Image(np.zeros((4, 20, 30), np.uint8), name="scan")
    masks.data[1:3] = 1
    save(tmp_path / "out", image, masks)
    masks.data[1] = 0
    masks.data[3] = 2
    save(tmp_path / "out", image, masks)
    found = read_back(tmp_path / "out")
    assert found.frame_numbers.tolist() == [2, 3]
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path, export, monkeypatch):
    _, masks = opened(export)
    save(tmp_path / "out", masks)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    written = []

    def full(*given, **more):
        written.append(given)
        if len(written) > 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_writer, "write_frame", full)
    with pytest.raises(SonotempoError, match=r"cannot be written \(No space left on device\)"):
        save(tmp_path / "out", masks)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == before


def test_two_layers_of_one_recording_are_not_mixed(tmp_path, export):
    image, masks = opened(export)
    again = opened(export)[1]
    with pytest.raises(RecordingError, match="save them one at a time"):
        save(tmp_path / "out", image, masks, again)
    assert not (tmp_path / "out").exists()


def test_several_recordings_become_one_data_set(tmp_path):
    write_shapes(tmp_path / "export", 3, 2, 16, seed=0)
    save(tmp_path / "out", *opened(tmp_path / "export"))
    found = open_dataset(tmp_path / "out", NERVE_VESSEL)
    assert found.subjects == ("subject-00", "subject-01", "subject-02")
    assert found.labelled_count == 6


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((3, 20, 30), np.uint8), "holds no labels; paint some"),
        (np.full((3, 20, 30), 300, np.int32), "label values from 300 to 300"),
        (np.ones((2, 3, 20, 30), np.uint8), "has 4 axes"),
    ],
)
def test_labels_that_no_mask_can_hold_are_refused(tmp_path, pixels, reason):
    with pytest.raises(RecordingError, match=reason):
        save(tmp_path / "out", Labels(pixels))
    assert not (tmp_path / "out").exists()


def test_names_that_no_file_system_takes_are_changed(tmp_path):
    recording = make_recording(tmp_path / "source", 2, subject="../a:b", name="x/..")
    _, masks = (Layer.create(*layer) for layer in recording_layers(recording))
    (folder,) = save(tmp_path / "out", masks)
    assert folder == str(tmp_path / "out" / "_a_b" / "unnamed")


def test_masks_of_stills_have_the_sizes_of_their_images(tmp_path):
    from fakes.files import noise, write_png

    for name, shape in (("a", (20, 30)), ("b", (24, 26))):
        write_png(tmp_path / "set" / "images" / f"{name}.png", noise(*shape))
        write_png(tmp_path / "set" / "masks" / f"{name}.png", noise(*shape, high=3))
    (_, masks) = opened(tmp_path / "set")
    (folder,) = save(tmp_path / "out", masks)
    found = open_recording(folder, AXILLARY)
    np.testing.assert_array_equal(found.mask(0), noise(20, 30, high=3))
    np.testing.assert_array_equal(found.mask(1), noise(24, 26, high=3))


@pytest.fixture
def segmented(export):
    """A model's masks over a recording."""
    recording = read_back(export)
    made = {index: recording.mask(index) for index in range(6)}
    masks = LazyMasks(recording, masks=made, origin=Origin("model", "frame model"))
    layer = masks_layer(recording, masks, name="made")
    return Layer.create(*made_by("frame model", layer))


def test_a_models_masks_are_no_truth_until_somebody_accepts_or_corrects_them(tmp_path, segmented):
    segmented.data.set_origin(1, Origin("model", "frame model", is_accepted=True))
    segmented.paint((5, 20, 20), 1)
    segmented.paint((3, 20, 20), 1)
    segmented.undo()
    (folder,) = save(tmp_path / "out", segmented)
    recording = read_back(tmp_path / "out")
    assert {index for index in recording.labelled if recording.origin(index).is_truth} == {1, 5}
    assert recording.origin(5) == Origin()
    assert {recording.origin(index).model for index in (0, 1, 2, 3, 4)} == {"frame model"}
    words = "masks: 1 human, 1 model:frame model (accepted), 4 model:frame model"
    described = (Path(folder) / "metadata.txt").read_text()
    assert words in described
    assert str(tmp_path) not in described


def test_a_models_still_is_no_truth(tmp_path):
    image = Image(np.zeros((20, 30), np.uint8), name="still")
    about = {"name": "made", "metadata": {"sonotempo": {}}}
    masks = made_by("frame model", (np.ones((20, 30), np.uint8), about, "labels"))
    save(tmp_path / "out", image, Layer.create(*masks))
    assert read_back(tmp_path / "out").origin(0) == Origin("model", "frame model")


def test_what_is_saved_counts_as_saved(tmp_path, segmented):
    segmented.paint((5, 20, 20), 1)
    assert not segmented.data.is_saved
    save(tmp_path / "out", segmented)
    assert segmented.data.is_saved


def test_saving_asks_nothing_and_says_what_it_saved(tmp_path, segmented, monkeypatch):
    said = []
    monkeypatch.setattr(_writer, "tell", said.append)
    save(tmp_path / "out", segmented)
    assert said == [f"Saved 6 labelled frames in {tmp_path / 'out'} (6 model:frame model)"]


def test_origins_are_kept_where_nobody_painted(tmp_path, export):
    origins = {1: Origin("propagated"), 2: Origin("propagated"), 3: Origin("empty")}
    write_origins(export / "subject-00" / "sequence-0", origins)
    _, masks = opened(export)
    masks.paint((2, 10, 10), 2)
    save(tmp_path / "out", masks)
    recording = read_back(tmp_path / "out")
    assert recording.origins == {
        index: {1: Origin("propagated"), 3: Origin("empty")}.get(index, Origin())
        for index in range(6)
    }


def test_masks_drawn_from_scratch_are_human(tmp_path, export):
    write_origins(export / "subject-00" / "sequence-0", {1: Origin("propagated")})
    image, _ = opened(export)
    drawn = Labels(np.ones(image.data.shape, np.uint8), name="drawn")
    save(tmp_path / "out", image, drawn)
    assert {one.kind for one in read_back(tmp_path / "out").origins.values()} == {"human"}
