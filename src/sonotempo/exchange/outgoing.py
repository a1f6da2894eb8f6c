"""What of a data set goes out: which frames, under which names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.exchange.names import distinct_names
from sonotempo.recording import Image, Recording, Spacing


@dataclass(frozen=True, slots=True, eq=False)
class ExchangedFrame:
    """One frame on its way out or in.

    Attributes:
        number: in its recording.
        image_HW: uint8 grey.
        mask_HW: uint8 label values, or None if the frame is not labelled.
        timestamp_ns: its time, or None if unknown.
        spacing_mm: millimetres per pixel as (row, column), or None if unknown.
    """

    number: int
    image_HW: Image
    mask_HW: Image | None
    timestamp_ns: int | None
    spacing_mm: Spacing | None


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """A recording that goes out.

    Attributes:
        recording: where the frames come from.
        subject: who was scanned, as the name of a folder.
        name: of the recording, unique among those of its subject, as the name of a file.
        indices: the frames that go out, in order.
    """

    recording: Recording
    subject: str
    name: str
    indices: tuple[int, ...]

    @property
    def frame_numbers(self) -> list[int]:
        """The numbers of the frames that go out."""
        return [int(self.recording.frame_numbers[index]) for index in self.indices]

    @property
    def timestamps_ns(self) -> list[int] | None:
        """The times of the frames that go out from the first of them, or None if unknown."""
        if self.recording.rate_is_assumed:
            return None
        times_ns = [int(self.recording.timestamps_ns[index]) for index in self.indices]
        return [time_ns - times_ns[0] for time_ns in times_ns]

    @property
    def spacing_mm(self) -> Spacing | None:
        """The spacing of all frames that go out; None if it is unknown or differs."""
        spacings = {self.recording.spacing_at(index) for index in self.indices}
        return spacings.pop() if len(spacings) == 1 else None

    def folder(self, root: Path) -> Path:
        """Make the folder ``<subject>/<name>`` in ``root``."""
        folder = root / self.subject / self.name
        folder.mkdir(parents=True)
        return folder

    def file(self, root: Path, suffix: str) -> Path:
        """Return the path ``<subject>/<name><suffix>`` in ``root``, and make its folder."""
        folder = root / self.subject
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.name}{suffix}"

    def frames(self) -> Iterator[ExchangedFrame]:
        """Read the frames one by one.

        Raises:
            RecordingError: a frame or its mask cannot be read.
        """
        times_ns = self.timestamps_ns
        for position, index in enumerate(self.indices):
            frame = self.recording[index]
            yield ExchangedFrame(
                int(self.recording.frame_numbers[index]),
                frame.image_HW,
                self.recording.mask(index),
                None if times_ns is None else times_ns[position],
                frame.spacing_mm,
            )

    def same_size_frames(self) -> Iterator[ExchangedFrame]:
        """Read the frames one by one, for a format that has one size for all.

        Raises:
            RecordingError: a frame cannot be read, or has another size than the first.
        """
        shape_HW: tuple[int, ...] | None = None
        for frame in self.frames():
            shape_HW = shape_HW or frame.image_HW.shape
            if frame.image_HW.shape != shape_HW:
                raise RecordingError(
                    f"frame {frame.number} of {self.recording.source} is "
                    f"{frame.image_HW.shape[0]}x{frame.image_HW.shape[1]} pixels but the first is "
                    f"{shape_HW[0]}x{shape_HW[1]} (rows x columns), and this format has one size "
                    "for all; export to coco or nnunet, or split the recording"
                )
            yield frame


def outgoing(recordings: Sequence[Recording], *, all_frames: bool = False) -> tuple[Outgoing, ...]:
    """Choose the frames of recordings and name them.

    Args:
        recordings: with unique names.
        all_frames: whether frames without a mask go out too.

    Raises:
        RecordingError: no frame has a mask, and ``all_frames`` is not set.
    """
    chosen = {
        one.name: tuple(range(len(one))) if all_frames else one.labelled for one in recordings
    }
    used = [one for one in recordings if chosen[one.name]]
    if not used:
        raise RecordingError(
            f"none of the {sum(map(len, recordings))} frames of {len(recordings)} recordings has a "
            "mask; give data with masks, or add --all-frames for a format that can hold frames "
            "without them"
        )
    subjects = distinct_names({one.subject: one.subject for one in used})
    names: dict[str, str] = {}
    for subject in subjects:
        of_subject = [one.name for one in used if one.subject == subject]
        names |= distinct_names({name: name.removeprefix(f"{subject}/") for name in of_subject})
    return tuple(
        Outgoing(one, subjects[one.subject], names[one.name], chosen[one.name]) for one in used
    )
