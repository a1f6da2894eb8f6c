"""What stands on the canvas beside the pictures: scale bar, depth, and marks such as STALE."""

from typing import Any

from sonotempo.live.history import StepResult

_WARNING_COLOR = (1.0, 0.62, 0.0, 1.0)  # orange reads as a warning and is seen by everybody
_PLAIN_COLOR = (0.9, 0.9, 0.9, 1.0)
_PLAIN_SIZE, _WARNING_SIZE = 10, 12


class LiveOverlays:
    """Sets the viewer's own overlays, and puts them back at the end.

    Args:
        viewer: whose canvas it is.
    """

    def __init__(self, viewer: Any) -> None:
        # Since napari 0.7 the overlays belong to the canvas.
        canvas = getattr(viewer, "canvas", None)
        owner = canvas.overlays if hasattr(canvas, "overlays") else None
        self._scale_bar = owner.scale_bar if owner is not None else viewer.scale_bar
        self._text = owner.text if owner is not None else viewer.text_overlay
        self._before = (self._scale_bar.visible, self._text.visible)
        self._shown: tuple[str, bool] = ("", False)

    def begin(self) -> None:
        """Show the scale bar and room for words."""
        self._scale_bar.visible = True
        self._scale_bar.font_size = 11
        self._text.position = "top_left"

    def write(self, words: str, is_warning: bool) -> None:
        """Write a line, if it is another one."""
        if (words, is_warning) == self._shown:
            return
        self._shown = (words, is_warning)
        self._text.color = _WARNING_COLOR if is_warning else _PLAIN_COLOR
        self._text.font_size = _WARNING_SIZE if is_warning else _PLAIN_SIZE
        self._text.text = words
        self._text.visible = bool(words)

    def end(self) -> None:
        """Put back what was there."""
        self._scale_bar.visible, self._text.visible = self._before
        self._text.text = ""
        self._shown = ("", False)


def depth_words(result: StepResult) -> str:
    """Say how deep the picture goes."""
    frame = result.frame
    if frame.spacing_mm is None:
        return "depth not known"
    top, bottom = (
        (frame.area.top, frame.area.bottom) if frame.area else (0, frame.image_HW.shape[0])
    )
    return f"depth {(bottom - top) * frame.spacing_mm[0]:.0f} mm"
