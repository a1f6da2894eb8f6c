"""How masks are propagated through a data set."""

from dataclasses import dataclass
from typing import get_args

from sonotempo.errors import ConfigError, unknown_option
from sonotempo.labels.propagate import Direction


@dataclass(frozen=True, slots=True)
class PropagationSettings:
    """How masks are carried; see :func:`sonotempo.labels.propagate.propagate`.

    Attributes:
        reach: how many frames from a label; None for as far as possible.
        direction: forward, backward or both.
        model: the name of the model that refines outlines; empty for none.
    """

    reach: int | None = None
    direction: Direction = "both"
    model: str = ""

    @property
    def text(self) -> str:
        """Name them in a sentence.

        >>> PropagationSettings(20).text
        'both directions, 20 frames, no model'
        """
        direction = "both directions" if self.direction == "both" else f"{self.direction} only"
        far = "any number of frames" if self.reach is None else f"{self.reach} frames"
        return f"{direction}, {far}, {self.model or 'no model'}"


def propagation_settings(reach: int | None, direction: str, model: str = "") -> PropagationSettings:
    """Check settings and return them.

    Raises:
        ConfigError: the direction does not exist.
    """
    for known in get_args(Direction):
        if known == direction:
            return PropagationSettings(reach, known, model)
    raise ConfigError(unknown_option("direction", direction, get_args(Direction)))
