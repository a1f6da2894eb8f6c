"""What is on the stage now: keeps the scene, and changes it piece by piece."""

from dataclasses import replace
from typing import Any

from napari_sonotempo.live.gauge import Gauge, InView
from napari_sonotempo.live.scene import Scene, Verdict
from napari_sonotempo.live.session import LiveSession, Models
from napari_sonotempo.live.stage import Stage
from sonotempo.live.history import StepResult


class Screen:
    """Shows a scene on a stage; a change of nothing costs nothing.

    Args:
        stage: where the picture is.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._gauge = Gauge(0)
        self._sides = self._count = 0
        self._models: Models | None = None
        #: What is shown.
        self.scene = Scene()

    @property
    def shown(self) -> StepResult | None:
        """The result that is shown."""
        return self.scene.result

    def show(self, **changes: Any) -> None:
        """Change attributes of the scene."""
        scene = self.scene
        differing = {
            name: value for name, value in changes.items() if getattr(scene, name) is not value
        }
        # Results are compared by identity, as they hold arrays.
        if "result" in differing or any(
            getattr(scene, name) != value for name, value in differing.items()
        ):
            self.scene = replace(scene, **differing)
            self._stage.show_scene(self.scene)

    def clear(self) -> None:
        """Forget everything but the style."""
        self.scene = Scene(style=self.scene.style)

    def wait_for(self, what: str, waited_s: float) -> None:
        """Show what is being waited for instead of a picture."""
        self.show(waiting=f"{what}: {waited_s:.0f} s", result=None, verdict=Verdict())

    def is_for(self, session: LiveSession) -> bool:
        """Whether the names and structures are those of a session's present models."""
        return self._models is session.models

    def take_models(self, session: LiveSession) -> None:
        """Show the models of a session from the next result on."""
        self._models = session.models
        self.drop_masks()
        self._sides, self._count = len(session.names), len(session.structures or ())
        self._gauge = Gauge(self._count)
        self.show(
            names=session.names,
            structures=session.structures,
            notes=session.notes,
            in_view=self._in_view(),
        )

    def show_live(self, result: StepResult | None, verdict: Verdict, recording: str) -> None:
        """Show a result, or only what has changed otherwise.

        Args:
            result: the next one, or None.
            verdict: whether what is shown is live.
            recording: how much has been recorded.
        """
        if result is None:
            self.show(verdict=verdict, recording=recording)
            return
        self._gauge.see(result)
        self.show(result=result, in_view=self._in_view(), verdict=verdict, recording=recording)

    def show_held(self, result: StepResult, verdict: Verdict) -> None:
        """Show a frame that is looked back at; the legend lights up what is in it."""
        gauge = Gauge(self._count)
        gauge.see(result)
        in_view = {
            (side, label): replace(gauge.in_view(side, label), seconds=None)
            for side, label in self._in_view()
        }
        self.show(result=result, in_view=in_view, verdict=verdict)

    def drop_masks(self) -> None:
        """Keep the picture and remove the masks: they are not of what happens now."""
        shown = self.shown
        if shown is not None and shown.predictions:
            self.show(result=replace(shown, predictions=()))

    def _in_view(self) -> dict[tuple[int, int], InView]:
        return {
            (side, label): self._gauge.in_view(side, label)
            for side in range(self._sides)
            for label in range(1, self._count + 1)
        }
