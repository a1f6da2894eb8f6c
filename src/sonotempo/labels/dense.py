"""A folder of sparsely labelled recordings as one of densely labelled ones.

OUT/propagation.json               how the masks were carried; a rerun must have the same settings
OUT/<subject>/<sequence>/          a recording in the layout of Annotation Web, with origins.json

A recording appears when it is whole, and stays as it is from then on: somebody may have corrected
or accepted masks in it. A rerun adds those that are missing.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from sonotempo import __version__
from sonotempo.errors import ConfigError, RecordingError, SonotempoError, unknown_option
from sonotempo.folders import make_folder, whole_file, writing
from sonotempo.io.dataset import DataSet
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import Origin, write_origins
from sonotempo.labels.propagate import Direction, propagate
from sonotempo.recording import Image, Predictor, Recording

#: In the folder of all recordings: the settings.
SETTINGS_FILE = "propagation.json"
#: The beginning of the names of folders that are not whole yet.
_PART = ".part-"


@dataclass(frozen=True, slots=True)
class PropagationSettings:
    """How masks are carried; see :func:`sonotempo.labels.propagate.propagate`.

    Attributes:
        reach: how many frames from a label; None for as far as possible.
        direction: forward, backward or both.
        model: the name of the model that refines outlines; empty for none.
    """

    reach: int | None = None
    direction: Direction = "both"
    model: str = ""

    @property
    def text(self) -> str:
        """Name them in a sentence.

        >>> PropagationSettings(20).text
        'both directions, 20 frames, no model'
        """
        direction = "both directions" if self.direction == "both" else f"{self.direction} only"
        far = "any number of frames" if self.reach is None else f"{self.reach} frames"
        return f"{direction}, {far}, {self.model or 'no model'}"


def propagation_settings(reach: int | None, direction: str, model: str = "") -> PropagationSettings:
    """Check settings and return them.

    Raises:
        ConfigError: the direction does not exist.
    """
    for known in get_args(Direction):
        if known == direction:
            return PropagationSettings(reach, known, model)
    raise ConfigError(unknown_option("direction", direction, get_args(Direction)))


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
        failed: why the recording could not be written; empty if it was.
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


def write_dense(
    dataset: DataSet,
    out: Path,
    settings: PropagationSettings,
    *,
    model: Predictor | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> Iterator[DenseRecording]:
    """Carry the masks of every recording to its other frames, and write the recordings.

    Masks that a person made or accepted are carried. They and masks of models are written as they
    are, with their origin; propagated masks that nobody accepted are made again.

    Args:
        dataset: the sparsely labelled recordings.
        out: an empty or new folder, or one that this function wrote with the same settings.
        settings: how masks are carried.
        model: the model that the settings name.
        on_frame: called after every frame.

    Returns:
        The outcome for each recording, in order; each is written when it is asked for.

    Raises:
        RecordingError: no frame lacks a mask; or the folder cannot be written, lies in the data
            set, or holds something else.
        ModelError: the model fails.
    """
    _check(dataset, out)
    _claim(out, settings)
    return _each(dataset, out, settings, model, on_frame)


def _each(
    dataset: DataSet,
    out: Path,
    settings: PropagationSettings,
    model: Predictor | None,
    on_frame: Callable[[], None],
) -> Iterator[DenseRecording]:
    folders = _folders(dataset, out)
    for recording in dataset.recordings:
        folder = folders[recording.name]
        if folder.is_dir():
            for _ in range(len(recording)):
                on_frame()
            yield DenseRecording(recording.name, was_there=True)
            continue
        try:
            with _whole_folder(folder, out) as draft:
                made = _write(recording, draft, settings, model, on_frame)
        except _NothingReadableError as error:
            made = DenseRecording(recording.name, failed=str(error))
        yield made


class _NothingReadableError(RecordingError):
    """A recording without a single frame to write."""


def _check(dataset: DataSet, out: Path) -> None:
    source = dataset.root.resolve()
    if out.resolve() == source or source in out.resolve().parents:
        raise RecordingError(
            f"{out} lies in the data set {dataset.root}, which stays as it is; give another folder"
        )
    if not any(len(one) > len(_sources(one)) for one in dataset.recordings):
        raise RecordingError(
            f"every frame of {dataset.root} has a mask, so there is nothing to fill; if the frames "
            "between the labelled ones are elsewhere, give their folder with --frames-root"
        )
    if not any(_sources(one) for one in dataset.recordings):
        raise RecordingError(
            f"{dataset.root} has no mask that a person made or accepted, so there is nothing to "
            "carry; label a frame of every recording first"
        )


def _claim(out: Path, settings: PropagationSettings) -> None:
    """Write the settings into an empty folder, or check that they are those in it."""
    make_folder(out, "folder", RecordingError)
    path = out / SETTINGS_FILE
    given = {"made_by": f"sonotempo {__version__}", "settings": asdict(settings)}
    with writing(out, "folder", RecordingError):
        if path.is_file():
            there = _settings_in(path)
            if there != settings:
                raise RecordingError(
                    f"{out} holds masks that were propagated with other settings ({there.text}, "
                    f"not {settings.text}); give another folder, or the same settings to continue "
                    "it"
                )
            for left in out.glob(f"{_PART}*"):
                shutil.rmtree(left)
            return
        if any(out.iterdir()):
            raise RecordingError(
                f"{out} is not empty, and what it holds was not propagated; give a new folder"
            )
        with whole_file(path) as draft:
            draft.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")


def _settings_in(path: Path) -> PropagationSettings:
    try:
        return PropagationSettings(**json.loads(path.read_text("utf-8"))["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is damaged ({error}); give another folder") from error


def _folders(dataset: DataSet, out: Path) -> dict[str, Path]:
    """Return a folder for each recording by its name; no two are the same."""
    found: dict[str, Path] = {}
    for recording in dataset.recordings:
        name = recording.name.removeprefix(f"{recording.subject}/")
        folder = out / _plain(recording.subject) / _plain(name)
        while folder in found.values():
            folder = folder.with_name(f"{folder.name}-2")
        found[recording.name] = folder
    return found


def _plain(name: str) -> str:
    """Return a name that is valid on every file system."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "recording"


@contextmanager
def _whole_folder(folder: Path, out: Path) -> Iterator[Path]:
    """Yield a folder to write to, which takes the place of ``folder`` if nothing goes wrong."""
    with writing(out, "folder", RecordingError):
        draft = Path(tempfile.mkdtemp(prefix=_PART, dir=out))
        try:
            draft.chmod(out.stat().st_mode)  # a temporary folder is for its owner alone
            yield draft
            folder.parent.mkdir(exist_ok=True)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _sources(recording: Recording) -> tuple[int, ...]:
    """Return the frames whose mask a person stands behind."""
    return tuple(
        index
        for index in recording.labelled
        if index not in recording.origins or recording.origins[index].is_truth
    )


def _write(
    recording: Recording,
    folder: Path,
    settings: PropagationSettings,
    model: Predictor | None,
    on_frame: Callable[[], None],
) -> DenseRecording:
    own, problems = _own_masks(recording)
    keys = {index: own[index] for index in _sources(recording) if index in own}
    origins = {index: one for index, one in recording.origins.items() if index in own}
    written: set[int] = set()
    stops = [] if keys else ["no mask that a person made or accepted"]
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
    if not written:
        raise _NothingReadableError(f"no frame can be read; {problems[0]}")
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
        self._stem = _plain(Path(recording.name).name)

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
