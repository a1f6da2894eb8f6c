"""A recording's masks as an array for napari that can be painted on, and where each comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_sonotempo.shared.lazy_stack import LazyStack, fitted, split
from sonotempo.label_origin import Origin
from sonotempo.recording import Image, Recording


@dataclass(frozen=True, slots=True, eq=False)
class FrameState:
    """All that is known of one frame's mask, so that a change can be undone.

    Attributes:
        is_given: whether a program has put a mask in place of the recording's, or removed it.
        given_HW: that mask; None if it was removed.
        painted_HW: the mask after somebody painted on it; None if nobody did.
        origin: of the mask under the paint; None if it is the recording's.
        painter: of the paint; None if nobody is named.
    """

    is_given: bool
    given_HW: Image | None
    painted_HW: Image | None
    origin: Origin | None
    painter: Origin | None


class LazyMasks(LazyStack):
    """A recording's masks as an array THW that can be painted on; the files do not change.

    Frames without a mask are background. Changed frames are kept in memory. A mask on which
    somebody has painted is that person's as long as it differs from what it was before.

    Args:
        recording: with the masks and their origins.
        shape_HW: rows and columns; by default those of the first frame.
        masks: to show instead of the recording's own, by position; for example a model's.
        origin: of ``masks``; by default a person's.
    """

    def __init__(
        self,
        recording: Recording,
        shape_HW: tuple[int, int] | None = None,
        masks: Mapping[int, Image] | None = None,
        origin: Origin | None = None,
    ) -> None:
        super().__init__(recording, shape_HW)
        self._has_own = masks is None
        self._given: dict[int, Image | None] = {}
        self._painted: dict[int, Image] = {}
        self._origins: dict[int, Origin] = {}
        self._painters: dict[int, Origin] = {}
        for position, mask_HW in (masks or {}).items():
            self._given[position] = fitted(mask_HW, self.shape[1:]).copy()
            self._origins[position] = origin or Origin()
        #: Counts the changes since the masks were opened.
        self.version = 0
        #: The folder in which the masks were last saved, if any.
        self.saved_in: Path | None = None
        self._saved_version = 0

    @property
    def labelled(self) -> tuple[int, ...]:
        """The positions of the frames with a mask or paint, in order."""
        made = {
            position for position in self._made() if self._given.get(position, True) is not None
        }
        painted = {position for position in self._painted if self._is_repainted(position)}
        return tuple(sorted(made | painted))

    @property
    def painted(self) -> tuple[int, ...]:
        """The positions of the frames that somebody has changed by hand, in order."""
        return tuple(sorted(filter(self._is_repainted, self._painted)))

    @property
    def is_saved(self) -> bool:
        """Whether nothing has changed since the masks were opened or saved."""
        return self.version == self._saved_version

    def note_saved(self, folder: Path) -> None:
        """Remember that the masks are in a folder as they are now."""
        self.saved_in, self._saved_version = folder, self.version

    def origin(self, position: int) -> Origin | None:
        """Return where the mask of a frame comes from; None if it has none."""
        if position in self._painted and self._is_repainted(position):
            return self._painters.get(position, Origin())
        if self._given.get(position, True) is None:
            return None
        if position in self._origins:
            return self._origins[position]
        return self._made_origin(position) if position in self._made() else None

    @property
    def origins(self) -> dict[int, Origin]:
        """The origin of every mask, by position."""
        found = {position: self.origin(position) for position in self.labelled}
        return {position: one for position, one in found.items() if one is not None}

    def give(self, position: int, mask_HW: Image | None, origin: Origin | None) -> None:
        """Put a mask in place of a frame's, paint included, or remove it.

        Args:
            position: of the frame.
            mask_HW: cropped or padded to the frames' shape; None to leave none.
            origin: of the mask.
        """
        self._given[position] = None if mask_HW is None else fitted(mask_HW, self.shape[1:]).copy()
        self._painted.pop(position, None)
        self._painters.pop(position, None)
        if origin is None:
            self._origins.pop(position, None)
        else:
            self._origins[position] = origin
        self.version += 1

    def set_origin(self, position: int, origin: Origin) -> None:
        """Change where a mask comes from, for example because somebody has accepted it."""
        if position in self._painted and self._is_repainted(position):
            self._painters[position] = origin
        else:
            self._origins[position] = origin
        self.version += 1

    def state(self, position: int) -> FrameState:
        """Return what :meth:`restore` needs."""
        return FrameState(
            position in self._given,
            self._given.get(position),
            self._painted.get(position),
            self._origins.get(position),
            self._painters.get(position),
        )

    def restore(self, position: int, state: FrameState) -> None:
        """Put a frame's mask back as it was."""
        _put(self._given, position, state.given_HW, state.is_given)
        _put(self._painted, position, state.painted_HW, state.painted_HW is not None)
        _put(self._origins, position, state.origin, state.origin is not None)
        _put(self._painters, position, state.painter, state.painter is not None)
        self.version += 1

    def __deepcopy__(self, memo: dict[int, Any]) -> "LazyMasks":
        copied = LazyMasks(self.recording, self.shape[1:])
        copied._has_own = self._has_own
        self._copy_into(copied)
        return copied

    def _copy_into(self, copied: "LazyMasks") -> None:
        """Give a copy what was changed; masks that are given never change in place."""
        copied._given, copied._origins = dict(self._given), dict(self._origins)
        copied._painters = dict(self._painters)
        copied._painted = {position: mask.copy() for position, mask in self._painted.items()}
        copied.version, copied._saved_version = self.version, self._saved_version

    def __getitem__(self, key: Any) -> Any:
        """Read like a numpy array; always a copy, because napari writes into what it shows."""
        found = super().__getitem__(key)
        return found.copy() if isinstance(found, np.ndarray) else found

    def __setitem__(self, key: Any, value: Any) -> None:
        """Paint: write like a numpy array; only the frames in the key change."""
        self.version += 1
        if isinstance(key, np.ndarray) and key.dtype == bool and key.ndim == self.ndim:
            key = np.nonzero(key)
        when, inside = split(key)
        if isinstance(when, (int, np.integer)):
            self._editable(self._position(when))[inside] = value
            return
        if isinstance(when, slice):
            positions = range(*when.indices(len(self)))
            shape = np.empty(self.shape[1:], np.bool_)[inside].shape
            values = np.broadcast_to(np.asarray(value), (len(positions), *shape))
            for place, position in enumerate(positions):
                self._editable(position)[inside] = values[place]
            return
        if len(inside) < 2 or any(isinstance(index, slice) for index in inside):
            raise IndexError("masks can be written by numbers, slices or one index array per axis")
        when, *places = np.broadcast_arrays(when, *inside)
        values = np.broadcast_to(np.asarray(value), when.shape)
        for position in np.unique(when).tolist():
            here = when == position
            frame_HW = self._editable(self._position(position))
            frame_HW[tuple(index[here] for index in places)] = values[here]

    def _frame(self, position: int) -> Image:
        painted_HW = self._painted.get(position)
        return self._unpainted(position) if painted_HW is None else painted_HW

    def _unpainted(self, position: int) -> Image:
        """Return a frame's mask without what somebody painted on it."""
        if position not in self._given:
            return super()._frame(position)
        given_HW = self._given[position]
        return np.zeros(self.shape[1:], np.uint8) if given_HW is None else given_HW

    def _editable(self, position: int) -> Image:
        if position not in self._painted:
            self._painted[position] = self._unpainted(position).copy()
        return self._painted[position]

    def _is_repainted(self, position: int) -> bool:
        """Whether paint has changed a mask; napari's undo takes it off again."""
        return not np.array_equal(self._painted[position], self._unpainted(position))

    def _read(self, position: int) -> Image | None:
        return self.recording.mask(position) if self._has_own else None

    def _made(self) -> set[int]:
        """The positions of masks that nobody has painted."""
        return {*(self.recording.mask_readers if self._has_own else ()), *self._given}

    def _made_origin(self, position: int) -> Origin:
        """Return the origin of a mask that was there from the beginning."""
        return self.recording.origin(position)


def _put(values: dict[int, Any], position: int, value: Any, is_there: bool) -> None:
    if is_there:
        values[position] = value
    else:
        values.pop(position, None)
