"""The napari layers of the live picture, written in place: picture, masks, difference, names.

Side by side, both pictures are one Image layer and both masks one Labels layer: both show the same
frame by construction, share pan and zoom, and cost half as much to paint.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_sonotempo.live.picture import (
    Mask,
    Pair,
    centres,
    columns_between,
    disagreement,
    kept_inside,
    on_one_grid,
    pixel_size,
)
from napari_sonotempo.live.view import ViewStyle
from napari_sonotempo.live.words import Words
from napari_sonotempo.shared.layers import MASK_OPACITY, label_colors
from sonotempo.live.history import StepResult
from sonotempo.structures import StructureSet

#: Colours of the difference: only A, only B, another structure (Okabe & Ito 2008).
DIFFERENCE_RGB = ((230, 159, 0), (86, 180, 233), (204, 121, 167))
DIFFERENCE_NAMES = ("only A", "only B", "another structure")

NOT_SEGMENTED = "not segmented"
_GAP = 0.04  # between two pictures, as a share of their width
_MARGIN = 0.08  # around the pictures, for the titles
_WORDS_S = 0.1
_IN_PLACE = {"thumbnail": False, "highlight": False, "extent": False}
_BROAD, _THIN = 2, 1  # outlines, in pixels of the network grid
_LIGHTER = 0.65
_DIFFERENCE_OPACITY = 0.7  # at least


class LiveLayers:
    """Owns the layers: added at the first frame, then written in place.

    Args:
        viewer: gets the layers.
        structures: of the masks, or None without a model.
        names: of the models: none, A, or A and B.
    """

    def __init__(self, viewer: Any, structures: StructureSet | None, names: Sequence[str]) -> None:
        self._viewer, self._structures, self._names = viewer, structures, tuple(names)
        self._style = ViewStyle()
        self._image: Image | None = None
        self._masks: Labels | None = None
        self._masks_of_b: Labels | None = None
        self._difference: Labels | None = None
        self._words: Words | None = None
        self._geometry: tuple[Any, ...] = ()
        self._columns = 0  # of the grid, from A's picture to B's
        self._offset_px = 0
        self._worded_at = 0.0
        self._was_segmented = False
        #: The result on screen.
        self.shown: StepResult | None = None

    def show(self, result: StepResult, *, in_a_hurry: bool = False) -> None:
        """Draw a frame and its predictions.

        Args:
            result: what to draw.
            in_a_hurry: whether another one follows at once; names, the slowest part, then move
                only ten times a second.
        """
        is_other = self._fit_to(result)
        image = self._image
        assert image is not None  # made by _fit_to
        width = result.frame.image_HW.shape[1]
        image.data[:, :width] = result.frame.image_HW
        if self._is_double:
            image.data[:, self._offset_px : self._offset_px + width] = result.frame.image_HW
        image.refresh(**_IN_PLACE)
        self.shown = result
        self._draw_masks(in_a_hurry=in_a_hurry)
        if is_other:
            self._fit_view()
            self._draw_masks()

    def clear_masks(self) -> None:
        """Remove the masks and keep the picture."""
        if self.shown is not None and self._image is not None:
            shown = self.shown
            self.shown = StepResult(shown.frame, (), shown.captured_ns, shown.ready_ns)
            self._draw_masks()

    def set_style(self, style: ViewStyle) -> None:
        """Change how the result on screen is drawn."""
        self._style = style
        if self.shown is not None and self._image is not None:
            self._arrange()
            self.show(self.shown)

    def remove(self) -> None:
        """Remove the layers from the viewer."""
        for layer in self._all():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._image = self._masks = self._masks_of_b = self._difference = self._words = None
        self._geometry = ()

    @property
    def _is_pair(self) -> bool:
        return len(self._names) == 2

    @property
    def _is_double(self) -> bool:
        """Whether there are two pictures."""
        return self._is_pair and self._style.view == "side"

    @property
    def _is_both(self) -> bool:
        """Whether the masks of both are drawn over one picture."""
        return self._is_pair and self._style.view == "one" and self._style.shown == "both"

    def _all(self) -> list[Layer]:
        words = self._words.layer if self._words is not None else None
        layers = [self._image, self._masks, self._masks_of_b, self._difference, words]
        return [layer for layer in layers if layer is not None]

    # --- making and placing -----------------------------------------------------------------

    def _fit_to(self, result: StepResult) -> bool:
        """Add the layers if needed and fit them to the frame; return whether the shape changed."""
        if self._image is None or any(layer not in self._viewer.layers for layer in self._all()):
            self.remove()
            self._make("mm" if result.frame.spacing_mm is not None else "pixel")
        shape_HW, pixel = result.frame.image_HW.shape, pixel_size(result)
        grids = {
            (made.fit.area, made.fit.input_size, made.fit.scaled_rows)
            for made in result.predictions
        }
        # Without a mask the grid stays as it was.
        grid = grids or (self._geometry[3] if self._geometry else set())
        geometry = (shape_HW, pixel, self._is_double, grid)
        if geometry == self._geometry:
            return False
        is_other = geometry[:3] != self._geometry[:3]
        self._geometry = geometry
        self._set_offset(result, pixel)
        width = shape_HW[1] + (self._offset_px if self._is_double else 0)
        assert self._image is not None  # made above
        if self._image.data.shape != (shape_HW[0], width) or self._is_double:
            self._image.data = np.zeros((shape_HW[0], width), np.uint8)
        _place(self._image, pixel, (0.0, 0.0))
        return is_other

    def _set_offset(self, result: StepResult, pixel: Pair) -> None:
        """Set how far B's picture is to the right, in grid columns and in pixels."""
        width = result.frame.image_HW.shape[1]
        step_px = 1.0
        if result.predictions:
            step_px = on_one_grid(result.predictions, pixel, frozenset())[0].step[1] / pixel[1]
        self._columns = columns_between(width, step_px, _GAP * width)
        self._offset_px = round(self._columns * step_px)

    def _make(self, units: str) -> None:
        """Add all layers; mask layers have 2x2 pixels until there is a mask."""
        add = self._viewer.add_layer
        self._image = add(
            Image(
                np.zeros((2, 2), np.uint8),
                name="live",
                contrast_limits=(0, 255),
                colormap="gray",
                units=units,
            )
        )
        if self._structures is not None:
            self._masks = add(self._labels("masks", _colors(self._structures, 0.0), units))
            count = len(self._structures) * len(self._names)
            if self._is_pair:
                lighter = _colors(self._structures, _LIGHTER)
                self._masks_of_b = add(self._labels("masks of B", lighter, units))
                colors = _difference_colors()
                self._difference = add(self._labels("difference of A and B", colors, units))
            self._words = Words(self._viewer, len(self._names) + count, units)
        self._viewer.layers.selection.clear()
        self._arrange()

    @staticmethod
    def _labels(name: str, colors: dict[int | None, Any], units: str) -> Labels:
        colormap = DirectLabelColormap(color_dict=colors)
        data = np.zeros((2, 2), np.uint8)
        return Labels(data, name=name, colormap=colormap, opacity=MASK_OPACITY, units=units)

    def _arrange(self) -> None:
        """Apply what depends on the style only."""
        style = self._style
        is_difference = self._is_pair and style.view == "difference"
        if self._masks is not None:
            # Where both are drawn, A is a broad line in the structure's colour and B a thin,
            # light one on top of it: distinct for colour-blind people too.
            contour = _BROAD if self._is_both else _THIN if style.outline else 0
            if self._masks.contour != contour:
                self._masks.contour = contour
            self._masks.opacity = 1.0 if self._is_both else style.opacity
            _show(self._masks, not is_difference)
        if self._masks_of_b is not None:
            _show(self._masks_of_b, self._is_both)
            self._masks_of_b.contour = _THIN
            self._masks_of_b.opacity = 1.0
        if self._difference is not None:
            _show(self._difference, is_difference)
            self._difference.opacity = max(_DIFFERENCE_OPACITY, style.opacity)

    def _fit_view(self) -> None:
        """Fit the view to the layers after their extents have changed."""
        if self._words is not None:
            self._words.layer.refresh()  # writing in place does not update its extent
        self._viewer.reset_view(margin=_MARGIN)

    # --- every frame ------------------------------------------------------------------------

    def _draw_masks(self, *, in_a_hurry: bool = False) -> None:
        result, style = self.shown, self._style
        if result is None or self._masks is None:
            return
        made = result.predictions[: len(self._names)]
        masks = on_one_grid(made, pixel_size(result), style.hidden)
        if self._masks.visible:
            if self._is_double:
                _write(self._masks, masks, self._columns)
            else:
                is_b = self._is_pair and style.view == "one" and style.shown == "B"
                _write(self._masks, masks[1:2] if is_b else masks[:1])
        if self._masks_of_b is not None and self._masks_of_b.visible:
            _write(self._masks_of_b, masks[1:2])
        if self._difference is not None and self._difference.visible:
            _write(self._difference, _compared(masks))
        is_segmented = bool(masks)
        is_due = time.monotonic() - self._worded_at >= _WORDS_S
        if is_due or not in_a_hurry or is_segmented != self._was_segmented:
            self._worded_at, self._was_segmented = time.monotonic(), is_segmented
            self._write_words(result, masks)

    def _write_words(self, result: StepResult, masks: Sequence[Mask]) -> None:
        if self._words is None or self._structures is None:
            return
        pixel = pixel_size(result)
        width = result.frame.image_HW.shape[1] * pixel[1]
        offsets = [0.0, self._offset_px * pixel[1] if self._is_double else 0.0]
        line = self._words.line
        count = len(self._structures)
        places = np.full((count * len(self._names), 2), np.nan)
        if self._style.names:
            for side in self._sides_named(len(masks)):
                found = centres(masks[side], count)
                found = kept_inside(found, self._structures.names, line, 0.0, width)
                if not self._is_double and side == 1:  # one picture shows each name once
                    found[~np.isnan(places[:count, 0])] = np.nan
                found[:, 1] += offsets[side]
                places[side * count : (side + 1) * count] = found
        titles = self._titles(bool(masks))
        title_places = [
            (-line * (1.9 - 1.2 * side if self._is_both else 0.7), offsets[side] + width / 2)
            for side in range(len(titles))
        ]
        names = self._structures.names * len(self._names)
        self._words.write(titles, np.array(title_places), names, places)

    def _sides_named(self, count: int) -> list[int]:
        """Return whose structures get names: 0 for A, 1 for B."""
        if self._is_pair and self._style.view == "one" and self._style.shown != "both":
            return ["AB".index(self._style.shown)] if count else []
        return list(range(count))

    def _titles(self, is_segmented: bool) -> list[str]:
        texts = [f"{side}: {name}" for side, name in zip("AB", self._names, strict=False)]
        if self._is_both:
            texts = [f"{texts[0]} (broad)", f"{texts[1]} (thin, light)"]
        elif self._is_pair and self._style.view == "difference":
            texts = ["where A and B disagree", ""]
        elif self._is_pair and self._style.view == "one":
            texts = [texts["AB".index(self._style.shown)], ""]
        if not is_segmented:
            texts = [f"{text}: {NOT_SEGMENTED}" if text else "" for text in texts]
        return texts


def _show(layer: Labels, visible: bool) -> None:
    """Show or hide a layer; a hidden one is small, or its extent would widen the view."""
    if not visible and layer.data.shape != (2, 2):
        # As long as it is visible: napari does not update the extent of hidden layers.
        layer.data = np.zeros((2, 2), np.uint8)
    layer.visible = visible


def _compared(masks: Sequence[Mask]) -> tuple[Mask, ...]:
    if len(masks) < 2:
        return ()
    values_HW = disagreement(masks[0].labels_HW, masks[1].labels_HW)
    return (Mask(values_HW, masks[0].step, masks[0].origin),)


def _write(labels: Labels, masks: Sequence[Mask], columns: int = 0) -> None:
    """Write masks side by side into a layer, in place unless the shape changes.

    Args:
        labels: the layer; it becomes empty if there are no masks.
        masks: on one grid.
        columns: from one to the next.
    """
    if not masks:
        labels.data[...] = 0
        labels.refresh(**_IN_PLACE)
        return
    height, width = masks[0].labels_HW.shape
    shape_HW = (height, width + columns * (len(masks) - 1))
    if labels.data.shape != shape_HW:
        labels.data = np.zeros(shape_HW, np.uint8)
    for side, mask in enumerate(masks):
        labels.data[:, side * columns : side * columns + width] = mask.labels_HW
    _place(labels, masks[0].step, masks[0].origin)
    labels.refresh(**_IN_PLACE)


def _place(layer: Layer, step: Pair, origin: Pair) -> None:
    """Set scale and translation if they changed: setting them is slow."""
    if not np.allclose(layer.scale, step, rtol=1e-9):
        layer.scale = step
    if not np.allclose(layer.translate, origin, rtol=1e-9, atol=1e-9):
        layer.translate = origin


def _colors(structures: StructureSet, lighter: float) -> dict[int | None, tuple[float, ...]]:
    return {
        label: (*(c + (1 - c) * lighter for c in color[:3]), color[3])
        for label, color in label_colors(structures).items()
    }


def _difference_colors() -> dict[int | None, tuple[float, ...]]:
    colors: dict[int | None, tuple[float, ...]] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    colors |= {value: (*(c / 255 for c in rgb), 1.0) for value, rgb in enumerate(DIFFERENCE_RGB, 1)}
    return colors
