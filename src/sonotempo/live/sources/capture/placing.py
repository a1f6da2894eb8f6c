"""Decides for each captured frame where the ultrasound is in it, and how large its pixels are."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sonotempo.errors import SourceError
from sonotempo.framing import Framing
from sonotempo.image_area import ImageFinder
from sonotempo.live.sources.capture.layouts import (
    Layout,
    LayoutWatch,
    keep_layout,
    known_layouts,
    layout_of,
)
from sonotempo.live.sources.capture.request import CaptureRequest
from sonotempo.recording import Box, Image

_LOOKS_HZ = 12.0  # frames a second that the image is looked for in
_WATCH_S = 0.5
_SETTLED_LOOKS = 10  # after which the cells that change by themselves are known


class Placing:
    """What the user says counts; else what is known of this layout from before; else what is found.

    Args:
        request: the device, and what its address says of its pixels.
        say: gets a sentence for the user.
    """

    def __init__(self, request: CaptureRequest, say: Callable[[str], object]) -> None:
        self._request, self._say = request, say
        self._asking = threading.Lock()
        self._asked: list[Framing | None] = []
        self._known: list[Layout] = []
        self.restart()

    def restart(self) -> None:
        """Begin again, as with the first frame."""
        self._finder = ImageFinder()
        self._framing: Framing | None = None
        self._is_settled = False
        self._watch: LayoutWatch | None = None
        self._is_kept = False
        self._looks = 0
        self._looked_at_s = self._watched_at_s = 0.0

    def ask(self, framing: Framing | None) -> None:
        """Take what the user says, from any thread; None to look for the image again."""
        with self._asking:
            self._asked.append(framing)

    def see(self, image_HW: Image) -> Framing:
        """Return what holds for a frame."""
        framing = self._framing
        if framing is None or framing.shape_HW != image_HW.shape:
            framing = self._begin(image_HW)
        framing = self._answer(framing, image_HW)
        now_s = time.monotonic()
        if not self._is_settled and now_s - self._looked_at_s >= 1 / _LOOKS_HZ:
            self._looked_at_s = now_s
            framing = self._look(framing, image_HW)
        if now_s - self._watched_at_s >= _WATCH_S:
            self._watched_at_s = now_s
            framing = self._check_layout(framing, image_HW)
        self._framing = framing
        return framing

    def _begin(self, image_HW: Image) -> Framing:
        """Take the address's word for the first frame of a size, or what is known of its layout."""
        self.restart()
        request, shape_HW = self._request, (image_HW.shape[0], image_HW.shape[1])
        area = request.area
        if area is not None and (area.bottom > shape_HW[0] or area.right > shape_HW[1]):
            self._say(
                f"the area that was given does not fit frames of {shape_HW[1]}x{shape_HW[0]} "
                "pixels; the image is looked for"
            )
            area = None
        self._known = list(known_layouts(request.device))
        if area is not None:
            return self._settle(self._scaled(shape_HW, area), image_HW)
        return self._recognise(image_HW) or self._scaled(shape_HW, None)

    def _answer(self, framing: Framing, image_HW: Image) -> Framing:
        """Take what the user has said since the last frame."""
        with self._asking:
            asked, self._asked = self._asked, []
        for one in asked:
            if one is None:
                self._watch, self._is_settled = None, False
                self._finder = ImageFinder()
                self._say("the image is looked for")
            elif one.shape_HW == image_HW.shape:
                framing = self._settle(one, image_HW)
                self._keep(layout_of(self._request.device, one, image_HW))
        return framing

    def _look(self, framing: Framing, image_HW: Image) -> Framing:
        """Look for the image in some frames of each second, until it is found."""
        found = self._finder.look(image_HW)
        if found is None:
            return framing
        where = f"{found.top},{found.left},{found.bottom},{found.right}"
        self._say(
            f"the image is at area={where}; add this to the address to keep it, or set the area "
            "in the window"
        )
        scaled = self._scaled(framing.shape_HW, found)
        return self._settle(replace(scaled, sector=self._finder.sector), image_HW)

    def _check_layout(self, framing: Framing, image_HW: Image) -> Framing:
        """Notice another layout, and recognise one from before."""
        watch = self._watch
        if watch is None:
            return self._recognise(image_HW) or framing
        if not watch.has_changed(image_HW):
            self._looks += 1
            if self._looks == _SETTLED_LOOKS and self._is_kept:
                self._keep(watch.steady_layout())
            return framing
        self._known.insert(0, watch.steady_layout())
        recognised = self._recognise(image_HW)
        if recognised is not None:
            return recognised
        self._watch, self._is_settled = None, False
        self._finder = ImageFinder()
        self._say(
            "the scanner's screen has changed: the image is looked for again, and no millimetres "
            "are known until the ruler is measured again"
        )
        return replace(framing, mm_per_px=None)

    def _recognise(self, image_HW: Image) -> Framing | None:
        """Return the framing of a layout from before, if a frame shows one."""
        # What says more about the screen first.
        for layout in sorted(self._known, key=lambda one: -int((one.cells_hw > 0).sum())):
            if layout.is_on(image_HW):
                self._say("this layout of the screen is known: its area and scale are used again")
                return self._settle(layout.framing, image_HW)
        return None

    def _settle(self, framing: Framing, image_HW: Image) -> Framing:
        self._is_settled = True
        self._watch = LayoutWatch(layout_of(self._request.device, framing, image_HW))
        self._is_kept, self._looks = False, 0
        return framing

    def _keep(self, layout: Layout) -> None:
        self._is_kept = True
        self._known.insert(0, layout)
        try:
            keep_layout(layout)
        except SourceError as error:
            self._say(str(error))

    def _scaled(self, shape_HW: tuple[int, int], area: Box | None) -> Framing:
        """Return a framing with the scale that the address gives."""
        request = self._request
        framing = Framing(shape_HW, area, request.mm_per_px)
        if request.depth_mm is not None and area is not None:
            framing = framing.with_depth(request.depth_mm)
        return framing
