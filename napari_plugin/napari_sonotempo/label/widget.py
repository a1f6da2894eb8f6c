"""The dock widget "Label recording": assembles its panels and connects them with the masks."""

import weakref
from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_sonotempo.label.draft_keeper import DraftKeeper, Offer
from napari_sonotempo.label.filling import Filling
from napari_sonotempo.label.keep_box import OfferBox, SaveBox
from napari_sonotempo.label.keys import KEYS, ReviewKeys, leave_keys
from napari_sonotempo.label.marks_box import MarksBox
from napari_sonotempo.label.masks_files import MasksFiles
from napari_sonotempo.label.open_masks import OpenMasks
from napari_sonotempo.label.propagate_box import PropagateBox
from napari_sonotempo.label.propagation import Wanted, planned
from napari_sonotempo.label.review_box import ReviewBox
from napari_sonotempo.label.target import recording_in, shape_of
from napari_sonotempo.label.target_box import TargetBox
from napari_sonotempo.shared.docks import main_window_of, tab_with_others
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.layouts import scroll_area
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.messages import Messages
from napari_sonotempo.shared.paint_box import PaintBox
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.live.models.ready import ready_models

_WIDTH_PX = 345
_POLL_MS = 60
_END_S = 5.0  # to finish the current frame


class LabelWidget(QWidget):
    """Carries masks along the tissue; shows where each comes from, and has them reviewed.

    Args:
        napari_viewer: holds the recording and its masks.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._settings = LiveSettings()
        self._shown: tuple[Any, ...] = ()  # masks and their version, image, whether they are saved
        self._drawn: tuple[Any, ...] = (None,) * 4
        self._marked: Any = None  # the layer whose marks are shown
        self._keys: ReviewKeys | None = None
        self.jobs = Jobs()
        self.keeper = DraftKeeper(self._settings.folder / "drafts", self.jobs)
        self.target = TargetBox(napari_viewer)
        self.work = OpenMasks(napari_viewer, self.target, self.keeper)
        self.offer = OfferBox()
        self.messages = Messages()
        self.paint = PaintBox(napari_viewer)
        self.propagate = PropagateBox(self._settings)
        self.review = ReviewBox()
        self.marks = MarksBox(self._settings, lambda: self.target.frame)
        self.saving = SaveBox(self._settings)
        self.files = MasksFiles(napari_viewer, self.target, self._settings)
        self.filling = Filling(self.jobs, self.propagate)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._lay_out()
        self._connect()
        self._choose()
        self.jobs.run(
            "ready models",
            ready_models,
            self.propagate.offer,
            lambda sentence: self.messages.say("error", sentence),
        )
        self._timer.start()

    # --- user actions -----------------------------------------------------------------------

    def act(self, name: str) -> None:
        """Do what a button or a key says; a mistake is one sentence."""
        try:
            labelling = self.work.required()
            if name == "undo" and self.filling.is_running:
                self.messages.say("warning", "cancel the propagation first, then undo it")
            elif name == "next unreviewed":
                self.target.go_to(labelling.next_unreviewed(self.target.frame))
            elif said := labelling.act(name, self.target.frame, self.saving.reviewer):
                self.messages.say("info", said)
        except SonotempoError as error:
            self.messages.say("warning", str(error))
        self._show()

    def start(self, wanted: Wanted) -> None:
        """Carry the mask of the shown frame."""
        if self.filling.is_running:
            return
        try:
            labelling = self.work.required()
            model = self.propagate.model_wanted
            request = planned(
                labelling.masks, labelling.structures, self.target.frame, wanted, model
            )
        except SonotempoError as error:
            self.messages.say("warning", str(error))
            return
        self.messages.clear_all()
        self.filling.start(labelling, request)

    # --- display ----------------------------------------------------------------------------

    def _choose(self) -> None:
        """Show another recording or other masks."""
        image = self.target.image
        if image is not self._marked:
            self._marked = image
            self._show_recording(image)
        if image is not None and self.target.labels is not None:
            try:
                self.work.required()
            except SonotempoError as error:
                self.messages.say("warning", str(error))
        self._show()

    def _refuse_offer(self, offer: Offer) -> None:
        self.keeper.discard(offer)
        self.offer.show_offer(None)

    def _show_recording(self, image: Any) -> None:
        try:
            recording = None if image is None else recording_in(image)
        except SonotempoError as error:
            self.messages.say("warning", str(error))
            recording = None
        self.marks.show_recording(recording)
        self.offer.show_offer(None if recording is None else self.keeper.offer(recording))

    def _poll(self) -> None:
        self.jobs.poll()
        labelling = self.work.current
        if labelling is not None:
            labelling.sign(self.saving.reviewer)
        if problem := self.keeper.look():
            self.messages.say("warning", problem)
        if not self.filling.is_running:
            self.work.forget_closed()
        self._show()

    def _show(self) -> None:
        """Show what has changed since the last time."""
        labelling, image = self.work.current, self.target.image
        masks = labelling.masks if labelling is not None else None
        is_saved = masks is None or masks.is_saved
        state = (masks, masks.version if masks is not None else -1, image, is_saved)
        if state == self._shown:
            return
        self._shown = state
        frames = shape_of(image)[0] if image is not None else 0
        self.review.show_origins(frames, masks.origins if masks is not None else {})
        self.saving.summary.setText(labelling.summary if labelling is not None else "no masks")
        self.review.show_undo(labelling.edits.next_undo if labelling is not None else "")
        if masks is not None:
            self._draw(masks)
        self._follow()

    def _draw(self, masks: LazyMasks) -> None:
        """Draw the frame in the viewer again if this panel has changed it; strokes are drawn."""
        state = masks.state(self.target.frame)
        drawn = (masks, self.target.frame, state.given_HW, state.painted_HW)
        if any(one is not other for one, other in zip(drawn, self._drawn, strict=True)):
            self._drawn = drawn
            self.target.labels.refresh()

    def _follow(self, *_: object) -> None:
        """Show which frame the viewer shows."""
        self.review.strip.show_frame(self.target.frame)
        self.marks.show_frame()

    # --- the end: with the dock, with the window, or with the program -----------------------

    def showEvent(self, event: Any) -> None:
        """Take the keys of the window that the widget is in."""
        window = main_window_of(self)
        if window is not None and self._keys is None:
            actions = {name: partial(self.act, name) for name in KEYS.values()}
            self._keys = ReviewKeys(window, actions | {"mark": self.marks.ask})
            window.installEventFilter(self)
        if self._keys is not None:
            self._keys.enable(True)
        QTimer.singleShot(0, self, lambda: tab_with_others(self))  # once it has its place
        super().showEvent(event)

    def eventFilter(self, _: Any, event: QEvent) -> bool:
        """Keep a draft when the window has closed; a minimised one hides spontaneously."""
        if event.type() == QEvent.Type.Hide and not event.spontaneous():
            self.filling.stop()
            self.keeper.finish()
        return False

    def hideEvent(self, event: Any) -> None:
        """Leave the keys to others while another dock is in front."""
        if self._keys is not None:
            self._keys.enable(False)
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """End when the dock is closed: napari takes the widget out before deleting it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._timer.stop()
            if self._keys is not None:
                self._keys.remove()
            self.cleanup()
            self.deleteLater()  # napari leaves it as a window without a parent
        super().changeEvent(event)

    def cleanup(self) -> None:
        """End what runs, keep a draft of what is not saved; may be called twice."""
        self.jobs.cancel(_END_S)
        self.keeper.finish()
        while self._connected:
            event, callback = self._connected.pop()
            event.disconnect(callback)
        self.target.cleanup()
        self.paint.cleanup()

    # --- assembly ---------------------------------------------------------------------------

    def _lay_out(self) -> None:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        for part in (
            self.target,
            self.offer,
            self.messages,
            self.paint,
            self.propagate,
            self.review,
            self.marks,
            self.saving,
        ):
            layout.addWidget(part)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll_area(inner))
        self.setMinimumWidth(_WIDTH_PX)
        leave_keys(self)

    def _connect(self) -> None:
        self.target.changed.connect(self._choose)
        self.target.new_wanted.connect(self.files.add_new)
        self.target.load_wanted.connect(lambda: self.files.choose_to_load(self))
        self.offer.wanted.connect(self.files.take)
        self.offer.refused.connect(self._refuse_offer)
        self.files.opened.connect(lambda: self.offer.show_offer(None))
        self.propagate.wanted.connect(self.start)
        self.propagate.cancel_wanted.connect(self.filling.stop)
        for part in (self.target, self.files, self.filling, self.marks):
            part.said.connect(self.messages.say)
        self.review.acted.connect(self.act)
        self.review.strip.frame_wanted.connect(self.target.go_to)
        self.marks.changed.connect(lambda: self.review.strip.show_marks(self.marks.marks))
        self.saving.save_wanted.connect(lambda: self.files.choose_to_save(self))
        self._timer.timeout.connect(self._poll)
        self._connected = [(self._viewer.dims.events.current_step, self._follow)]
        for event, callback in self._connected:
            event.connect(callback)
        # A bound method would keep the widget, and with it the viewer, alive in Qt.
        clean_up = partial(_clean_up, self.jobs, self.keeper, weakref.ref(self))
        self.destroyed.connect(clean_up)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(clean_up)


def _clean_up(
    jobs: Jobs, keeper: DraftKeeper, widget: "weakref.ref[LabelWidget]", *_: object
) -> None:
    """End with the widget or the program; Qt may have deleted its part already."""
    rest = widget()
    if rest is None:
        jobs.cancel(_END_S)
        keeper.finish()
    else:
        rest.cleanup()
