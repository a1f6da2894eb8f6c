"""Layers say which model made their masks."""

import numpy as np

from napari_sonotempo.shared.made_by import made_by, model_of


def test_a_layer_names_the_model_that_made_its_masks():
    masks = np.zeros((5, 4, 4), np.uint8)
    _, about, _ = made_by("frame", (masks, {"metadata": {"sonotempo": {}}}, "labels"))
    assert model_of(about) == "frame"


def test_a_persons_masks_are_nobodys_model():
    assert model_of({"metadata": {}}) == ""
