"""How an opened recording is first shown: from its beginning, with a scale bar in millimetres."""

from typing import Any

from napari_sonotempo.shared.layers import LayerData


def begin_here(layers: list[LayerData]) -> None:
    """Go to the first frame once the layers are in the viewer: napari begins in the middle.

    A viewer with other layers stays where it is.

    Args:
        layers: that napari is about to add.
    """
    from napari import current_viewer  # noqa: PLC0415  # only where there is one

    viewer = current_viewer()
    if viewer is None or len(viewer.layers):
        return
    has_mm = "mm" in layers[0][1].get("units", ())

    def begin(_: Any) -> None:
        viewer.layers.events.inserted.disconnect(begin)
        if viewer.dims.ndim >= 3:
            viewer.dims.set_current_step(0, 0)
        if has_mm:
            scale_bar_of(viewer).visible = True

    viewer.layers.events.inserted.connect(begin)


def scale_bar_of(viewer: Any) -> Any:
    """Return the viewer's scale bar, which belongs to the canvas since napari 0.9."""
    return viewer.canvas.overlays.scale_bar if hasattr(viewer, "canvas") else viewer.scale_bar
