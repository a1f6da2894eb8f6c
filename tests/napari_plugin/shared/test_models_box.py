"""The choice of models: what the user chose stays, what was a default follows the anatomy."""

import os
from pathlib import Path

import pytest

from fakes.onnx_models import write_model
from sonotempo.live.models.card import read_card
from sonotempo.live.models.ready import ReadyModel
from sonotempo.structures import AXILLARY, FEMORAL

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from fakes.live_window import remember_in
    from napari_sonotempo.shared.models_box import ModelsBox
    from napari_sonotempo.shared.settings import LiveSettings


@pytest.fixture
def ready(tmp_path):
    """A frame model and a pair of both anatomies."""
    models = {}
    for structures in (AXILLARY, FEMORAL):
        for kind, arms in (("frame", ("frame",)), ("pair", ("frame", "sequence"))):
            path = tmp_path / f"{structures.name}-{kind}.onnx"
            write_model(path, arms=arms, structures=structures)
            models[path.stem] = ReadyModel(path, read_card(path))
    return models


@pytest.fixture
def box(tmp_path, qtbot):
    remember_in(tmp_path)
    box = ModelsBox(LiveSettings())
    qtbot.addWidget(box)
    return box


def names(box):
    return [Path(path).stem for path in box.chosen()]


@pytest.mark.parametrize("first", ["choice", "list"])
def test_default_models_follow_the_anatomy(box, ready, first):
    if first == "list":
        box.offer(tuple(ready.values()), "axillary")
    box.choose((ready["axillary-pair"].path,), by_user=False)
    if first == "choice":
        box.offer(tuple(ready.values()), "axillary")
    assert names(box) == ["axillary-pair"]
    box.suggest("femoral")
    assert names(box) == ["femoral-pair"]


def test_along_the_motion_a_frame_model_alone_is_the_default(box, ready):
    box.along_motion.setChecked(True)
    box.offer(tuple(ready.values()), "axillary")
    assert names(box) == ["axillary-frame"]
    box.suggest("femoral")
    assert names(box) == ["femoral-frame"]


def test_models_that_were_asked_for_stay(box, ready):
    box.offer(tuple(ready.values()), "axillary")
    box.choose((ready["axillary-frame"].path,))
    box.suggest("femoral")
    assert names(box) == ["axillary-frame"]
