import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.scored_data import (
    DataFacts,
    ScoredData,
    facts_of_all,
    read_scored_data,
)

facts = st.builds(
    DataFacts,
    simulated=st.booleans(),
    fold_unit=st.sampled_from(["subject", "recording", "image"]),
    stills_in_motion=st.booleans(),
)


@given(data=facts, notes=st.lists(st.text(max_size=20), max_size=3))
def test_the_record_comes_back_as_it_was(tmp_path_factory, data, notes):
    folder = tmp_path_factory.mktemp("scored")
    rules = EvaluateConfig(overlap="iou", streaming_latency_ms={"frame": (20.0, 30.0)})
    record = ScoredData(rules=rules, structures=("nerve",), data=data, notes=tuple(notes))
    record.write(folder)
    assert read_scored_data(folder) == record


@given(several=st.lists(facts, min_size=1, max_size=4))
def test_every_caveat_of_any_data_set_is_kept(several):
    together = facts_of_all(several)
    assert together.simulated == any(one.simulated for one in several)
    assert together.stills_in_motion == any(one.stills_in_motion for one in several)
    assert (together.fold_unit == "subject") == all(one.fold_unit == "subject" for one in several)


def test_each_sentence_stands_once():
    data = DataFacts(simulated=True)
    notes = (*data.sentences(), "another")
    record = ScoredData(rules=EvaluateConfig(), structures=("nerve",), data=data, notes=notes)
    assert record.sentences == notes


def test_a_missing_and_a_broken_record_are_sentences(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_scored_data(tmp_path)
    ScoredData(rules=EvaluateConfig(), structures=("nerve",)).write(tmp_path)
    path = tmp_path / "scored.json"
    changed = json.loads(path.read_text()) | {"extra": 1}
    path.write_text(json.dumps(changed))
    with pytest.raises(ConfigError, match="extra"):
        read_scored_data(tmp_path)
