"""One run of a source with its models: everything that must be opened and closed."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from napari_sonotempo.shared.models_box import require_comparable
from sonotempo.errors import SonotempoError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.history import StepResult
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.external import card_of
from sonotempo.live.models.process import ModelRequest, PredictorProcess
from sonotempo.live.pipeline import Pipeline
from sonotempo.live.recording.recorder import Recorder, RecorderStatistics
from sonotempo.live.sources.open import buffer_for
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.source import FrameSource
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
    """

    title: str
    make_source: Callable[[], FrameSource]
    models: tuple[Path, ...] = ()
    engine: str = "auto"
    threads: int | None = None
    structures: StructureSet | None = None
    along_motion: bool = False
    anatomy: str = ""


class LiveSession:
    """Owns the source, the ring buffer, the models, the pipeline and the recorder, if any.

    Opening and closing may block: do neither on the GUI thread.

    Args:
        request: what to open. The stream is running when this returns.

    Raises:
        SonotempoError: something cannot be opened; the message says what to do.
    """

    def __init__(self, request: LiveRequest) -> None:
        self.title = request.title
        cards = [card_of(path, request.structures) for path in request.models]
        moves = request.along_motion and len(cards) == 1 and cards[0].can_move
        cards = [card.along_motion() if moves else card for card in cards]
        require_comparable(cards)
        threads = request.threads or max(1, (os.cpu_count() or 1) - 1)
        with ExitStack() as parts:
            self.source: FrameSource = request.make_source()
            self.buffer: RingBuffer = parts.enter_context(buffer_for(self.source))
            self.predictors = [
                parts.enter_context(
                    PredictorProcess(
                        ModelRequest(path, request.engine, threads, request.structures, moves),
                        self.buffer.handle,
                    )
                )
                for path in request.models
            ]
            self.pipeline = Pipeline(self.buffer, self.source, self.predictors)
            parts.callback(self.pipeline.stop)
            self.pipeline.start()
            self._parts = parts.pop_all()
        #: What the models find, or None without a model.
        self.structures = cards[0].structures if cards else None
        #: A name for each prediction: model A, then B.
        self.names = tuple(
            _member_name(card, member.arm, cards) for card in cards for member in card.members
        )
        #: Which predictor makes each of them.
        self.predictor_of = tuple(i for i, card in enumerate(cards) for _ in card.members)
        #: Shown with every result, such as "trained on simulated subjects".
        self.notes = tuple(
            dict.fromkeys([*_mismatch(cards, request), *(card.note for card in cards if card.note)])
        )
        self.recorder: Recorder | None = None

    @property
    def playback(self) -> PlaybackSource | None:
        """The source if it is a recording: it can be paused, looped and played faster."""
        return self.source if isinstance(self.source, PlaybackSource) else None

    def record(self, path: Path) -> None:
        """Start to record all frames.

        Raises:
            SourceError: it cannot be written, or PyAV is missing.
        """
        self.recorder = Recorder(self.buffer.reader("now"), path)

    def stop_recording(self) -> RecorderStatistics | None:
        """Write all frames received so far; on a slow disk this takes time."""
        recorder, self.recorder = self.recorder, None
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
        with self.buffer.reader() as reader:
            for number in range(reader.oldest, last + 1):
                result = self.pipeline.history.get(number)
                if result is None:
                    streamed = reader.read(number)
                    if streamed is None:  # overwritten meanwhile
                        results.clear()
                        continue
                    result = StepResult(streamed.frame, (), streamed.host_ns, streamed.host_ns)
                results.append(result)
        return tuple(
            one for one in results if results[-1].captured_ns - one.captured_ns <= _HELD_NS
        )

    def close(self) -> None:
        """End everything; may be called twice.

        Raises:
            PipelineError: the engine or the source hangs; everything else is closed.
        """
        try:
            self.stop_recording()
        finally:
            self._parts.close()


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
