"""The health line: rates, latencies, drops and engines in a small table."""

from html import escape

from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_sonotempo.live.health import Health


class HealthBox(QWidget):
    """Shows how the stream is doing."""

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel("not running")
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)

    def show_health(self, health: Health) -> None:
        """Write it down."""
        rows = [
            ("frames/s", health.rates),
            ("p50 / p95", f"{health.latency} from capture to mask"),
            ("left out", health.dropped),
        ]
        for model in health.models:
            rows += [(f"model {model.side}", f"{model.latency}, {model.state}")]
        engines = list(dict.fromkeys(model.engine for model in health.models))
        rows += [("engine", engine) for engine in engines]
        cells = "".join(
            f"<tr><td style='padding-right:8px'>{escape(name)}</td><td>{escape(value)}</td></tr>"
            for name, value in rows
        )
        notes = "".join(f"<br><i>{escape(note)}</i>" for note in health.notes)
        self.text.setText(f"<b>{escape(health.source)}</b>{notes}<table>{cells}</table>")

    def clear(self) -> None:
        """Say that nothing runs."""
        self.text.setText("not running")
