import pytest

from sonotempo.errors import ConfigError
from sonotempo.phantom.settings import PhantomConfig, phantom_settings
from sonotempo.structures import AXILLARY, FEMORAL


def test_a_procedure_decides_the_structures():
    assert phantom_settings(procedure="axillary").structures is AXILLARY
    assert phantom_settings(procedure="femoral").structures is FEMORAL


def test_every_number_has_a_range_and_every_setting_a_description():
    for name in PhantomConfig.model_fields:
        assert f"{name}:" in PhantomConfig.__doc__


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"subjects": 0}, "subjects is 0; expected 1 to"),
        ({"depth_cm": 1.9}, "depth_cm is 1.9; expected 2 to 8 cm"),
        ({"depth_cm": 8.5}, "expected 2 to 8 cm"),
        ({"seconds": float("nan")}, "seconds is nan; expected 0.1"),
        ({"size": 8}, "expected 64 to 1024 pixels"),
        ({"fading": 2}, "fading is 2.0; expected 0 to 1"),
        ({"procedure": "axilary"}, "did you mean 'axillary'"),
        ({"fadeing": 1}, "unknown phantom setting 'fadeing'; did you mean 'fading'"),
        ({"subjects": "many"}, "subjects is 'many'"),
    ],
)
def test_what_makes_no_sense_is_answered_in_a_sentence(given, words):
    with pytest.raises(ConfigError, match=words):
        phantom_settings(**given)


def test_a_recording_has_at_least_one_frame():
    assert phantom_settings(seconds=0.1, frame_rate_hz=1).frames == 1
    assert phantom_settings(seconds=4, frame_rate_hz=20).frames == 80
