"""ONNX Runtime on a CUDA GPU: a step is an upload, one replay of a captured graph, a download."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime

from sonotempo.errors import ModelError
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.engine import Engine
from sonotempo.live.models.label_graph import label_outputs, with_labels
from sonotempo.live.models.labels import FloatArray, Labels

# ONNX Runtime's own default, and one above its errors.
_WARNINGS, _NOTHING = 2, 4


class CudaEngine(Engine):
    """Runs the network with its label map; every buffer stays where it is on the GPU.

    ONNX Runtime copies an input to where it is read when it is bound, not when it runs: so buffers
    on the GPU are bound, and an image is uploaded into its buffer for every step. A captured graph
    is tied to its buffers, so there is one for each direction between the two banks of states. Only
    labels and their probabilities come back, unless the scores are asked for.

    Args:
        path: the ``.onnx`` file.
        card: its description.
        graph: whether to capture the steps as CUDA graphs, or to start every kernel by itself.

    Raises:
        ModelError: no GPU can be used, or the file cannot be loaded; with ``graph`` also where a
            part of it computes on the CPU, as in most 8-bit files.
    """

    #: What computes, and where ONNX Runtime keeps the buffers.
    provider: ClassVar[str] = "CUDAExecutionProvider"
    device: ClassVar[str] = "cuda"

    def __init__(self, path: Path, card: ModelCard, *, graph: bool) -> None:
        super().__init__(card)
        self._graph = graph
        how = "replayed as a graph" if graph else "without a graph"
        self.description = (
            f"ONNX Runtime {onnxruntime.__version__}, CUDA GPU, {how}, {card.precision}"
        )
        self._labels_on_gpu = not any(member.is_logits for member in card.members)
        try:
            with _quiet():
                self._session = self._opened(path)
                self._make_buffers()
                self._bindings = [self._bound(before, 1 - before) for before in (0, 1)]
                for before in (0, 1):
                    self._infer(before, 1 - before)  # the first run captures
        except ModelError:
            raise
        except Exception as error:  # ONNX Runtime's errors have no common base class
            doing = "capture" if graph else "load"
            raise ModelError(
                f"ONNX Runtime cannot {doing} {path} on cuda ({' '.join(str(error).split())})"
            ) from error
        self.reset()

    def _make_buffers(self) -> None:
        self._device_image = self._on_device(self._image_11SS)
        self._device_motion = self._on_device(self._motion_13hh)
        self._device_scores = [self._on_device(scores) for scores in self._scores]
        self._zeros = [np.zeros(state.shape, np.float32) for state in self._card.states]
        self._states = [[self._on_device(zero) for zero in self._zeros] for _ in range(2)]
        plane_1SS = self._image_11SS[0]
        self._labels = [
            (self._on_device(plane_1SS.astype(np.uint8)), self._on_device(plane_1SS))
            for _ in (self._card.members if self._labels_on_gpu else ())
        ]

    def _on_device(self, array: Any) -> Any:
        return onnxruntime.OrtValue.ortvalue_from_numpy(array.copy(), self.device, 0)

    def _fetched(self, value: Any) -> Any:
        """Copy a buffer to the host."""
        return value.numpy()

    def _opened(self, path: Path) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # A model from memory has no folder, in which weights of its own may lie.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent)
        )
        model = path.read_bytes()
        if self._labels_on_gpu:
            model = with_labels(model, self._card)
        session = onnxruntime.InferenceSession(model, options, providers=[self._provider()])
        if self.provider not in session.get_providers():
            raise ModelError(
                "ONNX Runtime found no usable CUDA GPU and would compute on the CPU; it needs an "
                "NVIDIA driver, CUDA 13 and cuDNN 9. Use --engine openvino or onnxruntime"
            )
        return session

    def _provider(self) -> Any:
        # TF32 would change the logits that were evaluated.
        return self.provider, {"use_tf32": "0", "enable_cuda_graph": str(int(self._graph))}

    def _bound(self, before: int, after: int) -> tuple[Any, Any]:
        """Bind every buffer for one direction; return it with the number of its graph."""
        card, binding = self._card, self._session.io_binding()
        self._bind_inputs(binding, before)
        for number, member in enumerate(card.members):
            binding.bind_ortvalue_output(member.probabilities, self._device_scores[number])
            if self._labels_on_gpu:
                for name, value in zip(label_outputs(number), self._labels[number], strict=True):
                    binding.bind_ortvalue_output(name, value)
        for number, state in enumerate(card.states):
            binding.bind_ortvalue_output(state.output, self._states[after][number])
        options = onnxruntime.RunOptions()
        if self._graph:
            options.add_run_config_entry("gpu_graph_id", str(before + 1))
        return binding, options

    def _bind_inputs(self, binding: Any, before: int) -> None:
        card = self._card
        binding.bind_ortvalue_input(card.image, self._device_image)
        if card.motion is not None:
            binding.bind_ortvalue_input(card.motion, self._device_motion)
        for number, state in enumerate(card.states):
            binding.bind_ortvalue_input(state.input, self._states[before][number])

    def step(
        self, image_11SS: FloatArray, motion_3hh: FloatArray | None = None
    ) -> tuple[FloatArray, ...]:
        """Compute the next frame, and fetch the scores; see :meth:`Engine.step`."""
        self._advance(image_11SS, motion_3hh)
        return tuple(self._fetched(value) for value in self._device_scores)

    def labels(
        self, image_11SS: FloatArray, motion_3hh: FloatArray | None = None
    ) -> tuple[Labels, ...]:
        """Compute the next frame, and fetch the labels alone; see :meth:`Engine.labels`."""
        if not self._labels_on_gpu:
            return super().labels(image_11SS, motion_3hh)
        self._advance(image_11SS, motion_3hh)
        return tuple(
            Labels(self._fetched(mask)[0], self._fetched(probability)[0])
            for mask, probability in self._labels
        )

    def reset(self) -> None:
        """Set every state to zero."""
        for value, zero in zip(self._states[self._before], self._zeros, strict=True):
            value.update_inplace(zero)

    def _infer(self, before: int, after: int) -> None:
        self._device_image.update_inplace(self._image_11SS)
        if self._card.motion is not None:
            self._device_motion.update_inplace(self._motion_13hh)
        binding, options = self._bindings[before]
        if not self._graph:
            # Where a part of the model computes on the CPU, binding has copied what it reads.
            self._bind_inputs(binding, before)
            binding.synchronize_inputs()
        self._session.run_with_iobinding(binding, options)
        if not self._graph:
            binding.synchronize_outputs()

    def close(self) -> None:
        """Free the session, its graphs and every buffer."""
        self._bindings, self._states, self._labels, self._device_scores = [], [], [], []
        self._session = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence cuDNN's red lines on each fusion that it tries in vain; errors are still raised."""
    onnxruntime.set_default_logger_severity(_NOTHING)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)
