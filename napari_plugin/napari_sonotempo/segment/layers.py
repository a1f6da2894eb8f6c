"""The masks of a segmented recording as Labels layers over the Image layer that shows it."""

from typing import Any

import numpy as np

from napari_sonotempo.segment.job import SegmentResult
from napari_sonotempo.shared.layers import METADATA_KEY, LayerData, masks_layer
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.made_by import made_by
from sonotempo.label_origin import Origin
from sonotempo.recording import Image

_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_OUTLINE_PX = 2


class GridMasks(LazyMasks):
    """Masks on the network grid as an array THW in the frames' shape, that can be painted on.

    Args:
        result: of segmenting a recording.
        shape_HW: rows and columns of the Image layer.
        arm: which of the predictions to show; frames without one are background.
    """

    def __init__(self, result: SegmentResult, shape_HW: tuple[int, int], arm: int) -> None:
        super().__init__(result.recording, shape_HW, masks={})
        self._result, self._arm = result, arm

    def __deepcopy__(self, memo: dict[int, Any]) -> "GridMasks":
        copied = GridMasks(self._result, self.shape[1:], self._arm)
        self._copy_into(copied)
        return copied

    def _made(self) -> set[int]:
        return {*self._result.predictions, *self._given}

    def _made_origin(self, position: int) -> Origin:
        return Origin("model", self._result.cards[self._arm].name)

    def _read(self, position: int) -> Image | None:
        made = self._result.predictions.get(position)
        return None if made is None else made[self._arm].mask_HW()


def result_layers(result: SegmentResult, image: LayerData) -> list[LayerData]:
    """Return a Labels layer for each arm, over an Image layer.

    Args:
        result: of the Image layer's recording.
        image: the Image layer, as ``layer.as_layer_data_tuple()`` gives it.
    """
    data, meta, _ = image
    shape = data.shape[:-1] if meta.get("rgb") else data.shape
    layers = []
    for arm, (name, card) in enumerate(zip(result.names, result.cards, strict=True)):
        masks, about, kind = masks_layer(
            result.recording,
            GridMasks(result, tuple(shape[-2:]), arm),
            name=f"{meta['name']} · {name}",
        )
        if len(shape) == 2:
            masks = np.asarray(masks[0])
        about |= {key: meta[key] for key in _PLACE if key in meta}
        about["metadata"][METADATA_KEY] |= {
            "trained_on": card.trained_on,
            "note": card.note,
        }
        if arm > 0:
            about["opacity"] = 1.0  # for the outlines, see outline()
        layers.append(made_by(card.name, (masks, about, kind)))
    return layers


def outline(layer: Any) -> None:
    """Draw a Labels layer as outlines, which napari allows only once the layer exists."""
    layer.contour = _OUTLINE_PX
