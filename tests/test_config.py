import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from sonotempo.config import DataConfig, Experiment
from sonotempo.config_file import known_keys

SOURCES = Path(__file__).parents[1] / "src" / "sonotempo"


def test_an_experiment_cannot_be_changed():
    experiment = Experiment(name="x")
    with pytest.raises(ValidationError, match="frozen"):
        experiment.train.epochs = 8


@pytest.mark.parametrize("key", sorted(known_keys()))
def test_every_setting_is_read_by_something(key):
    last = key.rpartition(".")[2]
    readers = [path for path in SOURCES.rglob("*.py") if path.name != "config.py"]
    used = re.compile(rf"\.{last}\b")
    assert any(used.search(path.read_text(encoding="utf-8")) for path in readers), key


def test_something_to_score_by_must_be_used():
    assert DataConfig().use == ("human", "accepted")
    assert DataConfig(use=["model", "human"]).use == ("human", "model")
    assert DataConfig(use="human").use == ("human",)
    assert DataConfig(use="human, propagated").use == ("human", "propagated")
    with pytest.raises(ValueError, match="holds nothing to score by; add human, accepted or both"):
        DataConfig(use=["propagated"])
    with pytest.raises(ValueError, match="'human', 'accepted', 'propagated' or 'model'"):
        DataConfig(use=["people"])
