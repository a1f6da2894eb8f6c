"""Where recordings and snapshots are saved, and what can be done with the last recording."""

from pathlib import Path

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_sonotempo.shared.layouts import row

_LINES = 5  # for the longest text, so that the buttons stay where they are


class SavedBox(QWidget):
    """Buttons only: signals report what the user wants."""

    folder_wanted = Signal()
    open_wanted = Signal(str)  # the path of a recording
    video_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._path = ""
        self._folder = Path()
        self.folder = QPushButton()
        self.folder.setToolTip("choose the folder for snapshots, recordings and videos")
        self.folder.clicked.connect(lambda _=False: self.folder_wanted.emit())
        self.last = QLabel("Nothing has been recorded yet.")
        self.last.setWordWrap(True)
        self.last.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.last.setMinimumHeight(_LINES * self.last.fontMetrics().lineSpacing())
        self.last.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.open = QPushButton("Open")
        self.open.setToolTip("open the last recording as layers")
        self.open.clicked.connect(lambda _=False: self.open_wanted.emit(self._path))
        self.video = QPushButton("Overlay video")
        self.video.setToolTip("write an .mp4 with the recorded masks' outlines, to show to others")
        self.video.clicked.connect(lambda _=False: self.video_wanted.emit(self._path))
        self.show_folder_button = QPushButton("Folder")
        self.show_folder_button.setToolTip("open the folder in the file manager")
        self.show_folder_button.clicked.connect(self._show_in_files)
        self.bar = QProgressBar()
        self.bar.setFormat("video: %v of %m frames")
        keeps = self.bar.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(keeps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self.folder,
            self.last,
            row(self.open, self.video, self.show_folder_button),
            self.bar,
        ):
            layout.addWidget(widget)
        layout.addStretch()
        self.show_progress(0, 0)
        self._show()

    def show_folder(self, folder: Path) -> None:
        """Show where is saved."""
        self._folder = folder
        at_home = folder.is_relative_to(Path.home())
        shown = Path("~", folder.relative_to(Path.home())) if at_home else folder
        self.folder.setText(f"Save to {shown}")

    def show_recording(self, path: str) -> None:
        """Show the last recording."""
        self._path = path
        self._show()

    def show_video(self, path: str) -> None:
        """Show that the last recording has a video."""
        self.last.setText(f"Last recording: {Path(self._path).name}\nVideo: {Path(path).name}")

    def show_progress(self, done: int, frames: int) -> None:
        """Show how far a video is; 0, 0 while none is made."""
        is_busy = frames > 0
        self.bar.setVisible(is_busy)
        self.bar.setRange(0, max(1, frames))
        self.bar.setValue(done)
        self.video.setEnabled(not is_busy and bool(self._path))

    def _show(self) -> None:
        has_one = bool(self._path)
        if has_one:
            self.last.setText(f"Last recording: {Path(self._path).name}")
        for button in (self.open, self.video):
            button.setEnabled(has_one)

    def _show_in_files(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))
