"""The frozen frames as napari layers, for a closer look, painting or saving."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_sonotempo.shared.layers import LayerData, masks_layer, recording_layers
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.made_by import made_by
from sonotempo.label_origin import Origin
from sonotempo.live.history import StepResult
from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL, StructureSet


def held_layers(
    held: Sequence[StepResult], names: Sequence[str], structures: StructureSet | None
) -> list[LayerData]:
    """Return an image layer of the frozen frames and a labels layer of each model's masks.

    Frames of another size or spacing than the last one are left out, as one layer has one scale.

    Args:
        held: oldest first; frames without predictions have empty masks.
        names: of the models.
        structures: that they find.
    """
    last = held[-1].frame
    alike = [
        one
        for one in held
        if one.frame.image_HW.shape == last.image_HW.shape
        and one.frame.pixel_size == last.pixel_size
    ]
    times_ns = np.array([one.captured_ns for one in alike], np.int64)
    # Times on the host's clock that do not increase would be refused.
    keeps = np.flatnonzero(np.diff(times_ns, prepend=times_ns[0] - 1) > 0)
    alike, times_ns = [alike[number] for number in keeps], times_ns[keeps]
    recording = Recording(
        source=Path("live"),
        subject="live",
        name="frozen frames",
        images=np.stack([one.frame.image_HW for one in alike]),
        timestamps_ns=times_ns - times_ns[0],
        frame_numbers=np.array([one.frame.index for one in alike], np.int64),
        structures=structures or NERVE_VESSEL,
        spacing_mm=last.spacing_mm,
        area=last.area,
        pixel_aspect=last.pixel_aspect,
    )
    layers = recording_layers(recording)
    for side, name in enumerate(names):
        made = {
            number: one.predictions[side].mask_HW()
            for number, one in enumerate(alike)
            if side < len(one.predictions)
        }
        masks_THW = LazyMasks(recording, masks=made, origin=Origin("model", name))
        layer = masks_layer(recording, masks_THW, name=f"{'AB'[side]} {name}")
        layers.append(made_by(name, layer))
    return layers
