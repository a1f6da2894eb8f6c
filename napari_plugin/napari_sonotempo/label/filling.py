"""Runs propagations in the background, and puts their masks into the layer on the GUI thread."""

import threading
from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QObject, Signal

from napari_sonotempo.label.labelling import Labelling
from napari_sonotempo.label.propagate_box import PropagateBox
from napari_sonotempo.label.propagation import PropagationRequest, PropagationResult, carry
from napari_sonotempo.shared.jobs import Jobs
from sonotempo.labels.propagate import Propagated


class Filling(QObject):
    """One propagation at a time.

    Args:
        jobs: deliver results on the GUI thread.
        box: shows the progress.
    """

    said = Signal(str, str)  # Level, sentence

    def __init__(self, jobs: Jobs, box: PropagateBox) -> None:
        super().__init__()
        self._jobs, self._box = jobs, box
        self.is_running = False

    def start(self, labelling: Labelling, request: PropagationRequest) -> None:
        """Carry masks; all of it is undone as one step."""
        self.is_running = True
        labelling.begin_filling()
        self._box.show_running(True)
        frames = len(request.within)

        def work(tell: Callable[..., None], cancelled: threading.Event) -> None:
            report = partial(tell, self._fill, labelling, frames)
            tell(self._end, labelling, carry(request, report, cancelled.is_set))

        self._jobs.follow("propagate", work, self._fail)

    def stop(self) -> None:
        """Cancel; the masks so far stay, and Undo removes them."""
        if self.is_running:
            self._box.cancel.setEnabled(False)
            self._jobs.cancel(0)

    def _fill(
        self, labelling: Labelling, of: int, frames: list[Propagated], done: int, seconds: float
    ) -> None:
        labelling.fill(frames)
        self._box.show_progress(done, of, seconds)

    def _end(self, labelling: Labelling, result: PropagationResult) -> None:
        self._show_end()
        is_whole, sentence = labelling.filled(result)
        self.said.emit("info" if is_whole else "warning", sentence)

    def _fail(self, sentence: str) -> None:
        self._show_end()
        self.said.emit("error", sentence)

    def _show_end(self) -> None:
        self.is_running = False
        self._box.show_running(False)
