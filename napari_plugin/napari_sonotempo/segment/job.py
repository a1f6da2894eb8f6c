"""One or two models over a whole recording, outside the viewer: masks, areas, progress, cancel."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_sonotempo.segment.areas import (
    Areas,
    AreaSeries,
    ReferenceAreas,
    pixel_area,
    structure_areas,
)
from napari_sonotempo.shared.models_box import require_comparable
from sonotempo.errors import ModelError
from sonotempo.live.models.card import ModelCard, describes_itself
from sonotempo.live.models.external import card_of
from sonotempo.live.models.onnx_predictor import GridPrediction, OnnxPredictor
from sonotempo.live.segment import segment_frames
from sonotempo.recording import Recording
from sonotempo.structures import StructureSet

_REPORT_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """What the user asked for.

    Attributes:
        recording: what to segment.
        models: the files of model A and, if wanted, B.
        engine: as :func:`sonotempo.live.models.engines.open_engine` takes it.
        structures: what the channels of an external model mean, in order.
        along_motion: segment a second time with a single frame model, carried along the motion.
    """

    recording: Recording
    models: tuple[Path, ...]
    engine: str = "auto"
    structures: StructureSet | None = None
    along_motion: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SegmentResult:
    """The masks of a recording and what there is to report.

    Attributes:
        recording: the frames, with the models' structures and without the recording's own masks.
        cards: of each arm's model, A before B.
        names: of each arm on screen.
        predictions: one per arm, by position; frames that could not be read are missing.
        areas: of every structure, over time.
        resets: the frame numbers before which the states were reset, and why.
        skipped: a sentence for each frame that could not be read.
        unread_masks: how many of the recording's own masks could not be read or do not fit.
        other_masks: what the recording's own masks show, if that is none of the structures.
        engine: what computed it, in words.
        seconds: how long it took, without opening the models.
    """

    recording: Recording
    cards: tuple[ModelCard, ...]
    names: tuple[str, ...]
    predictions: Mapping[int, tuple[GridPrediction, ...]]
    areas: Areas
    resets: tuple[tuple[int, str], ...]
    skipped: tuple[str, ...]
    unread_masks: int
    other_masks: tuple[str, ...]
    engine: str
    seconds: float


def segment(
    request: SegmentRequest,
    on_progress: Callable[[int, float], object] = lambda frames, seconds: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> SegmentResult | None:
    """Segment every frame in order, with both models on the same frame, or stop when cancelled.

    Args:
        request: what to do.
        on_progress: called with the frames done and the seconds since the first, when the models
            are open and then about ten times a second.
        is_cancelled: asked before each model is opened and before every frame.

    Returns:
        The masks and their areas; None if it was cancelled.

    Raises:
        ModelError: no model, one that cannot be run, or two of different structures.
        RecordingError: no frame could be read.
    """
    if not request.models:
        raise ModelError(
            "no model is chosen; choose one as model A: a ready-made one, or an .onnx file written "
            "by `sonotempo export`"
        )
    cards = [_card(path, request.structures) for path in request.models]
    moves = request.along_motion and len(cards) == 1 and cards[0].can_move
    require_comparable(cards)
    with ExitStack() as opened:
        predictors: list[OnnxPredictor] = []
        for path in request.models:
            if is_cancelled():
                return None
            predictor = OnnxPredictor(
                path, request.engine, structures=request.structures, along_motion=moves
            )
            predictors.append(opened.enter_context(predictor))
        return _segmented(request.recording, predictors, on_progress, is_cancelled)


def _segmented(
    recording: Recording,
    predictors: Sequence[OnnxPredictor],
    on_progress: Callable[[int, float], object],
    is_cancelled: Callable[[], bool],
) -> SegmentResult | None:
    cards = [predictor.model for predictor in predictors]
    names, structures = model_names(cards), cards[0].structures
    area_of_pixel, unit = pixel_area(recording)
    area_MTK = np.full((len(names), len(recording), len(structures)), np.nan)
    reference = ReferenceAreas(recording, structures)
    predictions: dict[int, tuple[GridPrediction, ...]] = {}
    resets: list[tuple[int, str]] = []
    skipped: list[str] = []
    began_s = reported_s = time.monotonic()
    on_progress(0, 0.0)
    for step in segment_frames(recording, predictors):
        if step.reset is not None:
            resets.append((step.number, step.reset))
        if step.frame is None:
            skipped.append(step.problem)
        else:
            predictions[step.index] = step.predictions
            reference.add(step.frame)
            for arm, made in enumerate(step.predictions):
                areas_K = structure_areas(made.mask_HW(), len(structures), area_of_pixel)
                area_MTK[arm, step.index] = areas_K
        if is_cancelled():
            return None
        now_s = time.monotonic()
        if now_s - reported_s > _REPORT_EVERY_S:
            reported_s = now_s
            on_progress(step.index + 1, now_s - began_s)
    seconds = time.monotonic() - began_s
    on_progress(len(recording), seconds)
    series = (AreaSeries(name, area_TK) for name, area_TK in zip(names, area_MTK, strict=True))
    areas = Areas(
        structures,
        (recording.timestamps_ns - recording.timestamps_ns[0]) / 1e9,
        recording.frame_numbers,
        unit,
        tuple(series),
        reference.series(),
    )
    return SegmentResult(
        replace(recording, structures=structures, mask_readers={}),
        tuple(card for card in cards for _ in card.arms),
        names,
        predictions,
        areas,
        tuple(resets),
        tuple(skipped),
        reference.unread,
        recording.structures.names if reference.names_others else (),
        " and ".join(dict.fromkeys(predictor.engine for predictor in predictors)),
        seconds,
    )


def model_names(cards: Sequence[ModelCard]) -> tuple[str, ...]:
    """Return a name for each arm on screen, as short as keeps them distinct.

    The arms, as in the live comparison; the models' names if the arms are equal or there is one.
    """
    arms = [arm for card in cards for arm in card.arms]
    if len(arms) > 1 and len(set(arms)) == len(arms):
        return tuple(arms)
    names = [card.name for card in cards for _ in card.arms]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{name} ({side})" for name, side in zip(names, "AB", strict=False))


def _card(path: Path, structures: StructureSet | None) -> ModelCard:
    """Describe a model file; an external one needs the user's names of its structures."""
    if structures is None and not describes_itself(path):
        raise ModelError(
            f"{path} was not exported by sonotempo: it does not record what its channels mean. "
            'Enter the names of its structures in order, without the background, as "Structures", '
            "for example: nerve, vessel"
        )
    return card_of(path, structures)
