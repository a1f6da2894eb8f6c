"""Which structures are in view, and since when."""

from dataclasses import dataclass

import numpy as np

from sonotempo.live.history import StepResult

_FORGIVEN_S = 0.3  # a structure that is missed for less stays in view
_LEAST_PIXELS = 4


@dataclass(frozen=True, slots=True)
class InView:
    """Whether a structure is found now, and for how long it has been without a break.

    Of a frame that is looked back at, the time is not known: None.
    """

    is_now: bool
    seconds: float | None


class Gauge:
    """Follows which structures each model finds.

    Args:
        count: the number of structures.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}  # first and last time, ns
        self._last_ns = 0

    def see(self, result: StepResult) -> None:
        """Take the next result; one from before the last starts over."""
        now_ns = result.captured_ns
        if now_ns < self._last_ns:
            self._spans.clear()
        self._last_ns = now_ns
        for side, made in enumerate(result.predictions):
            pixels = np.bincount(made.mask_SS.ravel(), minlength=self._count + 1)
            for label in range(1, self._count + 1):
                if pixels[label] >= _LEAST_PIXELS:
                    first_ns, last_ns = self._spans.get((side, label), (now_ns, now_ns))
                    if now_ns - last_ns > _FORGIVEN_S * 1e9:
                        first_ns = now_ns
                    self._spans[side, label] = (first_ns, now_ns)

    def in_view(self, side: int, label: int) -> InView:
        """Return whether a model finds a structure."""
        span = self._spans.get((side, label))
        if span is None:
            return InView(False, 0.0)
        first_ns, last_ns = span
        is_now = self._last_ns - last_ns <= _FORGIVEN_S * 1e9
        return InView(is_now, (last_ns - first_ns) / 1e9 if is_now else 0.0)

    def found(self, side: int) -> int:
        """Return how many structures a model finds now."""
        return sum(self.in_view(side, label).is_now for label in range(1, self._count + 1))
