from dataclasses import replace

import numpy as np
import pytest

from fakes.recordings import half_and_half, make_recording
from sonotempo.data.cache import cache_recording
from sonotempo.data.pseudo_labels import with_pseudo_labels
from sonotempo.data.references import references_sentence, with_masks_of
from sonotempo.label_origin import Origin
from sonotempo.structures import NERVE_VESSEL

ORIGINS = {
    1: Origin("propagated"),
    2: Origin("propagated", is_accepted=True),
    3: Origin("model", "frame"),
    4: Origin("empty"),
}


@pytest.fixture
def recording(tmp_path):
    masks = {index: half_and_half((40, 48), 1 + index % 2) for index in range(5)}
    return make_recording(tmp_path, 7, masks=masks, origins=ORIGINS)


def cached(recording, tmp_path, *use):
    return cache_recording(with_masks_of(recording, use), tmp_path / "cache", 32, None)


@pytest.mark.parametrize(
    ("use", "labelled", "scored"),
    [
        (("human", "accepted"), (0, 2, 4), (0, 2, 4)),
        (("human",), (0, 4), (0, 4)),
        (("human", "propagated"), (0, 1, 4), (0, 4)),
        (("accepted", "model"), (2, 3), (2,)),
        (("human", "accepted", "propagated", "model"), (0, 1, 2, 3, 4), (0, 2, 4)),
    ],
)
def test_use_names_what_is_trained_on_and_truth_alone_is_scored_by(
    recording, tmp_path, use, labelled, scored
):
    found = cached(recording, tmp_path, *use)
    assert found.labelled == labelled
    assert found.scored == scored
    references = found.as_recording(NERVE_VESSEL)
    assert references.labelled == scored
    for index in scored:
        assert references.mask(index).max() == 1 + index % 2
        assert references.origin(index) == recording.origin(index)


def test_what_is_used_or_accepted_changes_the_key_and_who_accepted_it_does_not(recording, tmp_path):
    everything = ("human", "accepted", "propagated", "model")
    people = cached(recording, tmp_path, "human", "accepted")
    all_masks = cached(recording, tmp_path, *everything)
    assert people.key != all_masks.key
    assert people.content == all_masks.content
    accepted = replace(recording, origins={**ORIGINS, 1: Origin("propagated", is_accepted=True)})
    assert cached(accepted, tmp_path, *everything).key != all_masks.key
    named = replace(recording, origins={**ORIGINS, 1: Origin("propagated", by="anna")})
    assert cached(named, tmp_path, *everything).key == all_masks.key


def test_a_recording_of_people_keeps_the_key_it_had_without_origins(tmp_path):
    plain = make_recording(tmp_path, 3)
    said = make_recording(tmp_path, 3, origins={0: Origin(), 1: Origin("empty")})
    assert cached(plain, tmp_path, "human").key == cached(said, tmp_path, "human").key


def test_the_sentence_counts_references_training_and_the_rest(recording, tmp_path):
    assert references_sentence([cached(recording, tmp_path, "human", "propagated")]) == (
        "references: 1 empty (confirmed), 1 human; for training alone: 1 propagated; "
        "not used: 1 propagated (accepted), 1 model:frame"
    )
    plain = cached(make_recording(tmp_path / "b", 3, content=b"b"), tmp_path, "human")
    assert references_sentence([plain]) == ""
    assert references_sentence([plain, cached(recording, tmp_path, "human")]).startswith(
        "references: 1 empty (confirmed), 4 human; not used: "
    )


def test_pseudo_labels_are_never_scored_by(tmp_path):
    frames = np.tile(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8), (5, 1, 1))
    recording = replace(make_recording(tmp_path, 5, labelled=(2,), shape_HW=(32, 32)))
    recording = replace(recording, images=frames)
    carried = with_pseudo_labels(cached(recording, tmp_path, "human"), 2)
    assert set(carried.labelled) > {2}
    assert carried.scored == (2,)
    assert carried.as_recording(NERVE_VESSEL).labelled == (2,)
