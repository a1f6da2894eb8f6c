"""Serves what is segmented to other programs over OpenIGTLink, while the user wants it."""

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_sonotempo.live.session import LiveSession, Models
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.live.igtl.output import IgtlOutput

_PORT = 18945


class ShareBox(QWidget):
    """The tick and the port.

    Args:
        settings: the last port; serving itself is never resumed unasked.
    """

    changed = Signal()

    def __init__(self, settings: LiveSettings) -> None:
        super().__init__()
        self.serve = QCheckBox("Serve over OpenIGTLink, port")
        self.serve.setToolTip(
            "image, label maps and the structures' names, for 3D Slicer and others on this computer"
        )
        self.port = QSpinBox()
        self.port.setRange(1024, 65535)
        self.port.setValue(int(settings.number("igtl port", _PORT)))
        self.count = QLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.serve, self.port, self.count):
            layout.addWidget(widget)
        layout.addStretch()
        self.serve.toggled.connect(lambda _: self.changed.emit())
        self.port.valueChanged.connect(lambda port: settings.save("igtl port", port))
        self.port.editingFinished.connect(self.changed)

    @property
    def port_wanted(self) -> int | None:
        """Where to serve, or None."""
        return self.port.value() if self.serve.isChecked() else None

    def untick(self) -> None:
        """Show that nothing is served."""
        self.serve.setChecked(False)

    def show_connected(self, count: int | None) -> None:
        """Say how many programs are connected; None while nothing is served."""
        self.count.setText("" if count is None else f"{count} connected")


class Sharing(QObject):
    """Owns the server.

    Args:
        jobs: ends it in the background.
    """

    said = Signal(str, str)  # Level, sentence
    refused = Signal()  # the port is taken, or pyigtl is missing

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._port: int | None = None
        self._models: Models | None = None
        self._output: IgtlOutput | None = None
        self._is_closing = False

    @property
    def connected(self) -> int | None:
        """How many programs are connected, or None while nothing is served."""
        return None if self._output is None else self._output.receivers

    def serve_at(self, port: int | None) -> None:
        """Serve at a port from the next result on, or stop."""
        if port != self._port:
            self._port = port
            self.close()

    def pull(self, session: LiveSession) -> None:
        """Offer the newest result; called with every picture, and never waits."""
        if self._port is None:
            return
        if self._output is not None and self._models is not session.models:
            self.close()  # other labels: receivers connect again, and learn the new names
            return
        if self._output is None and not self._start(session):
            return
        newest = session.pipeline.newest()
        if self._output is not None and newest is not None:
            self._output.publish(newest)

    def close(self) -> None:
        """End the server in the background."""
        output, self._output = self._output, None
        if output is not None:
            self._is_closing = True
            self._jobs.run("sharing", output.close, self._closed, self._say, must_end=True)

    def _closed(self, _: object) -> None:
        self._is_closing = False

    def _start(self, session: LiveSession) -> bool:
        if self._is_closing:
            return False  # the former server still holds the port
        assert self._port is not None
        try:
            self._output = IgtlOutput(self._port, session.structures)
        except SonotempoError as error:
            self._port = None
            self._say(str(error))
            self.refused.emit()
            return False
        self._models = session.models
        self.said.emit("info", f"OpenIGTLink is served at localhost:{self._output.port}.")
        return True

    def _say(self, sentence: str) -> None:
        self.said.emit("error", sentence)
