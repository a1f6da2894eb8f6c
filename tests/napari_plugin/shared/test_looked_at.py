"""Which frames of a model's masks were on screen."""

import numpy as np
from napari.components import ViewerModel

from napari_sonotempo.shared.looked_at import follow, looked_at, made_by, model_of


def layer_of(model):
    masks = np.zeros((5, 4, 4), np.uint8)
    return made_by(model, (masks, {"metadata": {"sonotempo": {}}, "name": "masks"}, "labels"))


def test_frames_on_screen_are_noted_while_the_layer_is_visible():
    viewer = ViewerModel()
    data, meta, _ = layer_of("frame")
    masks = viewer.add_labels(data, **meta)
    follow(viewer)
    follow(viewer)  # once is enough
    for step in (1, 2):
        viewer.dims.set_current_step(0, step)
    masks.visible = False
    viewer.dims.set_current_step(0, 4)
    about = masks.as_layer_data_tuple()[1]
    assert looked_at(about) == {1, 2}
    assert model_of(about) == "frame"


def test_a_persons_masks_are_nobodys_model():
    assert model_of({"metadata": {}}) == ""
    assert looked_at({}) == frozenset()
