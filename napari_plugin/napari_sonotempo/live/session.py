"""One run of a source with its models: everything that must be opened and closed."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_sonotempo.shared.models_box import require_comparable
from sonotempo.errors import SonotempoError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.history import StepResult
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.external import card_of
from sonotempo.live.models.process import ModelRequest, PredictorProcess
from sonotempo.live.pipeline import Pipeline
from sonotempo.live.recording.masks import MaskTap
from sonotempo.live.recording.recorder import Recorder, RecorderStatistics
from sonotempo.live.sources.open import buffer_for
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.source import FrameSource
from sonotempo.recording import Image
from sonotempo.structures import StructureSet

SIDES = ("A", "B")
#: How the title of a window begins that `sonotempo live` has opened; the source follows.
WINDOW_TITLE = "sonotempo: "
_HELD_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What the user asked for.

    Attributes:
        title: the source's name on screen.
        make_source: opens the source; called off the GUI thread.
        models: the files of model A and optionally B; without models only pictures are shown.
        engine: see :func:`sonotempo.live.models.engines.open_engine`.
        threads: cores per model, or None for all but one, which the window needs.
        structures: the channels of an external model.
        along_motion: show a single frame model a second time, carried along the tissue's motion;
            other models stay as they are.
        anatomy: what the source simulates, to say so if the models are for another one; empty if
            it is real.
        source_text: names the source, to notice that another one is chosen.
    """

    title: str
    make_source: Callable[[], FrameSource]
    models: tuple[Path, ...] = ()
    engine: str = "auto"
    threads: int | None = None
    structures: StructureSet | None = None
    along_motion: bool = False
    anatomy: str = ""
    source_text: str = ""


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a stream, before or after their processes are started.

    Attributes:
        cards: of the files for A and B.
        moves: whether a single frame model is shown along the motion too.
        structures: what they find, or None without a model.
        names: for each prediction: model A, then B.
        predictor_of: which file makes each of them.
        notes: shown with every result, such as "trained on simulated subjects".
    """

    cards: tuple[ModelCard, ...]
    moves: bool
    structures: StructureSet | None
    names: tuple[str, ...]
    predictor_of: tuple[int, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, request: LiveRequest) -> "Models":
        """Read the models' descriptions.

        Raises:
            ModelError: a file is damaged, or the models cannot be compared.
        """
        cards = [card_of(path, request.structures) for path in request.models]
        moves = request.along_motion and len(cards) == 1 and cards[0].can_move
        cards = [card.along_motion() if moves else card for card in cards]
        require_comparable(cards)
        return cls(
            tuple(cards),
            moves,
            cards[0].structures if cards else None,
            tuple(
                _member_name(card, member.arm, cards) for card in cards for member in card.members
            ),
            tuple(i for i, card in enumerate(cards) for _ in card.members),
            tuple(
                dict.fromkeys(
                    [*_mismatch(cards, request), *(card.note for card in cards if card.note)]
                )
            ),
        )


class LiveSession:
    """Owns the source, the ring buffer, the models, the pipeline and the recorder, if any.

    The pictures come first: :meth:`open_models` starts the models afterwards, and may be called
    again for others while the stream continues. Opening and closing may block: do neither on the
    GUI thread.

    Args:
        request: what to open. Pictures arrive when this returns; no model has been started.

    Raises:
        SonotempoError: something cannot be opened; the message says what to do.
    """

    def __init__(self, request: LiveRequest) -> None:
        self.title = request.title
        self.request = request
        self.models = Models.of(request)
        #: Whether the models are stepped.
        self.is_segmenting = not request.models
        self.predictors: list[PredictorProcess] = []
        with ExitStack() as parts:
            self.source: FrameSource = request.make_source()
            self.buffer: RingBuffer = parts.enter_context(buffer_for(self.source))
            parts.callback(self._close_models)
            self.pipeline = Pipeline(self.buffer, self.source, ())
            parts.callback(self.pipeline.stop)
            self.pipeline.start()
            if self.playback is not None and request.models:
                self.playback.pause()  # it begins when the models are open
                self.playback.seek(0)  # and shows its first frame meanwhile
            self._parts = parts.pop_all()
        self.recorder: Recorder | None = None
        self._masks: MaskTap | None = None
        self._recording_since_s = 0.0
        self._opening = threading.Lock()
        self._is_closed = False

    @property
    def structures(self) -> StructureSet | None:
        """What the models find, or None without a model."""
        return self.models.structures

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each prediction: model A, then B."""
        return self.models.names

    @property
    def predictor_of(self) -> tuple[int, ...]:
        """Which predictor makes each of them."""
        return self.models.predictor_of

    @property
    def notes(self) -> tuple[str, ...]:
        """Shown with every result."""
        return self.models.notes

    @property
    def playback(self) -> PlaybackSource | None:
        """The source if it is a recording: it can be paused, looped and played faster."""
        return self.source if isinstance(self.source, PlaybackSource) else None

    def open_models(self, request: LiveRequest | None = None) -> None:
        """Start the models in processes side by side, and step them from then on.

        Args:
            request: for other models than those that were asked for at first.

        Raises:
            SonotempoError: a model cannot be opened; the present models stay in use.
        """
        with self._opening:
            if not self._is_closed:
                self._open_models(request or self.request)

    def _open_models(self, wanted: LiveRequest) -> None:
        models = Models.of(wanted)
        threads = wanted.threads or max(1, (os.cpu_count() or 1) - 1)

        def start(path: Path) -> PredictorProcess:
            asked = ModelRequest(path, wanted.engine, threads, wanted.structures, models.moves)
            return PredictorProcess(asked, self.buffer.handle)

        with ExitStack() as started, ThreadPoolExecutor(max(1, len(wanted.models))) as pool:
            waiting = [pool.submit(start, path) for path in wanted.models]
            wait(waiting)
            for one in waiting:
                if one.exception() is None:
                    started.enter_context(one.result())
            predictors = [one.result() for one in waiting]  # raises what went wrong
            # Until the names and structures are known, nobody may show their masks.
            self.is_segmenting = False
            try:
                self.pipeline.use(predictors)
            except BaseException:
                self.is_segmenting = bool(self.predictors)
                raise
            started.pop_all()
        former, self.predictors = self.predictors, predictors
        if self.playback is not None and not former:
            self.playback.seek(0)
            self.playback.resume()
        self.models = models
        self.is_segmenting = True
        self.request = replace(
            wanted,
            title=self.title,
            make_source=self.request.make_source,
            source_text=self.request.source_text,
        )
        _end(former)

    def record(self, path: Path) -> None:
        """Start to record all frames, and the masks from now on.

        Raises:
            SourceError: it cannot be written, or PyAV is missing.
        """
        reader = self.buffer.reader("now")
        last = reader.written - 1
        self.recorder = Recorder(reader, path, structures=self.structures)
        self._masks = MaskTap(self.pipeline.history, self.recorder, after=last)
        self._recording_since_s = time.monotonic()

    def record_masks(self) -> None:
        """Pass the new masks to the recorder; call it a few times a second."""
        if self._masks is not None:
            self._masks.record()

    @property
    def recorded_s(self) -> float:
        """For how long has been recorded."""
        return time.monotonic() - self._recording_since_s if self.recorder is not None else 0.0

    def stop_recording(self) -> RecorderStatistics | None:
        """Write all frames received so far; on a slow disk this takes time."""
        self.record_masks()
        recorder, self.recorder, self._masks = self.recorder, None, None
        return recorder.stop() if recorder is not None else None

    def hold(self, last: int) -> tuple[StepResult, ...]:
        """Copy the frames of the last 10 seconds that are still in the ring buffer.

        Takes tens of milliseconds and as much memory as the ring buffer: not for the GUI thread.

        Args:
            last: the number of the newest frame wanted.

        Returns:
            Oldest first. A frame that no model has seen has no predictions.
        """
        results: list[StepResult] = []
        block_THW: Image | None = None
        with self.buffer.reader() as reader:
            for number in range(reader.oldest, last + 1):
                result = self.pipeline.history.get(number)
                if result is None:
                    streamed = reader.read(number)
                    if streamed is None:  # overwritten meanwhile
                        results.clear()
                        continue
                    result = StepResult(streamed.frame, (), streamed.host_ns, streamed.host_ns)
                frame = result.frame
                if block_THW is None:
                    block_THW = np.empty(
                        (last + 1 - reader.oldest, *frame.image_HW.shape), np.uint8
                    )
                if len(results) < len(block_THW) and frame.image_HW.shape == block_THW.shape[1:]:
                    # In one block, which goes back to the system when the frames are freed;
                    # hundreds of small ones would not.
                    kept_HW = block_THW[len(results)]
                    kept_HW[...] = frame.image_HW
                    result = replace(result, frame=replace(frame, image_HW=kept_HW))
                results.append(result)
        return tuple(
            one for one in results if results[-1].captured_ns - one.captured_ns <= _HELD_NS
        )

    def close(self) -> None:
        """End everything; may be called twice.

        Raises:
            PipelineError: the engine or the source hangs; everything else is closed.
        """
        with self._opening:  # models that are being started are closed with the others
            self._is_closed = True
            try:
                self.stop_recording()
            finally:
                self._parts.close()

    def _close_models(self) -> None:
        """End the models' processes; the pipeline does not step them any more."""
        former, self.predictors = self.predictors, []
        _end(former)


def _end(predictors: Sequence[PredictorProcess]) -> None:
    for predictor in predictors:
        predictor.close()


def _mismatch(cards: Sequence[ModelCard], request: LiveRequest) -> list[str]:
    """Say if the models are for another anatomy than the source simulates."""
    if not cards or not request.anatomy or cards[0].structures.name == request.anatomy:
        return []
    return [
        f"these models are not for this anatomy: they find {', '.join(cards[0].structures.names)}; "
        f"the source simulates the {request.anatomy} block"
    ]


def _member_name(card: ModelCard, arm: str, cards: Sequence[ModelCard]) -> str:
    """Return the arm if it identifies the model, otherwise the model's name."""
    arms = [other for one in cards for other in one.arms]
    return arm if arms.count(arm) == 1 else card.name


def closed_quietly(session: LiveSession) -> str:
    """Close a session; return a sentence about what hangs, or an empty one."""
    try:
        session.close()
    except SonotempoError as error:
        return str(error)
    return ""
