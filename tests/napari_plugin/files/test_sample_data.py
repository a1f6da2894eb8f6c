"""File → Open Sample."""

import numpy as np
import pytest

from napari_sonotempo.files import sample_data as _sample_data
from napari_sonotempo.shared.layers import facts_of
from sonotempo.structures import AXILLARY, FEMORAL


@pytest.mark.parametrize(
    ("open_sample", "structures"),
    [(_sample_data.axillary, AXILLARY), (_sample_data.femoral, FEMORAL)],
)
def test_a_sample_is_an_even_recording_with_masks(monkeypatch, open_sample, structures):
    monkeypatch.setattr(_sample_data, "SECONDS", 0.3)
    monkeypatch.setattr(_sample_data, "SIZE", 128)
    (image, meta, _), (masks, masks_meta, kind) = open_sample()
    assert image.shape == masks.shape == (6, 128, 128)
    assert kind == "labels"
    assert meta["units"] == ("s", "mm", "mm")
    assert facts_of(meta)["even_times"]
    assert not np.array_equal(image[0], image[5])
    assert masks_meta["features"]["structure"][1:] == list(structures.names)
    assert 1 <= np.asarray(masks).max() <= len(structures)
