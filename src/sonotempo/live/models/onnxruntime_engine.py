"""ONNX Runtime on the CPU, with bound inputs and outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from sonotempo.errors import ModelError
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.engine import Engine, cpu_words
from sonotempo.live.models.labels import FloatArray


class OnnxRuntimeEngine(Engine):
    """ONNX Runtime with bound inputs and outputs.

    Args:
        path: the ``.onnx`` file.
        card: its description.
        threads: how many cores a step may use, or None for all.

    Raises:
        ModelError: the file cannot be loaded.
    """

    def __init__(self, path: Path, card: ModelCard, threads: int | None) -> None:
        super().__init__(card)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or 0
        # Threads that wait by spinning would take the cores from the display between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base class
            raise ModelError(
                f"ONNX Runtime cannot load {path} on cpu ({' '.join(str(error).split())})"
            ) from error
        self.description = (
            f"ONNX Runtime {onnxruntime.__version__}, {cpu_words(threads)}, {card.precision}"
        )
        self._zeros = [np.zeros(state.shape, np.float32) for state in card.states]
        self._states = [
            [_on_cpu(zero.copy()) for zero in bank] for bank in (self._zeros, self._zeros)
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


def _on_cpu(array: FloatArray) -> Any:
    """Wrap an array without copying it."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array, "cpu", 0)
