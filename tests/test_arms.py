import pytest

from sonotempo.arms import ARMS, arm_named, in_training_order
from sonotempo.errors import ConfigError


def test_every_arm_comes_after_those_that_it_needs():
    names = [arm.name for arm in ARMS]
    ordered = in_training_order(names)
    assert sorted(ordered) == sorted(names)
    for place, name in enumerate(ordered):
        needs = arm_named(name).needs
        assert needs is None or needs in ordered[:place], name


def test_an_arm_runs_with_the_weights_of_a_trained_one_that_has_its_network():
    for arm in ARMS:
        if arm.is_oracle:
            assert not arm.is_trained
            continue
        other = arm_named(arm.weights_of)
        assert other.is_trained or other.trained_with
        assert other.added == arm.added


def test_an_unknown_arm_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown arm 'frame_exra'; did you mean 'frame_extra'"):
        arm_named("frame_exra")
