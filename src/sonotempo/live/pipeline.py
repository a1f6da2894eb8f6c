"""From the ring buffer to predictions: one engine thread steps every model on the same frame.

With one thread all predictions shown together are of one frame, and the models do not compete for
the processor's cores. States are reset when the stream is interrupted:
:mod:`sonotempo.live.continuity` detects it from the frames, :data:`BREAKING_EVENTS` are reported by
the source.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self, get_args

from sonotempo.errors import PipelineError, unknown_option
from sonotempo.live.buffer.ring_buffer import RingBuffer, StreamedFrame
from sonotempo.live.closing import Closing
from sonotempo.live.continuity import MAX_GAP_MS, Continuity
from sonotempo.live.history import PredictionHistory, StepResult
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.live.sources.source import EventKind, EventLog, FrameSource, SourceEvent
from sonotempo.live.stream_statistics import Meter, PipelineStatistics, StepTimes
from sonotempo.recording import Frame

#: ``newest``: always the newest frame; those between are skipped, no model ever sees them.
#: ``every``: every frame in order; the ring buffer is the queue, and its losses are counted.
Policy = Literal["newest", "every"]
#: ``finished``: the source has ended and its frames are segmented; it continues if the source does.
#: ``failed``: a model failed, see the error; no more frames are segmented.
PipelineState = Literal["stopped", "running", "finished", "failed"]

#: Events of a source after which the next frame does not continue the last one.
BREAKING_EVENTS: frozenset[EventKind] = frozenset(
    {"frozen", "running", "seek", "connected", "disconnected", "restarted", "crashed", "depth"}
)

#: A result older than this is stale if newer frames wait.
STALE_MS = 250.0

_WAIT_S = 0.05
_STOP_S = 5.0
_SWAP_S = 60.0  # longer than the slowest step of a model that answers at all


class LivePredictor(Protocol):
    """What the pipeline needs of a model, such as
    :class:`~sonotempo.live.models.onnx_predictor.OnnxPredictor`.

    Attributes:
        preprocess_ns: the time of the last step to fit the frame to the network's grid.
        inference_ns: the time of its network.
    """

    preprocess_ns: int
    inference_ns: int

    @property
    def model(self) -> ModelCard:
        """The description: name, structures and more."""
        ...

    @property
    def engine(self) -> str:
        """What really computes, for the user."""
        ...

    def reset(self) -> None:
        """Forget all earlier frames."""
        ...

    def step_on_grid(self, frame: Frame) -> tuple[GridPrediction, ...]:
        """Segment the next frame; masks stay on the network grid."""
        ...


@dataclass(frozen=True, slots=True)
class _Stepped:
    """What is stepped, and what is measured since it is."""

    predictors: tuple[LivePredictor, ...]
    meter: Meter
    started_ns: int
    first: int
    overruns: int


class Pipeline(Closing):
    """Steps models on the frames of a stream, in its own thread; it runs once.

    :meth:`newest`, :attr:`history`, :meth:`statistics` and :meth:`events` may be called at any time
    from any thread.

    Args:
        buffer: the source writes into it.
        source: started by :meth:`start` if it is stopped, and then stopped by :meth:`stop`. The
            pipeline takes its events; :meth:`events` passes them on.
        predictors: all of them see the same frames; the caller closes them.
        policy: which frames are segmented if the models are slower than the source.
        max_gap_ms: a longer gap between two segmented frames resets the states.
        history_seconds: how long results are kept; at most as long as their frames in the buffer.

    Raises:
        PipelineError: an unknown policy.
        SourceError: the buffer is closed.
    """

    def __init__(  # noqa: PLR0917
        self,
        buffer: RingBuffer,
        source: FrameSource,
        predictors: Sequence[LivePredictor],
        policy: Policy = "newest",
        max_gap_ms: float = MAX_GAP_MS,
        history_seconds: float = 10.0,
    ) -> None:
        if policy not in get_args(Policy):
            raise PipelineError(unknown_option("policy", policy, get_args(Policy)))
        self._buffer = buffer
        self._source = source
        self._policy = policy
        self._continuity = Continuity(max_gap_ms)
        self._breaks: list[SourceEvent] = []
        self._events = EventLog()
        self._reader = buffer.reader("now")
        self._attached = threading.Lock()
        self._is_attached = True
        self._upcoming = self._written = self._reader.written
        self._overruns = 0
        self._stepped = _stepping(tuple(predictors), 0, self._upcoming, 0)
        self._swapping = threading.Condition()
        self._next: tuple[LivePredictor, ...] | None = None
        self._ended_ns = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sonotempo-engine", daemon=True)
        self._doing = "waiting for the source"
        self._owns_source = False
        self._state: PipelineState = "stopped"
        self._newest: StepResult | None = None
        #: Results of the last seconds, by frame number.
        self.history = PredictionHistory(buffer.reader("now"), history_seconds)
        #: Why the engine failed, or None.
        self.error: PipelineError | None = None

    @property
    def predictors(self) -> tuple[LivePredictor, ...]:
        """The models; only the engine's thread may step them."""
        return self._stepped.predictors

    @property
    def state(self) -> PipelineState:
        """What it is doing."""
        return self._state

    def start(self) -> None:
        """Start the engine, and the source if it is stopped; returns at once.

        Raises:
            PipelineError: it was started or stopped already.
            SourceError: the source cannot start.
        """
        before = self._stepped
        if before.started_ns or self._stopping.is_set():
            raise PipelineError("a pipeline runs once; create another one for the next run")
        self._stepped = _stepping(before.predictors, time.monotonic_ns(), before.first, 0)
        self._state = "running"
        self._thread.start()
        if self._source.state == "stopped":
            self._owns_source = True
            try:
                self._source.start(self._buffer)
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """End the engine, then the source if it was started here; may be called twice.

        Takes a few seconds at most: a thread that hangs longer is left behind as a daemon.

        Raises:
            PipelineError: the engine or the source did not end in time.
        """
        self._stopping.set()
        hanging = []
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        if self._thread.is_alive():
            hanging.append(f"the engine ({self._doing})")
        else:
            self._detach()
        if self._owns_source:
            self._owns_source = False
            stopper = threading.Thread(target=self._source.stop, name="sonotempo-stop", daemon=True)
            stopper.start()
            stopper.join(_STOP_S)
            if stopper.is_alive():
                hanging.append("the source")
        if hanging:
            raise PipelineError(
                f"{' and '.join(hanging)} did not end within {_STOP_S:g} s and was left behind; "
                "restart the program before the next run"
            )

    def use(self, predictors: Sequence[LivePredictor]) -> None:
        """Step other models from the next frame on; the stream continues, statistics start over.

        Returns once the models so far are no longer stepped, so that they can be closed. Their
        results are forgotten: :attr:`history` and :meth:`newest` never mix models.

        Args:
            predictors: their states are reset; the caller closes them.

        Raises:
            PipelineError: the engine has ended, or a model hangs.
        """
        with self._swapping:
            self._next = tuple(predictors)
            self._swapping.wait_for(
                lambda: self._next is None or not self._thread.is_alive(), _SWAP_S
            )
            if self._next is not None:
                self._next = None
                raise PipelineError(
                    "the stream has ended, or a model hangs, so that no other models can be used; "
                    "stop and start again"
                )

    def newest(self) -> StepResult | None:
        """Return the newest result, or None before the first; never waits for anything."""
        return self._newest

    def is_stale(self) -> bool:
        """Whether the newest result is old and newer frames wait: the models are too slow."""
        newest = self._newest
        if newest is None or self._state != "running":
            return False
        written, _ = self._progress()
        waits = written - 1 > newest.frame.index
        return waits and newest.age_ms(time.monotonic_ns()) > STALE_MS

    def events(self) -> tuple[SourceEvent, ...]:
        """Return what the source has reported since the last call, oldest first; never waits."""
        return self._events.take()

    def statistics(self) -> PipelineStatistics:
        """Summarise the stream up to now or to its end."""
        stepped = self._stepped
        written, overruns = self._progress()
        now_ns = self._ended_ns or time.monotonic_ns()
        return stepped.meter.statistics(
            now_ns=now_ns,
            started_ns=stepped.started_ns or now_ns,
            captured=written - stepped.first,
            overruns=overruns - stepped.overruns,
            waiting=max(0, written - self._upcoming),
            models=[(predictor.model.name, predictor.engine) for predictor in stepped.predictors],
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def close(self) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        """Work until stopped or until something fails."""
        try:
            while not self._stopping.is_set():
                self._swap()
                # Read before the buffer: the last frame is written before the end is reported.
                is_over = self._source.state == "ended"
                streamed = self._take()
                self._hear()
                if streamed is not None:
                    self._state = "running"
                    self._step(streamed, time.monotonic_ns())
                    self._doing = "waiting for the source"
                elif is_over:
                    self._state = "finished"
                    self._stopping.wait(_WAIT_S)
                else:
                    self._reader.wait(_WAIT_S)
            state: PipelineState = "finished" if self._state == "finished" else "stopped"
        except PipelineError as error:
            self.error, state = error, "failed"
        except Exception as error:  # noqa: BLE001 (kept in ``error``, with what it was doing)
            self.error = PipelineError(f"the engine failed while {self._doing}: {error!r}")
            self.error.__cause__ = error
            state = "failed"
        self._ended_ns = time.monotonic_ns()
        self._state = state
        with self._swapping:
            self._swapping.notify_all()

    def _swap(self) -> None:
        """Take the models that :meth:`use` wants, if any."""
        with self._swapping:
            if self._next is None:
                return
            predictors, self._next = self._next, None
            for predictor in predictors:
                predictor.reset()
            _, overruns = self._progress()
            self.history.clear()
            if self._newest is not None:
                self._newest = replace(self._newest, predictions=())
            self._stepped = _stepping(predictors, time.monotonic_ns(), self._upcoming, overruns)
            self._swapping.notify_all()

    def _take(self) -> StreamedFrame | None:
        """Return the frame to be segmented next, or None if there is none yet."""
        if self._policy == "every":
            return self._reader.next()
        return self._reader.newest(after=self._upcoming - 1)

    def _hear(self) -> None:
        """Take the source's events; to be called after a frame is taken.

        The source reports a break before it writes the first frame after it.
        """
        for event in self._source.events():
            self._events.add(event.kind, event.detail, event.host_ns)
            if event.kind in BREAKING_EVENTS:
                self._breaks.append(event)

    def _step(self, streamed: StreamedFrame, taken_ns: int) -> None:
        """Segment one frame with every model and publish the result."""
        frame = streamed.frame
        lost = streamed.number - self._upcoming
        self._upcoming = streamed.number + 1
        reason = self._broken_by(streamed)
        if reason is not None:
            self._stepped.meter.reset(reason)
        predictions: list[GridPrediction] = []
        preprocess_ns, inference_ns, ages = 0, [], []
        for predictor in self._stepped.predictors:
            self._doing = f"model {predictor.model.name!r} segments frame {streamed.number}"
            try:
                if reason is not None:
                    predictor.reset()
                made = predictor.step_on_grid(frame)
            except Exception as error:
                raise PipelineError(
                    f"model {predictor.model.name!r} ({predictor.engine}) failed on frame "
                    f"{streamed.number} of {frame.image_HW.shape[0]}x{frame.image_HW.shape[1]} "
                    f"pixels: {error or repr(error)}"
                ) from error
            predictions += made
            ages.append(max(prediction.state_age for prediction in made))
            preprocess_ns += predictor.preprocess_ns
            inference_ns.append(predictor.inference_ns)
        skipped = lost if self._policy == "newest" else 0
        result = StepResult(
            frame, tuple(predictions), streamed.host_ns, time.monotonic_ns(), lost, reason
        )
        self.history.add(result)
        self._newest = result
        self._stepped.meter.record(
            StepTimes(
                streamed.number,
                streamed.host_ns,
                taken_ns,
                preprocess_ns,
                tuple(inference_ns),
                result.ready_ns,
            ),
            ages,
            skipped,
        )

    def _broken_by(self, streamed: StreamedFrame) -> str | None:
        """Return why the states are not valid for this frame, or None."""
        by_frame = self._continuity.broken_by(streamed.frame, streamed.host_ns)
        due = [event for event in self._breaks if event.host_ns <= streamed.host_ns]
        self._breaks = [event for event in self._breaks if event.host_ns > streamed.host_ns]
        if due and by_frame != "start":
            return due[0].kind
        return by_frame

    def _progress(self) -> tuple[int, int]:
        """Return how many frames were written and how many overrun, also after the end."""
        with self._attached:
            if self._is_attached:
                self._written, self._overruns = self._reader.written, self._reader.overruns
            return self._written, self._overruns

    def _detach(self) -> None:
        """Release the buffer after the engine has ended; counts stay as they are."""
        self._progress()
        with self._attached:
            if self._is_attached:
                self._is_attached = False
                self._reader.close()
                self.history.close()


def _stepping(
    predictors: tuple[LivePredictor, ...], started_ns: int, first: int, overruns: int
) -> _Stepped:
    return _Stepped(predictors, Meter(len(predictors)), started_ns, first, overruns)
