"""Where the live picture is: in place of napari's canvas, or on the full screen.

napari's own canvas and the docks of its layers are hidden meanwhile, not changed: the button
"Layers" shows them.
"""

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from napari_sonotempo.live.canvas import LiveCanvas
from napari_sonotempo.live.controls import Controls
from napari_sonotempo.live.scene import Scene
from napari_sonotempo.shared.docks import visible_layer_docks

_NAME = "sonotempo live picture"


class Stage(QObject):
    """Owns the live picture with its controls, and the full screen."""

    presentation_changed = Signal(bool)
    on_stage_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.canvas = LiveCanvas()
        self.controls = Controls()
        self._presentation: LiveCanvas | None = None
        self._hidden: list[QWidget] = []
        self._is_shown = False
        #: Canvas and controls; belongs to the window while it is shown there.
        self.panel = QWidget()
        self.panel.setObjectName(_NAME)
        layout = QVBoxLayout(self.panel)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self.controls)
        # After a click on a button, which takes no focus, the keys still work.
        for part in (self.panel, self.controls):
            part.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            part.setFocusProxy(self.canvas)
        self.panel.hide()

    @property
    def is_shown(self) -> bool:
        """Whether the live picture is in place of napari's canvas."""
        return self._is_shown

    @property
    def is_presentation(self) -> bool:
        """Whether the full screen is shown."""
        return self._presentation is not None

    @staticmethod
    def is_taken(window: QMainWindow | None) -> bool:
        """Whether another live picture is shown in a window."""
        centre = window.centralWidget() if window is not None else None
        if centre is None:
            return False
        return any(panel.isVisibleTo(centre) for panel in centre.findChildren(QWidget, _NAME))

    def show_in(self, window: QMainWindow | None) -> None:
        """Show the picture in place of a window's central contents, or as a separate window."""
        if self._is_shown:
            return
        self._is_shown = True
        centre = window.centralWidget() if window is not None else None
        layout = centre.layout() if centre is not None else None
        if layout is not None and window is not None:
            items = [layout.itemAt(place) for place in range(layout.count())]
            widgets = [item.widget() for item in items if item is not None]
            self._hidden = [
                widget
                for widget in widgets
                if widget is not None and widget is not self.panel and not widget.isHidden()
            ]
            self._hidden += visible_layer_docks(window)
            for widget in self._hidden:
                widget.hide()
            layout.addWidget(self.panel)
        self.panel.show()
        self.canvas.setFocus()
        self.on_stage_changed.emit(True)

    def leave(self) -> None:
        """Show napari's canvas and docks again."""
        self.end_presentation()
        if not self._is_shown:
            return
        self._is_shown = False
        self.panel.hide()
        for widget in self._hidden:
            widget.show()
        self._hidden = []
        self.on_stage_changed.emit(False)

    def show_scene(self, scene: Scene) -> None:
        """Show a scene where the picture is."""
        if self._presentation is not None:
            self._presentation.show_scene(scene)
        self.canvas.show_scene(scene)

    def toggle_presentation(self) -> None:
        """Show pictures, legend and verdict on the full screen and nothing else, or go back."""
        if self._presentation is not None:
            self.end_presentation()
            return
        canvas = LiveCanvas(is_presentation=True)
        canvas.setWindowTitle("sonotempo")
        canvas.setCursor(Qt.CursorShape.BlankCursor)
        canvas.left_presentation.connect(self.end_presentation)
        canvas.show_scene(self.canvas.scene)
        screen = self.panel.screen()
        if screen is not None:  # the one that the window is on
            canvas.setGeometry(screen.geometry())
        self._presentation = canvas
        canvas.showFullScreen()
        canvas.activateWindow()
        canvas.setFocus()
        self.presentation_changed.emit(True)

    def end_presentation(self) -> None:
        """Leave the full screen."""
        canvas, self._presentation = self._presentation, None
        if canvas is not None:
            canvas.hide()
            canvas.deleteLater()
            self.panel.window().activateWindow()
            self.canvas.setFocus()
            self.presentation_changed.emit(False)

    @property
    def presentation(self) -> LiveCanvas | None:
        """The canvas on the full screen, if there is one."""
        return self._presentation

    def remove(self) -> None:
        """Give the window back as it was."""
        self.leave()
        self.panel.setParent(None)
        self.panel.deleteLater()
