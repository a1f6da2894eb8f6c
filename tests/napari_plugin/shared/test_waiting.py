"""Long work leaves the window alive."""

import os
import threading
import time

import pytest

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import QTimer

    from napari_sonotempo.shared.waiting import while_the_window_answers


def test_events_are_handled_and_steps_told_on_this_thread(nothing_left, qapp):
    beats, steps = [], []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(None))
    timer.start(10)

    def work(advance):
        for _ in range(5):
            time.sleep(0.05)
            advance()
        return threading.current_thread()

    worker = while_the_window_answers(work, lambda: steps.append(threading.current_thread()))
    timer.stop()
    assert worker is not threading.current_thread()
    assert steps == [threading.current_thread()] * 5
    assert len(beats) > 5


def test_what_goes_wrong_is_raised_here(nothing_left, qapp):
    def work(advance):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        while_the_window_answers(work, lambda: None)
