"""Which masks an experiment uses, by where they come from, and the sentence that says so.

``data.use`` names the origins to train on. Only masks that a person made or accepted are references
to score by, whatever it names: a model must not be judged by what a model has drawn.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from types import MappingProxyType

from sonotempo.data.cache import CachedRecording
from sonotempo.label_origin import Use, counted_origins
from sonotempo.recording import Recording


def with_masks_of(recording: Recording, use: Collection[Use]) -> Recording:
    """Return a recording with the masks whose origin is wanted.

    It keeps the origins of all, so that those that are not used can be counted.
    """
    wanted = {
        index: reader
        for index, reader in recording.mask_readers.items()
        if recording.origin(index).use in use
    }
    if len(wanted) == len(recording.mask_readers):
        return recording
    return replace(
        recording,
        mask_readers=MappingProxyType(wanted),
        origins={index: recording.origin(index) for index in recording.labelled},
    )


def references_sentence(recordings: Iterable[CachedRecording]) -> str:
    """Count masks by origin: references, those for training alone, and those that are not used.

    Empty if no recording says where its masks come from: then people made them all.
    """
    scored: Counter[str] = Counter()
    trained: Counter[str] = Counter()
    unused: Counter[str] = Counter()
    are_known = False
    for recording in recordings:
        are_known = are_known or bool(recording.origins)
        references, used = frozenset(recording.scored), frozenset(recording.labelled)
        for index in used | set(recording.origins):
            kind = scored if index in references else trained if index in used else unused
            kind[recording.origin(index).text] += 1
    if not are_known:
        return ""
    parts = [f"references: {counted_origins(scored)}"]
    if trained:
        parts.append(f"for training alone: {counted_origins(trained)}")
    if unused:
        parts.append(f"not used: {counted_origins(unused)}")
    return "; ".join(parts)
