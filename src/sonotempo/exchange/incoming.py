"""What comes in from another program, written as a data set of this toolkit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import ConfigError, RecordingError
from sonotempo.exchange.names import distinct_names
from sonotempo.exchange.outgoing import ExchangedFrame
from sonotempo.folders import whole_folder
from sonotempo.guard import guarded
from sonotempo.io.writers import write_frame
from sonotempo.structures import StructureSet

_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class ImportRequest:
    """What a reader is asked for.

    Attributes:
        source: the file or folder.
        structures: what label values will mean; names in the files are mapped to them.
        frames: the images or the video, where the files do not hold them.
        labels: a JSON file with the names of label values.
        subject: who was scanned, where the files do not say.
        empty_frames: whether frames without a shape are empty masks rather than unlabelled.
    """

    source: Path
    structures: StructureSet
    frames: Path | None = None
    labels: Path | None = None
    subject: str | None = None
    empty_frames: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Incoming:
    """A recording that comes in.

    Attributes:
        subject: who was scanned.
        name: of the recording, among those of the subject.
        count: how many frames it has.
        frames: reads them one by one, in order.
    """

    subject: str
    name: str
    count: int
    frames: Callable[[], Iterator[ExchangedFrame]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written: numbers of subjects, recordings, frames, and frames with a mask."""

    subjects: int
    recordings: int
    frames: int
    labelled: int


def write_incoming(
    entries: Sequence[Incoming], folder: Path, on_frame: Callable[[], None] = lambda: None
) -> Imported:
    """Write recordings as ``<subject>/<recording>/frame_<number>.mhd``, all of them or none.

    An unknown time is written as 0 for every frame, which is read back as unknown.

    Raises:
        ConfigError: the folder is not empty or cannot be written.
        RecordingError: a frame cannot be read, or none is labelled.
    """
    subjects = distinct_names({one.subject: one.subject for one in entries})
    labelled = 0
    with whole_folder(folder, "DST", ConfigError) as draft:
        for subject, inside in subjects.items():
            of_subject = [one for one in entries if one.subject == subject]
            names = distinct_names({str(i): one.name for i, one in enumerate(of_subject)})
            for i, one in enumerate(of_subject):
                place = draft / inside / names[str(i)]
                place.mkdir(parents=True)
                for frame in _guarded(one):
                    labelled += frame.mask_HW is not None
                    write_frame(
                        place,
                        f"frame_{frame.number}",
                        frame.image_HW,
                        frame.mask_HW,
                        spacing_mm=frame.spacing_mm,
                        timestamp_ns=frame.timestamp_ns or 0,
                    )
                    on_frame()
        if not labelled:
            raise RecordingError(
                f"none of the {sum(one.count for one in entries)} frames has a mask; check that "
                "the annotations were saved before they were exported"
            )
    return Imported(len(subjects), len(entries), sum(one.count for one in entries), labelled)


def _guarded(entry: Incoming) -> Iterator[ExchangedFrame]:
    what = f"the frames of {entry.subject}/{entry.name} cannot be read"
    with guarded(what, "export them again", RecordingError):
        yield from entry.frames()


def label_values(
    names: Sequence[str], structures: StructureSet, where: str | Path
) -> Mapping[str, int]:
    """Return the label value of each name, in upper or lower case.

    Raises:
        RecordingError: some name no structure; the sentence lists them and the structures.
    """
    known = {name.casefold(): value for value, name in enumerate(structures.names, start=1)}
    found = {name: known.get(name.strip().casefold()) for name in names}
    unknown = [name for name, value in found.items() if value is None]
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise RecordingError(
            f"{where} holds labels that are no structures: {', '.join(unknown[:_SHOWN])}{more}; "
            f"expected {', '.join(structures.names)}: rename them, or give their names with "
            "--structures"
        )
    return {name: value for name, value in found.items() if value is not None}
