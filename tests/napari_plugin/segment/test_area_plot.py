"""Areas over time: what is counted, drawn, clicked and saved."""

import csv
import dataclasses
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.recordings import half_and_half, make_recording
from napari_sonotempo.segment.areas import (
    Areas,
    AreaSeries,
    ReferenceAreas,
    pixel_area,
    structure_areas,
    write_areas,
)
from napari_sonotempo.shared.layers import label_names
from sonotempo.errors import RecordingError
from sonotempo.structures import AXILLARY, NERVE_VESSEL, structure_set

gui = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtWidgets import QApplication


def made_areas(frames=11, structures=NERVE_VESSEL, models=("frame", "sequence"), reference=True):
    """Areas that rise evenly, the second model's by one more, from 0 to 1 s."""
    rise = np.repeat(np.arange(frames, dtype=float)[:, None], len(structures), axis=1)
    return Areas(
        structures,
        np.linspace(0, 1, frames),
        np.arange(frames) + 5,
        "mm²",
        tuple(AreaSeries(name, rise + k) for k, name in enumerate(models)),
        AreaSeries("reference", rise + 0.5) if reference else None,
    )


@pytest.fixture
def plot(nothing_left, qtbot):
    from napari_sonotempo.segment.area_plot import AreaPlot

    plot = AreaPlot("dark")
    qtbot.addWidget(plot)
    plot.resize(340, 240)
    plot.show()
    return plot


def pixels(plot):
    QApplication.processEvents()  # lays out what was added
    image = plot.grab().toImage().convertToFormat(plot.grab().toImage().Format.Format_RGBA8888)
    flat = np.frombuffer(image.constBits(), np.uint8)
    return flat.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width(), :3].copy()


def is_like(pixels_HWC, rgb):
    return np.abs(pixels_HWC.astype(int) - rgb).max(axis=-1) < 30


# --- what is counted ------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_areas_of_all_structures_are_the_whole_without_the_background(count, seed):
    mask_HW = np.random.default_rng(seed).integers(0, count + 1, (7, 9), np.uint8)
    areas_K = structure_areas(mask_HW, count, 0.25)
    assert areas_K.shape == (count,)
    assert areas_K.sum() == pytest.approx(np.count_nonzero(mask_HW) * 0.25)


def test_a_pixel_is_as_large_as_its_spacing_says(tmp_path):
    known = make_recording(tmp_path / "a", 2, spacing_mm=(0.5, 0.2))
    assert pixel_area(known) == (pytest.approx(0.1), "mm²")
    assert pixel_area(make_recording(tmp_path / "b", 2)) == (1.0, "px")


def gathered(recording, structures):
    reference = ReferenceAreas(recording, structures)
    for frame in recording:
        reference.add(frame)
    return reference


def test_the_reference_is_matched_by_the_names_of_the_structures(tmp_path):
    recording = make_recording(tmp_path, 2, masks={1: half_and_half((40, 48), 2)})
    found = gathered(recording, structure_set(["vessel", "bone"])).series()
    np.testing.assert_array_equal(found.area_TK, [[np.nan, np.nan], [40 * 24, np.nan]])


def test_labels_without_names_are_matched_by_their_numbers(tmp_path):
    recording = make_recording(tmp_path, 1, masks={0: half_and_half((40, 48), 2)})
    unnamed = dataclasses.replace(recording, structures=label_names(2))
    found = gathered(unnamed, structure_set(["artery", "vein", "nerve"])).series()
    np.testing.assert_array_equal(found.area_TK, [[0, 40 * 24, 0]])


def test_masks_of_other_structures_are_no_reference(tmp_path):
    found = gathered(make_recording(tmp_path, 2, labelled=[0]), AXILLARY)
    assert found.names_others
    assert found.series() is None


@pytest.mark.parametrize("mask", [RecordingError("damaged"), np.zeros((3, 3), np.uint8)])
def test_a_mask_that_cannot_be_read_or_does_not_fit_is_counted(tmp_path, mask):
    found = gathered(make_recording(tmp_path, 1, masks={0: mask}), NERVE_VESSEL)
    assert found.unread == 1


def test_the_table_has_a_row_for_every_frame_and_structure(tmp_path):
    areas = made_areas(frames=2)
    areas.models[0].area_TK[1, 1] = np.nan
    write_areas(tmp_path / "areas.csv", areas)
    with (tmp_path / "areas.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["structure"]) for row in rows] == [
        ("5", "nerve"), ("5", "vessel"), ("6", "nerve"), ("6", "vessel"),
    ]  # fmt: skip
    assert [row["frame_mm2"] for row in rows] == ["0", "0", "1", ""]
    assert [row["sequence_mm2"] for row in rows] == ["1", "1", "2", "2"]
    assert rows[2]["reference_mm2"] == "1.5"


def test_a_table_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(RecordingError, match="cannot be written"):
        write_areas(tmp_path / "nowhere" / "areas.csv", made_areas())


# --- how it is drawn ------------------------------------------------------------------------


def x_of(plot, frame):
    """The position of a frame in the plot, in pixels from the left."""
    found = [x for x in range(plot.width()) if plot.frame_at(x) == frame]
    return found[0] if frame == 0 else (found[0] + found[-1]) / 2


@gui
def test_a_click_and_a_drag_ask_for_frames(plot, qtbot):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    plot.show_areas(made_areas())
    pixels(plot)
    assert (plot.frame_at(0), plot.frame_at(1000)) == (0, 10)
    wanted = []
    plot.frame_wanted.connect(wanted.append)
    left, ground = Qt.MouseButton.LeftButton, plot.viewport()
    at_3, at_7 = (QPoint(round(x_of(plot, frame)), 100) for frame in (3, 7))
    QTest.mousePress(ground, left, pos=at_3)
    assert wanted == [3]
    QTest.mouseMove(ground, at_7)
    QTest.mouseRelease(ground, left, pos=at_7)
    QTest.mouseClick(ground, Qt.MouseButton.RightButton, pos=QPoint(50, 100))
    assert set(wanted) <= {3, 7}


@gui
def test_the_mouse_shows_the_areas_under_it(plot, qtbot, monkeypatch):
    from qtpy.QtCore import QPoint
    from qtpy.QtTest import QTest

    from napari_sonotempo.segment import area_plot

    shown = []
    monkeypatch.setattr(area_plot.QToolTip, "showText", lambda place, text, of: shown.append(text))
    plot.show_areas(made_areas())
    pixels(plot)
    QTest.mouseMove(plot.viewport(), QPoint(round(x_of(plot, 2)), 100))
    qtbot.waitUntil(lambda: bool(shown))
    assert "frame 7, 0.20 s" in shown[-1]
    assert "nerve: frame 2.0, sequence 3.0, reference 2.5 mm²" in shown[-1]


@gui
def test_models_reference_and_line_are_all_seen(plot):
    plot.show_areas(made_areas())
    without = pixels(plot)
    assert is_like(without, (240, 228, 66)).sum() > 100  # the nerve's colour
    assert is_like(without, (240, 241, 242)).sum() > 100  # model B
    assert not is_like(without, (255, 158, 61)).any()
    plot.show_frame(4)
    found = is_like(pixels(plot), (255, 158, 61))
    columns = np.flatnonzero(found.sum(axis=0) > 40)
    assert columns.mean() == pytest.approx(x_of(plot, 4), abs=1.5)


@gui
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_structure_stands_out_on_both_themes(qapp, theme):
    from napari.utils.theme import get_theme
    from qtpy.QtGui import QColor

    from napari_sonotempo.segment.area_plot import readable
    from napari_sonotempo.shared.colours import contrast

    def rgb(color):
        return color.getRgb()[:3]

    ground, text = (
        QColor(*getattr(get_theme(theme), name).as_rgb_tuple()) for name in ("foreground", "text")
    )
    for structure in (*AXILLARY, *NERVE_VESSEL):
        color = QColor(*structure.color_rgb)
        assert contrast(rgb(readable(color, ground, text)), rgb(ground)) >= 3
        if contrast(rgb(color), rgb(ground)) >= 3:
            assert readable(color, ground, text) == color


@gui
def test_a_move_of_the_line_does_not_paint_the_curves_again(plot, monkeypatch):
    from pyqtgraph import PlotCurveItem

    plot.show_areas(made_areas(frames=5000, structures=AXILLARY))
    plot.grab()
    painted = []
    whole = PlotCurveItem.paint
    monkeypatch.setattr(
        PlotCurveItem, "paint", lambda self, *more: painted.append(self) or whole(self, *more)
    )
    shown = []
    for frame in (10, 4000):
        plot.show_frame(frame)
        shown.append(pixels(plot))
    assert not np.array_equal(shown[0], shown[1])
    assert painted == []


@gui
@pytest.mark.parametrize("frames", [1, 2])
def test_short_recordings_and_empty_structures_are_drawn_too(plot, frames):
    areas = made_areas(frames=frames, structures=AXILLARY, models=("frame",), reference=False)
    areas.models[0].area_TK[:, 0] = np.nan
    plot.show_areas(areas)
    plot.show_frame(0)
    assert is_like(pixels(plot), (255, 158, 61)).any()
    assert plot.frame_at(1000) == frames - 1


@gui
def test_an_area_between_two_gaps_is_a_dot(plot):
    areas = made_areas(frames=21, models=("frame",), reference=False)
    areas.models[0].area_TK[:] = np.nan
    plot.show_areas(areas)
    empty = is_like(pixels(plot), (240, 228, 66)).sum()
    areas.models[0].area_TK[10] = 5.0
    plot.show_areas(areas)
    assert is_like(pixels(plot), (240, 228, 66)).sum() > empty


@gui
def test_without_areas_it_explains_what_it_is_for(plot):
    assert pixels(plot).std() > 0
    plot.show_areas(made_areas())
    plot.show_areas(None)
    assert plot.areas is None
    assert pixels(plot).std() > 0
