"""A model in a separate process, for programs with a window.

A window's thread and an engine in one interpreter block each other, and an engine that crashes
would end the window too. Only a frame's number is sent, and only small masks are returned: the
process reads the frame from the ring buffer.
"""

import multiprocessing
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from sonotempo.errors import ModelError, SonotempoError
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingReader
from sonotempo.live.closing import Closing
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.external import card_of
from sonotempo.live.models.onnx_predictor import GridPrediction, OnnxPredictor
from sonotempo.live.spawning import exit_words, start_spawned
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Frame, Image
from sonotempo.structures import StructureSet

_OPEN_S = 120.0
_STEP_S = 30.0
_END_S = 2.0


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What the process opens; arguments of :class:`.OnnxPredictor`."""

    path: Path
    engine: str = "auto"
    threads: int | None = None
    structures: StructureSet | None = None
    along_motion: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """Segment a frame of the buffer, after a reset if ``forgets``."""

    number: int
    forgets: bool


@dataclass(frozen=True, slots=True)
class _Made:
    """The result of a step: each member's mask on the grid, and its confidences."""

    masks: tuple[Image, ...]
    confidences: tuple[tuple[float, ...], ...]
    state_age: int
    preprocess_ns: int
    inference_ns: int


class PredictorProcess(Closing):
    """Steps a model on the frames of a ring buffer, in a process that this object starts and ends.

    It works like :class:`.OnnxPredictor` and has its attributes, but takes only frames that were
    read from the buffer, where ``frame.index`` is their number. Only one thread may step it.

    Args:
        request: the model.
        handle: of the buffer that holds the frames.

    Raises:
        ModelError: as for :class:`.OnnxPredictor`, or the process ended at once.
        ConfigError: an unknown engine.
    """

    def __init__(self, request: ModelRequest, handle: BufferHandle) -> None:
        card = card_of(request.path, request.structures)
        self.model: ModelCard = card.along_motion() if request.along_motion else card
        self.preprocess_ns = 0
        self.inference_ns = 0
        self._forgets = False
        spawn = multiprocessing.get_context("spawn")
        self._host_end, process_end = spawn.Pipe()
        self._process = spawn.Process(
            target=_serve,
            args=(request, handle, process_end),
            name=f"sonotempo-{self.model.name}",
            daemon=True,
        )
        self._closing = threading.Lock()
        self._is_open = True
        try:
            try:
                start_spawned(self._process)
            finally:
                process_end.close()  # only the process holds it now, so that its end is noticed
            engine = self._heard(_OPEN_S)
            if not isinstance(engine, str):
                raise TypeError(f"the process answered {engine!r}; expected its engine's name")
        except BaseException:
            self.close()
            raise
        self.engine: str = engine

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    def reset(self) -> None:
        """Forget all earlier frames."""
        self._forgets = True

    def step_on_grid(self, frame: Frame) -> tuple[GridPrediction, ...]:
        """Segment the next frame; the masks stay on the network grid.

        Raises:
            ModelError: the frame has left the buffer, the model failed, or its process ended.
        """
        try:
            self._host_end.send(_Step(frame.index, self._forgets))
        except OSError as error:
            raise self._lost() from error
        self._forgets = False
        made = self._heard(_STEP_S)
        if not isinstance(made, _Made):
            raise TypeError(f"the process answered {made!r}; expected masks")
        self.preprocess_ns, self.inference_ns = made.preprocess_ns, made.inference_ns
        # Computing the fit here, once for each geometry, costs less than sending it each time.
        fit = fit_frame(frame, self.model.input_size, self.model.area)
        return tuple(
            GridPrediction(mask_SS, fit, made.state_age, arm, confidences)
            for arm, mask_SS, confidences in zip(
                self.model.arms, made.masks, made.confidences, strict=True
            )
        )

    def close(self) -> None:
        """End the process, whatever it is doing; may be called twice, from any thread."""
        with self._closing:
            if not self._is_open:
                return
            self._is_open = False
            if self._process.pid is not None:
                with suppress(OSError):  # it has ended already
                    self._host_end.send(None)
                self._process.join(_END_S)
                if self._process.is_alive():
                    self._process.kill()
                    self._process.join()
            # Last: a thread that still waits for an answer has noticed the end by now.
            self._host_end.close()

    def _heard(self, timeout_s: float) -> object:
        """Return the next answer; a failure of the model is raised here again."""
        try:
            if not self._host_end.poll(timeout_s):
                raise ModelError(
                    f"the process of {self.model.name!r} has not answered for {timeout_s:g} s; "
                    "start again, with another engine if it happens again"
                )
            answer = self._host_end.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if isinstance(answer, SonotempoError):
            raise answer
        return answer

    def _lost(self) -> ModelError:
        self._process.join(_END_S)
        how = exit_words(self._process.exitcode) or "no exit code"
        return ModelError(
            f"the process of {self.model.name!r} ended ({how}); start again, with another engine "
            "if it happens again"
        )


def _serve(request: ModelRequest, handle: BufferHandle, connection: Connection) -> None:
    """Open the model, then answer every step, until the host requests the end or has ended."""
    # Ctrl-C reaches every process of a terminal; the host decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with (
            OnnxPredictor(
                request.path,
                request.engine,
                request.threads,
                structures=request.structures,
                along_motion=request.along_motion,
            ) as predictor,
            RingReader(handle) as reader,
        ):
            connection.send(predictor.engine)
            while (step := connection.recv()) is not None:
                connection.send(_made(predictor, reader, step))
    except (EOFError, ConnectionError):
        return  # the host has ended
    except SonotempoError as error:
        connection.send(error)
    except Exception as error:  # noqa: BLE001  # engines have errors of many kinds
        connection.send(ModelError(f"{error or repr(error)}"))


def _made(predictor: OnnxPredictor, reader: RingReader, step: _Step) -> _Made:
    streamed = reader.read(step.number)
    if streamed is None:
        raise ModelError(f"frame {step.number} has left the buffer; make the buffer longer")
    if step.forgets:
        predictor.reset()
    made = predictor.step_on_grid(streamed.frame)
    return _Made(
        tuple(one.mask_SS for one in made),
        tuple(one.confidences for one in made),
        made[0].state_age,
        predictor.preprocess_ns,
        predictor.inference_ns,
    )
