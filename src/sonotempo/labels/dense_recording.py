"""One sparsely labelled recording, written with a mask in every frame that one reaches."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import Origin, write_origins
from sonotempo.labels.propagate import propagate
from sonotempo.labels.settings import PropagationSettings
from sonotempo.recording import Image, Predictor, Recording


class LeftOutError(RecordingError):
    """A recording in which nothing can be carried."""


@dataclass(frozen=True, slots=True)
class DenseRecording:
    """What became of one recording.

    Attributes:
        name: of the recording.
        kept: how many masks were there.
        propagated: how many were made.
        unlabelled: how many frames have none.
        stops: why masks end, one sentence each.
        passed_over: a sentence for each frame that masks passed over.
        was_there: whether it is from an earlier run, so that nothing else is known of it.
        failed: why the recording was left out; empty if it was not.
    """

    name: str
    kept: int = 0
    propagated: int = 0
    unlabelled: int = 0
    stops: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    was_there: bool = False
    failed: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Say it on the terminal, one line for the counts and one for each problem."""
        if self.was_there:
            return (f"{self.name}: was there, stays as it is",)
        if self.failed:
            return (f"{self.name}: left out: {self.failed}",)
        counts = f"{self.kept} kept, {self.propagated} propagated, {self.unlabelled} without a mask"
        return (
            f"{self.name}: {counts}",
            *(f"  ends: {sentence}" for sentence in self.stops),
            *(f"  passed over: {sentence}" for sentence in self.passed_over),
        )


def plain(name: str) -> str:
    """Return a name that is valid on every file system."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "recording"


def sources(recording: Recording) -> tuple[int, ...]:
    """Return the frames whose mask a person stands behind."""
    return tuple(
        index
        for index in recording.labelled
        if index not in recording.origins or recording.origins[index].is_truth
    )


def write_recording(
    recording: Recording,
    folder: Path,
    settings: PropagationSettings,
    model: Predictor | None,
    on_frame: Callable[[], None],
) -> DenseRecording:
    """Carry the masks of a recording to its other frames, and write all of it into a folder.

    Raises:
        LeftOutError: it has no mask to carry.
        OSError: the disk refuses.
        ModelError: the model fails.
    """
    own, problems = _own_masks(recording)
    keys = {index: own[index] for index in sources(recording) if index in own}
    origins = {index: one for index, one in recording.origins.items() if index in own}
    written: set[int] = set()
    if not keys:
        why = problems[0] if problems else "it has no mask that a person made or accepted"
        raise LeftOutError(why)
    stops: list[str] = []
    write = _Writer(recording, folder)
    for one in propagate(
        recording,
        keys,
        range(len(recording)),
        direction=settings.direction,
        reach=settings.reach,
        model=model,
    ):
        if one.problem:
            (stops if one.ends else problems).append(one.problem)
        if one.mask_HW is not None and one.index not in own:
            write(one.index, one.mask_HW)
            written.add(one.index)
            origins[one.index] = Origin("propagated")
            on_frame()
    propagated = len(written)
    for index in range(len(recording)):
        if index in written:
            continue
        try:
            write(index, own.get(index))
            written.add(index)
        except SonotempoError as error:
            problems.append(f"frame {recording.frame_numbers[index]} cannot be read ({error})")
        on_frame()
    numbers = recording.frame_numbers
    write_origins(folder, {int(numbers[index]): one for index, one in origins.items()})
    return DenseRecording(
        recording.name,
        kept=len(own),
        propagated=propagated,
        unlabelled=len(recording) - len(own) - propagated,
        stops=tuple(dict.fromkeys(stops)),
        passed_over=tuple(dict.fromkeys(problems)),
    )


def _own_masks(recording: Recording) -> tuple[dict[int, Image], list[str]]:
    """Return the masks that stay as they are, and why others cannot be read."""
    masks: dict[int, Image] = {}
    problems: list[str] = []
    for index in recording.labelled:
        origin = recording.origins.get(index, Origin())
        if origin.kind == "propagated" and not origin.is_accepted:
            continue
        try:
            mask_HW = recording.mask(index)
        except SonotempoError as error:
            problems.append(f"the mask of frame {recording.frame_numbers[index]}: {error}")
            continue
        if mask_HW is not None:
            masks[index] = mask_HW
    return masks, problems


class _Writer:
    """Writes frames of a recording with their masks."""

    def __init__(self, recording: Recording, folder: Path) -> None:
        self._recording = recording
        self._folder = folder
        self._stem = plain(Path(recording.name).name)

    def __call__(self, index: int, mask_HW: Image | None) -> None:
        """Write one frame.

        Raises:
            SonotempoError: the frame cannot be read.
            OSError: the disk refuses.
        """
        frame = self._recording[index]
        write_frame(
            self._folder,
            f"{self._stem}_{self._recording.frame_numbers[index]}",
            frame.image_HW,
            mask_HW,
            spacing_mm=frame.spacing_mm,
            timestamp_ns=frame.timestamp_ns,
        )
