"""Does the file that streams do what was evaluated? Logits against torch, Dice, and drift."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from sonotempo.calibration import Reliability
from sonotempo.errors import ModelError
from sonotempo.evaluation.metrics.overlap import pixel_overlaps
from sonotempo.flow import Track, track
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.engines import open_engine
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.openvino_engine import has_openvino, import_openvino
from sonotempo.models import Segmenter
from sonotempo.recording import Recording

#: How far logits in single precision may be from torch's: this much, plus this share of them.
LOGIT_TOLERANCE = 1e-4

#: How much Dice on the validation frames fewer bits may cost.
DICE_LOSS_ALLOWED = 0.01

#: How many frames a model with fewer bits is stepped over together with the full one.
DRIFT_FRAMES = 600

#: How much farther apart the two may be at the end than at the start, in mean probability.
DRIFT_ALLOWED = 0.005

_DRIFT_WINDOW = 60

Stepper = Callable[[dict[str, NDArray[np.float32]]], dict[str, NDArray[np.float32]]]


def require_same_logits(
    path: Path, card: ModelCard, models: Sequence[Segmenter], clip_T11SS: NDArray[np.float32]
) -> str:
    """Step a file over a clip and compare with torch, which sees the clip as a whole.

    Args:
        path: the ``.onnx`` file in single precision.
        card: how to run it.
        models: the torch networks, in the order of the card's members.
        clip_T11SS: consecutive network inputs in 0 to 1.

    Returns:
        What was found, in one sentence.

    Raises:
        ModelError: an engine's logits are farther off than :data:`LOGIT_TOLERANCE`.
    """
    wanted = []
    motions_T3hh = motions_of(clip_T11SS)
    with torch.inference_mode():
        for model in models:
            motion_BT3hh = torch.from_numpy(motions_T3hh)[None] if model.uses_motion else None
            logits_BTKHW, _ = model(torch.from_numpy(clip_T11SS[:, 0])[None], None, motion_BT3hh)
            wanted.append(logits_BTKHW[0].numpy())
    found = []
    for engine, step in _steppers(path).items():
        given = _stepped_logits(step, card, clip_T11SS)
        worst = max(
            float(np.abs(mine - theirs).max()) for mine, theirs in zip(given, wanted, strict=True)
        )
        same = all(
            np.allclose(mine, theirs, LOGIT_TOLERANCE, LOGIT_TOLERANCE)
            for mine, theirs in zip(given, wanted, strict=True)
        )
        if not same:
            raise ModelError(
                f"the exported model differs from torch's by up to {worst:.1e} in logits on "
                f"{engine}, more than {LOGIT_TOLERANCE:.0e}: it was not written"
            )
        found.append(f"{engine} {worst:.0e}")
    return (
        f"logits stepped over {len(clip_T11SS)} frames equal torch's on the clip "
        f"(largest difference: {', '.join(found)})"
    )


def motions_of(clip_T11SS: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the motion to every frame of a clip, T3hh, as a stream would find it."""
    before: Track | None = None
    found = []
    for image_11SS in clip_T11SS:
        motion, before = track(np.rint(image_11SS[0, 0] * 255).astype(np.uint8), before)
        found.append(motion.network_input())
    return np.stack(found)


def _steppers(path: Path) -> dict[str, Stepper]:
    """Ways to run all outputs of a file, by engine."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    steppers: dict[str, Stepper] = {
        "ONNX Runtime": lambda feed: dict(zip(names, session.run(names, feed), strict=True))
    }
    if has_openvino():
        openvino = import_openvino()
        compiled = openvino.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()

        def run_openvino(feed: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
            request.infer(feed)
            return {name: request.get_tensor(name).data.copy() for name in names}

        steppers["OpenVINO"] = run_openvino
    return steppers


def _stepped_logits(
    step: Stepper, card: ModelCard, clip_T11SS: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Return the logits TKSS of every member, stepped frame by frame."""
    carried = {state.input: np.zeros(state.shape, np.float32) for state in card.states}
    rows: list[list[NDArray[np.float32]]] = [[] for _ in card.members]
    motions_T3hh = motions_of(clip_T11SS) if card.motion else [None] * len(clip_T11SS)
    for image_11SS, motion_3hh in zip(clip_T11SS, motions_T3hh, strict=True):
        feed = {card.image: image_11SS} | carried
        if card.motion is not None and motion_3hh is not None:
            feed[card.motion] = motion_3hh[None]
        outputs = step(feed)
        carried = {state.input: outputs[state.output] for state in card.states}
        for row, member in zip(rows, card.members, strict=True):
            assert member.logits is not None
            row.append(outputs[member.logits][0])
    return [np.stack(row) for row in rows]


def streamed_scores(
    path: Path, recordings: Iterable[Recording], on_recording: Callable[[], None]
) -> tuple[NDArray[np.float64], list[Reliability]]:
    """Stream recordings through a file; return its Dice, and what its probabilities mean.

    Dice is by member and structure, pixels pooled; NaN where a structure is neither there nor
    predicted. There is one table of reliability for each member.
    """
    with OnnxPredictor(path) as predictor:
        members, structures = len(predictor.model.members), predictor.model.structures
        counts = np.zeros((members, len(structures), 2), np.int64)  # both; one plus the other
        reliabilities = [Reliability(len(structures)) for _ in range(members)]
        for recording in recordings:
            labelled = set(recording.labelled)
            for segment in recording.segments():
                predictor.reset()
                for index in segment:
                    if index not in labelled and not predictor.stateful:
                        continue
                    predictions = predictor.step(recording[index])
                    reference_HW = recording.mask(index)
                    if reference_HW is None:
                        continue
                    for member, prediction in enumerate(predictions):
                        overlaps = pixel_overlaps(prediction.mask_HW, reference_HW, len(structures))
                        counts[member] += [
                            (o.intersection_px, o.predicted_px + o.reference_px) for o in overlaps
                        ]
                        assert prediction.confidence_HW is not None  # our files have them
                        reliabilities[member].add(
                            prediction.mask_HW, prediction.confidence_HW, reference_HW
                        )
            on_recording()
    both, either = counts[..., 0], counts[..., 1]
    dice = np.where(either > 0, 2 * both / np.maximum(either, 1), np.nan)
    return dice, reliabilities


def drift(
    path: Path,
    reference: Path,
    card: ModelCard,
    frames_T11SS: NDArray[np.float32],
    on_frame: Callable[[], None],
) -> tuple[float, float]:
    """Step two files together over :data:`DRIFT_FRAMES` frames, forwards and backwards.

    Returns:
        The mean difference of their probabilities over the first and over the last frames.
    """
    period = np.concatenate([frames_T11SS, frames_T11SS[::-1]])
    engines = [open_engine(file, card) for file in (path, reference)]
    differences = []
    before: Track | None = None
    for number in range(DRIFT_FRAMES):
        image_11SS = period[number % len(period)]
        motion_3hh = None
        if card.motion is not None:
            motion, before = track(np.rint(image_11SS[0, 0] * 255).astype(np.uint8), before)
            motion_3hh = motion.network_input()
        mine, theirs = (engine.step(image_11SS, motion_3hh) for engine in engines)
        differences.append(
            np.mean([np.abs(a - b).mean() for a, b in zip(mine, theirs, strict=True)])
        )
        on_frame()
    for engine in engines:
        engine.close()
    return float(np.mean(differences[:_DRIFT_WINDOW])), float(np.mean(differences[-_DRIFT_WINDOW:]))
