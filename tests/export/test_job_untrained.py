"""Arms that run another arm's weights have no network to export."""

import pytest

from fakes.experiments import Told, tiny_experiment, write_config
from sonotempo.errors import ConfigError
from sonotempo.export.job import export_model


@pytest.mark.parametrize(("arm", "of"), [("frame_ema", "frame"), ("sequence_reset", "sequence")])
def test_an_arm_without_weights_of_its_own_is_refused_with_the_one_to_export(arm, of, tmp_path):
    write_config(tmp_path / "config.yaml", tiny_experiment(arms=("frame", "sequence", arm)))
    with Told() as progress, pytest.raises(ConfigError, match=f"{arm}.*--arm {of}"):
        export_model(tmp_path, tmp_path / "x.onnx", progress, arms=[arm])
    assert not (tmp_path / "x.onnx").exists()
