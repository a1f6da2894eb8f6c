"""Decides when a Clarius connection is lost: no new image, and not frozen."""

from dataclasses import dataclass
from typing import Literal

from sonotempo.live.sources.clarius.messages import MessageKind

Phase = Literal["loading", "connecting", "waiting", "streaming", "frozen"]

# How long images may still arrive after freezing was announced.
_TRAILING_S = 1.0


@dataclass(frozen=True, slots=True)
class ClariusLimits:
    """How long each thing may take, in seconds.

    Attributes:
        start_s: the process to start and load the SDK.
        connect_s: the SDK to connect.
        first_image_s: the first image, after connecting or resuming.
        stale_s: no new image while not frozen, before the connection counts as lost.
        hang_s: no message from the process (it reports four times a second).
        stop_s: the SDK to disconnect, before its process is killed.
        orphan_s: a process whose interpreter hangs, after its host has ended.
        backoff_s: the pause before the first new attempt; it doubles with each failure.
        backoff_max_s: the longest pause.
        steady_s: after images for this long, the next pause is short again.
    """

    start_s: float = 20.0
    connect_s: float = 20.0
    first_image_s: float = 8.0
    stale_s: float = 2.0
    hang_s: float = 10.0
    stop_s: float = 3.0
    orphan_s: float = 60.0
    backoff_s: float = 0.5
    backoff_max_s: float = 10.0
    steady_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """Return the pause before the next attempt, after some consecutive failures.

        >>> tuple(ClariusLimits().pause_s(n) for n in (1, 2, 3, 20))
        (0.5, 1.0, 2.0, 10.0)
        """
        doublings = min(max(failures - 1, 0), 30)
        return float(min(self.backoff_s * 2**doublings, self.backoff_max_s))


class Watchdog:
    """Follows one connection, from the start of its process, and detects its loss.

    The SDK's own ``isConnected()`` is unreliable, so the rule of its maintainers applies: no new
    image and not frozen means disconnected.

    >>> dog = Watchdog(ClariusLimits(stale_s=2), now_s=0)
    >>> for what, at_s in (("loaded", 1), ("connected", 2), ("image", 3)):
    ...     dog.saw(what, at_s)
    >>> dog.overdue(4), dog.overdue(6)
    (None, 'no image for 2 s, and not frozen')

    Args:
        limits: how long each thing may take.
        now_s: the present time of any monotonic clock.
    """

    def __init__(self, limits: ClariusLimits, now_s: float) -> None:
        self.phase: Phase = "loading"
        self._limits = limits
        self._since_s = now_s
        self._heard_s = now_s
        self._image_s = now_s
        self._streaming_since_s: float | None = None

    def saw(self, what: MessageKind | Literal["image", "freeze sent"], now_s: float) -> None:
        """Record an image, a command, or any message of the process."""
        if what == "freeze sent":
            # Frozen and asked to resume: if no image follows, the connection is lost.
            if self.phase == "frozen":
                self._enter("waiting", now_s)
            return
        self._heard_s = now_s
        if what == "loaded":
            self._enter("connecting", now_s)
        elif what == "connected" and self.phase == "connecting":
            self._enter("waiting", now_s)
        elif what == "frozen":
            self._enter("frozen", now_s)
        elif what == "running" and self.phase == "frozen":
            self._enter("waiting", now_s)
        elif what in ("image", "arriving"):
            self._saw_image(now_s)

    def is_steady(self, now_s: float) -> bool:
        """Whether images have arrived for long enough to forget earlier failures."""
        since_s = self._streaming_since_s
        return since_s is not None and now_s - since_s >= self._limits.steady_s

    def overdue(self, now_s: float) -> str | None:
        """Return what did not happen in time, or None if all is well."""
        limits = self._limits
        if self.phase == "loading":
            if now_s - self._since_s > limits.start_s:
                return f"the SDK's process did not start within {limits.start_s:g} s"
        elif self.phase == "connecting":
            if now_s - self._since_s > limits.connect_s:
                return f"the SDK did not answer within {limits.connect_s:g} s"
        elif now_s - self._heard_s > limits.hang_s:
            return f"the SDK's process has not reported for {limits.hang_s:g} s"
        elif self.phase == "waiting" and now_s - self._since_s > limits.first_image_s:
            return (
                f"connected, but no image within {limits.first_image_s:g} s; allow Python to "
                "receive UDP in this machine's firewall, and check that the probe is not frozen"
            )
        elif self.phase == "streaming" and now_s - self._image_s > limits.stale_s:
            return f"no image for {limits.stale_s:g} s, and not frozen"
        return None

    def _saw_image(self, now_s: float) -> None:
        self._image_s = now_s
        if self.phase == "frozen" and now_s - self._since_s < _TRAILING_S:
            return
        if self.phase != "streaming":
            self._enter("streaming", now_s)
            self._streaming_since_s = self._streaming_since_s or now_s

    def _enter(self, phase: Phase, now_s: float) -> None:
        self.phase, self._since_s = phase, now_s
