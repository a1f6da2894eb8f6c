"""The masks of two readers of the same frames, scored against each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from sonotempo.config import EvaluateConfig
from sonotempo.errors import RecordingError
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, frame_table, score_frame
from sonotempo.recording import Image, Recording, Spacing
from sonotempo.structures import StructureSet

# A frame, by subject, name of the recording and number.
_Key = tuple[str, str, int]

# Spacings that differ by less are the same, written with fewer digits.
_SAME_SPACING = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """What one person has labelled.

    Attributes:
        name: of the person, or of the folder.
        masks: the recording and index of every frame whose mask that person made or accepted.
    """

    name: str
    masks: Mapping[_Key, tuple[Recording, int]] = field(repr=False)

    @classmethod
    def of(cls, name: str, recordings: tuple[Recording, ...]) -> "Reader":
        """Collect the masks of recordings that a person stands behind."""
        return cls(
            name,
            {
                (one.subject, one.name, int(one.frame_numbers[index])): (one, index)
                for one in recordings
                for index in one.labelled
                if one.origin(index).is_truth
            },
        )

    @property
    def accepted(self) -> int:
        """How many of the masks were not drawn but accepted."""
        return sum(one.origin(index).use == "accepted" for one, index in self.masks.values())


@dataclass(frozen=True, slots=True, eq=False)
class ReaderPair:
    """Two readers' masks of the frames that both have labelled.

    Attributes:
        readers: their names.
        frames: the scores, with the columns of :data:`FRAME_COLUMNS`; each reader in turn is the
            reference of the other, who is the ``arm``.
        both: how many frames both have labelled.
        alone: how many only the one, and only the other has labelled.
        unusable: why a frame that both have labelled is left out, one sentence each.
        other_spacing: frames whose spacing is not the same for both; nothing in mm is known there.
    """

    readers: tuple[str, str]
    frames: pd.DataFrame
    both: int
    alone: tuple[int, int]
    unusable: tuple[str, ...]
    other_spacing: int


def score_pair(
    one: Reader,
    other: Reader,
    structures: StructureSet,
    config: EvaluateConfig,
    on_frame: Callable[[], None] = lambda: None,
) -> ReaderPair:
    """Score two readers against each other, on the pixels of the recordings.

    Args:
        one: a reader.
        other: another one, of the same recordings.
        structures: what mask values mean to both.
        config: the tolerance of NSD, and the region rules.
        on_frame: called after every frame that both have labelled.

    Raises:
        RecordingError: they have no frame in common, or none of those can be used.
    """
    common = sorted(one.masks.keys() & other.masks.keys())
    if not common:
        raise RecordingError(_nothing_in_common(one, other))
    scored: list[tuple[FrameKey, list[FrameScore]]] = []
    unusable: list[str] = []
    other_spacing = 0
    for key in common:
        try:
            masks = _masks_of(key, one, other)
        except RecordingError as error:
            unusable.append(str(error))
            continue
        finally:
            on_frame()
        of_both = (one.masks[key], other.masks[key])
        spacing_mm, differs = _common_spacing(*(of.spacing_at(index) for of, index in of_both))
        other_spacing += differs
        for reader, mask_HW, reference_HW in ((one, *masks), (other, *masks[::-1])):
            frame = FrameKey(reader.name, 0, *key)
            scores = score_frame(mask_HW, reference_HW, structures, config, spacing_mm)
            scored.append((frame, scores))
    if not scored:
        raise RecordingError(
            f"none of the {len(common)} frames that {one.name} and {other.name} have labelled can "
            f"be compared; the first: {unusable[0]}"
        )
    return ReaderPair(
        readers=(one.name, other.name),
        frames=frame_table(scored),
        both=len(common),
        alone=(len(one.masks) - len(common), len(other.masks) - len(common)),
        unusable=tuple(unusable),
        other_spacing=other_spacing,
    )


def _masks_of(key: _Key, one: Reader, other: Reader) -> tuple[Image, Image]:
    """Read both masks of a frame.

    Raises:
        RecordingError: one cannot be read, or they differ in size.
    """
    found = []
    for reader in (one, other):
        recording, index = reader.masks[key]
        mask_HW = recording.mask(index)
        assert mask_HW is not None  # only labelled frames are asked for
        found.append(mask_HW)
    mine, theirs = found
    if mine.shape != theirs.shape:
        sizes = [f"{mask.shape[0]}x{mask.shape[1]} pixels" for mask in found]
        raise RecordingError(
            f"frame {key[2]} of {key[1]} is {sizes[0]} for {one.name} but {sizes[1]} for "
            f"{other.name} (rows x columns); export both at the recording's size"
        )
    return mine, theirs


def _common_spacing(one: Spacing | None, other: Spacing | None) -> tuple[Spacing | None, bool]:
    """Return the spacing of a frame, and whether the two readers' files disagree about it."""
    if one is None or other is None:
        return one or other, False
    differs = any(abs(a - b) > _SAME_SPACING * a for a, b in zip(one, other, strict=True))
    return (None, True) if differs else (one, False)


def _nothing_in_common(one: Reader, other: Reader) -> str:
    said = []
    for reader in (one, other):
        first = min(reader.masks, default=None)
        example = f", such as frame {first[2]} of {first[1]}" if first else ""
        said.append(f"{reader.name} has {len(reader.masks)}{example}")
    return (
        f"{one.name} and {other.name} have labelled no frame in common: {' and '.join(said)}; "
        "frames are matched by subject, recording and frame number, so both folders need the same "
        "names"
    )
