"""Which frames of a model's masks somebody has looked at, so that saving can say it."""

import weakref
from collections.abc import Mapping
from typing import Any

from napari_sonotempo.shared.layers import METADATA_KEY, LayerData

_MODEL, _SEEN = "model", "sonotempo_looked_at"
_followed: "weakref.WeakSet[Any]" = weakref.WeakSet()


def made_by(model: str, layer: LayerData) -> LayerData:
    """Return a Labels layer that says which model has made its masks."""
    data, meta, kind = layer
    meta["metadata"][METADATA_KEY][_MODEL] = model
    meta["metadata"][_SEEN] = set()
    return data, meta, kind


def model_of(meta: Mapping[str, Any]) -> str:
    """Return the model that made a layer's masks; empty if a person did."""
    facts = (meta.get("metadata") or {}).get(METADATA_KEY) or {}
    return str(facts.get(_MODEL, ""))


def looked_at(meta: Mapping[str, Any]) -> frozenset[int]:
    """Return the positions of the frames that were on screen."""
    return frozenset((meta.get("metadata") or {}).get(_SEEN) or ())


def follow(viewer: Any) -> None:
    """Note from now on which frames a viewer shows; once for each viewer is enough."""
    steps = viewer.dims.events.current_step
    if steps in _followed:
        return
    _followed.add(steps)
    here = weakref.ref(viewer.layers)

    def note(event: Any) -> None:
        layers = here()
        if layers is not None:
            _note(layers, event.source)

    steps.connect(note)


def _note(layers: Any, dims: Any) -> None:
    """Add the frame on screen to every visible layer of masks that a model made."""
    for layer in layers:
        seen = layer.metadata.get(_SEEN)
        if seen is not None and layer.visible and layer.ndim >= 3:
            place = round(float(layer.world_to_data(dims.point)[0]))
            if 0 <= place < len(layer.data):
                seen.add(place)
