"""The choice of model A, model B and the engine: ready-made models or exported files."""

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QVBoxLayout, QWidget

from napari_sonotempo.shared.layouts import browsing, form
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import ModelError, SonotempoError
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.engines import ENGINES
from sonotempo.live.models.ready import NO_READY_MODELS, ReadyModel, defaults_for

_NONE = "none"


class ModelsBox(QWidget):
    """Lets the user choose model files, and remembers them.

    Args:
        settings: the last choice.
    """

    changed = Signal()  # another model, engine, or the motion

    def __init__(self, settings: LiveSettings) -> None:
        super().__init__()
        self._settings = settings
        self._ready: tuple[ReadyModel, ...] = ()
        self._was_chosen = False
        self.models = (QComboBox(), QComboBox())
        self.engine = QComboBox()
        self.engine.addItems(ENGINES)
        self.engine.setCurrentText(settings.text("engine", "auto"))
        self.note = QLabel(NO_READY_MODELS)
        self.note.setWordWrap(True)
        self.note.setVisible(False)
        rows: list[tuple[str, QWidget] | QWidget] = []
        for side, box in zip("AB", self.models, strict=True):
            box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
            box.addItem(_NONE, "")
            self._add_file(box, settings.text(f"model {side}"))
            box.activated.connect(self._note_choice)
            tip = "choose an .onnx file of your own"
            rows.append((f"Model {side}", browsing(box, partial(self._browse, box), tip)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.along_motion = QCheckBox("also along the motion")
        self.along_motion.setToolTip(
            "With a single frame model: show it a second time, its predictions carried along the "
            "tissue's motion. Needs no training and steadies the masks."
        )
        self.along_motion.setChecked(settings.flag("along motion", False))
        layout.addWidget(form(*rows, self.along_motion, ("Engine", self.engine), self.note))
        for signal in (
            *(box.currentIndexChanged for box in self.models),
            self.engine.currentIndexChanged,
            self.along_motion.toggled,
        ):
            signal.connect(lambda _: self.changed.emit())

    def offer(self, ready: tuple[ReadyModel, ...], structures: str) -> None:
        """Offer the ready-made models, and choose those for a set if nothing else is chosen."""
        self._ready = ready
        for box in self.models:
            for model in ready:
                known = box.findData(str(model.path))
                if known >= 0:  # remembered, or asked for, before its title was known
                    box.setItemText(known, model.title)
                else:
                    box.addItem(model.title, str(model.path))
                    known = box.count() - 1
                box.setItemData(known, model.title, Qt.ItemDataRole.ToolTipRole)
        self.note.setVisible(not ready and not self.chosen())
        self.suggest(structures)

    def suggest(self, structures: str) -> None:
        """Choose the ready-made models for a set of structures, unless the user has chosen."""
        if self._was_chosen or not self._ready:
            return
        known = {str(model.path) for model in self._ready}
        if any(str(path) not in known for path in self.chosen()):
            return  # the user's own file, remembered
        try:
            moves = self.along_motion.isChecked()
            models = defaults_for(structures, self._ready, along_motion=moves)
        except ModelError:
            return  # no model for this set: the choice stays
        self.choose(tuple(model.path for model in models), by_user=False)

    def choose(self, paths: tuple[Path, ...], *, by_user: bool = True) -> None:
        """Choose files for A and B."""
        self._was_chosen = self._was_chosen or by_user
        for side, box in enumerate(self.models):
            if side < len(paths):
                self._add_file(box, str(paths[side]))
            else:
                box.setCurrentIndex(0)

    def chosen(self) -> tuple[Path, ...]:
        """Return the chosen files, A before B."""
        return tuple(Path(text) for box in self.models if (text := box.currentData()))

    def wanted(self) -> tuple[Path, ...]:
        """Return the chosen files and remember them.

        Raises:
            ModelError: model B without model A.
        """
        if not self.models[0].currentData() and self.models[1].currentData():
            raise ModelError("model B is chosen without model A; choose it as model A")
        for side, box in zip("AB", self.models, strict=True):
            self._settings.save(f"model {side}", str(box.currentData() or ""))
        self._settings.save("engine", self.engine.currentText())
        self._settings.save("along motion", self.along_motion.isChecked())
        return self.chosen()

    def show_problem(self, error: SonotempoError | str) -> None:
        """Show what is wrong with the ready-made models."""
        self.note.setText(str(error))
        self.note.setVisible(True)

    def _add_file(self, box: QComboBox, text: str) -> None:
        """Offer a file and choose it."""
        if not text or not Path(text).is_file():
            return
        if box.findData(text) < 0:
            ready = {str(model.path): model.title for model in self._ready}
            box.addItem(ready.get(text, Path(text).name), text)
            box.setItemData(box.count() - 1, text, Qt.ItemDataRole.ToolTipRole)
        box.setCurrentIndex(box.findData(text))

    def _browse(self, box: QComboBox) -> None:
        start = str(box.currentData() or self._settings.text("model folder"))
        path, _ = QFileDialog.getOpenFileName(self, "Model", start, "ONNX models (*.onnx)")
        if path:
            self._settings.save("model folder", str(Path(path).parent))
            self._add_file(box, path)
            self._note_choice()

    def _note_choice(self) -> None:
        self._was_chosen = True
        self.note.setVisible(False)


def require_comparable(cards: Sequence[ModelCard]) -> None:
    """Refuse models that find different structures, or more than two predictions.

    Raises:
        ModelError: names what each model finds.
    """
    members = sum(len(card.members) for card in cards)
    if members > 2:
        held = "; ".join(f"{card.name!r} holds {' and '.join(card.arms)}" for card in cards)
        raise ModelError(
            f"{members} models are chosen, but only two can be shown: {held}. Set model B to none "
            "to show a pair"
        )
    if len(cards) == 2 and cards[0].structures.names != cards[1].structures.names:
        differing = [
            f"{label}: {first or 'nothing'} in A, {second or 'nothing'} in B"
            for label, (first, second) in enumerate(
                zip_longest(cards[0].structures.names, cards[1].structures.names), start=1
            )
            if first != second
        ]
        raise ModelError(
            f"model A, {cards[0].name!r}, and model B, {cards[1].name!r}, find different "
            f"structures (label {'; '.join(differing)}); choose two models for the same structures"
        )
