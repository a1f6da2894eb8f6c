"""When a nerve that only its brightness distinguishes from its look-alikes fades into them."""

import bisect

import numpy as np

# A fade lasts this long; the recording starts with a nerve that has not faded yet.
_FADE_S = (0.5, 2.0)
_START_S = (0.5, 1.0)
_TURN_S = 0.15
_SHORTEST_VISIBLE_S = 0.3


class Fades:
    """A nerve's gain as a function of time: endless, visible at first.

    Args:
        random: draws the times.
        share: of the time that the nerve is faded, about; 0 for never.
        faded_gain: the gain of a faded nerve.

    >>> fades = Fades(np.random.default_rng(0), share=0.5, faded_gain=0.3)
    >>> gains = [fades.gain(seconds) for seconds in np.arange(0, 200, 0.05)]
    >>> gains[0], bool(0.4 < np.mean(np.array(gains) < 0.65) < 0.6)
    (1.0, True)
    """

    def __init__(self, random: np.random.Generator, share: float, faded_gain: float) -> None:
        self._random, self._share, self._faded_gain = random, share, faded_gain
        # Times at which the nerve changes, visible before the first one.
        self._changes_s = [float(random.uniform(*_START_S))]

    def gain(self, seconds: float) -> float:
        """Return the nerve's gain at a time since the start of the recording, 0 to 1."""
        if self._share == 0:
            return 1.0
        while self._changes_s[-1] < seconds + _TURN_S:
            self._changes_s.append(self._changes_s[-1] + self._next_s())
        passed = bisect.bisect_right(self._changes_s, seconds)
        since_s = seconds - self._changes_s[passed - 1] if passed else _TURN_S
        turned = min(1.0, since_s / _TURN_S)
        faded = turned if passed % 2 else 1 - turned
        return 1.0 - faded * (1.0 - self._faded_gain)

    def _next_s(self) -> float:
        fade_s = float(np.exp(self._random.uniform(*np.log(_FADE_S))))
        if len(self._changes_s) % 2:
            return fade_s
        longer = (1 - self._share) / self._share
        return max(_SHORTEST_VISIBLE_S, fade_s * longer)
