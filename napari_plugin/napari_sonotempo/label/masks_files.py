"""Masks into the viewer and out of it: new ones, saved ones, drafts; and saving."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sonotempo.label.draft_keeper import Offer
from napari_sonotempo.label.drafts import read_draft
from napari_sonotempo.label.saved_masks import with_saved_masks
from napari_sonotempo.label.target import add_masks, recording_in, shape_of
from napari_sonotempo.label.target_box import TargetBox
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.structures import StructureSet


class MasksFiles(QObject):
    """Opens and saves masks of the chosen recording; what goes wrong is one sentence.

    Args:
        viewer: gets the layers.
        target: knows what is chosen.
        settings: where the last folder is kept.
    """

    said = Signal(str, str)  # Level, sentence
    opened = Signal()

    def __init__(self, viewer: Any, target: TargetBox, settings: LiveSettings) -> None:
        super().__init__()
        self._viewer, self._target, self._settings = viewer, target, settings

    def add_new(self, structures: StructureSet | None) -> None:
        """Add an empty layer of masks.

        Args:
            structures: what is to be drawn; by default the recording's.
        """
        try:
            image = self._target.required_image()
            recording = recording_in(image)
            if structures is not None:
                recording = replace(recording, structures=structures)
            self._open(image, LazyMasks(recording, shape_of(image)[1:], masks={}))
        except SonotempoError as error:
            self.said.emit("warning", str(error))

    def load(self, folder: Path) -> None:
        """Lay the masks of a folder on the recording."""
        try:
            image = self._target.required_image()
            recording = with_saved_masks(recording_in(image), folder)
            masks = LazyMasks(recording, shape_of(image)[1:])
            self._open(image, masks)
        except SonotempoError as error:
            self.said.emit("error", str(error))
        else:
            self.said.emit("info", f"{len(masks.labelled)} masks from {folder}")

    def take(self, offer: Offer) -> None:
        """Open the masks that were offered."""
        if offer.kind == "saved":
            self.load(offer.path)
            return
        try:
            draft = read_draft(offer.path)
            image = self._target.required_image()
            recording = replace(recording_in(image), structures=draft.structures)
            masks = LazyMasks(recording, shape_of(image)[1:], masks={})
            for position, mask_HW in draft.masks.items():
                masks.give(position, mask_HW, draft.origins[position])
            self._open(image, masks)
        except SonotempoError as error:
            self.said.emit("error", str(error))
        else:
            self.said.emit("info", f"{len(draft.masks)} masks are back; they are not saved yet")

    def save_to(self, path: Path) -> None:
        """Save the chosen masks, with their origins, to the folder of a data set."""
        try:
            _, labels = self._target.required()
            saved = labels.save(str(path), plugin="sonotempo")
        except SonotempoError as error:
            self.said.emit("error", str(error))
            return
        if saved:
            self._settings.save("label folder", str(path))
            self.said.emit("info", f"Saved the masks in {path}")

    def choose_to_save(self, parent: QWidget) -> None:
        """Save to the folder that the user chooses."""
        start = self._settings.text("label folder", str(Path.home() / "masks"))
        path, _ = QFileDialog.getSaveFileName(parent, "Folder of the data set", start)
        if path:
            self.save_to(Path(path))

    def choose_to_load(self, parent: QWidget) -> None:
        """Load from the folder that the user chooses."""
        start = self._settings.text("label folder", str(Path.home()))
        path = QFileDialog.getExistingDirectory(parent, "Folder of one saved sequence", start)
        if path:
            self.load(Path(path))

    def _open(self, image: Any, masks: LazyMasks) -> None:
        """Show masks as a layer, ready to be painted on."""
        labels = add_masks(self._viewer, image, masks)
        self._viewer.layers.selection.active = labels
        self._target.choose(labels)
        self.opened.emit()
