"""Forward, loss, backward and clipping of one chunk as a CUDA graph, replayed step after step.

A network of half a million weights keeps a GPU busy for less time than Python needs to start its
kernels one by one. A captured graph starts them all at once. It is tied to the shape of its input
and to the places of the weights, and gives the gradients that the same steps give one by one.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from sonotempo.models import State

#: Turns input, labels and state into the loss and the next state, and leaves clipped gradients.
Learn = Callable[[Tensor, Tensor, State], tuple[Tensor, State]]

_Shape = tuple[torch.Size, ...]

#: How often a shape is computed step by step first: libraries choose their kernels meanwhile.
_WARM_UP = 3
#: How many shapes are captured; each keeps its activations.
_MOST = 4


@dataclass(frozen=True, slots=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    loss: Tensor
    state: State
    gradients: tuple[Tensor | None, ...]


class GraphedSteps:
    """Runs a step as a graph once its shape has been seen a few times; until then as it is.

    Args:
        learn: the step; it must not wait for the device.
        weights: those that get gradients.
        enabled: whether anything is captured.
    """

    def __init__(self, learn: Learn, weights: Iterable[Tensor], *, enabled: bool) -> None:
        self._learn = learn
        self._weights = tuple(weights)
        self._enabled = enabled
        self._seen: Counter[_Shape] = Counter()
        self._captured: dict[_Shape, _Captured] = {}

    def __call__(self, x_BTCHW: Tensor, masks_BTHW: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the loss and the next state; the weights hold this step's gradients alone."""
        inputs = (x_BTCHW, masks_BTHW, *state)
        shape = tuple(part.shape for part in inputs)
        if shape not in self._captured and not self._capture_now(shape):
            self._forget_gradients()
            return self._learn(x_BTCHW, masks_BTHW, state)
        captured = self._captured.get(shape) or self._capture(shape, inputs)
        if captured is None:
            return self(x_BTCHW, masks_BTHW, state)
        for place, value in zip(captured.inputs, inputs, strict=True):
            place.copy_(value)
        captured.graph.replay()
        for weight, gradient in zip(self._weights, captured.gradients, strict=True):
            weight.grad = gradient
        # The next replay overwrites them.
        return captured.loss.clone(), tuple(part.clone() for part in captured.state)

    def _capture_now(self, shape: _Shape) -> bool:
        self._seen[shape] += 1
        is_due = self._seen[shape] > _WARM_UP and len(self._captured) < _MOST
        return self._enabled and is_due

    def _capture(self, shape: _Shape, inputs: tuple[Tensor, ...]) -> _Captured | None:
        """Record the step; it is not computed. Return None, for good, if it cannot be recorded."""
        places = tuple(part.detach().clone() for part in inputs)
        graph = torch.cuda.CUDAGraph()
        self._forget_gradients()
        # Copies of the weights in 16 bits that were made outside would be used for ever.
        torch.clear_autocast_cache()
        try:
            # Another thread prepares batches meanwhile; only this one must keep to the rules.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                loss, state = self._learn(places[0], places[1], places[2:])
        except RuntimeError as error:
            logging.getLogger(__name__).warning(
                "the training step cannot be captured as a CUDA graph (%s); it runs step by step",
                " ".join(str(error).split()),
            )
            self._enabled = False
            return None
        finally:
            torch.clear_autocast_cache()
        gradients = tuple(weight.grad for weight in self._weights)
        self._captured[shape] = _Captured(graph, places, loss, state, gradients)
        return self._captured[shape]

    def _forget_gradients(self) -> None:
        for weight in self._weights:
            weight.grad = None
