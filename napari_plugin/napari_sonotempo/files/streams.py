"""The masks recorded with a stream, as Labels layers over its frames."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from napari_sonotempo.shared.layers import LayerData, label_names, masks_layer
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.made_by import made_by
from sonotempo.io.stream_recording import (
    StreamRecording,
    open_predictions,
    recorded_structures,
)
from sonotempo.label_origin import Origin
from sonotempo.structures import NERVE_VESSEL, StructureSet

_FIRST_MASKS = 20
_FEWEST_LABELS = 8  # a structure may come into view later


def prediction_layers(recording: StreamRecording, visible: bool) -> list[LayerData]:
    """Return one Labels layer for each model whose masks were recorded with a stream.

    If neither the stream nor its folder names the labels, they are called by number.

    Args:
        recording: the stream.
        visible: whether the first layer is visible.

    Raises:
        RecordingError: a file of masks is missing or damaged.
    """
    positions = {number: i for i, number in enumerate(recording.frame_numbers.tolist())}
    layers: list[LayerData] = []
    found = open_predictions(recording.source)
    recorded = recorded_structures(recording.source)
    for model, by_number in found.items():
        readers = {positions[n]: read for n, read in by_number.items() if n in positions}
        first = [readers[position]() for position in sorted(readers)[:_FIRST_MASKS]]
        highest = max((int(np.max(mask_HW)) for mask_HW in first), default=0)
        predicted = replace(
            recording,
            structures=recorded or _enough(recording.structures, highest),
            mask_readers=MappingProxyType(readers),
            origins=MappingProxyType(dict.fromkeys(readers, Origin("model", model))),
        )
        masks = LazyMasks(predicted)
        shown = visible and not layers
        layer = masks_layer(predicted, masks, name=f"{recording.name} {model}", visible=shown)
        layers.append(made_by(model, layer))
    return layers


def _enough(structures: StructureSet, highest: int) -> StructureSet:
    """Return the structures if the stream's folder names them, else numbers as names."""
    is_named = structures is not NERVE_VESSEL and highest <= len(structures)
    return structures if is_named else label_names(max(highest, _FEWEST_LABELS))
