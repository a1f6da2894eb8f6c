"""Long work on which napari waits for a result, without a window that hangs."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_LOOK_MS = 30


def while_the_window_answers(
    work: Callable[[Callable[[], object]], Result], on_step: Callable[[], object]
) -> Result:
    """Do work in a thread and return its result; meanwhile the window handles its events.

    Without a running application the work is done at once.

    Args:
        work: gets a function to be called after each of its steps; must not touch Qt.
        on_step: is called for each step, on the caller's thread.

    Raises:
        Exception: what the work raises.
    """
    from qtpy.QtCore import QEventLoop, QTimer  # noqa: PLC0415  # only where there is a window
    from qtpy.QtWidgets import QApplication  # noqa: PLC0415

    if QApplication.instance() is None:
        return work(on_step)
    steps: list[None] = []
    results: list[Result] = []
    errors: list[BaseException] = []

    def whole() -> None:
        try:
            results.append(work(lambda: steps.append(None)))
        except BaseException as error:  # noqa: BLE001 (raised again on the caller's thread)
            errors.append(error)

    thread = threading.Thread(target=whole, name="sonotempo waiting")
    loop, timer = QEventLoop(), QTimer()
    done = 0

    def look() -> None:
        nonlocal done
        is_over = not thread.is_alive()
        for _ in range(len(steps) - done):
            done += 1
            on_step()
        if is_over:
            loop.quit()

    timer.timeout.connect(look)
    thread.start()
    timer.start(_LOOK_MS)
    loop.exec()
    timer.stop()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
