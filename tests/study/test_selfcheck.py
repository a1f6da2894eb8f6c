from dataclasses import replace

import pytest

from fakes.experiments import Told
from sonotempo.errors import ConfigError
from sonotempo.study.selfcheck import FADED_SHARE, selfcheck


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The machinery at a size that teaches nothing."""
    with Told() as progress:
        return selfcheck(tmp_path_factory.mktemp("check"), progress, subjects=6, epochs=1)


def test_it_reports_both_controls_in_plain_words(checked):
    said = checked.sentences()
    assert len(said) == 4
    assert "The frame model finds the nerve in" in said[0]
    assert "Where memory must help" in said[1]
    assert "Where memory cannot help" in said[2]
    assert 0 <= checked.found_faded <= 1


def test_an_untrained_instrument_is_not_passed(checked):
    assert not checked.tells_apart
    assert "does NOT tell the two apart" in checked.sentences()[-1]


def test_it_passes_only_with_a_gain_here_none_there_and_a_nerve_that_hides(checked):
    good = replace(
        checked,
        found_visible=0.9,
        found_faded=0.9 * FADED_SHARE,
        helps=replace(checked.helps, estimate=0.3, ci_low=0.2, ci_high=0.4),
        cannot=replace(checked.cannot, estimate=0.01, ci_low=-0.01, ci_high=0.03),
    )
    assert good.tells_apart
    assert "tells the two apart." in good.sentences()[-1]
    assert not replace(good, found_faded=0.6).tells_apart
    assert not replace(good, helps=replace(good.helps, ci_low=-0.01)).tells_apart
    assert not replace(good, cannot=replace(good.cannot, estimate=-0.1)).tells_apart


def test_another_size_in_the_same_folder_is_refused(tmp_path):
    with Told() as progress:
        selfcheck(tmp_path, progress, subjects=6, epochs=1)
        with pytest.raises(ConfigError, match="other settings"):
            selfcheck(tmp_path, progress, subjects=6, epochs=2)
