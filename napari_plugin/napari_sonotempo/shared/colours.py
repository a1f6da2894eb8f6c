"""Colours of the live picture and of the panels, and how well they can be read.

The picture is dark on either theme of napari, as an ultrasound scanner's screen is; the panels
follow the theme.
"""

from typing import Literal

Rgb = tuple[int, int, int]

#: Text on the picture and its background.
GROUND: Rgb = (10, 12, 16)
TEXT: Rgb = (240, 240, 240)
QUIET: Rgb = (160, 165, 172)
#: The background and the text of the word that says whether the picture is live.
VERDICTS: dict[str, tuple[Rgb, Rgb]] = {
    "live": ((27, 110, 50), (255, 255, 255)),
    "still": ((70, 76, 86), (255, 255, 255)),
    "warning": ((255, 165, 20), (0, 0, 0)),
}
RECORDING: tuple[Rgb, Rgb] = ((190, 30, 30), (255, 255, 255))

#: The smallest contrast of text that is not large (WCAG 2.2, success criterion 1.4.3).
LEAST_CONTRAST = 4.5

#: Messages on a dark and on a light panel; distinct for colour-blind people too.
MESSAGES: dict[Literal["dark", "light"], dict[str, Rgb]] = {
    "dark": {"error": (255, 176, 96), "warning": (240, 228, 66), "info": (176, 210, 240)},
    "light": {"error": (140, 30, 0), "warning": (90, 72, 0), "info": (0, 60, 120)},
}


def luminance(rgb: Rgb) -> float:
    """Return the relative luminance of an sRGB colour (WCAG 2.2).

    >>> round(luminance((255, 255, 255)), 3), round(luminance((0, 0, 0)), 3)
    (1.0, 0.0)
    """
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2).

    >>> round(contrast((0, 0, 0), (255, 255, 255)))
    21
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def message_color(level: str, background: Rgb) -> Rgb:
    """Return the colour of a message on a panel's background.

    >>> message_color("error", (38, 41, 48)), message_color("error", (239, 235, 233))
    ((255, 176, 96), (140, 30, 0))
    """
    is_dark = luminance(background) < 0.25
    return MESSAGES["dark" if is_dark else "light"][level]
