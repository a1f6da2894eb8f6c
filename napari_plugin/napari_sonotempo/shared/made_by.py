"""Layers of masks that a model has made say so in their metadata."""

from collections.abc import Mapping
from typing import Any

from napari_sonotempo.shared.layers import METADATA_KEY, LayerData

_MODEL = "model"


def made_by(model: str, layer: LayerData) -> LayerData:
    """Return a Labels layer that says which model has made its masks."""
    data, meta, kind = layer
    meta["metadata"][METADATA_KEY][_MODEL] = model
    return data, meta, kind


def model_of(meta: Mapping[str, Any]) -> str:
    """Return the model that made a layer's masks; empty if a person did."""
    facts = (meta.get("metadata") or {}).get(METADATA_KEY) or {}
    return str(facts.get(_MODEL, ""))
