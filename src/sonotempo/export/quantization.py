"""The same ONNX graph in half precision or in 8-bit integers; images, scores and states stay float.

8 bits are ONNX Runtime's static quantisation: pairs of QuantizeLinear and DequantizeLinear (QDQ)
around what computes, with ranges measured on frames that the network was trained on.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.transformers.float16 import convert_float_to_float16

from sonotempo.flow import Track, track
from sonotempo.live.models.card import ModelCard

# All that lies between convolutions, so that a whole row of them computes in 8 bits.
_QUANTIZED = ("Conv", "ConvTranspose", "Relu", "MaxPool", "Concat", "Resize")


def to_half(path: Path, out: Path) -> None:
    """Write the graph with weights and activations in half precision."""
    model = onnx.load(str(path))
    _give_each_resize_its_scales(model.graph)
    with _quiet():
        half = convert_float_to_float16(model, keep_io_types=True)
    onnx.save(half, str(out))


def _give_each_resize_its_scales(graph: onnx.GraphProto) -> None:
    """Copy scales that several Resize share: the converter would cast them under one name twice."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for number, node in enumerate(node for node in graph.node if node.op_type == "Resize"):
        for place, name in enumerate(node.input):
            if place > 0 and name in weights:
                own = graph.initializer.add()
                own.CopyFrom(weights[name])
                own.name = node.input[place] = f"{name}_{number}"


def to_int8(
    path: Path, out: Path, card: ModelCard, clips: Iterable[Iterable[NDArray[np.float32]]]
) -> None:
    """Write the graph with convolutions, and what lies between them, in 8 bits.

    Args:
        path: the graph in single precision.
        out: where to write.
        card: how to run it.
        clips: network inputs 11SS in 0 to 1, frame by frame; each clip begins with a new state.
    """
    with _quiet():
        quantize_static(
            str(path),
            str(out),
            _StatesAndFrames(path, card, clips),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_exclude=_kept(onnx.load(str(path)), card),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


class _StatesAndFrames(CalibrationDataReader):  # type: ignore[misc]  # its package has no types
    """What the graph is fed in a stream: frames, with the states that its own steps left."""

    def __init__(
        self, path: Path, card: ModelCard, clips: Iterable[Iterable[NDArray[np.float32]]]
    ) -> None:
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self._card = card
        self._feeds = self._stepped(clips)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next step's inputs, or None after the last."""
        return next(self._feeds, None)

    def _stepped(
        self, clips: Iterable[Iterable[NDArray[np.float32]]]
    ) -> Iterator[dict[str, NDArray[np.float32]]]:
        states = self._card.states
        for clip in clips:
            carried = [np.zeros(state.shape, np.float32) for state in states]
            before: Track | None = None
            for image_11SS in clip:
                feed = {self._card.image: image_11SS}
                if self._card.motion is not None:
                    motion, before = track(np.rint(image_11SS[0, 0] * 255).astype(np.uint8), before)
                    feed[self._card.motion] = motion.network_input()[None]
                feed |= {state.input: c for state, c in zip(states, carried, strict=True)}
                yield feed
                if states:
                    carried = self._session.run([state.output for state in states], feed)


def _kept(model: onnx.ModelProto, card: ModelCard) -> list[str]:
    """Name the nodes that stay in single precision: each arm's last convolution.

    256 steps are too coarse for logits, and this convolution is a hundredth of the arithmetic.
    """
    last = {member.logits for member in card.members}
    return [node.name for node in model.graph.node if last & set(node.output)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the quantiser's advice to run passes that the exporter has already run."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
