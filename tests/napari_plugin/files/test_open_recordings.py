"""Recordings in a real viewer: opened, scrubbed, painted on, saved; and what goes wrong."""

import numpy as np
import pytest
from napari.errors import NoAvailableReaderError
from napari.utils.notifications import notification_manager

from fakes.files import noise, write_meta, write_video
from fakes.shapes import write_shapes
from napari_sonotempo.files import sample_data as _sample_data
from sonotempo.io import open_dataset
from sonotempo.structures import NERVE_VESSEL

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(nothing_left, make_napari_viewer_proxy):
    notification_manager.records.clear()
    return make_napari_viewer_proxy(show=False)


@pytest.fixture
def shown_viewer(nothing_left, make_napari_viewer_proxy):
    return make_napari_viewer_proxy(show=True)


def told():
    return [(note.severity.value, note.message) for note in notification_manager.records]


def test_a_recording_is_opened_corrected_and_saved(tmp_path, shown_viewer):
    write_shapes(tmp_path / "export", 1, 4, 64, seed=0)
    image, masks = shown_viewer.open(tmp_path / "export", plugin="sonotempo")
    assert shown_viewer.dims.range[0].step == pytest.approx(0.05)
    assert shown_viewer.dims.axis_labels == ("time", "depth", "lateral")
    shown_viewer.dims.set_current_step(0, 3)
    shown_HWC = shown_viewer.screenshot(canvas_only=True, flash=False)
    masks.visible = False
    assert not np.array_equal(shown_HWC, shown_viewer.screenshot(canvas_only=True, flash=False))
    masks.visible = True
    masks.mode = "paint"
    masks.paint((3, 30, 30), 1)
    shown_viewer.layers.selection = {image, masks}
    saved = shown_viewer.layers.save(str(tmp_path / "out"), selected=True, plugin="sonotempo")
    assert len(saved) == 1
    (found,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    np.testing.assert_array_equal(found.mask(3), masks.data[3])


def test_a_duplicated_layer_is_painted_on_alone(tmp_path, viewer):
    from napari.layers._layer_actions import _duplicate_layer

    write_shapes(tmp_path / "export", 1, 2, 32, seed=0)
    _, masks = viewer.open(tmp_path / "export", plugin="sonotempo")
    viewer.layers.selection = {masks}
    _duplicate_layer(viewer.layers)
    (copied,) = viewer.layers.selection
    copied.data[0] = 2
    assert copied.data is not masks.data
    assert masks.data[0].min() == 0


def test_a_long_recording_is_not_read_when_it_is_opened(tmp_path, viewer):
    path = write_meta(tmp_path / "cine.mha", noise(200, 48, 64))
    (image,) = viewer.open(path, plugin="sonotempo")
    assert len(image.data._kept) <= 3
    assert tuple(image.contrast_limits) == (0, 255)


@pytest.mark.parametrize("content", [b"no header", b""])
def test_a_broken_file_is_told_without_a_traceback(tmp_path, viewer, content):
    path = tmp_path / "bad.mha"
    path.write_bytes(content)
    assert viewer.open(path, plugin="sonotempo") == []
    ((severity, message),) = told()
    assert severity == "error"
    assert str(path) in message
    assert not hasattr(notification_manager.records[0], "exception")


def test_a_frame_that_breaks_while_scrubbing_is_told_and_black(tmp_path, viewer):
    frames = noise(40, 96, 128)
    path = write_video(tmp_path / "cine.mkv", frames, "ffv1")
    (image,) = viewer.open(path, plugin="sonotempo")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    image.data._kept.clear()
    viewer.dims.set_current_step(0, 39)
    viewer.dims.set_current_step(0, 38)
    assert any("frame 38 of 40" in message for _, message in told())
    assert image.data[38].max() == 0


def test_a_file_that_no_reader_takes_is_told_by_napari(tmp_path, viewer):
    path = tmp_path / "letter.sonotempo"
    path.write_text("hello")
    with pytest.raises(NoAvailableReaderError, match="No plugin found capable of reading"):
        viewer.open(path, plugin=None)


def test_a_folder_of_several_says_how_to_see_the_others(tmp_path, viewer):
    write_shapes(tmp_path / "export", 6, 1, 32, seed=0)
    layers = viewer.open(tmp_path / "export", plugin="sonotempo")
    assert [layer.visible for layer in layers] == [True, True] + 8 * [False]
    ((severity, message),) = told()
    assert severity == "info"
    assert "export holds 6 recordings; the first 5 are open" in message
    assert "subject-05/sequence-0" in message.replace("\\", "/")


def test_a_sample_is_made_and_shown(shown_viewer, monkeypatch):
    monkeypatch.setattr(_sample_data, "SECONDS", 0.2)
    monkeypatch.setattr(_sample_data, "SIZE", 128)
    image, masks = shown_viewer.open_sample("sonotempo", "axillary")
    assert image.data.shape == masks.data.shape == (4, 128, 128)
    assert shown_viewer.screenshot(canvas_only=True, flash=False)[..., :3].std() > 0
