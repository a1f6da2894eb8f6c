"""Saving: the button, the reviewer's name, and what is offered of earlier work."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_sonotempo.label.draft_keeper import Offer
from napari_sonotempo.shared.layouts import form, row
from napari_sonotempo.shared.settings import LiveSettings


class SaveBox(QWidget):
    """The name, the Save button and how much there is to save.

    Args:
        settings: where the name is remembered.
    """

    save_wanted = Signal()

    def __init__(self, settings: LiveSettings) -> None:
        super().__init__()
        self.name = QLineEdit(settings.text("reviewer"))
        self.name.setPlaceholderText("not recorded")
        self.name.setToolTip(
            "Who draws and accepts. With a name, it and the time are saved with every mask; "
            "without one, neither is."
        )
        self.name.editingFinished.connect(lambda: settings.save("reviewer", self.reviewer))
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.save = QPushButton("Save masks…")
        self.save.setToolTip("save the masks and where they come from as an Annotation Web folder")
        self.save.clicked.connect(lambda _=False: self.save_wanted.emit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form(("Your name", self.name)))
        layout.addWidget(self.summary)
        layout.addWidget(self.save)

    @property
    def reviewer(self) -> str:
        """The name; empty if nobody is to be named."""
        return self.name.text().strip()


class OfferBox(QWidget):
    """A sentence with two buttons; hidden while there is nothing to offer."""

    wanted = Signal(object)  # Offer
    refused = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.offer: Offer | None = None
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.take = QPushButton("Open them")
        self.refuse = QPushButton()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.sentence)
        layout.addWidget(row(self.take, self.refuse))
        self.take.clicked.connect(lambda _=False: self.wanted.emit(self.offer))
        self.refuse.clicked.connect(lambda _=False: self.refused.emit(self.offer))
        self.show_offer(None)

    def show_offer(self, offer: Offer | None) -> None:
        """Offer something, or nothing."""
        self.offer = offer
        self.setVisible(offer is not None)
        if offer is not None:
            self.sentence.setText(offer.sentence)
            self.refuse.setText("Discard" if offer.kind == "draft" else "Not now")
