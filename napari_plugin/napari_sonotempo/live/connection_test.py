"""The test of a Clarius connection: a button, and a result for each step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from sonotempo.live.sources.clarius.check import CheckStep, check_steps

_SIGNS = {"ok": "✓", "failed": "✗", "not tried": "–"}


class ConnectionTest(QWidget):
    """Tests a connection step by step, and lists what failed and what to do about it."""

    def __init__(self) -> None:
        super().__init__()
        self.button = QPushButton("Test connection")
        self.results = QLabel()
        self.results.setWordWrap(True)
        self.results.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.results)

    def work(
        self, host: str, port: int, sdk: Path | None
    ) -> Callable[[Callable[..., None], Any], None]:
        """Return the test as work for :meth:`Jobs.follow`."""
        lines: list[str] = []
        self.results.setText("testing…")
        self.results.setVisible(True)
        self.button.setEnabled(False)

        def add(step: CheckStep) -> None:
            lines.append(f"{_SIGNS[step.outcome]} {step.name}: {step.detail}")
            self.results.setText("\n".join(lines))

        def finish() -> None:
            self.results.setVisible(bool(lines))
            self.button.setEnabled(True)

        def work(tell: Callable[..., None], cancelled: Any) -> None:
            steps = check_steps(host, port, sdk)
            try:
                for step in steps:
                    if cancelled.is_set():
                        return
                    tell(add, step)
            finally:
                steps.close()  # ends its process
                tell(finish)

        return work
