"""Facts survive the file, and two arms' differences are named."""

from dataclasses import replace

import pytest

from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.provenance import ArmFacts, differences, differing, read_facts

FRAME = ArmFacts(
    arm="frame_continued",
    fold=1,
    start_sha256="a" * 64,
    weights_sha256="b" * 64,
    seed=3,
    epochs=14,
    optimiser_steps=420,
    batch_size=2,
    clip_frames=8,
    backpropagation_frames=8,
    learning_rate=5e-4,
    schedule="cosine",
    loss="dice",
    faults={"dark_probability": 0.4},
    frozen=("encoder", "normalization"),
    labelled_frames=144,
    trained_subjects=("A", "B"),
    parameters=1_940_000,
)
SEQUENCE = replace(
    FRAME,
    arm="sequence",
    added="memory",
    cell="convlstm",
    added_learning_rate=5e-3,
    weights_sha256="c" * 64,
    parameters=2_530_000,
)


def test_facts_are_read_as_they_were_written(tmp_path):
    SEQUENCE.write(tmp_path / "facts.json")
    assert read_facts(tmp_path / "facts.json") == SEQUENCE


def test_an_unknown_fact_or_a_missing_file_is_named(tmp_path):
    path = tmp_path / "facts.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_facts(path)
    path.write_text('{"arm": "frame", "fold": 0, "epoch": 3}')
    with pytest.raises(ConfigError, match=r"facts\.json does not hold the facts of an arm \(epoch"):
        read_facts(path)


def test_the_memory_is_the_only_difference_when_all_else_was_held_equal():
    assert differing(FRAME, SEQUENCE) == ("added",)
    assert differences(FRAME, SEQUENCE) == ("added: none in frame_continued, memory in sequence",)


def test_every_other_fact_counts_and_order_does_not():
    longer = replace(SEQUENCE, epochs=28, faults={}, trained_subjects=("B", "A"))
    assert differing(FRAME, longer) == ("added", "epochs", "faults")
    assert differences(FRAME, longer)[1:] == (
        "epochs: 14 in frame_continued, 28 in sequence",
        "faults: dark_probability 0.4 in frame_continued, none in sequence",
    )


def test_the_rate_of_what_was_added_counts_when_both_added_something():
    extra = replace(SEQUENCE, arm="frame_extra", added="control", added_learning_rate=1e-3)
    assert differing(extra, SEQUENCE) == ("added", "added_learning_rate")
    assert differing(FRAME, extra) == ("added",)
