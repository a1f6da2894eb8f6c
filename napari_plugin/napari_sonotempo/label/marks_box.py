"""Event marks on the recording: set, remove, export."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_sonotempo.label.keys import KEYS
from napari_sonotempo.shared.layouts import row
from napari_sonotempo.shared.mark_menu import ask_for_mark, edit_mark_texts
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.io.marks import Mark, marks_path, read_marks, write_marks
from sonotempo.recording import Recording


class MarksBox(QWidget):
    """The marks of the recording that is labelled.

    Args:
        settings: where the list of marks and the last folder are kept.
        frame: returns the position that the viewer shows.
    """

    said = Signal(str, str)  # Level, sentence
    changed = Signal()

    def __init__(self, settings: LiveSettings, frame: Callable[[], int]) -> None:
        super().__init__()
        self._settings, self._frame = settings, frame
        self._recording: Recording | None = None
        self.marks: tuple[Mark, ...] = ()
        key = next(key for key, name in KEYS.items() if name == "mark")
        self.add = QPushButton(f"Mark…  ({key})")
        self.add.setToolTip(f"mark an event in this frame. Key: {key}, then a number")
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("remove the marks of this frame")
        self.edit = QPushButton("Edit list…")
        self.edit.setToolTip("change the list of events")
        self.export = QPushButton("Export…")
        self.export.setToolTip("save the marks as a table (CSV)")
        self.here = QLabel()
        self.here.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(self.add, self.remove, self.edit, self.export))
        layout.addWidget(self.here)
        self.add.clicked.connect(lambda _=False: self.ask())
        self.remove.clicked.connect(lambda _=False: self.remove_here())
        self.edit.clicked.connect(lambda _=False: edit_mark_texts(self, settings))
        self.export.clicked.connect(lambda _=False: self._choose_table())
        self.show_recording(None)

    def show_recording(self, recording: Recording | None) -> None:
        """Read the marks of a recording."""
        self._recording, self.marks = recording, ()
        if recording is not None:
            try:
                self.marks = read_marks(recording)
            except SonotempoError as error:
                self.said.emit("error", str(error))
        for button in (self.add, self.remove, self.export):
            button.setEnabled(recording is not None)
        self.show_frame()
        self.changed.emit()

    def show_frame(self) -> None:
        """Show the marks of the frame in the viewer, and how many there are."""
        here = [mark.text for mark in self.marks if mark.index == self._frame()]
        count = f"{len(self.marks)} marks" if len(self.marks) != 1 else "1 mark"
        self.here.setText(f"{count}; here: {', '.join(here)}" if here else count)

    def ask(self) -> None:
        """Ask what happens in the frame that is shown now."""
        if self._recording is None:
            self.said.emit("warning", "There is no recording to mark: open one first.")
            return
        at = self._frame()
        self.menu = ask_for_mark(self, self._settings, lambda text: self.set_mark(at, text))

    def set_mark(self, at: int, text: str) -> None:
        """Mark an event in a frame."""
        self._change((*self.marks, Mark(at, text)))

    def remove_here(self) -> None:
        """Remove the marks of the frame that is shown."""
        self._change(tuple(mark for mark in self.marks if mark.index != self._frame()))

    def save_table(self, path: Path) -> None:
        """Write the marks as a table."""
        if self._recording is not None and self._write(path):
            self.said.emit("info", f"Saved {len(self.marks)} marks in {path}")

    def _change(self, marks: tuple[Mark, ...]) -> None:
        if self._recording is None or sorted(marks) == list(self.marks):
            return
        self.marks = tuple(sorted(marks))
        self.show_frame()
        self.changed.emit()
        if not self._recording.source.exists():
            self.said.emit(
                "warning", "This recording is no file: export its marks before you close it."
            )
        else:
            self._write(marks_path(self._recording))

    def _write(self, path: Path) -> bool:
        assert self._recording is not None
        try:
            write_marks(path, self._recording, self.marks)
        except SonotempoError as error:
            self.said.emit("error", f"{error}. The marks stay here until you export them")
            return False
        return True

    def _choose_table(self) -> None:
        if self._recording is None:
            return
        start = Path(self._settings.text("folder", str(Path.home())))
        name = f"{self._recording.source.name}.marks.csv"
        path, _ = QFileDialog.getSaveFileName(
            self, "Export marks", str(start / name), "Tables (*.csv)"
        )
        if path:
            self.save_table(Path(path))
