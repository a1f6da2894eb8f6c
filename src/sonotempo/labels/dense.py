"""A folder of sparsely labelled recordings as one of densely labelled ones.

OUT/propagation.json               how the masks were carried; a rerun must have the same settings
OUT/<subject>/<sequence>/          a recording in the layout of Annotation Web, with origins.json

A recording appears when it is whole, and only if it has a label to carry. It stays as it
is from then on, for somebody may have corrected or accepted masks in it. A rerun adds those that
are missing.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sonotempo import __version__
from sonotempo.errors import RecordingError
from sonotempo.folders import make_folder, whole_file, writing
from sonotempo.io.dataset import DataSet
from sonotempo.labels.dense_recording import (
    DenseRecording,
    LeftOutError,
    plain,
    sources,
    write_recording,
)
from sonotempo.labels.settings import PropagationSettings
from sonotempo.recording import Predictor

#: In the folder of all recordings: the settings.
SETTINGS_FILE = "propagation.json"
#: The beginning of the names of folders that are not whole yet.
_PART = ".part-"


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
                made = write_recording(recording, draft, settings, model, on_frame)
        except LeftOutError as error:
            made = DenseRecording(recording.name, failed=str(error))
        yield made


def _check(dataset: DataSet, out: Path) -> None:
    source = dataset.root.resolve()
    if out.resolve() == source or source in out.resolve().parents:
        raise RecordingError(
            f"{out} lies in the data set {dataset.root}, which stays as it is; give another folder"
        )
    if not any(len(one) > len(sources(one)) for one in dataset.recordings):
        raise RecordingError(
            f"every frame of {dataset.root} has a mask, so there is nothing to fill; if the frames "
            "between the labelled ones are elsewhere, give their folder with --frames-root"
        )
    if not any(sources(one) for one in dataset.recordings):
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
        folder = out / plain(recording.subject) / plain(name)
        while folder in found.values():
            folder = folder.with_name(f"{folder.name}-2")
        found[recording.name] = folder
    return found


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
