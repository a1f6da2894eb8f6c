"""Recordings as napari layers and back: scale, units, colours, names and facts."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.lazy_stack import LazyStack
from sonotempo.errors import RecordingError
from sonotempo.recording import Image, Recording, Spacing
from sonotempo.structures import NAMED_SETS, NERVE_VESSEL, StructureSet, structure_set

LayerData = tuple[Any, dict[str, Any], str]

#: The key for the facts of the recording in a layer's metadata.
METADATA_KEY = "sonotempo"

AXIS_LABELS = ("time", "depth", "lateral")
#: Where the files hold no times, such as for stills: the axis counts frames.
COUNTED_LABELS = ("frame", "depth", "lateral")
MASK_OPACITY = 0.5
_NOMINAL_PERIOD_S = 0.04
# How far a frame may be from its place on an even time axis, as a share of the period.
_EVEN = 0.25


def recording_layers(
    recording: Recording,
    *,
    name: str | None = None,
    visible: bool = True,
    shape_HW: tuple[int, int] | None = None,
) -> list[LayerData]:
    """Return an Image layer of a recording, and a Labels layer where it has masks.

    Only the first frame is read. Layers are in seconds and millimetres, or in pixels where the
    spacing is unknown. The time axis steps by the median time between frames; the true time stamps
    are in the metadata (:func:`recording_facts`). It counts frames where the files hold no times.

    Args:
        recording: to show.
        name: of the Image layer; by default the recording's.
        visible: whether the layers are shown.
        shape_HW: rows and columns to show, for frames of several sizes; by default those of the
            first frame.

    Raises:
        RecordingError: the first frame cannot be read.
    """
    name = name or recording.name
    images = LazyStack(recording, shape_HW)
    image: LayerData = (
        images,
        {
            **_placed(recording),
            "name": name,
            "visible": visible,
            "metadata": {METADATA_KEY: recording_facts(recording)},
            # Set, so that napari does not read the whole stack to find them.
            "contrast_limits": (0, 255),
            "colormap": "gray",
            "rgb": False,
            "multiscale": False,
        },
        "image",
    )
    if not recording.labelled:
        return [image]
    masks = LazyMasks(recording, images.shape[1:])
    return [image, masks_layer(recording, masks, name=f"{name} masks", visible=visible)]


def masks_layer(
    recording: Recording,
    masks_THW: LazyMasks | NDArray[np.integer[Any]],
    *,
    name: str,
    visible: bool = True,
) -> LayerData:
    """Return a Labels layer over a recording's Image layer, with its structures' names and colours.

    The names are in the column ``structure`` of the layer's features: napari's status bar shows
    that of the label under the cursor.
    """
    structures = recording.structures
    return (
        masks_THW,
        {
            **_placed(recording),
            "name": name,
            "visible": visible,
            "metadata": {METADATA_KEY: recording_facts(recording)},
            "colormap": label_colors(structures),
            "features": label_features(structures),
            "opacity": MASK_OPACITY,
            "multiscale": False,
        },
        "labels",
    )


def label_colors(structures: StructureSet) -> dict[int | None, tuple[float, float, float, float]]:
    """Return the colour of every label value, for ``DirectLabelColormap``; others are white."""
    colors: dict[int | None, tuple[float, float, float, float]] = {
        None: (1.0, 1.0, 1.0, 1.0),
        0: (0.0, 0.0, 0.0, 0.0),
    }
    for label, structure in enumerate(structures, start=1):
        red, green, blue = (value / 255 for value in structure.color_rgb)
        colors[label] = (red, green, blue, 1.0)
    return colors


def label_features(structures: StructureSet) -> dict[str, list[Any]]:
    """Return the table of label values and structure names."""
    names = ["background", *structures.names]
    return {"index": list(range(len(names))), "structure": names}


def recording_facts(recording: Recording) -> dict[str, Any]:
    """Return what is known about a recording, as plain data for JSON.

    ``source``, ``subject``, ``name``; ``timestamps_ns`` and ``frame_numbers``, one per frame;
    ``even_times``, whether the layer's time axis matches them; ``frame_period_s``;
    ``spacing_mm`` as row, column, or None; ``area`` as top, left, bottom, right, or None;
    ``structures`` with names and colours in label order; ``labelled``, positions with a mask.
    """
    area = recording.area
    return {
        "source": str(recording.source),
        "subject": recording.subject,
        "name": recording.name,
        "frames": len(recording),
        "timestamps_ns": recording.timestamps_ns.tolist(),
        "frame_numbers": recording.frame_numbers.tolist(),
        "frame_period_s": frame_period_s(recording),
        "even_times": has_even_times(recording),
        "spacing_mm": None if recording.spacing_mm is None else list(recording.spacing_mm),
        "area": None if area is None else [area.top, area.left, area.bottom, area.right],
        "structure_set": recording.structures.name,
        "structures": [
            {"name": structure.name, "color_rgb": list(structure.color_rgb)}
            for structure in recording.structures
        ],
        "labelled": list(recording.labelled),
    }


def frame_period_s(recording: Recording) -> float:
    """Return the median time between frames, or 0.04 s for a single frame."""
    if len(recording) < 2:
        return _NOMINAL_PERIOD_S
    return float(np.median(np.diff(recording.timestamps_ns))) / 1e9


def has_even_times(recording: Recording) -> bool:
    """Whether every frame was captured when an axis of even steps shows it."""
    times_s = recording.timestamps_ns / 1e9
    period_s = frame_period_s(recording)
    shown_s = times_s[0] + period_s * np.arange(len(times_s))
    return bool(np.all(np.abs(times_s - shown_s) <= _EVEN * period_s))


def recording_of(data: Any, meta: Mapping[str, Any]) -> Recording:
    """Return the recording that a layer shows, or make one from the layer's own array.

    Any other array is read as THW (or HW), grey or colour; unless it has 8 bits, the layer's
    contrast limits become black and white. Time and spacing come from scale and units; without
    units they are 25 Hz and unknown.

    Args:
        data: the layer's data.
        meta: the layer's attributes, as ``layer.as_layer_data_tuple()`` gives them.

    Raises:
        RecordingError: the array has other axes than time, rows and columns.
    """
    if isinstance(data, LazyStack):
        return data.recording
    is_colour = bool(meta.get("rgb"))
    shape = tuple(getattr(data, "shape", ()))[: -1 if is_colour else None]
    name = str(meta.get("name", "layer"))
    if len(shape) not in (2, 3) or meta.get("multiscale"):
        raise RecordingError(
            f"the layer {name!r} has an array of shape {tuple(getattr(data, 'shape', ()))}; "
            "expected one image or a time series of images (time, rows, columns)"
        )
    count = shape[0] if len(shape) == 3 else 1
    period_s, spacing_mm = _steps(meta, len(shape))
    facts = facts_of(meta)
    if len(facts.get("timestamps_ns", ())) == count:
        times_ns = np.asarray(facts["timestamps_ns"], np.int64)
        numbers = np.asarray(facts["frame_numbers"], np.int64)
        spacing_mm = tuple(facts["spacing_mm"]) if facts["spacing_mm"] else None
    else:
        numbers = np.arange(count, dtype=np.int64)
        times_ns = np.rint(numbers * period_s * 1e9).astype(np.int64)
    return Recording(
        source=Path(facts.get("source", name)),
        subject=str(facts.get("subject", name)),
        name=str(facts.get("name", name)),
        images=_ArrayStack(data, len(shape) == 2, is_colour, meta.get("contrast_limits")),
        timestamps_ns=times_ns,
        frame_numbers=numbers,
        structures=structures_of(meta) or NERVE_VESSEL,
        spacing_mm=spacing_mm,
    )


def facts_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of the recording that a layer was made from; empty if there is none."""
    found = (meta.get("metadata") or {}).get(METADATA_KEY)
    return found if isinstance(found, dict) else {}


def structures_of(meta: Mapping[str, Any]) -> StructureSet | None:
    """Return the structures that a Labels layer names in its features or facts, or None."""
    names = _named(meta.get("features")) or [
        str(structure["name"]) for structure in facts_of(meta).get("structures", ())
    ]
    return known_structures(names) if names else None


def known_structures(names: list[str]) -> StructureSet:
    """Return the named set that has these names in this order, or a new set."""
    for known in NAMED_SETS.values():
        if list(known.names) == names:
            return known
    return structure_set(names)


def label_names(count: int) -> StructureSet:
    """Return names for labels that have only numbers.

    >>> label_names(2).names
    ('label 1', 'label 2')
    """
    return structure_set([f"label {label}" for label in range(1, count + 1)])


class _ArrayStack:
    """The frames of a layer's own array, as uint8 grey."""

    def __init__(self, data: Any, is_still: bool, is_colour: bool, limits: Any) -> None:
        self._data, self._is_still, self._is_colour = data, is_still, is_colour
        self._limits = limits

    def __len__(self) -> int:
        return 1 if self._is_still else int(self._data.shape[0])

    def __getitem__(self, index: int, /) -> Image:
        pixels = np.asarray(self._data if self._is_still else self._data[index])
        if pixels.dtype != np.uint8:
            low, high = self._limits or (float(pixels.min()), float(pixels.max()))
            span = (high - low) or 1.0
            pixels = np.clip((pixels.astype(np.float32) - low) * (255 / span), 0, 255)
            pixels = np.rint(pixels).astype(np.uint8)
        if not self._is_colour:
            return np.ascontiguousarray(pixels)
        from sonotempo.io.grey import grey  # noqa: PLC0415  # colour layers are rare

        return grey(pixels, Path("layer"))


def _placed(recording: Recording) -> dict[str, Any]:
    """Return scale, units and axis labels."""
    row, column = recording.pixel_size
    length = "pixel" if recording.spacing_mm is None else "mm"
    if recording.rate_is_assumed:
        return {
            "scale": (1.0, row, column),
            "units": ("pixel", length, length),
            "axis_labels": COUNTED_LABELS,
        }
    return {
        "scale": (frame_period_s(recording), row, column),
        "units": ("s", length, length),
        "axis_labels": AXIS_LABELS,
    }


def _steps(meta: Mapping[str, Any], axes: int) -> tuple[float, Spacing | None]:
    """Return the seconds between frames and the spacing, from a layer's scale and units."""
    scale = [float(step) for step in meta.get("scale", (1.0,) * axes)]
    units = [str(unit) for unit in meta.get("units") or ("pixel",) * axes]
    period_s = _converted(scale[0], units[0], "second") if axes == 3 else None
    row_mm = _converted(scale[-2], units[-2], "millimeter")
    column_mm = _converted(scale[-1], units[-1], "millimeter")
    known = None if row_mm is None or column_mm is None else (row_mm, column_mm)
    return period_s or _NOMINAL_PERIOD_S, known


def _converted(step: float, unit: str, wanted: str) -> float | None:
    """Return a step in another unit, or None where it cannot be converted."""
    import pint  # noqa: PLC0415  # napari has loaded it by the time a layer exists

    try:
        registry = pint.get_application_registry()  # type: ignore[no-untyped-call]  # pint's gap
        value = float(registry.Quantity(step, unit).to(wanted).magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _named(features: Any) -> list[str]:
    """Return the structure names in a features table, in label order; empty if there are none."""
    if features is None or "structure" not in features or "index" not in features:
        return []
    rows = zip(features["index"], features["structure"], strict=True)
    names = {int(index): str(name).strip() for index, name in rows}
    names.pop(0, None)
    if not names or sorted(names) != list(range(1, len(names) + 1)):
        return []
    return [names[label] for label in range(1, len(names) + 1)]
