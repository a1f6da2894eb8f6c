"""When the state that a model carries is no longer valid, and why."""

from dataclasses import dataclass

from sonotempo.recording import Box, Frame, Spacing

#: After a longer gap between two frames the anatomy may have moved.
MAX_GAP_MS = 500.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """The values of a frame that decide whether the next one continues it."""

    timestamp_ns: int
    host_ns: int
    shape_HW: tuple[int, ...]
    spacing_mm: Spacing | None
    area: Box | None


class Continuity:
    """Decides for every frame whether it continues the previous one.

    It does not if the geometry has changed, or if more than ``max_gap_ms`` lie between the two on
    the probe's clock. A clock that goes back was restarted. If it does not change at all, the
    host's clock decides. So recordings played faster or slower keep their state.

    >>> import numpy as np
    >>> rules = Continuity(max_gap_ms=100)
    >>> image_HW = np.zeros((4, 4), np.uint8)
    >>> rules.broken_by(Frame(image_HW, 0, 0, None))
    'start'
    >>> rules.broken_by(Frame(image_HW, 1, 50_000_000, None))
    >>> rules.broken_by(Frame(image_HW, 2, 250_000_000, None))
    'gap'
    """

    def __init__(self, max_gap_ms: float = MAX_GAP_MS) -> None:
        self._max_gap_ns = max_gap_ms * 1e6
        self._last: _Seen | None = None

    def broken_by(self, frame: Frame, host_ns: int = 0) -> str | None:
        """Return why the state from earlier frames is not valid for this one, or None.

        Args:
            frame: the next frame that a model will see.
            host_ns: when it was captured on the host's clock; not needed for recordings.
        """
        now = _Seen(frame.timestamp_ns, host_ns, frame.image_HW.shape, frame.spacing_mm, frame.area)
        last, self._last = self._last, now
        if last is None:
            return "start"
        if now.shape_HW != last.shape_HW:
            return "size"
        if now.spacing_mm != last.spacing_mm:
            return "spacing"
        if now.area != last.area:
            return "area"
        gap_ns = (now.timestamp_ns - last.timestamp_ns) or (now.host_ns - last.host_ns)
        return "gap" if gap_ns < 0 or gap_ns > self._max_gap_ns else None
