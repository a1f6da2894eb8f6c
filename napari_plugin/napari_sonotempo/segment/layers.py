"""What models made of a recording as Labels layers over the Image layer that shows it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from napari_sonotempo.segment.job import GridMask, SegmentResult
from napari_sonotempo.shared.layers import METADATA_KEY, LayerData, masks_layer
from napari_sonotempo.shared.lazy_stack import LazyMasks
from sonotempo.recording import Image, Recording

_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_OUTLINE_PX = 2


class GridMasks(LazyMasks):
    """Masks on the network grid as an array THW in the frames' shape, that can be painted on.

    Args:
        recording: that they were made of, without masks of its own.
        shape_HW: rows and columns of the Image layer.
        grid: the masks by position; background elsewhere.
    """

    def __init__(
        self, recording: Recording, shape_HW: tuple[int, int], grid: Mapping[int, GridMask]
    ) -> None:
        super().__init__(recording, shape_HW, masks={})
        self._grid = grid

    @property
    def labelled(self) -> tuple[int, ...]:
        """The positions of the frames that were segmented or painted on, in order."""
        return tuple(sorted({*self._grid, *self._changed}))

    def __deepcopy__(self, memo: dict[int, Any]) -> "GridMasks":
        copied = GridMasks(self.recording, self.shape[1:], self._grid)
        copied._changed = {position: mask.copy() for position, mask in self._changed.items()}
        return copied

    def _read(self, position: int) -> Image | None:
        mask = self._grid.get(position)
        return None if mask is None else mask.mask_HW()


def result_layers(result: SegmentResult, image: LayerData) -> list[LayerData]:
    """Return a Labels layer for each model, over an Image layer.

    The second one is drawn as outlines, so that both are seen at once.

    Args:
        result: of the Image layer's recording.
        image: the Image layer, as ``layer.as_layer_data_tuple()`` gives it.
    """
    data, meta, _ = image
    shape = data.shape[:-1] if meta.get("rgb") else data.shape
    recording = replace(result.recording, mask_readers={})
    layers = []
    for number, model in enumerate(result.models):
        masks_THW = GridMasks(recording, tuple(shape[-2:]), model.masks)
        masks, about, kind = masks_layer(
            recording, masks_THW, name=f"{meta['name']} · {model.name}"
        )
        if len(shape) == 2:
            masks = np.asarray(masks[0])
        about |= {key: meta[key] for key in _PLACE if key in meta}
        about["metadata"][METADATA_KEY] |= {
            "model": model.card.name,
            "trained_on": model.card.trained_on,
            "note": model.card.note,
        }
        if number > 0:
            about |= {"opacity": 1.0}
        layers.append((masks, about, kind))
    return layers


def outline(layer: Any) -> None:
    """Draw a Labels layer as outlines; napari takes this only from a layer that is there."""
    layer.contour = _OUTLINE_PX
