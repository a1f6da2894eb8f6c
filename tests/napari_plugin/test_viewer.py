"""The plugin in a real viewer."""

import numpy as np
import pytest
from npe2 import PluginManager

pytestmark = pytest.mark.gui


def test_a_viewer_opens_with_the_plugin_and_closes(nothing_left, make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy(show=True)
    assert "sonotempo" in PluginManager.instance()
    image_HW = np.arange(480 * 640, dtype=np.uint8).reshape(480, 640)
    layer = viewer.add_image(image_HW, name="frame", contrast_limits=(0, 255))
    assert [layer.name for layer in viewer.layers] == ["frame"]
    shown_HWC = viewer.screenshot(canvas_only=True, flash=False)
    assert shown_HWC[..., :3].std() > 0
    assert layer.data.shape == (480, 640)
