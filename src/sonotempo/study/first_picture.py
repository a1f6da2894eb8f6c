"""The first thing to look at: a ready-made model on a simulated stream, with and without memory."""

from collections.abc import Callable
from pathlib import Path

from sonotempo.errors import ModelError
from sonotempo.evaluation.report.pictures import Example, draw_examples
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.ready import models_for_source
from sonotempo.phantom.disturbances import Disturbance
from sonotempo.phantom.settings import phantom_settings
from sonotempo.phantom.simulate import Scan, cast
from sonotempo.recording import Frame

_PROCEDURE = "femoral"
_FRAMES = 24
# From here on the probe loses contact over most of its width.
_LIFTED_AT, _LIFTED = 14, 0.8
_SHOWN = {10: "in contact", 16: "contact lost", 22: "contact still lost"}


def draw_first_picture(out_png: Path, on_frame: Callable[[], None] = lambda: None) -> int:
    """Draw three frames of a simulated stream with a frame model's masks, and along the motion.

    Args:
        out_png: where to write.
        on_frame: called after each frame, for progress.

    Returns:
        How many frames were segmented.

    Raises:
        ModelError: this installation has no ready-made frame model.
    """
    (path,) = models_for_source(f"phantom://{_PROCEDURE}", along_motion=True)[:1]
    settings = phantom_settings(procedure=_PROCEDURE, size=256, event_rate=0, fading=0.0)
    scan = Scan(cast(settings, 1), settings)
    examples = []
    with OnnxPredictor(path, along_motion=True) as predictor:
        if len(predictor.model.arms) != 2:
            raise ModelError(f"{path} is not a single frame model; install sonotempo again")
        for index in range(_FRAMES):
            lost = index >= _LIFTED_AT
            disturbance = Disturbance(lifted=_LIFTED, centre=0.35) if lost else Disturbance()
            simulated = scan.next(index, disturbance)
            frame = Frame(
                simulated.image_HW, index, simulated.timestamp_ns, simulated.spacing_mm, scan.area
            )
            made = predictor.step(frame)
            on_frame()
            if index in _SHOWN:
                masks = {one.model: one.mask_HW for one in made}
                title = f"{index / settings.frame_rate_hz:.1f} s: {_SHOWN[index]}"
                examples.append(Example(title, frame.image_HW, simulated.mask_HW, masks))
        structures = predictor.model.structures
    draw_examples(
        examples,
        structures,
        out_png,
        "ready-made frame model on a simulated groin: frame by frame, and along the motion",
    )
    return _FRAMES
