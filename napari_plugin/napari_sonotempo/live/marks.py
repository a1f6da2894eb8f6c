"""Event marks while a stream is recorded: lines in the recording's ``.jsonl`` file."""

from qtpy.QtWidgets import QMenu, QWidget

from napari_sonotempo.live.link import LiveLink
from napari_sonotempo.shared.mark_menu import ask_for_mark
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.io.marks import MARK
from sonotempo.live.sources.source import SourceEvent

_NOT_RECORDING = "Nothing is being recorded: press Record (R), and marks go into the recording."


class LiveMarks:
    """Marks what happens in the frame on screen.

    Args:
        parent: whose window the list of marks opens in.
        link: with the stream and its recorder.
        settings: where the list of marks is kept.
    """

    def __init__(self, parent: QWidget, link: LiveLink, settings: LiveSettings) -> None:
        self._parent, self._link, self._settings = parent, link, settings
        self.menu: QMenu | None = None

    def ask(self) -> None:
        """Ask what happens in the frame that is shown now, not in that of the answer."""
        shown = self._link.shown
        if not self._link.is_recording or shown is None:
            self._link.said.emit("warning", _NOT_RECORDING)
            return
        at_ns = shown.captured_ns
        window = self._link.stage.presentation or self._parent
        self.menu = ask_for_mark(window, self._settings, lambda text: self.set_mark(at_ns, text))

    def set_mark(self, at_ns: int, text: str) -> None:
        """Write a mark into the recording.

        Args:
            at_ns: when, on the host's monotonic clock.
            text: what happened.
        """
        session = self._link.session
        if session is None or session.recorder is None:
            self._link.said.emit("warning", _NOT_RECORDING)
            return
        session.recorder.note(SourceEvent(MARK, at_ns, text))
        self._link.said.emit("info", f"marked: {text}")
