"""The layers of the live picture, in a viewer without a window."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sonotempo.live.layers import LiveLayers
from napari_sonotempo.live.view import ViewStyle
from sonotempo.live.history import StepResult
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Frame
from sonotempo.structures import NERVE_VESSEL

SHAPE_HW = (48, 64)
SIZE = 32


def result_of(number=0, *, masks=True, shape_HW=SHAPE_HW, spacing=(0.1, 0.1), sizes=(SIZE, SIZE)):
    """A bright frame; A finds structure 1 in the left half, B structure 2 in the right."""
    frame = Frame(np.full(shape_HW, 100 + number, np.uint8), number, 0, spacing)
    made = []
    for side, size in enumerate(sizes):
        mask_SS = np.zeros((size, size), np.uint8)
        half = slice(0, size // 2) if side == 0 else slice(size // 2, None)
        mask_SS[:, half] = side + 1
        fit = fit_frame(frame, size)
        made.append(GridPrediction(mask_SS, fit, 1, "AB"[side]))
    return StepResult(frame, tuple(made) if masks else (), 0, 0)


@pytest.fixture
def viewer():
    return ViewerModel()


def layers_in(viewer, view="side", names=("frame", "sequence"), **style):
    layers = LiveLayers(viewer, NERVE_VESSEL, names)
    layers.set_style(ViewStyle(view=view, **style))
    return layers


def values_at(layer, row_mm, column_mm):
    return layer.get_value((row_mm, column_mm), world=True)


def test_side_by_side_shows_the_same_frame_twice_with_each_models_mask(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(7))
    image, masks = viewer.layers["live"], viewer.layers["masks"]
    offset = image.data.shape[1] - SHAPE_HW[1]
    assert offset > SHAPE_HW[1]
    assert (image.data[:, : SHAPE_HW[1]] == 107).all()
    assert (image.data[:, offset:] == 107).all()
    shift = offset * 0.1
    for row in (0.5, 2.0, 4.5):
        assert [values_at(masks, row, c) for c in (1.0, 5.0)] == [1, 0]
        assert [values_at(masks, row, c + shift) for c in (1.0, 5.0)] == [0, 2]


def test_later_frames_are_written_in_place(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(0))
    arrays = {layer.name: layer.data for layer in viewer.layers}
    for number in range(1, 4):
        layers.show(result_of(number))
    for layer in viewer.layers:
        assert layer.data is arrays[layer.name], layer.name
    assert viewer.layers["live"].data[0, 0] == 103


@pytest.mark.parametrize(("shown", "left", "right"), [("A", 1, 0), ("B", 0, 2)])
def test_one_picture_shows_the_masks_of_the_chosen_model(viewer, shown, left, right):
    layers = layers_in(viewer, "one", shown=shown)
    layers.show(result_of())
    assert viewer.layers["live"].data.shape == SHAPE_HW
    masks = viewer.layers["masks"]
    assert (values_at(masks, 2, 1), values_at(masks, 2, 5)) == (left, right)
    assert not viewer.layers["masks of B"].visible


def test_both_are_outlines_of_different_widths(viewer):
    layers = layers_in(viewer, "one", shown="both")
    layers.show(result_of())
    first, second = viewer.layers["masks"], viewer.layers["masks of B"]
    assert first.visible
    assert second.visible
    assert first.contour > second.contour > 0
    assert values_at(first, 2, 1) == 1


def test_the_difference_names_who_sees_something(viewer):
    layers = layers_in(viewer, "difference")
    layers.show(result_of())
    difference = viewer.layers["difference of A and B"]
    assert difference.visible
    assert not viewer.layers["masks"].visible
    assert (values_at(difference, 2, 1), values_at(difference, 2, 5)) == (1, 2)


def test_models_of_different_grids_lie_right_too(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(sizes=(16, 32)))
    masks = viewer.layers["masks"]
    shift = (viewer.layers["live"].data.shape[1] - SHAPE_HW[1]) * 0.1
    assert [values_at(masks, 2, c) for c in (1.0, 5.0)] == [1, 0]
    assert [values_at(masks, 2, c + shift) for c in (1.0, 5.0)] == [0, 2]


def test_masks_never_stay_over_a_frame_without_a_prediction(viewer):
    for view in ("one", "side", "difference"):
        layers = layers_in(viewer, view)
        layers.show(result_of(0))
        layers.show(result_of(1, masks=False))
        for name in ("masks", "masks of B", "difference of A and B"):
            assert not viewer.layers[name].data.any(), (view, name)
        assert "not segmented" in viewer.layers["names"].features["name"].iloc[0]
        layers.remove()


def test_clearing_keeps_the_picture(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(5))
    layers.clear_masks()
    assert not viewer.layers["masks"].data.any()
    assert viewer.layers["live"].data[0, 0] == 105


def test_another_frame_size_or_spacing_moves_masks_with_the_picture(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(0))
    layers.show(result_of(1, shape_HW=(60, 60), spacing=(0.2, 0.1)))
    image, masks = viewer.layers["live"], viewer.layers["masks"]
    assert tuple(image.scale) == (0.2, 0.1)
    shift = (image.data.shape[1] - 60) * 0.1
    assert [values_at(masks, 3, c) for c in (1.0, 5.0)] == [1, 0]
    assert [values_at(masks, 3, c + shift) for c in (1.0, 5.0)] == [0, 2]


def test_hidden_structures_are_not_drawn_and_not_named(viewer):
    layers = layers_in(viewer, hidden=frozenset({1}))
    layers.show(result_of())
    assert not (viewer.layers["masks"].data == 1).any()
    names = list(viewer.layers["names"].features["name"])
    assert "nerve" not in names
    assert "vessel" in names


def test_names_stand_at_the_structures_centres(viewer):
    layers = layers_in(viewer, "one", shown="A")
    layers.show(result_of())
    words = viewer.layers["names"]
    row = list(words.features["name"]).index("nerve")
    assert words.data[row] == pytest.approx((2.4, 1.6), abs=0.25)


def test_a_single_model_and_no_model_at_all_are_drawn_too(viewer):
    for names in (("frame",), ()):
        layers = LiveLayers(viewer, NERVE_VESSEL if names else None, names)
        for view in ("one", "side", "difference"):
            layers.set_style(ViewStyle(view=view))
            layers.show(result_of(3, sizes=(SIZE,) * len(names)))
            assert viewer.layers["live"].data.shape == SHAPE_HW
        layers.remove()
    assert not viewer.layers


def test_layers_that_the_user_deleted_are_made_again(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(0))
    viewer.layers.remove("masks")
    layers.show(result_of(1))
    assert viewer.layers["masks"].data.any()


def test_unknown_spacing_is_shown_in_pixels(viewer):
    layers = layers_in(viewer)
    layers.show(result_of(spacing=None))
    assert {str(unit) for unit in viewer.layers["live"].units} == {"pixel"}


def test_every_view_fills_the_canvas_whatever_was_shown_before(viewer):
    layers = layers_in(viewer)
    layers.show(result_of())
    width_mm = SHAPE_HW[1] * 0.1
    for view in ("difference", "one", "side", "difference", "side", "one", "difference"):
        layers.set_style(ViewStyle(view=view))
        layers.show(result_of())
        shown_mm = viewer.layers.extent.world[1, 1] - viewer.layers.extent.world[0, 1]
        assert shown_mm > 2 * width_mm if view == "side" else shown_mm <= width_mm, view
        centre_mm = getattr(viewer, "scene", viewer).camera.center[2]
        assert centre_mm == pytest.approx(shown_mm / 2, abs=0.4), view
