"""A recording as layers, and layers as a recording."""

import json

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer

from fakes.recordings import make_recording
from napari_sonotempo.shared.layers import (
    facts_of,
    masks_layer,
    recording_layers,
    recording_of,
    structures_of,
)
from sonotempo.errors import RecordingError
from sonotempo.structures import AXILLARY, NERVE_VESSEL


def layers_of(recording, **more):
    return [Layer.create(*layer) for layer in recording_layers(recording, **more)]


def test_a_layer_is_in_seconds_and_millimetres(tmp_path):
    image, masks = layers_of(make_recording(tmp_path, 5, spacing_mm=(0.1, 0.2)))
    for layer in (image, masks):
        np.testing.assert_allclose(layer.scale, (0.05, 0.1, 0.2))
        assert [f"{unit:~}" for unit in layer.units] == ["s", "mm", "mm"]
        assert layer.axis_labels == ("time", "depth", "lateral")
    assert tuple(image.contrast_limits) == (0, 255)


def test_unknown_spacing_is_said_to_be_pixels(tmp_path):
    (image, _) = layers_of(make_recording(tmp_path, 5))
    np.testing.assert_allclose(image.scale, (0.05, 1, 1))
    assert [str(unit) for unit in image.units] == ["second", "pixel", "pixel"]


def test_a_recording_without_masks_has_no_labels(tmp_path):
    assert len(layers_of(make_recording(tmp_path, 5, labelled=[]))) == 1


def test_uneven_times_step_by_their_median_and_stay_in_the_metadata(tmp_path):
    recording = make_recording(tmp_path, 4)
    recording.timestamps_ns[:] = [0, 40_000_000, 80_000_000, 500_000_000]
    image = layers_of(recording)[0]
    assert image.scale[0] == pytest.approx(0.04)
    facts = facts_of({"metadata": image.metadata})
    assert facts["timestamps_ns"] == [0, 40_000_000, 80_000_000, 500_000_000]
    assert not facts["even_times"]
    assert facts_of({"metadata": layers_of(make_recording(tmp_path, 4))[0].metadata})["even_times"]


def test_the_facts_are_plain_data(tmp_path):
    recording = make_recording(tmp_path, 3, spacing_mm=(0.1, 0.2), numbers=[4, 5, 9])
    facts = facts_of(recording_layers(recording)[0][1])
    assert json.loads(json.dumps(facts)) == facts
    assert facts["source"] == str(recording.source)
    assert (facts["subject"], facts["name"]) == ("anna", "anna/one")
    assert facts["frame_numbers"] == [4, 5, 9]
    assert facts["structures"][0] == {"name": "nerve", "color_rgb": [240, 228, 66]}


def test_the_status_bar_names_the_structure_under_the_cursor(tmp_path):
    _, masks = layers_of(make_recording(tmp_path, 3))
    options = {"view_direction": None, "dims_displayed": [1, 2]}
    assert "structure: nerve" in masks.get_status((0, 5, 5), **options)["coordinates"]
    assert "structure: background" in masks.get_status((0, 5, 40), **options)["coordinates"]


def test_masks_have_the_colours_of_their_structures(tmp_path):
    _, masks = layers_of(make_recording(tmp_path, 3))
    for label, structure in enumerate(NERVE_VESSEL, start=1):
        red, green, blue, opacity = masks.get_color(label)
        np.testing.assert_allclose(np.array([red, green, blue]) * 255, structure.color_rgb)
        assert opacity == 1
    assert masks.get_color(0) is None or masks.get_color(0)[3] == 0


def test_nothing_but_the_first_frame_is_read(tmp_path):
    recording = make_recording(tmp_path, 1000)
    recording_layers(recording)
    assert set(recording.images.reads) == {0}


def test_a_painted_layer_can_be_undone(tmp_path):
    _, masks = layers_of(make_recording(tmp_path, 3, masks={0: np.zeros((40, 48), np.uint8)}))
    masks.paint((1, 10, 10), 2)
    assert masks.data[1, 10, 10] == 2
    masks.undo()
    assert masks.data[1, 10, 10] == 0
    masks.fill((2, 10, 10), 1)
    assert masks.data[2].min() == 1


def test_masks_of_a_model_are_shown_over_their_recording(tmp_path):
    recording = make_recording(tmp_path, 3, spacing_mm=(0.1, 0.2), labelled=[])
    masks_THW = np.ones((3, 40, 48), np.uint8)
    layer = Layer.create(*masks_layer(recording, masks_THW, name="sequence"))
    assert isinstance(layer, Labels)
    assert layer.data is masks_THW
    np.testing.assert_allclose(layer.scale, (0.05, 0.1, 0.2))


def test_the_recording_behind_a_layer_is_found_again(tmp_path):
    recording = make_recording(tmp_path, 3)
    for layer in layers_of(recording):
        assert recording_of(*layer.as_layer_data_tuple()[:2]) is recording


def test_a_layer_of_any_origin_becomes_a_recording():
    pixels = np.linspace(0, 1000, 5 * 4 * 6).reshape(5, 4, 6)
    layer = Image(
        pixels, scale=(50, 0.01, 0.02), units=("ms", "cm", "cm"), contrast_limits=(0, 1000)
    )
    recording = recording_of(*layer.as_layer_data_tuple()[:2])
    assert recording.timestamps_ns.tolist() == [
        0,
        50_000_000,
        100_000_000,
        150_000_000,
        200_000_000,
    ]
    assert recording.spacing_mm == pytest.approx((0.1, 0.2))
    assert recording[0].image_HW.dtype == np.uint8
    assert (recording[0].image_HW.min(), recording[4].image_HW.max()) == (0, 255)


def test_a_layer_in_pixels_has_unknown_spacing_and_the_nominal_rate():
    layer = Image(np.zeros((3, 4, 6), np.uint8))
    recording = recording_of(*layer.as_layer_data_tuple()[:2])
    assert recording.spacing_mm is None
    assert recording.timestamps_ns.tolist() == [0, 40_000_000, 80_000_000]


def test_a_colour_layer_becomes_grey():
    layer = Image(np.full((3, 4, 6, 3), 9, np.uint8), rgb=True)
    recording = recording_of(*layer.as_layer_data_tuple()[:2])
    assert recording[2].image_HW.tolist() == np.full((4, 6), 9).tolist()


def test_a_layer_of_four_axes_is_refused_by_name():
    layer = Image(np.zeros((2, 3, 4, 6), np.uint8), name="volumes")
    with pytest.raises(RecordingError, match=r"'volumes'.*time series"):
        recording_of(*layer.as_layer_data_tuple()[:2])


def test_names_changed_in_the_features_are_the_structures():
    features = {"index": [0, 1, 2], "structure": ["background", "artery", "vein"]}
    layer = Labels(np.zeros((3, 4, 6), np.uint8), features=features)
    assert structures_of(layer.as_layer_data_tuple()[1]).names == ("artery", "vein")
    features = {"index": range(6), "structure": ["background", *AXILLARY.names]}
    layer.features = features
    assert structures_of(layer.as_layer_data_tuple()[1]) is AXILLARY
    assert structures_of(Labels(np.zeros((3, 4, 6), np.uint8)).as_layer_data_tuple()[1]) is None
