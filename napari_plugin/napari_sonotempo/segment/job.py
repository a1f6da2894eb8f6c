"""One model or two over a whole recording, outside the viewer: masks, areas, progress, cancel."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sonotempo.segment.areas import (
    Areas,
    AreaSeries,
    ReferenceAreas,
    pixel_area,
    structure_areas,
)
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.models_box import require_comparable
from sonotempo.errors import ModelError, RecordingError, SonotempoError
from sonotempo.live.continuity import Continuity
from sonotempo.live.models.card import ModelCard, describes_itself
from sonotempo.live.models.external import card_of
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.preprocess import Fit
from sonotempo.recording import Image, Recording
from sonotempo.structures import StructureSet

_TELL_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """What the user asked for.

    Attributes:
        recording: what to segment.
        models: the files of model A and, if wanted, B.
        engine: as :func:`sonotempo.live.models.engines.open_engine` takes it.
        structures: what the channels of a file of another origin mean, in order.
    """

    recording: Recording
    models: tuple[Path, ...]
    engine: str = "auto"
    structures: StructureSet | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GridMask:
    """A mask on the network grid, which takes a fraction of a frame's room.

    Attributes:
        mask_SS: uint8 label values.
        fit: the way back to the frame's own shape.
    """

    mask_SS: Image
    fit: Fit

    def mask_HW(self) -> Image:
        """Return the mask in the frame's own shape."""
        return self.fit.mask_back(self.mask_SS)


@dataclass(frozen=True, slots=True, eq=False)
class ModelMasks:
    """What one model made of a recording.

    Attributes:
        name: of the model on screen.
        card: what its file says of itself.
        masks: by position; frames that could not be read are missing.
    """

    name: str
    card: ModelCard
    masks: dict[int, GridMask]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentResult:
    """What became of a recording.

    Attributes:
        recording: the frames, with the models' structures and without masks of its own.
        models: one for each arm, A before B.
        areas: of every structure, over time.
        resets: before which frame numbers the state was reset, and why.
        skipped: a sentence for each frame that could not be read.
        unread_masks: how many of the recording's own masks could not be read or do not fit.
        other_masks: what the recording's own masks show, where that is none of the structures.
        notes: what belongs beside the result, such as "trained on simulated subjects".
        engine: what computed it, in words.
        seconds: how long it took, without the opening of the models.
    """

    recording: Recording
    models: tuple[ModelMasks, ...]
    areas: Areas
    resets: tuple[tuple[int, str], ...]
    skipped: tuple[str, ...]
    unread_masks: int
    other_masks: tuple[str, ...]
    notes: tuple[str, ...]
    engine: str
    seconds: float

    @property
    def frames(self) -> int:
        """How many frames were segmented."""
        return len(self.models[0].masks)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: frames done, and the seconds since the first."""

    done: int
    seconds: float


def segment(
    request: SegmentRequest,
    on_progress: Callable[[Progress], object] = lambda _: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> SegmentResult | None:
    """Segment every frame in order, with both models on the same frame, or stop when cancelled.

    States are reset as in a stream (:class:`~sonotempo.live.continuity.Continuity`).

    Args:
        request: what to do.
        on_progress: called when the models are open, and some ten times a second from then on.
        is_cancelled: asked before every frame, and before each model is opened.

    Returns:
        The masks and their areas; None if it was cancelled.

    Raises:
        ModelError: no model, one that cannot be run, or two that do not belong together.
        RecordingError: no frame could be read.
    """
    if not request.models:
        raise ModelError(
            "no model is chosen; choose one as model A: a ready-made one, or an .onnx file as "
            "`sonotempo export` writes it"
        )
    require_comparable([_card(path, request.structures) for path in request.models])
    with ExitStack() as parts:
        predictors = []
        for path in request.models:
            if is_cancelled():
                return None
            predictor = OnnxPredictor(path, request.engine, structures=request.structures)
            predictors.append(parts.enter_context(predictor))
        return _segmented(request.recording, predictors, on_progress, is_cancelled)


class SegmentJob:
    """Runs :func:`segment` in a thread; :meth:`poll` delivers what it says to the caller's thread.

    One at a time: a new one waits for nobody, so ask :attr:`is_running` before.
    """

    def __init__(self) -> None:
        self._jobs = Jobs()

    @property
    def is_running(self) -> bool:
        """Whether it works, or has something to deliver."""
        return self._jobs.is_busy

    def start(
        self,
        request: SegmentRequest,
        progress: Callable[[Progress], object],
        done: Callable[[SegmentResult | None], object],
        failed: Callable[[str], object],
    ) -> None:
        """Begin.

        Args:
            request: what to do.
            progress: called by :meth:`poll` with how far it is.
            done: called by :meth:`poll` with the result, None if it was cancelled.
            failed: called by :meth:`poll` with a sentence for people.
        """

        def work(tell: Callable[..., None], cancelled: threading.Event) -> None:
            result = segment(request, lambda so_far: tell(progress, so_far), cancelled.is_set)
            tell(done, result)

        self._jobs.follow("segment", work, failed)

    def run(self, name: str, work: Callable[[], Any], done: Any, failed: Any) -> None:
        """Do something else in a thread, see :meth:`Jobs.run`."""
        self._jobs.run(name, work, done, failed)

    def poll(self) -> None:
        """Deliver what it has to say."""
        self._jobs.poll()

    def cancel(self, timeout_s: float = 0.0) -> None:
        """Have it stop after the frame that it is at, and wait a while for that."""
        self._jobs.cancel(timeout_s)


def _segmented(
    recording: Recording,
    predictors: Sequence[OnnxPredictor],
    on_progress: Callable[[Progress], object],
    is_cancelled: Callable[[], bool],
) -> SegmentResult | None:
    cards = [predictor.model for predictor in predictors]
    structures = cards[0].structures
    area_of_pixel, unit = pixel_area(recording)
    names = model_names(cards)
    per_arm = [card for card in cards for _ in card.arms]
    masks: list[dict[int, GridMask]] = [{} for _ in names]
    area_MTK = np.full((len(names), len(recording), len(structures)), np.nan)
    reference = ReferenceAreas(recording, structures)
    rules = Continuity()
    resets: list[tuple[int, str]] = []
    skipped: list[str] = []
    began_s = told_s = time.monotonic()
    on_progress(Progress(0, 0.0))
    for index, number in enumerate(recording.frame_numbers.tolist()):
        if is_cancelled():
            return None
        now_s = time.monotonic()
        if now_s - told_s > _TELL_EVERY_S:
            told_s = now_s
            on_progress(Progress(index, now_s - began_s))
        try:
            frame = recording[index]
        except SonotempoError as error:
            skipped.append(f"frame {number}: {error}")
            continue
        reference.add(frame)
        reason = rules.broken_by(frame)
        if reason is not None:
            for predictor in predictors:
                predictor.reset()
            resets.append((number, reason))
        made = [one for predictor in predictors for one in predictor.step_on_grid(frame)]
        for model, prediction in enumerate(made):
            mask = GridMask(prediction.mask_SS, prediction.fit)
            masks[model][index] = mask
            area_MTK[model, index] = structure_areas(mask.mask_HW(), len(structures), area_of_pixel)
    seconds = time.monotonic() - began_s
    on_progress(Progress(len(recording), seconds))
    if not masks[0]:
        raise RecordingError(f"no frame of {recording.name} could be read; {skipped[0]}")
    areas = Areas(
        structures,
        (recording.timestamps_ns - recording.timestamps_ns[0]) / 1e9,
        recording.frame_numbers,
        unit,
        tuple(AreaSeries(name, area_TK) for name, area_TK in zip(names, area_MTK, strict=True)),
        reference.series(),
    )
    return SegmentResult(
        replace(recording, structures=structures, mask_readers={}),
        tuple(
            ModelMasks(name, card, made)
            for name, card, made in zip(names, per_arm, masks, strict=True)
        ),
        areas,
        tuple(resets),
        tuple(skipped),
        reference.unread,
        recording.structures.names if reference.names_others else (),
        tuple(dict.fromkeys(card.note for card in cards if card.note)),
        " and ".join(dict.fromkeys(predictor.engine for predictor in predictors)),
        seconds,
    )


def model_names(cards: Sequence[ModelCard]) -> tuple[str, ...]:
    """Return what each model is called on screen, as short as tells them apart.

    The arms, as in the live comparison, or the models' names where these are equal or alone.
    """
    arms = [arm for card in cards for arm in card.arms]
    if len(arms) > 1 and len(set(arms)) == len(arms):
        return tuple(arms)
    names = [card.name for card in cards for _ in card.arms]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{name} ({side})" for name, side in zip(names, "AB", strict=False))


def _card(path: Path, structures: StructureSet | None) -> ModelCard:
    """Describe a model file; one of another origin needs to be told its structures."""
    if structures is None and not describes_itself(path):
        raise ModelError(
            f"{path} was not exported by sonotempo: it does not say what its channels mean. Write "
            "the names of its structures in order, without the background, into the field "
            '"Structures", for example: nerve, vessel'
        )
    return card_of(path, structures)
