"""The choice of a source: a page of controls for each kind, and one for layers that are open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_sonotempo.live.connection_test import ConnectionTest
from napari_sonotempo.live.source_names import title_of
from napari_sonotempo.shared.layers import recording_of
from napari_sonotempo.shared.layouts import browsing, form
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError, SourceError
from sonotempo.live.models.ready import REAL_STRUCTURES
from sonotempo.live.sources import open as sources
from sonotempo.live.sources.address import parse_address
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.simulated import SimulatedSource
from sonotempo.live.sources.source import FrameSource
from sonotempo.phantom.settings import Procedure

_LAYER = "layer"  # in place of a scheme: an open layer has no address


class SourceBox(QWidget):
    """Lets the user choose a source, and remembers the choice.

    Simulations, recordings and Clarius probes have their own controls; any other kind in
    :data:`~sonotempo.live.sources.open.SOURCES` gets a line for its address.

    Args:
        viewer: whose layers can be played.
        settings: the last choice.
    """

    changed = Signal()  # another source
    structures_changed = Signal(str)  # that models for the source should find

    def __init__(self, viewer: Any, settings: LiveSettings) -> None:
        super().__init__()
        self._viewer, self._settings = viewer, settings
        self.kind = QComboBox()
        self.procedure = QComboBox()
        self.procedure.addItems(get_args(Procedure))
        self.procedure.currentTextChanged.connect(self._tell_structures)
        self.seed = QLineEdit()
        self.seed.setPlaceholderText("0")
        self.seed.setToolTip("a whole number; the same seed shows the same anatomy")
        self.path = QLineEdit()
        self.path.setPlaceholderText("a file or folder")
        self.host = QLineEdit()
        self.port = QSpinBox()
        self.port.setRange(1, 65535)
        self.sdk = QLineEdit(settings.text("sdk"))
        self.sdk.setPlaceholderText("folder of the SDK, if not installed")
        self.test = ConnectionTest()
        self.layer = QComboBox()
        self.list_layers()
        self._lines: dict[str, QLineEdit] = {}  # of kinds without controls, by their scheme
        self._pages = {
            "phantom": form(("Anatomy", self.procedure), ("Seed", self.seed)),
            "": form(("File", browsing(self.path, self._choose_file))),
            "clarius": form(
                ("Address", self.host),
                ("Port", self.port),
                ("SDK", browsing(self.sdk, self._choose_sdk)),
                self.test,
            ),
            _LAYER: form(("Layer", self.layer)),
        }
        for kind in sources.SOURCES:
            self.kind.addItem(kind.title, kind.scheme)
            if kind.scheme not in self._pages:
                self._lines[kind.scheme] = QLineEdit()
                self._pages[kind.scheme] = form(("Address", self._lines[kind.scheme]))
        self.kind.addItem("Open layer", _LAYER)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.kind)
        for page in self._pages.values():
            layout.addWidget(page)
        self._restore()
        self.kind.currentIndexChanged.connect(self._show_page)
        self.kind.currentIndexChanged.connect(self._tell_structures)
        for signal in (
            self.kind.currentIndexChanged,
            self.procedure.currentIndexChanged,
            self.layer.currentIndexChanged,
            self.port.valueChanged,
            *(line.textChanged for line in (self.seed, self.path, self.host, self.sdk)),
            *(line.textChanged for line in self._lines.values()),
        ):
            signal.connect(lambda _: self.changed.emit())
        self._show_page()

    @property
    def anatomy(self) -> str:
        """What the source simulates; empty if it is real."""
        is_simulated = self.kind.currentData() == "phantom"
        return self.procedure.currentText() if is_simulated else ""

    @property
    def structures(self) -> str:
        """The name of the set of structures that models for this source should find."""
        return self.anatomy or REAL_STRUCTURES

    def _tell_structures(self) -> None:
        self.structures_changed.emit(self.structures)

    def choose(self, text: str, sdk: Path | None = None) -> None:
        """Choose what a text such as ``phantom://axillary`` names.

        Args:
            text: as on the command line.
            sdk: the folder of the vendor's SDK, if it is not installed.

        Raises:
            SonotempoError: the text is not valid; the choice stays as it is.
        """
        scheme, address = sources.kind_of(text).scheme, parse_address(text)
        if scheme == "":
            self.path.setText(text)
        elif scheme == "phantom":
            SimulatedSource.open(address)  # refuses what is not valid
            self.procedure.setCurrentText(address.host)
            self.seed.setText(address.options.get("seed", ""))
        elif scheme == "clarius":
            ClariusSource.open(address)  # refuses what is not valid
            self.host.setText(address.host)
            self.port.setValue(address.port or 5828)
        else:
            self._lines[scheme].setText(text)
        if sdk is not None:
            self.sdk.setText(str(sdk))
        self.kind.setCurrentIndex(self.kind.findData(scheme))

    def text(self) -> str:
        """Return the text that names the chosen source; for a layer, its name."""
        scheme = self.kind.currentData()
        if scheme == _LAYER:
            return self.layer.currentText()
        if scheme == "":
            return self.path.text().strip()
        if scheme == "phantom":
            seed = self.seed.text().strip()
            return f"phantom://{self.procedure.currentText()}" + (f"?seed={seed}" if seed else "")
        if scheme == "clarius":
            host = self.host.text().strip()
            return f"clarius://{f'[{host}]' if ':' in host else host}:{self.port.value()}"
        return self._lines[scheme].text().strip()

    def wanted(self) -> tuple[str, Callable[[], FrameSource]]:
        """Return the source's name on screen, and a function that opens it off the GUI thread.

        Raises:
            SonotempoError: nothing is chosen yet, or the layer cannot be played.
        """
        self.remember()
        scheme, text, sdk = self.kind.currentData(), self.text(), self.sdk_folder()
        if scheme == _LAYER:
            if text not in self._viewer.layers:
                raise SourceError(
                    "no layer is chosen that can be played; open a recording first (File → Open, "
                    "or File → Open Sample → sonotempo)"
                )
            data, meta, _ = self._viewer.layers[text].as_layer_data_tuple()
            recording = recording_of(data, meta)
            return text, lambda: PlaybackSource(recording)
        if not text:
            raise SourceError(
                "no recording is chosen; choose a file or folder as the source"
                if scheme == ""
                else f"no address is given; enter one such as {sources.kind_of(f'{scheme}://').example}"
            )
        return title_of(text), lambda: sources.open_source(text, sdk=sdk)

    def sdk_folder(self) -> Path | None:
        """Return the folder of the vendor's SDK, if it is not installed."""
        text = self.sdk.text().strip()
        return Path(text).expanduser() if text else None

    def remember(self) -> None:
        """Save the choice for the next session."""
        self._settings.save("source", self.kind.currentData())
        self._settings.save(f"source {self.kind.currentData()}:", self.text())
        self._settings.save("sdk", self.sdk.text().strip())

    def list_layers(self) -> None:
        """Offer the time series that are open."""
        chosen = self.layer.currentText()
        self.layer.clear()
        for layer in self._viewer.layers:
            if type(layer).__name__ == "Image" and layer.ndim == 3:
                self.layer.addItem(layer.name)
        self.layer.setCurrentText(chosen)

    def _restore(self) -> None:
        for kind in sources.SOURCES:
            example = kind.example if kind.scheme else ""
            try:
                self.choose(self._settings.text(f"source {kind.scheme}:", example))
            except SonotempoError:  # saved before it was complete
                self.choose(example)
        last = self._settings.text("source", sources.SOURCES[0].scheme)
        self.kind.setCurrentIndex(max(0, self.kind.findData(last)))

    def _show_page(self) -> None:
        for scheme, page in self._pages.items():
            page.setVisible(scheme == self.kind.currentData())

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Recording", self.path.text())
        if path:
            self.path.setText(path)

    def _choose_sdk(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of the Clarius SDK", self.sdk.text())
        if path:
            self.sdk.setText(path)
