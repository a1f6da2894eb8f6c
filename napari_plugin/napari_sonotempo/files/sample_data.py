"""File → Open Sample: a recording of either procedure, simulated on request."""

# The simulation is imported when a sample is opened, so that finding this plugin is quick.
# ruff: noqa: PLC0415

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sonotempo.shared.layers import LayerData
    from sonotempo.phantom.settings import Procedure
    from sonotempo.recording import Image, Recording, Spacing

    _Made = tuple[Image, Image, int, Spacing]

SECONDS = 10.0
FRAME_RATE_HZ = 20.0
SIZE = 256
_SEED = 6


def axillary() -> "list[LayerData]":
    """Return a simulated recording of the armpit: vessels, bone and three nerves."""
    return _sample("axillary")


def femoral() -> "list[LayerData]":
    """Return a simulated recording of the groin: vessels, bone and the femoral nerve."""
    return _sample("femoral")


def simulated_recording(procedure: "Procedure", seconds: float) -> "Recording":
    """Simulate a recording with masks in memory, with a progress bar.

    No frame is lost and the depth is constant, so the time axis is even and the spacing known.

    Args:
        procedure: ``axillary`` or ``femoral``.
        seconds: its length.
    """
    from functools import partial
    from pathlib import Path

    import numpy as np
    from napari.utils import progress

    from napari_sonotempo.shared.waiting import while_the_window_answers
    from sonotempo.phantom.cohort import recorded
    from sonotempo.phantom.settings import phantom_settings
    from sonotempo.phantom.simulate import cast
    from sonotempo.recording import Recording

    settings = phantom_settings(
        procedure=procedure,
        seconds=seconds,
        frame_rate_hz=FRAME_RATE_HZ,
        size=SIZE,
        seed=_SEED,
        event_rate=0.0,
    )
    bar = progress(total=settings.frames, desc=f"simulating the {procedure} block")

    def simulate(advance: Callable[[], object]) -> "list[_Made]":
        made = []
        for f in recorded(cast(settings, 0), settings):
            made.append((f.image_HW, f.mask_HW, f.timestamp_ns, f.spacing_mm))
            advance()
        return made

    try:
        made = while_the_window_answers(simulate, bar.update)
    finally:
        bar.close()
    masks_THW = np.stack([mask_HW for _, mask_HW, _, _ in made])
    return Recording(
        source=Path(f"simulated-{procedure}"),
        subject=f"simulated-{procedure}",
        name=f"simulated {procedure}",
        images=np.stack([image_HW for image_HW, _, _, _ in made]),
        timestamps_ns=np.array([time_ns for _, _, time_ns, _ in made], np.int64),
        structures=settings.structures,
        spacing_mm=made[0][3],
        mask_readers={i: partial(_mask, masks_THW, i) for i in range(len(made))},
    )


def _sample(procedure: "Procedure") -> "list[LayerData]":
    from napari_sonotempo.shared.layers import recording_layers

    return recording_layers(simulated_recording(procedure, SECONDS))


def _mask(masks_THW: "NDArray[np.uint8]", index: int) -> "Image":
    mask_HW: Image = masks_THW[index]
    return mask_HW
