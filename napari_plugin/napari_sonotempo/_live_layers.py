"""The napari layers of the live picture, written in place: images, masks, difference and names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Points
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_sonotempo._layers import MASK_OPACITY, label_colors
from napari_sonotempo._live_picture import (
    Mask,
    Pair,
    centres,
    spread,
    difference,
    grid_mask,
    pixel_size,
)
from napari_sonotempo._live_view import ViewStyle
from sonotempo.live.history import StepResult
from sonotempo.structures import StructureSet

#: Colours of the difference: only A, only B, another structure (Okabe & Ito 2008).
DIFFERENCE_RGB = ((230, 159, 0), (86, 180, 233), (204, 121, 167))
DIFFERENCE_NAMES = ("only A", "only B", "another structure")

NOT_SEGMENTED = "not segmented"
_GAP = 0.04  # between two pictures, as a share of their width
_IN_PLACE = {"thumbnail": False, "highlight": False, "extent": False}
_OUTLINE, _UNDER = 1, 3  # pixels of the network grid
_TITLE_SIZE, _NAME_SIZE = 11, 9
_NAME_COLOR = "white"
_TEXT_PX = 15.0  # height of a line of names on the canvas


class LiveLayers:
    """Owns the layers: made at the first frame, then only written to.

    Args:
        viewer: that they are added to.
        structures: what the masks mean, or None without a model.
        names: of the models, A and B, as far as there are.
    """

    def __init__(self, viewer: Any, structures: StructureSet | None, names: Sequence[str]) -> None:
        self._viewer, self._structures, self._names = viewer, structures, tuple(names)
        self._style = ViewStyle()
        self._pixel: Pair = (0.0, 0.0)
        self._shape_HW = (0, 0)
        self._images: list[Image] = []
        self._masks: list[Labels] = []
        self._difference: Labels | None = None
        self._centres: Points | None = None
        self._titles: Points | None = None
        self._title_texts: tuple[str, ...] = ()
        self._name_texts: list[str] = []
        #: The result that is shown now.
        self.shown: StepResult | None = None

    @property
    def style(self) -> ViewStyle:
        """How it is drawn."""
        return self._style

    def show(self, result: StepResult) -> None:
        """Draw a frame with what the models made of it: always of the same frame."""
        self._fit_to(result)
        for image in self._images:
            if image.visible:
                image.data[...] = result.frame.image_HW
                image.refresh(**_IN_PLACE)
        self.shown = result
        self._draw_masks()

    def clear_masks(self) -> None:
        """Take the masks away and leave the picture."""
        if self.shown is not None:
            shown = self.shown
            self.shown = StepResult(shown.frame, (), shown.captured_ns, shown.ready_ns)
            self._draw_masks()

    def set_style(self, style: ViewStyle) -> None:
        """Draw what is shown in another way."""
        moved = style.view != self._style.view
        self._style = style
        if self.shown is None:
            return
        self._arrange()
        self.show(self.shown)
        if moved:
            self._viewer.reset_view()

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        for layer in self._all():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._images, self._masks = [], []
        self._difference = self._centres = self._titles = None

    def _all(self) -> list[Layer]:
        others = [self._difference, self._centres, self._titles]
        return [*self._images, *self._masks, *(layer for layer in others if layer is not None)]

    def _fit_to(self, result: StepResult) -> None:
        """Make the layers, or make them anew for frames of another size; place them."""
        shape_HW, pixel = result.frame.image_HW.shape, pixel_size(result)
        gone = any(layer not in self._viewer.layers for layer in self._all())
        if not self._images or gone:
            self.remove()
            self._make(result)
        elif shape_HW != self._shape_HW:
            for image in self._images:
                image.data = np.zeros(shape_HW, np.uint8)
        if shape_HW != self._shape_HW or pixel != self._pixel or gone:
            self._shape_HW, self._pixel = shape_HW, pixel
            self._arrange()
            self._viewer.reset_view()

    def _make(self, result: StepResult) -> None:
        """Add all layers; those of masks are one pixel large until there is one."""
        units = "mm" if result.frame.spacing_mm is not None else "pixel"
        shape_HW = result.frame.image_HW.shape
        add = self._viewer.add_layer
        for side in ("A", "B")[: max(1, len(self._names))]:
            image = Image(
                np.zeros(shape_HW, np.uint8),
                name="live" if side == "A" else "live, again for B",
                contrast_limits=(0, 255),
                colormap="gray",
                units=units,
            )
            self._images.append(add(image))
        colors = DirectLabelColormap(color_dict=self._colors(lighter=0.0))
        for side, name in zip(("A", "B"), self._names, strict=False):
            labels = Labels(
                np.zeros((2, 2), np.uint8),
                name=f"{side}: {name}",
                colormap=colors,
                opacity=MASK_OPACITY,
                units=units,
            )
            self._masks.append(add(labels))
        if len(self._masks) == 2:
            self._difference = add(
                Labels(
                    np.zeros((2, 2), np.uint8),
                    name="difference of A and B",
                    colormap=DirectLabelColormap(color_dict=_difference_colors()),
                    units=units,
                )
            )
        if self._masks:
            count = len(self._masks) * len(self._structures or ())
            self._name_texts = [""] * count
            self._centres = add(_words(count, "names", _NAME_SIZE, units))
            self._title_texts = ("",) * len(self._masks)
            self._titles = add(_words(len(self._masks), "titles", _TITLE_SIZE, units, "upper_left"))
        self._viewer.layers.selection.clear()

    def _colors(self, lighter: float) -> dict[int | None, tuple[float, ...]]:
        if self._structures is None:
            return {None: (0.0, 0.0, 0.0, 0.0)}
        colors = label_colors(self._structures)
        return {
            label: tuple(c + (1 - c) * lighter for c in color[:3]) + color[3:]
            for label, color in colors.items()
        }

    def _arrange(self) -> None:
        """Set what changes with the view and the geometry alone."""
        style, view = self._style, self._style.view
        for side, image in enumerate(self._images):
            image.visible = side == 0 or view == "side"
            _place(image, self._pixel, (0.0, self._offset(side)))
        both = view == "one" and style.shown == "both" and len(self._masks) == 2
        for side, labels in enumerate(self._masks):
            labels.visible = self._has_mask(side)
            # Where both are drawn, A is a broad line in the structure's colour and B a thin,
            # light one upon it: told apart without seeing colours.
            contour = (_UNDER, _OUTLINE)[side] if both else _OUTLINE if style.outline else 0
            if labels.contour != contour:
                labels.contour = contour
            labels.opacity = 1.0 if both else style.opacity
            if side == 1:
                labels.colormap = DirectLabelColormap(
                    color_dict=self._colors(lighter=0.65 if both else 0.0)
                )
        if self._difference is not None:
            self._difference.visible = view == "difference"
            self._difference.opacity = max(0.4, style.opacity)
        if self._centres is not None:
            self._centres.visible = style.names
        if self._titles is not None:
            width = self._shape_HW[1] * self._pixel[1]
            places = [(-0.015 * width, self._offset(side)) for side in range(len(self._masks))]
            self._titles.data[...] = places
            self._titles.refresh(**_IN_PLACE)

    def _has_mask(self, side: int) -> bool:
        """Whether a model's mask is to be seen in this view."""
        style = self._style
        if len(self._masks) == 1:
            return True
        if style.view == "one":
            return style.shown in ("both", "AB"[side])
        return style.view == "side"

    def _offset(self, side: int) -> float:
        """How far to the right a model's picture is."""
        if side == 0 or self._style.view != "side":
            return 0.0
        return (1 + _GAP) * self._shape_HW[1] * self._pixel[1]

    def _draw_masks(self) -> None:
        result, style = self.shown, self._style
        if result is None or not self._masks:
            return
        made = result.predictions if len(result.predictions) >= len(self._masks) else ()
        masks: list[Mask | None] = [
            grid_mask(one, self._pixel, style.hidden) for one in made[: len(self._masks)]
        ] or [None] * len(self._masks)
        for side, (labels, mask) in enumerate(zip(self._masks, masks, strict=True)):
            if labels.visible:
                _write(labels, mask, self._offset(side))
        if self._difference is not None and self._difference.visible:
            compared = difference(made[0], made[1], self._pixel, style.hidden) if made else None
            _write(self._difference, compared, 0.0)
        self._write_names(masks)
        self._write_titles(bool(made))

    def _write_names(self, masks: Sequence[Mask | None]) -> None:
        """Move the structures' names to where the structures are."""
        points = self._centres
        if points is None or not points.visible or self._structures is None:
            return
        count = len(self._structures)
        places = np.full((count * len(masks), 2), np.nan)
        taken: NDArray[np.bool_] = np.zeros(count, bool)
        for side, mask in enumerate(masks):
            wanted = self._has_mask(side) or self._style.view == "difference"
            if mask is None or not wanted:
                continue
            found = centres(mask, count)
            if self._style.view != "side":  # over one picture each name is written once
                found[taken] = np.nan
                taken |= ~np.isnan(found[:, 0])
            found[:, 1] += self._offset(side)
            places[side * count : (side + 1) * count] = found
        names = [self._structures.names[row % count] for row in range(len(places))]
        texts = [
            "" if np.isnan(place[0]) else name for place, name in zip(places, names, strict=True)
        ]
        unit = _TEXT_PX / max(self._viewer.camera.zoom, 1e-6)
        points.data[...] = np.nan_to_num(spread(places, names, unit))
        if texts == self._name_texts:
            points.refresh(**_IN_PLACE)
        else:
            self._name_texts = texts
            points.features = {"name": texts}
            points.refresh_text()

    def _write_titles(self, is_segmented: bool) -> None:
        if self._titles is None:
            return
        texts = [f"{side}: {name}" for side, name in zip("AB", self._names, strict=False)]
        is_double = self._style.view == "side" or len(texts) < 2
        if len(texts) == 2 and self._style.view == "one":
            shown = self._style.shown
            texts[0] = (
                f"{texts[0]} (broad)   {texts[1]} (thin, light)"
                if shown == "both"
                else texts["AB".index(shown)]
            )
        elif len(texts) == 2 and self._style.view == "difference":
            texts[0] = f"where {texts[0]} and {texts[1]} disagree"
        if not is_segmented:
            texts = [f"{text}, {NOT_SEGMENTED}" for text in texts]
        if not is_double:
            texts[1] = ""
        if tuple(texts) != self._title_texts:
            self._title_texts = tuple(texts)
            self._titles.features = {"name": texts}
            self._titles.refresh_text()


def _write(labels: Labels, mask: Mask | None, offset: float) -> None:
    """Write a mask into a layer in place; only another shape or place costs more."""
    if mask is None:
        labels.data[...] = 0
    elif labels.data.shape != mask.labels_HW.shape:
        labels.data = mask.labels_HW.copy()
    else:
        labels.data[...] = mask.labels_HW
    if mask is not None:
        _place(labels, mask.step, (mask.origin[0], mask.origin[1] + offset))
    labels.refresh(**_IN_PLACE)


def _place(layer: Layer, step: Pair, origin: Pair) -> None:
    """Set scale and translation if they are others: setting them is slow."""
    if not np.allclose(layer.scale, step, rtol=1e-9):
        layer.scale = step
    if not np.allclose(layer.translate, origin, rtol=1e-9, atol=1e-9):
        layer.translate = origin


def _words(count: int, name: str, size: int, units: str, anchor: str = "center") -> Points:
    """Return a layer that shows nothing but texts, empty at first."""
    return Points(
        np.zeros((count, 2)),
        name=name,
        size=1e-3,
        face_color="transparent",
        border_color="transparent",
        features={"name": [""] * count},
        text={"string": "{name}", "size": size, "color": _NAME_COLOR, "anchor": anchor},
        units=units,
        ndim=2,
    )


def _difference_colors() -> dict[int | None, tuple[float, ...]]:
    colors: dict[int | None, tuple[float, ...]] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    for value, rgb in enumerate(DIFFERENCE_RGB, start=1):
        colors[value] = (*(c / 255 for c in rgb), 1.0)
    return colors
