"""The work on every layer of masks that is open, so that going back to one finds its steps."""

from typing import Any

from napari_sonotempo.label.draft_keeper import DraftKeeper
from napari_sonotempo.label.labelling import Labelling
from napari_sonotempo.label.target import masks_in, structures_in, unwrapped
from napari_sonotempo.label.target_box import TargetBox
from napari_sonotempo.shared.lazy_masks import LazyMasks


class OpenMasks:
    """Knows the work on the chosen masks, and on those that were chosen before.

    Args:
        viewer: with the layers.
        target: knows what is chosen.
        keeper: keeps drafts of all of them.
    """

    def __init__(self, viewer: Any, target: TargetBox, keeper: DraftKeeper) -> None:
        self._viewer, self._target, self._keeper = viewer, target, keeper
        self._work: dict[LazyMasks, Labelling] = {}

    def __len__(self) -> int:
        return len(self._work)

    @property
    def current(self) -> Labelling | None:
        """The work on the chosen masks; None if there are none that can be worked on."""
        labels = self._target.labels
        masks = None if labels is None else unwrapped(labels.data)
        return self._on(masks, labels) if isinstance(masks, LazyMasks) else None

    def required(self) -> Labelling:
        """Return the work on the chosen masks.

        Raises:
            RecordingError: nothing is open, or no masks that can be worked on.
        """
        image, labels = self._target.required()
        work = self._on(masks_in(labels, image), labels)
        work.structures = structures_in(labels)  # the user may have changed the names
        return work

    def forget_closed(self) -> None:
        """Free the masks of layers that were removed, once they are saved or in a draft."""
        opened = [unwrapped(layer.data) for layer in self._viewer.layers]
        for masks in [one for one in self._work if not any(one is data for data in opened)]:
            if self._keeper.is_kept(masks):
                del self._work[masks]
                self._keeper.forget(masks)

    def _on(self, masks: LazyMasks, labels: Any) -> Labelling:
        if masks not in self._work:
            self._work[masks] = Labelling(masks, structures_in(labels))
            self._keeper.follow(self._work[masks])
        return self._work[masks]
