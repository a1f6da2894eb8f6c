"""Connects the box and the ruler on the picture with the panel and the running source."""

from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_sonotempo.live.framing.draft import Draft, Place, Tool
from napari_sonotempo.live.framing.panel import FramingPanel
from napari_sonotempo.live.link import LiveLink
from napari_sonotempo.live.session import LiveSession
from sonotempo.errors import SonotempoError
from sonotempo.framing import Framing, write_framing
from sonotempo.recording import Box, Frame


class FramingSetup(QObject):
    """Lets the user say where the image is and how large its pixels are, while the stream runs.

    What is kept goes to the source, and for a recording into a file next to it.

    Args:
        link: of the stream.
        panel: the controls.
    """

    said = Signal(str, str)  # Level, sentence
    changed = Signal(bool)  # whether something is set up

    def __init__(self, link: LiveLink, panel: FramingPanel) -> None:
        super().__init__()
        self._link, self._panel = link, panel
        self._is_finding = False
        panel.begin_wanted.connect(self.begin)
        panel.tool_wanted.connect(self.take)
        panel.whole_wanted.connect(self._take_whole)
        panel.find_wanted.connect(self._find)
        panel.keep_wanted.connect(self.keep)
        panel.cancel_wanted.connect(self.cancel)
        panel.corners_wanted.connect(self._take_corners)
        panel.scale_changed.connect(self._show)
        canvas = link.stage.canvas
        canvas.pressed.connect(self._press)
        canvas.dragged.connect(self._drag)
        canvas.released.connect(self._release)
        link.state_changed.connect(self._follow_state)
        link.frame_shown.connect(self._follow_frame)
        self._follow_state("stopped")

    @property
    def draft(self) -> Draft | None:
        """What has been drawn so far, or None while nothing is set up."""
        return self._link.screen.scene.draft

    def begin(self) -> None:
        """Show the whole frame with the box."""
        frame = self._frame
        if frame is not None:
            self._panel.forget_depth()
            shape_HW = (frame.image_HW.shape[0], frame.image_HW.shape[1])
            self._draw(Draft.of(shape_HW, frame.area, frame.sector))

    def take(self, tool: Tool) -> None:
        """Choose what a press on the picture changes."""
        draft = self.draft
        if draft is not None:
            self._draw(replace(draft, tool=tool, held=None))

    def keep(self) -> None:
        """Use what has been drawn, and remember it."""
        session, draft = self._link.session, self.draft
        if session is None or draft is None:
            return
        try:
            framing = self._framing(draft)
            session.source.frame_as(framing)
        except SonotempoError as error:
            self.said.emit("error", str(error))
            return
        self._end()
        self._remember(session, framing)

    def cancel(self) -> None:
        """Leave everything as it was."""
        self._end()

    # --- the scale --------------------------------------------------------------------------

    def _framing(self, draft: Draft) -> Framing:
        """Return what has been drawn and entered.

        Raises:
            RecordingError: it makes no sense.
        """
        panel = self._panel
        if panel.depth_mm.value() > 0:
            return draft.framing(None).with_depth(panel.depth_mm.value())
        if len(draft.ticks) == 2:
            first, second = draft.ticks
            return draft.framing(None).with_ruler(first, second, panel.distance_mm.value())
        frame = self._frame
        known = frame.spacing_mm if frame is not None else None
        # Pixels that are not square cannot be said again by one number: the file keeps its own.
        return draft.framing(known[0] if known is not None and known[0] == known[1] else None)

    def _words(self, draft: Draft) -> str:
        if len(draft.ticks) == 1 and not self._panel.depth_mm.value():
            return "Click the other tick."
        try:
            framing = self._framing(draft)
        except SonotempoError as error:
            return str(error)
        rows, mm = draft.box.shape[0], framing.mm_per_px
        if mm is None:
            return "No scale yet: nothing is given in mm."
        return f"{mm:.3g} mm per pixel: the box is {rows * mm:.1f} mm deep."

    def _remember(self, session: LiveSession, framing: Framing) -> None:
        """Keep it next to a recording; a card's source keeps it with the scanner's layout."""
        playback = session.playback
        if playback is None or not session.request.source_text:
            self.said.emit("info", "The box and the scale are used from now on.")
            return
        recording: Path = playback.recording.source
        self._link.jobs.run(
            "framing",
            lambda: write_framing(recording, framing),
            lambda path: self.said.emit(
                "info", f"The box and the scale are kept next to the recording, in {path.name}."
            ),
            lambda sentence: self.said.emit("error", sentence),
        )

    # --- the picture ------------------------------------------------------------------------

    @property
    def _frame(self) -> Frame | None:
        shown = self._link.shown
        return None if shown is None else shown.frame

    def _press(self, row: float, column: float, reach_px: float) -> None:
        draft = self.draft
        if draft is not None:
            if draft.tool == "ruler":
                self._panel.forget_depth()
            self._is_finding = False
            self._draw(draft.pressed((row, column), reach_px))

    def _drag(self, row: float, column: float) -> None:
        place: Place = (row, column)
        if self.draft is not None:
            self._draw(self.draft.dragged(place))

    def _release(self) -> None:
        if self.draft is not None:
            self._draw(self.draft.released())

    def _take_whole(self) -> None:
        draft = self.draft
        if draft is not None:
            self._is_finding = False
            whole = Box(0, 0, *draft.shape_HW)
            self._draw(replace(draft, box=whole, tool="box", sector=None))

    def _take_corners(self) -> None:
        """Take the sector's corners for a part of the image."""
        if self.draft is not None:
            self._draw(replace(self.draft, sector=None))

    def _find(self) -> None:
        """Have the source look again; the box follows what it finds."""
        session = self._link.session
        if session is not None and self.draft is not None:
            self._is_finding = True
            session.source.frame_as(None)

    def _follow_frame(self) -> None:
        """Say what holds for the frame on screen, and take a box that was found."""
        frame, draft, session = self._frame, self.draft, self._link.session
        if frame is None or session is None:
            return
        self._panel.show_now(frame.area, frame.spacing_mm, can_set=session.source.takes_framing)
        if draft is None:
            return
        if frame.image_HW.shape != draft.shape_HW:
            self._end()
            self.said.emit("warning", "The frames have another size now: set the box once more.")
        elif self._is_finding and frame.area is not None and frame.area != draft.box:
            self._draw(replace(draft, box=frame.area, sector=frame.sector))

    def _follow_state(self, state: str) -> None:
        if state in ("stopped", "starting", "stopping"):
            self._end()
            self._panel.show_now(None, None, can_set=False)
            self._panel.now.setText("Start a stream to set the image's box and scale.")

    def _draw(self, draft: Draft | None) -> None:
        before = self.draft
        self._link.screen.show(draft=draft)
        self._show()
        if (before is None) != (draft is None):
            self.changed.emit(draft is not None)

    def _end(self) -> None:
        self._is_finding = False
        self._draw(None)

    def _show(self) -> None:
        draft = self.draft
        self._panel.show_draft(draft, "" if draft is None else self._words(draft))
