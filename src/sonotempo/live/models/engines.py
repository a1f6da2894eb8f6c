"""The engines that run models: ONNX Runtime on a CUDA GPU, OpenVINO or ONNX Runtime on a CPU.

Every engine keeps the state where it computes and swaps two sets of buffers, so that a step
allocates nothing. Its description names what really computes: ONNX Runtime falls back silently.
"""

import ctypes
import logging
import sys
from abc import ABC, abstractmethod
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sonotempo.errors import ConfigError, ModelError, unknown_option
from sonotempo.flow import MOTION_CHANNELS, grid_side
from sonotempo.live.models.card import ModelCard

EngineName = Literal["auto", "cuda", "openvino", "onnxruntime"]

#: The choices of engine; ``auto`` takes the first of the others that this machine has.
ENGINES: tuple[EngineName, ...] = ("auto", "cuda", "openvino", "onnxruntime")

FloatArray = NDArray[np.float32]


class Engine(ABC):
    """Steps one model and holds its state.

    The state stays in two banks of buffers: a step reads one and writes the other.

    Args:
        card: the model's description.

    Attributes:
        description: what really computes, for the user.
    """

    description: str

    def __init__(self, card: ModelCard) -> None:
        size, channels = card.input_size, card.structures.channels
        self._image_11SS = np.zeros((1, 1, size, size), np.float32)
        side = grid_side(size)
        self._motion_13hh = np.zeros((1, MOTION_CHANNELS, side, side), np.float32)
        self._scores = [np.zeros((1, channels, size, size), np.float32) for _ in card.members]
        self._before = 0  # the bank with the state before the next step

    def step(
        self, image_11SS: FloatArray, motion_3hh: FloatArray | None = None
    ) -> tuple[FloatArray, ...]:
        """Compute the next frame.

        Args:
            image_11SS: the network input in 0 to 1.
            motion_3hh: the motion to this frame, for a model that takes it; left out, nothing
                earlier belongs to this frame.

        Returns:
            For each member of the model its ``probabilities`` output, 1KSS. The next step
            overwrites these arrays: copy them to keep them.
        """
        self._image_11SS[...] = image_11SS
        self._motion_13hh[:, :2], self._motion_13hh[:, 2:] = 0, 1
        if motion_3hh is not None:
            self._motion_13hh[0] = motion_3hh
        self._infer(self._before, 1 - self._before)
        self._before = 1 - self._before
        return tuple(self._scores)

    @abstractmethod
    def reset(self) -> None:
        """Set every state to zero."""

    @abstractmethod
    def close(self) -> None:
        """Free what the engine holds."""

    @abstractmethod
    def _infer(self, before: int, after: int) -> None:
        """Compute the scores of the image, and the states from one bank to the other."""


class OnnxRuntimeEngine(Engine):
    """ONNX Runtime with bound inputs and outputs; on a GPU the state never leaves it.

    Args:
        path: the ``.onnx`` file.
        card: its description.
        device: ``cpu`` or ``cuda``.
        threads: how many cores a step may use, or None for all.

    Raises:
        ModelError: the file cannot be loaded, or no GPU can be used.
    """

    def __init__(
        self, path: Path, card: ModelCard, device: Literal["cpu", "cuda"], threads: int | None
    ) -> None:
        super().__init__(card)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or 0
        # Threads that wait by spinning would take the cores from the display between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers: list[Any] = ["CPUExecutionProvider"]
        if device == "cuda":
            # TF32 would change the logits that were evaluated.
            providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": "0"}))
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors have no common base class
            raise ModelError(
                f"ONNX Runtime cannot load {path} on {device} ({' '.join(str(error).split())})"
            ) from error
        if device == "cuda" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise ModelError(
                "ONNX Runtime found no usable CUDA GPU and would compute on the CPU; it needs an "
                "NVIDIA driver, CUDA 13 and cuDNN 9. Use --engine openvino or onnxruntime"
            )
        where = "CUDA GPU" if device == "cuda" else _cpu_words(threads)
        self.description = f"ONNX Runtime {onnxruntime.__version__}, {where}, {card.precision}"
        self._zeros = [np.zeros(state.shape, np.float32) for state in card.states]
        self._states = [
            [onnxruntime.OrtValue.ortvalue_from_numpy(zero.copy(), device, 0) for zero in bank]
            for bank in (self._zeros, self._zeros)
        ]
        self._bindings = [self._bound(card, before, 1 - before) for before in (0, 1)]

    def _bound(self, card: ModelCard, before: int, after: int) -> Any:
        """Bind the image, the scores, and the states from one bank to the other."""
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(card.image, _on_cpu(self._image_11SS))
        if card.motion is not None:
            binding.bind_ortvalue_input(card.motion, _on_cpu(self._motion_13hh))
        for member, scores in zip(card.members, self._scores, strict=True):
            binding.bind_ortvalue_output(member.probabilities, _on_cpu(scores))
        for number, state in enumerate(card.states):
            binding.bind_ortvalue_input(state.input, self._states[before][number])
            binding.bind_ortvalue_output(state.output, self._states[after][number])
        return binding

    def reset(self) -> None:
        """Set every state to zero."""
        for value, zero in zip(self._states[self._before], self._zeros, strict=True):
            value.update_inplace(zero)

    def _infer(self, before: int, after: int) -> None:
        binding = self._bindings[before]
        binding.synchronize_inputs()
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def close(self) -> None:
        """Free the session."""
        self._bindings, self._states = [], []
        self._session = None


class OpenVinoEngine(Engine):
    """OpenVINO on the CPU: the fastest for int8 files.

    Args:
        path: the ``.onnx`` file.
        card: its description.
        threads: how many cores a step may use, or None for all.

    Raises:
        ModelError: OpenVINO cannot load the file.
    """

    def __init__(self, path: Path, card: ModelCard, threads: int | None) -> None:
        super().__init__(card)
        openvino = import_openvino()
        # Single precision: the default on newer CPUs is bfloat16, which changes the logits
        # that were evaluated.
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            model = core.read_model(str(path))
            _keep_outputs(model, card)
            self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot load {path} ({' '.join(str(error).split())}); try --engine "
                "onnxruntime"
            ) from error
        release = openvino.get_version().partition("-")[0]
        self.description = f"OpenVINO {release}, {_cpu_words(threads)}, {card.precision}"
        self._card = card
        self._states = [[np.zeros(s.shape, np.float32) for s in card.states] for _ in range(2)]
        self._tensors = [
            [openvino.Tensor(array, shared_memory=True) for array in bank] for bank in self._states
        ]
        self._request.set_tensor(card.image, openvino.Tensor(self._image_11SS, shared_memory=True))
        if card.motion is not None:
            motion = openvino.Tensor(self._motion_13hh, shared_memory=True)
            self._request.set_tensor(card.motion, motion)
        for member, scores in zip(card.members, self._scores, strict=True):
            tensor = openvino.Tensor(scores, shared_memory=True)
            self._request.set_tensor(member.probabilities, tensor)

    def reset(self) -> None:
        """Set every state to zero."""
        for array in self._states[self._before]:
            array[...] = 0

    def _infer(self, before: int, after: int) -> None:
        for number, state in enumerate(self._card.states):
            self._request.set_tensor(state.input, self._tensors[before][number])
            self._request.set_tensor(state.output, self._tensors[after][number])
        self._request.infer()

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None


def open_engine(
    path: Path, card: ModelCard, engine: str = "auto", threads: int | None = None
) -> Engine:
    """Load a model into the given engine, or into the fastest available one.

    Args:
        path: the ``.onnx`` file.
        card: its description.
        engine: one of :data:`ENGINES`.
        threads: how many cores a step may use, or None for all.

    Raises:
        ConfigError: an unknown engine, or fewer threads than 1.
        ModelError: the engine is not installed, has no device here, or cannot load the file.
    """
    if engine not in ENGINES:
        raise ConfigError(unknown_option("engine", engine, ENGINES))
    if threads is not None and threads < 1:
        raise ConfigError(
            f"{threads} threads; expected 1 or more, or leave the option out for all cores"
        )
    chosen = best_engine() if engine == "auto" else engine
    if chosen == "openvino":
        if not has_openvino():
            raise ModelError("OpenVINO is not installed; install it with: pip install openvino")
        return OpenVinoEngine(path, card, threads)
    if chosen == "cuda" and not has_cuda():
        raise ModelError(
            "no CUDA GPU can be used here (no NVIDIA driver or device, or an ONNX Runtime without "
            "CUDA); use --engine openvino or onnxruntime"
        )
    return OnnxRuntimeEngine(path, card, "cuda" if chosen == "cuda" else "cpu", threads)


def best_engine() -> EngineName:
    """Return the fastest engine that works on this machine."""
    if has_cuda():
        return "cuda"
    return "openvino" if has_openvino() else "onnxruntime"


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report its use over the network.

    OpenVINO works without that package.
    """
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    import openvino  # noqa: PLC0415  (takes a third of a second, which other engines need not spend)

    return openvino


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


@cache
def has_cuda() -> bool:
    """Whether ONNX Runtime can compute on a CUDA GPU here.

    Its list of providers names what it was built with, not what works. So this asks the driver for
    a device and loads a tiny graph.
    """
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return False
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that other packages installed
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            _IDENTITY, options, providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
        )
    except Exception as error:  # noqa: BLE001  (no common base class; each means that it is unavailable)
        logging.getLogger(__name__).warning("ONNX Runtime cannot use the CUDA GPU: %s", error)
        return False
    if "CUDAExecutionProvider" not in session.get_providers():
        logging.getLogger(__name__).warning(
            "ONNX Runtime cannot use the CUDA GPU of this machine: it needs CUDA 13 and cuDNN 9"
        )
        return False
    return True


# The smallest ONNX model: one Identity from x to y, one float each (IR version 8, opset 13).
_IDENTITY = (
    b'\x08\x08:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12'
    b"\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)


def _keep_outputs(model: Any, card: ModelCard) -> None:
    """Remove unused outputs, such as logits, from an OpenVINO model."""
    wanted = {member.probabilities for member in card.members}
    wanted |= {state.output for state in card.states}
    for result in model.get_results():
        if not result.output(0).names & wanted and not result.input_value(0).names & wanted:
            model.remove_result(result)


def _on_cpu(array: FloatArray) -> Any:
    """Wrap an array without copying it."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array, "cpu", 0)


def _cpu_words(threads: int | None) -> str:
    return "CPU" if threads is None else f"CPU ({threads} thread{'s' if threads > 1 else ''})"
