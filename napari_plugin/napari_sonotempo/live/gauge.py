"""Which structures are in view, since when, and how sure the models are of them."""

import math
from dataclasses import dataclass

import numpy as np

from sonotempo.live.history import StepResult

_FORGIVEN_S = 0.3  # a structure that is missed for less stays in view
_LEAST_PIXELS = 4
_SETTLE_S = 0.3  # how fast a confidence follows, so that a hatching does not flicker


@dataclass(frozen=True, slots=True)
class InView:
    """Whether a structure is found now, and for how long it has been without a break.

    Attributes:
        is_now: whether it is found.
        seconds: for how long; None of a frame that is looked back at.
        confidence: how sure the model is of it, 0 to 1; None where it does not say.
    """

    is_now: bool
    seconds: float | None
    confidence: float | None = None


class Gauge:
    """Follows which structures each model finds.

    Args:
        count: the number of structures.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}  # first and last time, ns
        self._confidences: dict[tuple[int, int], float] = {}
        self._last_ns = 0

    def see(self, result: StepResult) -> None:
        """Take the next result; one from before the last starts over."""
        now_ns = result.captured_ns
        if now_ns < self._last_ns:
            self._spans.clear()
        pause_s = (now_ns - self._last_ns) / 1e9
        self._last_ns = now_ns
        for side, made in enumerate(result.predictions):
            pixels = np.bincount(made.mask_SS.ravel(), minlength=self._count + 1)
            for label in range(1, self._count + 1):
                if pixels[label] >= _LEAST_PIXELS:
                    first_ns, last_ns = self._spans.get((side, label), (now_ns, now_ns))
                    if now_ns - last_ns > _FORGIVEN_S * 1e9:
                        first_ns = now_ns
                    self._spans[side, label] = (first_ns, now_ns)
                    if made.confidences:
                        is_new = first_ns == now_ns
                        self._follow((side, label), made.confidences[label - 1], pause_s, is_new)

    def _follow(
        self, which: tuple[int, int], confidence: float, pause_s: float, is_new: bool
    ) -> None:
        """Let the confidence of a structure follow its newest value."""
        before = self._confidences.get(which)
        share = 1.0 if before is None or is_new else 1 - math.exp(-pause_s / _SETTLE_S)
        self._confidences[which] = share * confidence + (1 - share) * (before or 0.0)

    def in_view(self, side: int, label: int) -> InView:
        """Return whether a model finds a structure."""
        span = self._spans.get((side, label))
        if span is None:
            return InView(False, 0.0)
        first_ns, last_ns = span
        is_now = self._last_ns - last_ns <= _FORGIVEN_S * 1e9
        if not is_now:
            return InView(False, 0.0)
        return InView(True, (last_ns - first_ns) / 1e9, self._confidences.get((side, label)))
