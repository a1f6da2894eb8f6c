"""Keeps a draft of all masks that are not saved, in the background, and offers it afterwards."""

import copy
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_sonotempo.label.drafts import Drafts, write_draft
from napari_sonotempo.label.labelling import Labelling
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.recording import Recording

_QUIET_S = 2.0  # after the last change
_PAUSE_S = 10.0  # between two drafts, so that writing them takes little of the computer


@dataclass(frozen=True, slots=True)
class Offer:
    """Masks of a recording that are not open.

    Attributes:
        kind: a draft, or masks that were saved.
        path: of the draft's file or the folder.
        sentence: for the user.
    """

    kind: Literal["draft", "saved"]
    path: Path
    sentence: str


class DraftKeeper:
    """Writes drafts of the masks that it is shown, until they are saved.

    Args:
        folder: for the drafts.
        jobs: for writing in the background.
    """

    def __init__(self, folder: Path, jobs: Jobs) -> None:
        self._drafts = Drafts(folder)
        self._jobs = jobs
        self._followed: dict[LazyMasks, Labelling] = {}
        self._written: dict[LazyMasks, int] = {}  # the version that the draft holds
        self._seen: dict[LazyMasks, tuple[int, float]] = {}  # a version, and when it appeared
        self._noted: dict[LazyMasks, int] = {}  # the version whose saving is known
        self._last_s = -_PAUSE_S
        self._is_writing = False
        self._one_at_a_time = threading.Lock()  # both write to the same draft
        self.problem = ""

    def follow(self, labelling: Labelling) -> None:
        """Keep drafts of these masks from now on."""
        self._followed.setdefault(labelling.masks, labelling)

    def is_kept(self, masks: LazyMasks) -> bool:
        """Whether masks are saved, or in a draft as they are now."""
        is_noted = masks.saved_in is None or self._noted.get(masks) == masks.version
        return (masks.is_saved and is_noted) or self._written.get(masks) == masks.version

    def forget(self, masks: LazyMasks) -> None:
        """Free masks that are not open any more."""
        for known in (self._followed, self._written, self._seen, self._noted):
            known.pop(masks, None)

    def look(self) -> str:
        """Write what has changed, if it is time to; return a problem once, or nothing."""
        now_s = time.monotonic()
        for masks, labelling in self._followed.items():
            if self._seen.get(masks, (0, 0.0))[0] != masks.version:
                self._seen[masks] = masks.version, now_s
            if masks.is_saved:
                self._note_saved(masks)
            elif self._is_due(masks, now_s):
                self._begin(labelling)
        problem, self.problem = self.problem, ""
        return problem

    def finish(self) -> None:
        """Write now what is not in a draft yet; called when nothing else runs any more."""
        for masks, labelling in self._followed.items():
            if not masks.is_saved and self._written.get(masks) != masks.version:
                try:
                    with self._one_at_a_time:
                        write_draft(self._path(masks), masks, labelling.structures)
                except RecordingError as error:
                    self.problem = str(error)
                self._written[masks] = masks.version

    def offer(self, recording: Recording) -> Offer | None:
        """Return what there is of a recording: a draft, or else where its masks were saved."""
        if any(
            _is_same(masks.recording, recording) and not masks.is_saved for masks in self._followed
        ):
            return None  # they are open
        try:
            path = self._drafts.path(recording)
        except RecordingError:
            return None  # its first frame cannot be read, so nothing was drawn on it
        when, folder = self._drafts.when(path), self._drafts.saved_in(path)
        if when is not None:
            sentence = f"Masks of this recording were not saved ({when:%d %b %Y, %H:%M})."
            return Offer("draft", path, sentence)
        if folder is not None:
            return Offer("saved", folder, f"Masks of this recording were saved in {folder}.")
        return None

    def discard(self, offer: Offer) -> None:
        """Remove a draft that the user does not want."""
        if offer.kind == "draft":
            offer.path.unlink(missing_ok=True)

    def _note_saved(self, masks: LazyMasks) -> None:
        if masks.saved_in is None or self._noted.get(masks) == masks.version or self._is_writing:
            return
        self._noted[masks] = masks.version
        try:
            self._drafts.note_saved(self._path(masks), masks.saved_in)
        except RecordingError as error:
            self.problem = str(error)

    def _is_due(self, masks: LazyMasks, now_s: float) -> bool:
        version, since_s = self._seen[masks]
        is_quiet = now_s - since_s > _QUIET_S and now_s - self._last_s > _PAUSE_S
        return is_quiet and not self._is_writing and self._written.get(masks) != version

    def _begin(self, labelling: Labelling) -> None:
        masks = labelling.masks
        version, held = masks.version, copy.deepcopy(masks)
        self._is_writing, self._last_s = True, time.monotonic()

        def write() -> None:
            with self._one_at_a_time:
                write_draft(self._path(held), held, labelling.structures)

        def done(_: None) -> None:
            self._is_writing = False
            self._written[masks] = version

        def failed(sentence: str) -> None:
            done(None)
            self.problem = sentence

        self._jobs.run("draft", write, done, failed, must_end=True)

    def _path(self, masks: LazyMasks) -> Path:
        return self._drafts.path(masks.recording)


def _is_same(one: Recording, other: Recording) -> bool:
    return (one.source, one.name, len(one)) == (other.source, other.name, len(other))
