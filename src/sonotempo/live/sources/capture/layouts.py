"""What a scanner's screen looks like around the image, and the layouts that the user has set up.

A scanner draws its menus, texts and ruler at the same pixels until somebody changes the preset or
the depth. So what stands around the image identifies a layout: its box and scale can be taken from
the last time, and a change of it says that they no longer hold.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import platformdirs
from numpy.typing import NDArray

from sonotempo.errors import SourceError
from sonotempo.folders import whole_file
from sonotempo.framing import Framing
from sonotempo.recording import Box, Image

_CELL_PX = 8
_DIFFERENT = 8.0  # grey levels of a cell's mean: a letter changes a cell by more
_CHANGED_CELLS = 8  # of a clock's minutes fewer change
_STEADY_LOOKS = 3
_RESTLESS = 4  # changes
_KEPT = 200  # layouts in the file, the newest
_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A scanner's screen with the image's place on it.

    Attributes:
        device: whose picture it is.
        framing: where the image is and how large its pixels are.
        cells_hw: uint8, the mean grey level of each cell of 8x8 pixels, at least 1; 0 where a cell
            is not judged, because it touches the image or changes by itself.
    """

    device: str
    framing: Framing
    cells_hw: Image

    def is_on(self, image_HW: Image) -> bool:
        """Whether a frame shows this layout."""
        if image_HW.shape != self.framing.shape_HW:
            return False
        return _are_alike(surroundings(image_HW, self.framing.area), self.cells_hw)


def layout_of(device: str, framing: Framing, image_HW: Image) -> Layout:
    """Return the layout that a frame shows."""
    return Layout(device, framing, surroundings(image_HW, framing.area))


def surroundings(image_HW: Image, area: Box | None) -> Image:
    """Return the cells around the image; if the image is everything, none is judged.

    >>> surroundings(np.full((16, 32), 9, np.uint8), Box(0, 0, 10, 10))
    array([[0, 0, 9, 9],
           [0, 0, 9, 9]], dtype=uint8)
    """
    height, width = (max(1, side // _CELL_PX) for side in image_HW.shape)
    cells_hw: Image = cv2.resize(
        image_HW[: height * _CELL_PX, : width * _CELL_PX],
        (width, height),
        interpolation=cv2.INTER_AREA,
    )
    if area is None:
        return np.zeros_like(cells_hw)
    cells_hw = np.maximum(cells_hw, 1)
    bottom, right = -(-area.bottom // _CELL_PX), -(-area.right // _CELL_PX)
    cells_hw[area.top // _CELL_PX : bottom, area.left // _CELL_PX : right] = 0
    return cells_hw


class LayoutWatch:
    """Notices when the menus and texts around the image change for good.

    Cells that change by themselves, such as a clock's, are left out once they have.

    Args:
        layout: what is on the screen now.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._before_hw = layout.cells_hw
        self._changes_hw = np.zeros(layout.cells_hw.shape, np.uint8)
        self._restless_hw = np.zeros(layout.cells_hw.shape, np.bool_)
        self._looks = 0

    def has_changed(self, image_HW: Image) -> bool:
        """Look at a frame, twice a second or so; return whether another layout is shown by now."""
        now_hw = surroundings(image_HW, self.layout.framing.area)
        moving_hw = _differing(now_hw, self._before_hw)
        self._before_hw = now_hw
        # A few cells that change without the rest are a clock or a cursor; cells that change again
        # and again are a part of the image outside its box.
        if moving_hw.sum() < _CHANGED_CELLS:
            self._restless_hw = self._restless_hw | moving_hw
        self._changes_hw += moving_hw & (self._changes_hw < _RESTLESS)
        often_hw = (self._changes_hw >= _RESTLESS).astype(np.uint8)
        joined_hw = cv2.morphologyEx(often_hw, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        self._restless_hw = self._restless_hw | joined_hw.astype(np.bool_)
        is_other = not _are_alike(now_hw, self.steady_layout().cells_hw)
        is_steady = not (moving_hw & ~self._restless_hw).any()
        self._looks = self._looks + 1 if is_other and is_steady else 0
        return self._looks >= _STEADY_LOOKS

    def steady_layout(self) -> Layout:
        """Return the layout without the cells that change by themselves."""
        return replace(self.layout, cells_hw=np.where(self._restless_hw, 0, self.layout.cells_hw))


def _are_alike(one_hw: Image, other_hw: Image) -> bool:
    return int(_differing(one_hw, other_hw).sum()) < _CHANGED_CELLS


def _differing(one_hw: Image, other_hw: Image) -> NDArray[np.bool_]:
    """Return which cells differ, of those that are judged in both."""
    differing_hw: NDArray[np.bool_] = cv2.absdiff(one_hw, other_hw) > _DIFFERENT
    return differing_hw & (one_hw > 0) & (other_hw > 0)


def layouts_file() -> Path:
    """Return the file in which layouts are kept from one session to the next."""
    return platformdirs.user_config_path("sonotempo") / "capture-layouts.json"


def known_layouts(device: str) -> tuple[Layout, ...]:
    """Return what was kept for a device, newest first; a damaged file counts as none."""
    return tuple(one for one in _read() if one.device == device)


def keep_layout(layout: Layout) -> None:
    """Keep a layout; an earlier one that looks the same gives way to it.

    Raises:
        SourceError: the file cannot be written.
    """
    others = [one for one in _read() if not _is_same(one, layout)]
    content = {
        "format": _FORMAT,
        "layouts": [
            {"device": one.device, **one.framing.as_json(), "cells": _packed(one.cells_hw)}
            for one in [layout, *others][:_KEPT]
        ],
    }
    path = layouts_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as draft:
            draft.write_text(json.dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"the image's place could not be kept in {path} ({error.strerror or error}); it holds "
            "until the stream ends"
        ) from error


def _is_same(one: Layout, other: Layout) -> bool:
    """Whether two layouts are of one screen: all around both boxes is the same."""
    sizes = (one.framing.shape_HW, other.framing.shape_HW)
    return (
        one.device == other.device
        and sizes[0] == sizes[1]
        and _are_alike(one.cells_hw, other.cells_hw)
    )


def _read() -> Sequence[Layout]:
    try:
        content = json.loads(layouts_file().read_text("utf-8"))
        if content["format"] != _FORMAT:
            return ()
        return [
            Layout(str(one["device"]), Framing.from_json(one), _unpacked(one["cells"]))
            for one in content["layouts"]
        ]
    except (OSError, ValueError, KeyError, TypeError, cv2.error):
        return ()  # not there yet, or damaged: the image is looked for, and set once more


def _packed(cells_hw: Image) -> str:
    _, png = cv2.imencode(".png", cells_hw)
    return base64.b64encode(png.tobytes()).decode()


def _unpacked(text: str) -> Image:
    png = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    cells_hw = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)
    if cells_hw is None:
        raise ValueError("not a picture")
    found: Image = cells_hw.astype(np.uint8)
    return found
