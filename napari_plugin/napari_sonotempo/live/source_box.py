"""The choice of a source: a page of controls for each kind, and one for layers that are open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_sonotempo.live.source_pages import (
    AddressPage,
    LayerPage,
    ProbePage,
    RecordingPage,
    SimulationPage,
    SourcePage,
)
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.live.sources import open as sources
from sonotempo.live.sources.source import FrameSource

_LAYER = "layer"  # not a scheme: an open layer has no address


class SourceBox(QWidget):
    """Lets the user choose a source, and remembers the choice.

    Every kind in :data:`~sonotempo.live.sources.open.SOURCES` has a page: its own, or a line for
    its address.

    Args:
        viewer: whose layers can be played.
        settings: the last choice.
    """

    def __init__(self, viewer: Any, settings: LiveSettings) -> None:
        super().__init__()
        self._settings = settings
        self.simulation = SimulationPage()
        self.recording = RecordingPage()
        self.probe = ProbePage()
        self.layer = LayerPage(viewer)
        own = {"phantom": self.simulation, "": self.recording, "clarius": self.probe}
        self.kind = QComboBox()
        self._pages: dict[str, SourcePage] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.kind)
        for kind in sources.SOURCES:
            page = own[kind.scheme] if kind.scheme in own else AddressPage(kind.example)
            self._pages[kind.scheme] = page
            self.kind.addItem(kind.title, kind.scheme)
        self._pages[_LAYER] = self.layer
        self.kind.addItem("Open layer", _LAYER)
        for page in self._pages.values():
            layout.addWidget(page)
        self._restore()
        self.kind.currentIndexChanged.connect(self._show_page)
        self._show_page()

    def choose(self, text: str, sdk: Path | None = None) -> None:
        """Choose what a text such as ``phantom://axillary`` names.

        Args:
            text: as on the command line.
            sdk: the folder of the vendor's SDK, if it is not installed.

        Raises:
            SonotempoError: the text is not valid; the choice stays as it is.
        """
        scheme = sources.kind_of(text).scheme
        self._pages[scheme].show_text(text, sdk)
        self.kind.setCurrentIndex(self.kind.findData(scheme))

    def text(self) -> str:
        """Return the text that names the chosen source."""
        return self._page().text()

    def wanted(self) -> tuple[str, Callable[[], FrameSource]]:
        """Return the source's name on screen, and a function that opens it off the GUI thread.

        Raises:
            SonotempoError: nothing is chosen yet.
        """
        self.remember()
        return self._page().title(), self._page().opener()

    def remember(self) -> None:
        """Save the choice for the next session."""
        self._settings.save("source", self.kind.currentData())
        for scheme, page in self._pages.items():
            self._settings.save(f"source {scheme}:", page.text())
        self._settings.save("sdk", self.probe.sdk.text().strip())

    def _restore(self) -> None:
        self.probe.sdk.setText(self._settings.text("sdk"))
        for kind in sources.SOURCES:
            example = kind.example if kind.scheme else ""
            page = self._pages[kind.scheme]
            try:
                page.show_text(self._settings.text(f"source {kind.scheme}:", example))
            except SonotempoError:  # saved while it was not complete
                page.show_text(example)
        last = self.kind.findData(self._settings.text("source", sources.SOURCES[0].scheme))
        self.kind.setCurrentIndex(max(0, last))

    def _page(self) -> SourcePage:
        return self._pages[self.kind.currentData()]

    def _show_page(self) -> None:
        for page in self._pages.values():
            page.setVisible(page is self._page())
