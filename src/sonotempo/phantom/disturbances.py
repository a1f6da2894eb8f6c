"""Disturbances while scanning: lost contact, changes of depth, freezes, dropped frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonotempo.phantom.anatomy import Plane

KINDS = ("contact loss", "depth change", "freeze", "drop")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """The disturbance of one frame.

    Attributes:
        lifted: share of the probe without contact, 0 to 1.
        centre: where along the probe contact is lost, 0 to 1.
        depth_step: by how many of the scanner's presets the depth changes at this frame.
        frozen: whether the previous frame is shown again.
        dropped: whether the frame never arrives.
    """

    lifted: float = 0.0
    centre: float = 0.0
    depth_step: int = 0
    frozen: bool = False
    dropped: bool = False


class Events:
    """A Poisson stream of events, at most one at a time.

    Contact is lost for 0.3 to 1.2 s over up to 60 % of the probe; a freeze lasts 0.2 to 0.8 s; 1
    to 4 frames are dropped in a row. These are chosen, not measured.

    Args:
        random: draws them.
        rate_hz: events per second.
        frame_rate_hz: frames per second.
        kinds: which of :data:`KINDS` happen.
    """

    def __init__(
        self,
        random: np.random.Generator,
        rate_hz: float,
        frame_rate_hz: float,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._kinds = list(kinds)
        self._random, self._frame_rate_hz = random, frame_rate_hz
        self._chance = min(1.0, rate_hz / frame_rate_hz)
        self._kind = ""
        self._length = self._left = 0
        self._share = self._centre = 0.0

    def step(self) -> Disturbance:
        """Return the disturbance of the next frame."""
        if self._left == 0 and self._random.random() < self._chance:
            self._begin()
            if self._kind == "depth change":
                self._left = 0
                return Disturbance(depth_step=int(self._random.choice((-1, 1))))
        if self._left == 0:
            return Disturbance()
        self._left -= 1
        if self._kind == "contact loss":
            along = (self._length - self._left) / (self._length + 1)
            lifted = self._share * float(np.sin(np.pi * along))
            return Disturbance(lifted=lifted, centre=self._centre)
        return Disturbance(frozen=self._kind == "freeze", dropped=self._kind == "drop")

    def _begin(self) -> None:
        random = self._random
        self._kind = str(random.choice(self._kinds))
        seconds = {"contact loss": (0.3, 1.2), "freeze": (0.2, 0.8)}.get(self._kind)
        if seconds is None:
            self._length = int(random.integers(1, 5))
        else:
            self._length = max(1, round(random.uniform(*seconds) * self._frame_rate_hz))
        self._left = self._length
        self._share = float(random.uniform(0.2, 0.6))
        self._centre = float(random.choice((0.0, 1.0, random.random())))


def contact(disturbance: Disturbance, columns: int) -> Plane:
    """Return 1 for each line whose element touches the skin, and nearly 0 for the others."""
    along = np.linspace(0, 1, columns, dtype=np.float32)
    if disturbance.lifted <= 0:
        return np.ones(columns, np.float32)
    distance = np.abs(along - np.float32(disturbance.centre)) - np.float32(disturbance.lifted / 2)
    touching: Plane = np.clip(distance / np.float32(0.06), 0, 1)
    return np.float32(0.012) + np.float32(0.988) * touching
