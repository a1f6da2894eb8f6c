"""One run of a source with its models: everything that has to be opened and closed again."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from sonotempo.errors import ModelError, SonotempoError
from sonotempo.live.foreign_model import card_of
from sonotempo.live.model_card import ModelCard
from sonotempo.live.pipeline import Pipeline
from sonotempo.live.playback import PlaybackSource
from sonotempo.live.predictor_process import ModelRequest, PredictorProcess
from sonotempo.live.recorder import Recorder, RecorderStatistics
from sonotempo.live.ring_buffer import RingBuffer
from sonotempo.live.source import FrameSource
from sonotempo.live.sources import buffer_for
from sonotempo.structures import StructureSet

SIDES = ("A", "B")


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What the user asked for.

    Attributes:
        title: what the source is called on screen.
        make_source: opens the source; called off the GUI thread.
        models: the files of model A and, if wanted, B; none shows pictures alone.
        engine: as :func:`sonotempo.live.engines.open_engine` takes it.
        threads: cores for a model, or None for all but one, which the window needs.
        structures: what the channels of a file of another origin mean.
    """

    title: str
    make_source: Callable[[], FrameSource]
    models: tuple[Path, ...] = ()
    engine: str = "auto"
    threads: int | None = None
    structures: StructureSet | None = None


class LiveSession:
    """Owns the source, the ring buffer, the models, the pipeline and a recorder, if any.

    Opening and closing take time and may block: neither is for the GUI thread.

    Args:
        request: what to open. The stream is running when this returns.

    Raises:
        SonotempoError: what cannot be opened, and what to do about it.
    """

    def __init__(self, request: LiveRequest) -> None:
        self.title = request.title
        cards = [card_of(path, request.structures) for path in request.models]
        require_comparable(cards)
        threads = request.threads or max(1, (os.cpu_count() or 1) - 1)
        with ExitStack() as parts:
            self.source: FrameSource = request.make_source()
            self.buffer: RingBuffer = parts.enter_context(buffer_for(self.source))
            self.predictors = [
                parts.enter_context(
                    PredictorProcess(
                        ModelRequest(path, request.engine, threads, request.structures),
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
        #: One name for each prediction: model A, then B.
        self.names = tuple(
            _member_name(card, member.arm, cards) for card in cards for member in card.members
        )
        #: Which predictor makes each of them.
        self.predictor_of = tuple(i for i, card in enumerate(cards) for _ in card.members)
        #: What belongs beside every result, such as "trained on simulated subjects".
        self.notes = tuple(dict.fromkeys(card.note for card in cards if card.note))
        self.recorder: Recorder | None = None

    @property
    def playback(self) -> PlaybackSource | None:
        """The source if it is a recording, which can be paused, looped and played faster."""
        return self.source if isinstance(self.source, PlaybackSource) else None

    def record(self, path: Path) -> None:
        """Begin to record all frames.

        Raises:
            SourceError: it cannot be written, or PyAV is missing.
        """
        self.recorder = Recorder(self.buffer.reader("now"), path)

    def stop_recording(self) -> RecorderStatistics | None:
        """Write all that came until now; for a slow disk this takes time."""
        recorder, self.recorder = self.recorder, None
        return recorder.stop() if recorder is not None else None

    def close(self) -> None:
        """End everything; may be called twice.

        Raises:
            PipelineError: the engine or the source hangs; the rest is closed all the same.
        """
        try:
            self.stop_recording()
        finally:
            self._parts.close()


def require_comparable(cards: Sequence[ModelCard]) -> None:
    """Refuse models that do not look for the same structures, or more than two predictions.

    Raises:
        ModelError: says which model finds what.
    """
    members = sum(len(card.members) for card in cards)
    if members > 2:
        held = "; ".join(f"{card.name!r} holds {' and '.join(card.arms)}" for card in cards)
        raise ModelError(
            f"{members} models are chosen, two can be shown: {held}. A pair is chosen alone: set "
            "model B to none"
        )
    if len(cards) == 2 and cards[0].structures.names != cards[1].structures.names:
        differing = [
            f"{label}: {first or 'nothing'} in A, {second or 'nothing'} in B"
            for label, (first, second) in enumerate(
                zip_longest(cards[0].structures.names, cards[1].structures.names), start=1
            )
            if first != second
        ]
        raise ModelError(
            f"model A, {cards[0].name!r}, and model B, {cards[1].name!r}, look for different "
            f"structures (label {'; '.join(differing)}); choose two models of the same set"
        )


def _member_name(card: ModelCard, arm: str, cards: Sequence[ModelCard]) -> str:
    """The arm where that tells the models apart, else the model's name."""
    arms = [other for one in cards for other in one.arms]
    return arm if arms.count(arm) == 1 else f"{card.name}"


def closed_quietly(session: LiveSession) -> str:
    """Close a session; return what hangs in words, or nothing."""
    try:
        session.close()
    except SonotempoError as error:
        return str(error)
    return ""
