"""OpenVINO on the CPU: the fastest engine for int8 files there."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from sonotempo.errors import ModelError
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.engine import Engine, cpu_words


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
        self.description = f"OpenVINO {release}, {cpu_words(threads)}, {card.precision}"
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


def _keep_outputs(model: Any, card: ModelCard) -> None:
    """Remove unused outputs, such as logits, from an OpenVINO model."""
    wanted = {member.probabilities for member in card.members}
    wanted |= {state.output for state in card.states}
    for result in model.get_results():
        if not result.output(0).names & wanted and not result.input_value(0).names & wanted:
            model.remove_result(result)
