"""The controls for each kind of source: a page shows the text that names a source and returns it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton, QSpinBox, QWidget

from napari_sonotempo.shared.layers import recording_of
from napari_sonotempo.shared.layouts import browsing, form
from sonotempo.errors import SourceError
from sonotempo.live.sources.address import parse_address
from sonotempo.live.sources.clarius.check import CheckStep, check_steps
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.open import open_source
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.simulated import SimulatedSource
from sonotempo.live.sources.source import FrameSource
from sonotempo.phantom.settings import Procedure

_DEFAULT_PORT = 5828
_SIGNS = {"ok": "✓", "failed": "✗", "not tried": "–"}


class SourcePage(QWidget):
    """The controls of one kind of source."""

    def text(self) -> str:
        """Return the text that names the chosen source."""
        raise NotImplementedError

    def show_text(self, text: str, sdk: Path | None = None) -> None:
        """Show a text that names a source.

        Args:
            text: of this page's kind.
            sdk: the folder of the vendor's SDK, if it is not installed.

        Raises:
            SonotempoError: the text is not valid; the controls stay as they are.
        """
        raise NotImplementedError

    def title(self) -> str:
        """Return the source's name on screen."""
        return self.text()

    def sdk_folder(self) -> Path | None:
        """Return the folder of the vendor's SDK; None if it is installed or not needed."""
        return None

    def opener(self) -> Callable[[], FrameSource]:
        """Return a function that opens the source off the GUI thread.

        Raises:
            SonotempoError: nothing is chosen yet.
        """
        text, sdk = self.text(), self.sdk_folder()
        return lambda: open_source(text, sdk=sdk)


class AddressPage(SourcePage):
    """One line for the whole address, for a source without controls of its own.

    Args:
        example: a text that names such a source.
    """

    def __init__(self, example: str) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setPlaceholderText(example)
        self._sdk: Path | None = None
        form(self, ("Address", self.line))

    def text(self) -> str:
        return self.line.text().strip()

    def show_text(self, text: str, sdk: Path | None = None) -> None:
        self.line.setText(text)
        self._sdk = sdk

    def sdk_folder(self) -> Path | None:
        return self._sdk


class RecordingPage(SourcePage):
    """A recording, chosen by its path."""

    def __init__(self) -> None:
        super().__init__()
        self.path = QLineEdit()
        self.path.setPlaceholderText("a file or folder")
        form(self, ("File", browsing(self.path, self._browse)))

    def text(self) -> str:
        return self.path.text().strip()

    def show_text(self, text: str, sdk: Path | None = None) -> None:
        self.path.setText(text)

    def title(self) -> str:
        return Path(self.text()).name

    def opener(self) -> Callable[[], FrameSource]:
        if not self.text():
            raise SourceError("no recording is chosen; choose a file or folder as the source")
        return super().opener()

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Recording", self.path.text())
        if path:
            self.path.setText(path)


class SimulationPage(SourcePage):
    """A simulated scan: which anatomy, and which seed."""

    structures_changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.procedure = QComboBox()
        self.procedure.addItems(get_args(Procedure))
        self.procedure.currentTextChanged.connect(self.structures_changed)
        self.seed = QLineEdit()
        self.seed.setPlaceholderText("0")
        self.seed.setToolTip("a whole number; the same seed shows the same anatomy")
        form(self, ("Anatomy", self.procedure), ("Seed", self.seed))

    def text(self) -> str:
        seed = self.seed.text().strip()
        return f"phantom://{self.procedure.currentText()}" + (f"?seed={seed}" if seed else "")

    def show_text(self, text: str, sdk: Path | None = None) -> None:
        address = parse_address(text)
        SimulatedSource.open(address)  # refuses what is not valid
        self.procedure.setCurrentText(address.host)
        self.seed.setText(address.options.get("seed", ""))

    def title(self) -> str:
        return f"simulated {self.procedure.currentText()}"


class LayerPage(SourcePage):
    """A time series that is open as a layer.

    Args:
        viewer: whose layers can be played.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.layers = QComboBox()
        form(self, ("Layer", self.layers))
        self.list_layers()

    def text(self) -> str:
        return self.layers.currentText()

    def show_text(self, text: str, sdk: Path | None = None) -> None:
        self.layers.setCurrentText(text)

    def opener(self) -> Callable[[], FrameSource]:
        name = self.text()
        if name not in self._viewer.layers:
            raise SourceError(
                "no layer is chosen that can be played; open a recording first (File → Open, "
                "or File → Open Sample → sonotempo)"
            )
        data, meta, _ = self._viewer.layers[name].as_layer_data_tuple()
        recording = recording_of(data, meta)
        return lambda: PlaybackSource(recording)

    def list_layers(self) -> None:
        """Offer the time series that are open."""
        chosen = self.text()
        self.layers.clear()
        for layer in self._viewer.layers:
            if type(layer).__name__ == "Image" and layer.ndim == 3:
                self.layers.addItem(layer.name)
        self.layers.setCurrentText(chosen)


class ProbePage(SourcePage):
    """A Clarius probe: its address, the vendor's SDK, and a test of the connection."""

    test_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.host = QLineEdit()
        self.port = QSpinBox()
        self.port.setRange(1, 65535)
        self.sdk = QLineEdit()
        self.sdk.setPlaceholderText("folder of the SDK, if not installed")
        self.test = QPushButton("Test connection")
        self.test.clicked.connect(self.test_wanted)
        self.results = QLabel()
        self.results.setWordWrap(True)
        self.results.setVisible(False)
        form(
            self,
            ("Address", self.host),
            ("Port", self.port),
            ("SDK", browsing(self.sdk, self._browse)),
            self.test,
            self.results,
        )

    def text(self) -> str:
        host = self.host.text().strip()
        return f"clarius://{f'[{host}]' if ':' in host else host}:{self.port.value()}"

    def show_text(self, text: str, sdk: Path | None = None) -> None:
        address = parse_address(text)
        ClariusSource.open(address)  # refuses what is not valid
        self.host.setText(address.host)
        self.port.setValue(address.port or _DEFAULT_PORT)
        if sdk is not None:
            self.sdk.setText(str(sdk))

    def sdk_folder(self) -> Path | None:
        text = self.sdk.text().strip()
        return Path(text).expanduser() if text else None

    def check(self) -> Callable[[Callable[..., None], Any], None]:
        """Return the test of the connection as work for a thread; results appear step by step."""
        host, port, sdk = self.host.text().strip(), self.port.value(), self.sdk_folder()
        lines: list[str] = []
        self.results.setText("testing…")
        self.results.setVisible(True)
        self.test.setEnabled(False)

        def add(step: CheckStep) -> None:
            lines.append(f"{_SIGNS[step.outcome]} {step.name}: {step.detail}")
            self.results.setText("\n".join(lines))

        def finish() -> None:
            self.results.setVisible(bool(lines))
            self.test.setEnabled(True)

        def work(tell: Callable[..., None], cancelled: Any) -> None:
            steps = check_steps(host, port, sdk)
            try:
                for step in steps:
                    if cancelled.is_set():
                        return
                    tell(add, step)
            finally:
                steps.close()  # type: ignore[attr-defined]  # a generator: ends its process
                tell(finish)

        return work

    def _browse(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of the Clarius SDK", self.sdk.text())
        if path:
            self.sdk.setText(path)
