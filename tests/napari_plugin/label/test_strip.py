"""The strip: colours that everybody can tell apart, and the frame under the pointer."""

import os
from itertools import combinations

import numpy as np
import pytest

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from napari_sonotempo.label.strip import COLOURS, OriginStrip, legend
    from napari_sonotempo.shared.colours import GROUND
    from sonotempo.io.marks import Mark
    from sonotempo.label_origin import Origin

# Machado, Oliveira and Fernandes 2009, complete deficiency, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
# sRGB to CIE XYZ (D65), relative to white.
TO_XYZ = np.array([[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8729]])
LEAST_DISTANCE = 15  # CIELAB; 2.3 is just noticeable


def lab(rgb, deficiency):
    values = np.array(rgb) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(DEFICIENCIES[deficiency]) @ linear, 0, 1)
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ seen, 0.00886))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", list(DEFICIENCIES))
def test_colours_differ_for_everybody(deficiency):
    seen = {kind: lab(rgb, deficiency) for kind, rgb in {**COLOURS, "ground": GROUND}.items()}
    for one, other in combinations(seen, 2):
        distance = float(np.linalg.norm(seen[one] - seen[other]))
        assert distance > LEAST_DISTANCE, (one, other, distance)


def test_every_frame_is_shown_once_with_its_kind(qapp):
    strip = OriginStrip()
    strip.resize(308, strip.height())
    origins = {0: Origin(), 2: Origin("propagated"), 3: Origin("model", "a", is_accepted=True)}
    counts = strip.show_origins(6, origins | {4: Origin("empty"), 5: Origin("model", "a")})
    assert strip.kinds == ("human", "none", "propagated", "accepted", "empty", "model")
    assert counts["none"] == 1
    assert [strip.frame_at(strip.place_of(frame + 0.5)) for frame in range(6)] == list(range(6))
    assert (strip.frame_at(-50), strip.frame_at(5000)) == (0, 5)
    strip.show_marks((Mark(2, "needle in"),))
    assert strip.words_at(strip.place_of(2.5)) == "frame 2: propagated, needle in"
    assert strip.words_at(strip.place_of(1.5)) == "frame 1: no mask"
    picture = strip.grab().toImage()
    for frame, kind in enumerate(strip.kinds[1:], start=1):  # the current frame is marked
        pixel = picture.pixelColor(round(strip.place_of(frame + 0.25)), strip.height() - 8)
        assert (pixel.red(), pixel.green(), pixel.blue()) == COLOURS[kind], kind
    assert "human&nbsp;1" in legend(counts)


def test_one_frame_of_thousands_is_seen(qapp):
    strip = OriginStrip()
    strip.resize(200, strip.height())
    strip.show_origins(5000, {2500: Origin()})
    picture = strip.grab().toImage()
    row = [picture.pixelColor(x, strip.height() - 8) for x in range(200)]
    assert any((c.red(), c.green(), c.blue()) == COLOURS["human"] for c in row)


def test_a_strip_of_nothing_is_empty(qapp):
    strip = OriginStrip()
    assert (strip.frame_at(10), strip.show_origins(0, {})) == (0, {})
    assert not strip.grab().isNull()
