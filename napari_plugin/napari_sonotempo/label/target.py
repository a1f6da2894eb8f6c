"""Which recording is labelled, and in which layer of masks."""

from typing import Any

import numpy as np

from napari_sonotempo.shared.layers import (
    facts_of,
    label_colors,
    label_features,
    masks_layer,
    recording_of,
    structures_of,
)
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL, StructureSet

_HIGHEST_LABEL = 254
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def unwrapped(data: Any) -> Any:
    """Return an object without the proxy that napari gives to plugins."""
    return getattr(data, "__wrapped__", data)


def is_kind(layer: Any, kind: str) -> bool:
    """Whether a layer is of a kind, ``Image`` or ``Labels``; a plugin may be given a proxy."""
    return layer is not None and layer.__class__.__name__ == kind


def is_series(layer: Any) -> bool:
    """Whether an Image layer is a time series."""
    return is_kind(layer, "Image") and layer.ndim == 3 and not layer.multiscale


def fits(labels: Any, image: Any) -> bool:
    """Whether a Labels layer has the frames, rows and columns of an Image layer."""
    return is_kind(labels, "Labels") and tuple(labels.data.shape) == shape_of(image)


def shape_of(image: Any) -> tuple[int, int, int]:
    """Return frames, rows and columns of an Image layer."""
    frames, rows, columns = image.data.shape[:3]
    return int(frames), int(rows), int(columns)


def recording_in(image: Any) -> Recording:
    """Return the recording that an Image layer shows.

    Raises:
        RecordingError: it shows none.
    """
    data, meta, _ = image.as_layer_data_tuple()
    return recording_of(unwrapped(data), meta)


def structures_in(labels: Any) -> StructureSet:
    """Return what the values of a Labels layer mean."""
    return structures_of(labels.as_layer_data_tuple()[1]) or NERVE_VESSEL


def belongs(labels: Any, image: Any) -> bool:
    """Whether a Labels layer was made from the same recording as an Image layer."""
    of_labels, of_image = (facts_of({"metadata": one.metadata}) for one in (labels, image))
    return bool(of_image) and all(
        of_labels.get(key) == of_image.get(key) for key in ("source", "name", "frames")
    )


def masks_in(labels: Any, image: Any) -> LazyMasks:
    """Return a Labels layer's masks; an array of numbers is put into the form that keeps origins.

    The layer's own history of strokes begins again then.

    Raises:
        RecordingError: the array holds values that a mask cannot hold.
    """
    data = unwrapped(labels.data)
    if isinstance(data, LazyMasks):
        return data
    array_THW = np.asarray(data)
    low, high = int(array_THW.min()), int(array_THW.max())
    if low < 0 or high > _HIGHEST_LABEL:
        raise RecordingError(
            f"the layer {labels.name!r} holds label values from {low} to {high}, but a mask holds "
            f"0 to {_HIGHEST_LABEL}: choose another layer, or press New masks"
        )
    drawn = np.flatnonzero(array_THW.any(axis=(1, 2)))
    found = {int(position): array_THW[position].astype(np.uint8) for position in drawn}
    recording = recording_in(image)
    masks = LazyMasks(recording, (array_THW.shape[1], array_THW.shape[2]), masks=found)
    if structures_of(labels.as_layer_data_tuple()[1]) is None:
        labels.features = label_features(recording.structures)
        labels.colormap = label_colors(recording.structures)
    labels.data = masks
    if found:
        masks.version += 1  # so far it is in memory only
    return masks


def add_masks(viewer: Any, image: Any, masks: LazyMasks) -> Any:
    """Add a Labels layer over an Image layer, and return it."""
    data, about, _ = masks_layer(masks.recording, masks, name=f"{image.name} masks")
    meta = image.as_layer_data_tuple()[1]
    about |= {key: meta[key] for key in _PLACE if key in meta}
    return viewer.add_labels(data, **about)
