"""The choice of a source: every kind of address, and kinds that the plugin does not know."""

import os

import pytest

from fakes.streams import HandSource
from sonotempo.errors import SonotempoError
from sonotempo.live.sources import open as source_list
from sonotempo.live.sources.open import SOURCES, SourceKind

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from napari.components import ViewerModel

    from fakes.live_window import remember_in
    from napari_sonotempo.live.source_box import SourceBox
    from napari_sonotempo.shared.settings import LiveSettings


@pytest.fixture
def new_box(tmp_path, qtbot):
    """Make a box as the next session would find it."""
    remember_in(tmp_path)

    def make():
        box = SourceBox(ViewerModel(), LiveSettings())
        qtbot.addWidget(box)
        return box

    return make


@pytest.mark.parametrize(
    ("text", "kind", "back"),
    [
        ("phantom://axillary", "Simulation", None),
        ("phantom://femoral", "Simulation", None),
        ("phantom://femoral?seed=3", "Simulation", None),
        ("phantom://femoral?seed=0", "Simulation", None),
        ("clarius://10.0.0.7:6000", "Clarius probe", None),
        ("clarius://probe.local", "Clarius probe", "clarius://probe.local:5828"),
        ("clarius://[fe80::1]:5828", "Clarius probe", None),
        ("/data/anna/one.mp4", "Recording file", None),
        ("one?seed=3.mp4", "Recording file", None),
    ],
)
def test_every_kind_of_address_comes_to_its_page_and_back(new_box, text, kind, back):
    box = new_box()
    box.choose(text)
    assert box.kind.currentText() == kind
    assert box.text() == (back or text)
    box.remember()
    again = new_box()
    assert again.kind.currentText() == kind
    assert again.text() == (back or text)
    assert (again.path.text() != "") == (kind == "Recording file")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("phantom://axilary", "did you mean 'axillary'"),
        ("phantom://femoral?sede=3", "did you mean 'seed'"),
        ("phantom://femoral?seed=-1", "whole number"),
        ("clarius://10.0.0.7:99999", "not a valid address"),
        ("clarius://10.0.0.7?depth=3", "depth"),
        ("clarus://10.0.0.7", "did you mean 'clarius'"),
    ],
)
def test_an_invalid_address_is_refused_and_changes_nothing(new_box, text, problem):
    box = new_box()
    before = box.kind.currentText(), box.text()
    with pytest.raises(SonotempoError, match=problem):
        box.choose(text)
    assert (box.kind.currentText(), box.text()) == before


def test_a_new_kind_of_source_needs_no_change_in_the_plugin(new_box, tmp_path, monkeypatch):
    opened = []

    def open_toy(address):
        opened.append((address.text, address.options, address.sdk))
        return HandSource()

    toy = SourceKind("toy", "Toy scanner", "toy://shelf?speed=2", open_toy)
    monkeypatch.setattr(source_list, "SOURCES", (*SOURCES, toy))
    box = new_box()
    assert toy.title in [box.kind.itemText(row) for row in range(box.kind.count())]
    box.choose("toy://shelf?speed=3", tmp_path)
    box.remember()
    box = new_box()
    assert (box.kind.currentText(), box.text()) == ("Toy scanner", "toy://shelf?speed=3")
    box.choose("toy://shelf?speed=3", tmp_path)
    title, make_source = box.wanted()
    assert title == "toy://shelf?speed=3"
    assert isinstance(make_source(), HandSource)
    assert opened == [("toy://shelf?speed=3", {"speed": "3"}, tmp_path)]


def test_a_simulation_suggests_models_of_its_anatomy(new_box, qtbot):
    box = new_box()
    with qtbot.waitSignal(box.structures_changed) as heard:
        box.choose("phantom://femoral")
    assert heard.args == ["femoral"]
    assert box.procedure.currentText() == "femoral"
    with qtbot.waitSignal(box.structures_changed) as heard:
        box.choose("clarius://10.0.0.7:6000")
    assert heard.args == ["nerve+vessel"]
    assert box.anatomy == ""
