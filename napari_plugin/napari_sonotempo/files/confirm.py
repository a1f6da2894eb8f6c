"""The question before a model's masks are saved: those that were looked at become truth."""

from typing import Literal

Answer = Literal["all", "looked at", "none"]


def ask_about_masks(name: str, model: str, frames: int, unseen: int) -> Answer:
    """Ask what to save of masks that a model made.

    Args:
        name: of the layer.
        model: that made them.
        frames: that would be saved.
        unseen: frames of them that nobody has looked at.
    """
    from qtpy.QtWidgets import QMessageBox  # noqa: PLC0415  # only where there is a window

    box = QMessageBox()
    box.setWindowTitle("Save a model's masks")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(f"The masks of {name!r} were made by the model {model!r}, not by a person.")
    box.setInformativeText(
        f"{unseen} of {frames} frames were never looked at. The others are saved as accepted: the "
        "truth that models are trained on and compared with."
    )
    seen = box.addButton(
        f"Save the {frames - unseen} that were looked at", QMessageBox.ButtonRole.AcceptRole
    )
    everything = box.addButton(f"Save all {frames}", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    seen.setEnabled(unseen < frames)
    box.setDefaultButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    clicked = box.clickedButton()
    return "looked at" if clicked is seen else "all" if clicked is everything else "none"
