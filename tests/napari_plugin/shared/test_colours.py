"""Every text can be read: on the picture, and on napari's own themes."""

import os

import pytest

from napari_sonotempo.shared.colours import (
    GROUND,
    LEAST_CONTRAST,
    MESSAGES,
    QUIET,
    RECORDING,
    TEXT,
    VERDICTS,
    contrast,
    message_color,
)

PAIRS = [(TEXT, GROUND), (QUIET, GROUND), RECORDING, *VERDICTS.values()]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_picture_can_be_read(one, other):
    assert contrast(one, other) >= LEAST_CONTRAST


@pytest.mark.skipif("SONOTEMPO_SKIP_GUI" in os.environ, reason="needs napari's themes")
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("level", list(MESSAGES["dark"]))
def test_messages_can_be_read_on_napari_themes(theme, level):
    from napari.utils.theme import get_theme

    found = get_theme(theme)
    for ground in (found.background, found.foreground, found.canvas):
        rgb = ground.as_rgb_tuple()[:3]
        assert contrast(message_color(level, rgb), rgb) >= LEAST_CONTRAST, (theme, ground)


def test_levels_differ():
    for colors in MESSAGES.values():
        assert len(set(colors.values())) == 3
