"""The live picture as it is painted: pixels, places, zoom."""

import os
from dataclasses import replace

import numpy as np
import pytest

from fakes.live_results import result_of
from sonotempo.recording import Box
from sonotempo.structures import NERVE_VESSEL

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    from napari_sonotempo.live.canvas import LiveCanvas
    from napari_sonotempo.live.gauge import InView
    from napari_sonotempo.live.legend import chips_of
    from napari_sonotempo.live.scene import Scene, Verdict
    from napari_sonotempo.live.view import ViewStyle

GREY = 107
SIZES = [(1280, 800), (640, 480), (300, 900), (2560, 1440)]


def scene_of(view="side", *, result=None, names=("frame", "sequence"), **style):
    return Scene(
        result_of(7) if result is None else result,
        names,
        NERVE_VESSEL,
        ViewStyle(view=view, **style),
        Verdict("LIVE", "live", "24 ms"),
        ("not for patients",),
    )


@pytest.fixture
def canvas(qtbot):
    canvas = LiveCanvas()
    qtbot.addWidget(canvas)
    canvas.resize(1000, 700)
    with qtbot.waitExposed(canvas):
        canvas.show()
    return canvas


def shown(canvas, scene):
    """Paint a scene; return the pixels and where the pictures are."""
    canvas.show_scene(scene)
    canvas.repaint()
    return canvas.picture()[..., :3].astype(int), canvas.places.panels


def at(pixels, panel, row, column):
    """The colour at a share of a picture's height and width."""
    y = round(panel.top() + row * panel.height())
    return pixels[y, round(panel.left() + column * panel.width())]


def is_like(rgb, colour, tolerance=40):
    """Whether a colour is half frame, half structure."""
    expected = [(GREY + part) / 2 for part in colour]
    return np.abs(rgb - expected).max() < tolerance


NERVE, VESSEL = (one.color_rgb for one in NERVE_VESSEL.structures)


def test_side_by_side_shows_the_same_frame_twice_with_each_models_mask(canvas):
    pixels, (first, second) = shown(canvas, scene_of("side"))
    assert is_like(at(pixels, first, 0.5, 0.2), NERVE)
    assert at(pixels, first, 0.5, 0.8) == pytest.approx([GREY] * 3, abs=2)
    assert at(pixels, second, 0.5, 0.2) == pytest.approx([GREY] * 3, abs=2)
    assert is_like(at(pixels, second, 0.5, 0.8), VESSEL)


@pytest.mark.parametrize(("which", "nerve", "vessel"), [("A", True, False), ("B", False, True)])
def test_one_picture_shows_the_masks_of_the_chosen_model(canvas, which, nerve, vessel):
    pixels, (panel,) = shown(canvas, scene_of("one", shown=which))
    assert is_like(at(pixels, panel, 0.5, 0.2), NERVE) == nerve
    assert is_like(at(pixels, panel, 0.5, 0.8), VESSEL) == vessel


def sure(nerve, vessel=None, **style):
    """A scene in which A is as sure of the nerve, and B of the vessel."""
    in_view = {(0, 1): InView(True, 3.0, nerve), (1, 2): InView(True, 3.0, vessel)}
    return replace(scene_of(unsure_below=0.6, names=("a", "b"), **style), in_view=in_view)


def colourfulness(pixels, panel):
    """How much of the left half of a picture is coloured, and how strongly."""
    top, bottom = (round(panel.top() + share * panel.height()) for share in (0.3, 0.6))
    left, right = (round(panel.left() + share * panel.width()) for share in (0.1, 0.4))
    spread = np.ptp(pixels[top:bottom, left:right], axis=-1)
    return float((spread > 15).mean()), float(spread.max())


def test_the_surer_a_model_the_stronger_the_colour_and_below_the_limit_it_is_hatched(canvas):
    found = {}
    for confidence in (1.0, 0.65, 0.5):
        pixels, (first, _) = shown(canvas, sure(confidence))
        found[confidence] = colourfulness(pixels, first)
    assert found[1.0][0] == found[0.65][0] == 1.0
    assert found[0.65][1] < 0.7 * found[1.0][1]
    assert 0.05 < found[0.5][0] < 0.8, "lines, with the frame between them"
    pixels, (first, _) = shown(canvas, sure(0.5, outline=True))
    assert colourfulness(pixels, first)[0] == 0


def test_the_legend_says_what_a_model_is_unsure_of():
    assert [chip.times for chip in chips_of(sure(0.5, 0.9))] == ["A unsure  B –", "A –  B 3 s"]
    assert [chip.is_unsure for chip in chips_of(sure(0.5, 0.9))] == [True, False]
    assert [chip.is_unsure for chip in chips_of(sure(None, None))] == [False, False]


def test_without_a_limit_nothing_is_hatched_or_fainter(canvas):
    scene = sure(0.2)
    scene = replace(scene, style=replace(scene.style, unsure_below=0.0))
    pixels, (first, _) = shown(canvas, scene)
    assert is_like(at(pixels, first, 0.5, 0.2), NERVE)
    assert not any(chip.is_unsure for chip in chips_of(scene))


def test_both_are_outlines_on_one_picture(canvas):
    pixels, (panel,) = shown(canvas, scene_of("one", shown="both"))
    assert at(pixels, panel, 0.5, 0.2) == pytest.approx([GREY] * 3, abs=2)
    edge = pixels[round(panel.center().y()), int(panel.left()) : int(panel.right())]
    assert (np.abs(edge - GREY).max(1) > 30).sum() > 4


def test_the_difference_names_who_sees_something(canvas):
    from napari_sonotempo.live.picture import DIFFERENCE_RGB

    pixels, (panel,) = shown(canvas, scene_of("difference", opacity=1.0))
    assert at(pixels, panel, 0.5, 0.2) == pytest.approx(DIFFERENCE_RGB[0], abs=2)
    assert at(pixels, panel, 0.5, 0.8) == pytest.approx(DIFFERENCE_RGB[1], abs=2)


def test_hidden_structures_are_not_drawn_and_not_listed(canvas):
    scene = scene_of("one", hidden=frozenset({1}))
    pixels, (panel,) = shown(canvas, scene)
    assert at(pixels, panel, 0.5, 0.2) == pytest.approx([GREY] * 3, abs=2)
    assert [chip.name for chip in chips_of(scene)] == ["vessel"]


def test_masks_never_stay_over_a_frame_without_a_prediction(canvas):
    shown(canvas, scene_of())
    pixels, panels = shown(canvas, scene_of(result=result_of(7, masks=False)))
    for panel in panels:
        assert at(pixels, panel, 0.5, 0.2) == pytest.approx([GREY] * 3, abs=2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["one", "side", "difference"])
def test_pictures_are_as_large_as_their_room_and_nothing_overlaps(canvas, size, view):
    canvas.resize(*size)
    for before in ("difference", "one", "side"):  # whatever was shown before
        shown(canvas, scene_of(before))
    shown(canvas, scene_of(view))
    places = canvas.places
    assert len(places.panels) == (2 if view == "side" else 1)
    for panel in places.panels:
        assert panel.width() / panel.height() == pytest.approx(64 / 48, rel=0.01)
        assert panel.top() >= places.header.bottom()
        assert panel.bottom() <= places.legend.top()
        assert 0 <= panel.left() < panel.right() <= size[0]
    assert places.notes.bottom() <= size[1]
    if view == "side":
        assert not places.panels[0].intersects(places.panels[1])
    # No arrangement of the same pictures would be larger by more than a title and the gaps.
    room, count = places.middle, len(places.panels)
    best = max(
        min(room.width() / columns, (room.height() / rows) * 64 / 48)
        for rows, columns in {(1, count), (count, 1)}
    )
    assert places.panels[0].width() > 0.85 * best


def test_another_frame_size_is_shown_whole(canvas):
    shown(canvas, scene_of())
    _, panels = shown(canvas, scene_of(result=result_of(1, shape_HW=(60, 30))))
    assert panels[0].width() / panels[0].height() == pytest.approx(0.5, rel=0.01)


def test_pixels_that_are_not_square_are_shown_in_their_true_shape(canvas):
    _, panels = shown(canvas, scene_of(result=result_of(spacing=(0.2, 0.1))))
    assert panels[0].width() / panels[0].height() == pytest.approx(64 / 96, rel=0.01)


def test_what_lies_outside_the_ultrasound_image_is_cut_unless_wanted(canvas):
    result = result_of(area=Box(0, 16, 48, 48))
    _, panels = shown(canvas, scene_of(result=result))
    assert panels[0].width() / panels[0].height() == pytest.approx(32 / 48, rel=0.01)
    _, panels = shown(canvas, scene_of(result=result, whole_frame=True))
    assert panels[0].width() / panels[0].height() == pytest.approx(64 / 48, rel=0.01)


def test_a_single_model_and_no_model_at_all_are_drawn_too(canvas):
    for names in (("frame",), ()):
        scene = scene_of(result=result_of(7, sizes=(32,) * len(names)), names=names)
        scene = replace(scene, structures=NERVE_VESSEL if names else None)
        for view in ("one", "side", "difference"):
            _, panels = shown(canvas, replace(scene, style=ViewStyle(view=view)))
            assert len(panels) == 1


def test_the_wheel_zooms_about_the_pointer_dragging_moves_a_double_click_fits(canvas):
    shown(canvas, scene_of("one"))
    panel = canvas.places.panels[0]
    place = QPointF(panel.left() + 0.25 * panel.width(), panel.top() + 0.25 * panel.height())

    def wheel(steps):
        event = QWheelEvent(
            place, canvas.mapToGlobal(place), QPoint(), QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)

    before = canvas._share_at(place)
    wheel(4)
    assert canvas.zoom.factor == pytest.approx(1.2**4)
    assert canvas._share_at(place) == pytest.approx(before, abs=1e-6)
    begin = place.toPoint()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(canvas, begin + QPoint(-40, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=begin + QPoint(-40, 0))
    assert canvas.zoom.centre[1] > 0.25
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=begin)
    assert canvas.zoom.factor == 1.0
    wheel(-5)
    assert canvas.zoom.factor == 1.0


def test_the_structure_under_the_pointer_is_named_for_its_picture(canvas):
    shown(canvas, scene_of())
    first, second = canvas.places.panels
    left = QPointF(first.left() + 0.2 * first.width(), first.center().y())
    assert canvas._words_at(left) == "A: nerve"
    right = QPointF(second.left() + 0.2 * second.width(), second.center().y())
    assert canvas._words_at(right) == "B: nothing"
    assert canvas._words_at(QPointF(1, 1)) == ""


def test_the_legend_lights_up_what_is_in_view():
    scene = replace(scene_of(), in_view={(0, 1): InView(True, 12.3), (1, 2): InView(False, 0.0)})
    nerve, vessel = chips_of(scene)
    assert (nerve.is_lit, nerve.times) == (True, "A 12 s  B –")
    assert (vessel.is_lit, vessel.times) == (False, "A –  B –")
    held = replace(scene, in_view={(0, 1): InView(True, None)})
    assert chips_of(held)[0].times == "A ✓  B –"
    assert [chip.name for chip in chips_of(replace(scene, style=ViewStyle(view="difference")))] == [
        "only A", "only B", "another structure",
    ]  # fmt: skip


def test_waiting_is_said_where_the_picture_will_be(canvas):
    canvas.show_scene(Scene(waiting="opening the source: 2 s"))
    canvas.repaint()
    assert canvas.picture()[..., :3].max() > 200  # letters
