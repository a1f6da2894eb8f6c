"""The choice of a source: simulated, a recording, an open layer, or a Clarius probe with a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.shared.layers import recording_of
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SourceError
from sonotempo.live.sources.clarius.check import CheckStep, check_steps
from sonotempo.live.sources.open import open_source
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.source import FrameSource

DEFAULT_PORT = 5828
DEFAULT_HOST = "192.168.1.1"
_KINDS = ("Simulation", "Recording file", "Open layer", "Clarius probe")
_SIGNS = {"ok": "✓", "failed": "✗", "not tried": "–"}


class SourceBox(QWidget):
    """Says which source is wanted, and remembers it.

    Args:
        viewer: whose layers can be played.
        settings: what was chosen last.
    """

    test_wanted = Signal()
    procedure_changed = Signal(str)

    def __init__(self, viewer: Any, settings: LiveSettings) -> None:
        super().__init__()
        self._viewer, self._settings = viewer, settings
        self.kind = QComboBox()
        self.kind.addItems(_KINDS)
        self.procedure = QComboBox()
        self.procedure.addItems(["axillary", "femoral"])
        self.path = QLineEdit(settings.text("recording"))
        self.path.setPlaceholderText("a file or folder")
        self.layer = QComboBox()
        self.host = QLineEdit(settings.text("host", DEFAULT_HOST))
        self.port = QSpinBox()
        self.port.setRange(1, 65535)
        self.port.setValue(int(settings.number("port", DEFAULT_PORT)))
        self.sdk = QLineEdit(settings.text("sdk"))
        self.sdk.setPlaceholderText("folder of the SDK, if not installed")
        self.test = QPushButton("Test connection")
        self.test.clicked.connect(self.test_wanted)
        self.results = QLabel()
        self.results.setWordWrap(True)
        self.results.setVisible(False)
        self._pages = QStackedWidget()
        for page in (
            _form(("Anatomy", self.procedure)),
            _form(("File", _with_button(self.path, "…", self._choose_file))),
            _form(("Layer", self.layer)),
            self._clarius_page(),
        ):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.kind)
        layout.addWidget(self._pages)
        self.kind.currentIndexChanged.connect(self._show_page)
        self.procedure.currentTextChanged.connect(self.procedure_changed)
        self.procedure.setCurrentText(settings.text("procedure", "axillary"))
        self.kind.setCurrentIndex(int(settings.number("source", 0)) % len(_KINDS))
        self._show_page()

    def wanted(self) -> tuple[str, Callable[[], FrameSource]]:
        """Return what the source is called, and a function that opens it off the GUI thread.

        Raises:
            SonotempoError: nothing is chosen yet, or the layer is no recording.
        """
        self._remember()
        kind = self.kind.currentIndex()
        if kind == 0:
            text = f"phantom://{self.procedure.currentText()}"
            return f"simulated {self.procedure.currentText()}", lambda: open_source(text)
        if kind == 1:
            text = self.path.text().strip()
            if not text:
                raise SourceError("no recording is chosen; choose a file or folder as the source")
            return Path(text).name, lambda: open_source(text)
        if kind == 2:
            name = self.layer.currentText()
            if name not in self._viewer.layers:
                raise SourceError(
                    "no layer is chosen that could be played; open a recording first (File → Open, "
                    "or File → Open Sample → sonotempo)"
                )
            data, meta, _ = self._viewer.layers[name].as_layer_data_tuple()
            recording = recording_of(data, meta)
            return name, lambda: PlaybackSource(recording)
        text, sdk = self._address(), self._sdk()
        return text, lambda: open_source(text, sdk=sdk)

    def choose(self, text: str, sdk: Path | None = None) -> None:
        """Choose what a text such as ``phantom://axillary`` names; anything else is a path."""
        scheme = text.partition("://")[0] if "://" in text else ""
        if scheme == "phantom" and text.partition("://")[2] in ("axillary", "femoral"):
            self.kind.setCurrentIndex(0)
            self.procedure.setCurrentText(text.partition("://")[2])
        elif scheme == "clarius":
            address = urlsplit(text)
            self.kind.setCurrentIndex(3)
            self.host.setText(address.hostname or "")
            self.port.setValue(address.port or DEFAULT_PORT)
            if sdk is not None:
                self.sdk.setText(str(sdk))
        else:
            self.kind.setCurrentIndex(1)
            self.path.setText(text)

    def check(self) -> Callable[[Callable[..., None], Any], None]:
        """Return the test of the probe as work for a thread, which tells step by step."""
        self._remember()
        host, port, sdk = self.host.text().strip(), self.port.value(), self._sdk()
        self.results.setText("testing…")
        self.results.setVisible(True)
        self.test.setEnabled(False)
        lines: list[str] = []

        def add(step: CheckStep) -> None:
            lines.append(f"{_SIGNS[step.outcome]} {step.name}: {step.detail}")
            self.results.setText("\n".join(lines))

        def work(tell: Callable[..., None], cancelled: Any) -> None:
            steps = check_steps(host, port, sdk)
            try:
                for step in steps:
                    if cancelled.is_set():
                        return
                    tell(add, step)
            finally:
                steps.close()  # ends its process
                tell(self.test.setEnabled, True)

        return work

    def _clarius_page(self) -> QWidget:
        page = _form(
            ("Address", self.host),
            ("Port", self.port),
            ("SDK", _with_button(self.sdk, "…", self._choose_sdk)),
        )
        layout = page.layout()
        layout.addRow(self.test)
        layout.addRow(self.results)
        return page

    def _show_page(self) -> None:
        self._pages.setCurrentIndex(self.kind.currentIndex())
        # The other pages must not keep room for themselves.
        for index in range(self._pages.count()):
            page = self._pages.widget(index)
            is_shown = index == self._pages.currentIndex()
            policy = page.sizePolicy()
            vertical = policy.Policy.Preferred if is_shown else policy.Policy.Ignored
            page.setSizePolicy(policy.Policy.Preferred, vertical)
        self._pages.adjustSize()
        self.list_layers()

    def list_layers(self) -> None:
        """Offer the time series that are open."""
        chosen = self.layer.currentText()
        self.layer.clear()
        self.layer.addItems(
            [
                layer.name
                for layer in self._viewer.layers
                if type(layer).__name__ == "Image" and layer.ndim == 3
            ]
        )
        self.layer.setCurrentText(chosen)

    def _remember(self) -> None:
        save = self._settings.save
        save("source", self.kind.currentIndex())
        save("procedure", self.procedure.currentText())
        save("recording", self.path.text().strip())
        save("host", self.host.text().strip())
        save("port", self.port.value())
        save("sdk", self.sdk.text().strip())

    def _address(self) -> str:
        host = self.host.text().strip()
        if not host:
            raise SourceError(
                "the probe's address is missing; the Clarius App shows it, 192.168.1.1 in the "
                "probe's own Wi-Fi"
            )
        return f"clarius://{host}:{self.port.value()}"

    def _sdk(self) -> Path | None:
        text = self.sdk.text().strip()
        return Path(text).expanduser() if text else None

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Recording", self.path.text())
        if path:
            self.path.setText(path)

    def _choose_sdk(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of the Clarius SDK", self.sdk.text())
        if path:
            self.sdk.setText(path)


def _form(*rows: tuple[str, QWidget]) -> QWidget:
    page = QWidget()
    layout = QFormLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for label, field in rows:
        layout.addRow(label, field)
    return page


def _with_button(field: QWidget, text: str, pressed: Callable[[], None]) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    button = QPushButton(text)
    button.setFixedWidth(28)
    button.clicked.connect(pressed)
    layout.addWidget(field)
    layout.addWidget(button)
    return row
