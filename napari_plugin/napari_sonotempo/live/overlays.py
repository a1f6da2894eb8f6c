"""Text over the pictures: scale bar, depth, and warnings such as STALE."""

import time
from typing import Any

from sonotempo.live.history import StepResult
from sonotempo.live.sources.source import SourceState

#: A picture captured longer ago than this is marked as stale.
STALE_LIMIT_MS = 500.0

_WARNING_COLOR = (1.0, 0.62, 0.0, 1.0)  # orange: colour-blind people see it too
_PLAIN_COLOR = (0.9, 0.9, 0.9, 1.0)
_PLAIN_SIZE, _WARNING_SIZE = 10, 12
# The attributes that are set here, and restored.
_SET_BAR = ("visible", "font_size")
_SET_TEXT = ("position", "color", "font_size", "text", "visible")


class LiveOverlays:
    """Uses the viewer's own overlays, and restores them at the end.

    Args:
        viewer: whose canvas it is.
    """

    def __init__(self, viewer: Any) -> None:
        self._scale_bar, self._text = overlays_of(viewer)
        self._before: list[tuple[Any, str, Any]] = []
        self._shown = ("", False)

    def begin(self) -> None:
        """Show the scale bar and make room for the text."""
        if not self._before:
            self._before = [
                (overlay, name, getattr(overlay, name))
                for overlay, names in ((self._scale_bar, _SET_BAR), (self._text, _SET_TEXT))
                for name in names
            ]
        self._scale_bar.visible = True
        self._scale_bar.font_size = 11
        self._text.position = "top_left"

    def write(self, words: str, is_warning: bool = False) -> None:
        """Write a line, if it differs from the present one."""
        if (words, is_warning) == self._shown:
            return
        self._shown = (words, is_warning)
        self._text.color = _WARNING_COLOR if is_warning else _PLAIN_COLOR
        self._text.font_size = _WARNING_SIZE if is_warning else _PLAIN_SIZE
        self._text.text = words
        self._text.visible = bool(words)

    def mark(
        self, shown: StepResult | None, state: SourceState, *, is_connected: bool, is_late: bool
    ) -> None:
        """Write what is shown, and mark it where it is not what happens now.

        Args:
            shown: the result on screen; None before the first.
            state: of the source.
            is_connected: whether the source delivers frames.
            is_late: whether newer frames wait for their results.
        """
        if not is_connected or state in ("disconnected", "connecting"):
            self.write("waiting for the source" if shown is None else f"NOT LIVE: {state}", True)
        elif shown is None:
            return
        elif state in ("frozen", "ended", "stopped"):
            self.write(f"{state}   {depth_words(shown)}")
        elif is_late or shown.age_ms(time.monotonic_ns()) > STALE_LIMIT_MS:
            age_s = shown.age_ms(time.monotonic_ns()) / 1000
            self.write(f"STALE {age_s:.1f} s   {depth_words(shown)}", True)
        else:
            self.write(f"live   {depth_words(shown)}")

    def end(self) -> None:
        """Restore both overlays as they were before :meth:`begin`."""
        for overlay, name, value in self._before:
            setattr(overlay, name, value)
        self._before = []
        self._shown = ("", False)


def overlays_of(viewer: Any) -> tuple[Any, Any]:
    """Return the viewer's scale bar and its text overlay."""
    if hasattr(viewer, "canvas"):  # since napari 0.9 the overlays belong to the canvas
        return viewer.canvas.overlays.scale_bar, viewer.canvas.overlays.text
    return viewer.scale_bar, viewer.text_overlay


def depth_words(result: StepResult) -> str:
    """Return how deep the picture reaches, in words."""
    frame = result.frame
    if frame.spacing_mm is None:
        return "depth not known"
    top, bottom = (
        (frame.area.top, frame.area.bottom) if frame.area else (0, frame.image_HW.shape[0])
    )
    return f"depth {(bottom - top) * frame.spacing_mm[0]:.0f} mm"
