"""The choice of an engine: ONNX Runtime on a CUDA GPU, OpenVINO or ONNX Runtime on a CPU.

Every engine keeps the state where it computes and swaps two sets of buffers, so that a step
allocates nothing. Its description names what really computes: ONNX Runtime falls back silently.
"""

import logging
from pathlib import Path
from typing import Literal

from sonotempo.errors import ConfigError, ModelError, unknown_option
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.cuda import has_cuda
from sonotempo.live.models.cuda_engine import CudaEngine
from sonotempo.live.models.engine import Engine
from sonotempo.live.models.onnxruntime_engine import OnnxRuntimeEngine
from sonotempo.live.models.openvino_engine import OpenVinoEngine, has_openvino

EngineName = Literal["auto", "cuda", "openvino", "onnxruntime"]

#: The choices of engine; ``auto`` takes the first of the others that this machine has.
ENGINES: tuple[EngineName, ...] = ("auto", "cuda", "openvino", "onnxruntime")


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
    return _on_gpu(path, card) if chosen == "cuda" else OnnxRuntimeEngine(path, card, threads)


def _on_gpu(path: Path, card: ModelCard) -> Engine:
    """Replay the model as a CUDA graph, or run it kernel by kernel where that cannot be."""
    try:
        return CudaEngine(path, card, graph=True)
    except ModelError as error:
        logging.getLogger(__name__).info("%s", error)
    return CudaEngine(path, card, graph=False)


def best_engine() -> EngineName:
    """Return the fastest engine that works on this machine."""
    if has_cuda():
        return "cuda"
    return "openvino" if has_openvino() else "onnxruntime"
