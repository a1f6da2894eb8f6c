"""Whether the picture is what happens now, in a word and its colour."""

import time

from napari_sonotempo.live.scene import Verdict
from sonotempo.live.history import StepResult
from sonotempo.live.sources.source import SourceState

#: A picture captured longer ago than this is marked as stale.
STALE_LIMIT_MS = 500.0


def live_verdict(
    shown: StepResult | None,
    state: SourceState,
    *,
    is_connected: bool,
    is_late: bool,
    rates: str = "",
) -> Verdict:
    """Return what to say of a picture that should be live.

    Args:
        shown: the result on screen; None before the first.
        state: of the source.
        is_connected: whether the source delivers frames.
        is_late: whether newer frames wait for their results.
        rates: latency and frames a second, in words.
    """
    depth = depth_words(shown) if shown is not None else ""
    if not is_connected or state in ("disconnected", "connecting"):
        return Verdict("CONNECTING" if shown is None else "NOT LIVE", "warning", state)
    if shown is None:
        return Verdict()
    if state in ("frozen", "ended", "stopped"):
        words = {"frozen": "SOURCE FROZEN", "ended": "ENDED", "stopped": "STOPPED"}
        return Verdict(words[state], "still", depth)
    age_ms = shown.age_ms(time.monotonic_ns())
    if is_late or age_ms > STALE_LIMIT_MS:
        return Verdict(f"STALE {age_ms / 1000:.1f} s", "warning", depth)
    return Verdict("LIVE", "live", f"{rates} · {depth}" if rates else depth)


def frozen_verdict(shown: StepResult, back_s: float) -> Verdict:
    """Return what to say while the user looks back."""
    return Verdict(
        f"FROZEN −{back_s:.2f} s", "still", f"frame {shown.frame.index} · {depth_words(shown)}"
    )


def depth_words(result: StepResult) -> str:
    """Return how deep the picture reaches, in words."""
    frame = result.frame
    if frame.spacing_mm is None:
        return "depth not known"
    top, bottom = (
        (frame.area.top, frame.area.bottom) if frame.area else (0, frame.image_HW.shape[0])
    )
    return f"depth {(bottom - top) * frame.spacing_mm[0]:.0f} mm"
