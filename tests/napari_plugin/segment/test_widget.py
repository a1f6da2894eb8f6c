"""Segmenting an open recording in a real window, driven by clicks."""

import os
import threading

import numpy as np
import pytest

from fakes.onnx_models import write_model
from fakes.recordings import make_recording
from fakes.shapes import write_shapes
from sonotempo.errors import RecordingError
from sonotempo.label_origin import Origin
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.structures import AXILLARY, FEMORAL, NERVE_VESSEL

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    from fakes.live_window import remember_in
    from napari_sonotempo.shared.layers import recording_layers


def click_on(plot, frame):
    """Click where a frame is in the plot of areas."""
    x = next(x for x in range(plot.width()) if plot.frame_at(x) == frame)
    place = QPoint(x + 1, plot.height() // 2)
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)


class SegmentWindow:
    """The widget in its window."""

    def __init__(self, viewer, qtbot):
        from napari_sonotempo.segment.widget import SegmentWidget

        self.viewer, self.qtbot = viewer, qtbot
        self.widget = SegmentWidget(viewer)
        self.dock = viewer.window.add_dock_widget(self.widget, name="Segment recording")
        viewer.window.resize(1280, 800)
        self.widget.models_box.engine.setCurrentText("onnxruntime")

    def click(self, button):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def run(self, *models):
        """Segment, and wait for the end."""
        self.widget.models_box.choose(models)
        self.click(self.widget.segment)
        self.wait_end()

    def wait_end(self):
        self.qtbot.waitUntil(
            lambda: self.widget.segment.isEnabled() and not self.widget.jobs.is_busy,
            timeout=30_000,
        )

    def add(self, recording):
        data, meta, _ = recording_layers(recording)[0]
        return self.viewer.add_image(data, **meta)

    @property
    def message(self):
        return self.widget.messages.text()

    def labels(self):
        return [layer for layer in self.viewer.layers if type(layer).__name__ == "Labels"]


@pytest.fixture
def window(tmp_path, nothing_left, make_napari_viewer_proxy, qtbot):
    remember_in(tmp_path / "settings")
    window = SegmentWindow(make_napari_viewer_proxy(show=True), qtbot)
    yield window
    window.__dict__.clear()  # so that it can be seen whether anybody else holds it


def models(folder, *arms, **more):
    paths = [folder / f"{arm}.onnx" for arm in arms]
    for path, arm in zip(paths, arms, strict=True):
        write_model(path, arms=(arm,), **more)
    return tuple(paths)


class Held:
    """Frames of which the third is not read before it is released."""

    def __init__(self, count=100):
        self.count = count
        self.reached, self.released = threading.Event(), threading.Event()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index == 2:
            self.reached.set()
            self.released.wait(30)
        return np.full((40, 48), index, np.uint8)


def held_recording(tmp_path):
    recording = make_recording(tmp_path, 100, labelled=[])
    held = Held()
    object.__setattr__(recording, "images", held)
    return recording, held


def segment_threads():
    return [thread for thread in threading.enumerate() if thread.name == "sonotempo segment"]


def test_a_persons_path_from_the_file_to_the_areas(window, tmp_path):
    write_shapes(tmp_path / "export", 1, 6, 64, seed=0)
    image, masks = window.viewer.open(tmp_path / "export", plugin="sonotempo")
    assert window.widget.recordings.currentText() == image.name
    paths = models(tmp_path, "frame", "sequence")
    window.run(*paths)

    made = [layer for layer in window.labels() if layer is not masks]
    assert [layer.name for layer in made] == [
        f"{image.name} · frame", f"{image.name} · sequence"
    ]  # fmt: skip
    for path, layer in zip(paths, made, strict=True):
        assert layer.data.shape == image.data.shape
        np.testing.assert_allclose(layer.scale, image.scale)
        assert layer.units == image.units
        assert layer.metadata["sonotempo"]["model"] == f"tiny {path.stem}"
        assert list(layer.features["structure"]) == ["background", *NERVE_VESSEL.names]
        np.testing.assert_allclose(layer.get_color(1)[:3], np.array([240, 228, 66]) / 255)
        with OnnxPredictor(path, "onnxruntime") as predictor:
            for index, frame in enumerate(image.data.recording):
                (expected,) = predictor.step(frame)
                np.testing.assert_array_equal(layer.data[index], expected.mask_HW)
    assert [layer.contour for layer in made] == [0, 2]  # one filled, one outlined
    assert "6 frames in" in window.message
    assert "a test model" in window.message  # what the models say of themselves

    plot, viewer = window.widget.plot, window.viewer
    assert plot.areas.unit == "mm²"
    assert plot.areas.reference is not None
    viewer.dims.set_current_step(0, 4)
    assert plot.frame == 4
    click_on(plot, 1)
    assert viewer.dims.current_step[0] == 1
    assert plot.frame == 1
    assert window.dock.width() < 400  # the picture keeps the room
    dark = plot.grab().toImage().pixelColor(2, 2)
    viewer.theme = "light"
    assert plot.grab().toImage().pixelColor(2, 2).lightness() > dark.lightness() + 100
    assert plot.frame == 1
    window.widget.save_areas(tmp_path / "areas.csv")
    assert len((tmp_path / "areas.csv").read_text().splitlines()) == 1 + 6 * 2
    viewer.window.screenshot(path=str(tmp_path / "segment.png"), canvas_only=False, flash=False)


def test_masks_can_be_corrected_and_saved_with_their_origins(window, tmp_path):
    from sonotempo.io import open_dataset

    window.add(make_recording(tmp_path / "one", 3, labelled=[], spacing_mm=(0.2, 0.1)))
    window.run(*models(tmp_path, "frame"))
    (layer,) = window.labels()
    layer.data[1] = 2
    layer.save(str(tmp_path / "out"), plugin="sonotempo")
    (saved,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    assert saved.labelled == (0, 1, 2)
    assert np.all(saved.mask(1) == 2)
    np.testing.assert_array_equal(saved.mask(2), layer.data[2])
    made = Origin("model", "tiny frame")
    assert [saved.origin(index) for index in range(3)] == [made, Origin(), made]


def test_image_layers_of_any_origin_are_segmented(window, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 40, 48), np.uint8)
    kinds = {
        "still": noise[0],
        "series": noise,
        "colour": np.repeat(noise[..., None], 3, axis=-1),
        "16 bits": noise.astype(np.uint16) * 100,
    }
    paths = models(tmp_path, "frame")
    for kind, data in kinds.items():
        window.viewer.layers.clear()
        axes = 2 if kind == "still" else 3
        image = window.viewer.add_image(
            data,
            name=kind,
            rgb=kind == "colour",
            scale=(2.0, 0.5, 0.25)[-axes:],
            translate=(0.0, 3.0, 4.0)[-axes:],
        )
        window.run(*paths)
        (layer,) = window.labels()
        assert layer.name == f"{kind} · tiny frame"
        np.testing.assert_allclose(layer.extent.world, image.extent.world)
        assert layer.data.shape == noise.shape[-axes:]
        assert set(np.unique(layer.data[...])) == {0, 1, 2}, kind
        assert window.widget.plot.areas.unit == "px"
        window.viewer.dims.set_current_step(0, 2)
        assert window.widget.plot.frame == (0 if kind == "still" else 2)


def test_the_plot_is_that_of_the_chosen_recording(window, tmp_path):
    first = window.add(make_recording(tmp_path / "one", 3, name="one"))
    window.run(*models(tmp_path, "frame"))
    areas = window.widget.plot.areas
    second = window.add(make_recording(tmp_path / "two", 5, name="two"))
    assert window.widget.plot.areas is areas
    window.widget.recordings.setCurrentText(second.name)
    assert window.widget.plot.areas is None
    assert not window.widget.save.isEnabled()
    window.run(*models(tmp_path, "frame"))
    assert len(window.widget.plot.areas.times_s) == 5
    window.widget.recordings.setCurrentText(first.name)
    assert window.widget.plot.areas is areas
    first.name = "another name"
    assert window.widget.recordings.currentText() == "another name"
    assert window.widget.plot.areas is areas
    window.viewer.layers.remove(first)
    assert window.widget.recordings.count() == 1
    assert len(window.widget.plot.areas.times_s) == 5


# --- what can go wrong ----------------------------------------------------------------------


def test_every_mistake_is_told_in_the_widget(window, tmp_path):
    (frame,) = models(tmp_path, "frame")
    window.run(frame)
    assert "no image layer is open" in window.message
    assert "Open Sample" in window.message

    four = window.viewer.add_image(np.zeros((2, 2, 8, 8), np.uint8), name="four axes")
    window.run(frame)
    assert "expected one image or a time series" in window.message
    window.viewer.layers.remove(four)

    window.add(make_recording(tmp_path, 2))
    window.run()
    assert "no model is chosen" in window.message

    write_model(tmp_path / "a.onnx", structures=AXILLARY, name="armpit")
    write_model(tmp_path / "b.onnx", structures=FEMORAL, name="groin")
    window.run(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert "armpit" in window.message
    assert "groin" in window.message
    assert "median nerve in A, nothing in B" in window.message

    (tmp_path / "broken.onnx").write_bytes(b"no model")
    window.run(tmp_path / "broken.onnx")
    assert "cannot be read as an ONNX model" in window.message

    write_model(tmp_path / "other.onnx", card=False)
    window.run(tmp_path / "other.onnx")
    assert "was not exported by sonotempo" in window.message
    assert window.labels() == []
    window.widget.structures.setFocus()
    QTest.keyClicks(window.widget.structures, "artery, vein")
    window.run(tmp_path / "other.onnx")
    (layer,) = window.labels()
    assert list(layer.features["structure"]) == ["background", "artery", "vein"]


def test_frames_that_cannot_be_read_are_counted_and_the_rest_goes_on(window, tmp_path):
    recording = make_recording(tmp_path, 5, broken={2: RecordingError("it is cut off")})
    window.add(recording)
    window.run(*models(tmp_path, "frame"))
    (layer,) = window.labels()
    assert "4 frames in" in window.message
    assert "1 could not be read" in window.message
    assert layer.data.labelled == (0, 1, 3, 4)
    assert not layer.data[2].any()
    assert layer.data[3].any()


# --- cancelled and closed -------------------------------------------------------------------


def test_cancelling_adds_nothing_and_it_can_be_started_again(window, tmp_path):
    recording, held = held_recording(tmp_path)
    window.add(recording)
    window.widget.models_box.choose(models(tmp_path, "frame"))
    window.click(window.widget.segment)
    window.qtbot.waitUntil(held.reached.is_set, timeout=30_000)
    window.qtbot.waitUntil(lambda: window.widget.bar.maximum() == 100, timeout=5_000)
    assert not window.widget.segment.isEnabled()
    window.click(window.widget.cancel)
    held.released.set()
    window.wait_end()
    assert "Cancelled" in window.message
    assert window.labels() == []
    assert segment_threads() == []
    window.run(*models(tmp_path, "frame"))
    assert len(window.labels()) == 1


def test_closing_the_window_ends_the_job(window, tmp_path):
    recording, held = held_recording(tmp_path)
    window.add(recording)
    window.widget.models_box.choose(models(tmp_path, "frame"))
    window.click(window.widget.segment)
    window.qtbot.waitUntil(held.reached.is_set, timeout=30_000)
    threading.Timer(0.2, held.released.set).start()
    window.viewer.close()
    window.qtbot.waitUntil(lambda: not segment_threads(), timeout=10_000)


def test_closing_the_dock_ends_the_job_and_keeps_the_viewer(window, tmp_path):
    recording, held = held_recording(tmp_path)
    window.add(recording)
    window.widget.models_box.choose(models(tmp_path, "frame"))
    window.click(window.widget.segment)
    window.qtbot.waitUntil(held.reached.is_set, timeout=30_000)
    held.released.set()
    window.dock.destroyOnClose()
    window.qtbot.waitUntil(lambda: not segment_threads(), timeout=10_000)
    window.widget = window.dock = None
    window.viewer.add_image(np.zeros((3, 4, 4)))
    window.viewer.dims.set_current_step(0, 1)
    assert window.labels() == []


def test_a_recording_that_is_closed_meanwhile_leaves_no_error(window, tmp_path):
    recording, held = held_recording(tmp_path)
    image = window.add(recording)
    window.widget.models_box.choose(models(tmp_path, "frame"))
    window.click(window.widget.segment)
    window.qtbot.waitUntil(held.reached.is_set, timeout=30_000)
    window.viewer.layers.remove(image)
    held.released.set()
    window.wait_end()
    assert len(window.labels()) == 1
    assert window.widget.plot.areas is None


def test_a_structure_is_painted_by_its_name_and_the_masks_are_saved(window, tmp_path):
    from sonotempo.io import open_dataset

    recording = make_recording(tmp_path / "one", 3, labelled=[], spacing_mm=(0.2, 0.1))
    window.add(recording)
    paint = window.widget.paint
    assert not paint.names.isEnabled()
    window.run(*models(tmp_path, "frame"))
    (layer,) = window.labels()
    window.viewer.layers.selection.active = layer
    assert [paint.names.itemText(i) for i in range(paint.names.count())] == ["nerve", "vessel"]
    paint.names.setCurrentIndex(1)
    paint.names.activated.emit(1)
    assert (layer.selected_label, layer.mode) == (2, "paint")
    layer.selected_label = 1
    assert paint.names.currentText() == "nerve"
    layer.data[1] = 2
    window.widget.save_to(layer, tmp_path / "out")
    assert "Saved the masks" in window.message
    (saved,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    assert np.all(saved.mask(1) == 2)
    (tmp_path / "taken").write_text("a file")
    window.widget.save_to(layer, tmp_path / "taken")
    assert "✗" in window.widget.messages.toPlainText()
