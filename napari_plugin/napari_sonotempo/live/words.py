"""The texts on the picture: structures' names at their centres, and the models' titles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray

from napari_sonotempo.live.picture import spread

_SIZE_PT = 9
_LINE_PX = 15.0  # on the canvas
_IN_PLACE = {"thumbnail": False, "highlight": False, "extent": False}


class Words:
    """One Points layer that shows only texts; absent ones are empty.

    Args:
        viewer: gets the layer.
        count: the number of texts.
        units: of the layer.
    """

    def __init__(self, viewer: Any, count: int, units: str) -> None:
        # Since napari 0.9 the camera belongs to the scene.
        self._camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
        self._texts = [""] * count
        self.layer: Points = viewer.add_layer(
            Points(
                np.zeros((count, 2)),
                name="names",
                size=1e-3,
                face_color="transparent",
                border_color="transparent",
                features={"name": list(self._texts)},
                text={"string": "{name}", "size": _SIZE_PT, "color": "white"},
                units=units,
                ndim=2,
            )
        )

    @property
    def line(self) -> float:
        """The height of a line of text at the present zoom, in world units."""
        return _LINE_PX / max(float(self._camera.zoom), 1e-9)

    def write(
        self,
        fixed: Sequence[str],
        fixed_places: NDArray[np.float64],
        names: Sequence[str],
        places: NDArray[np.float64],
    ) -> None:
        """Write titles and names at their places; names move down where they would overlap.

        Args:
            fixed: the titles.
            fixed_places: row and column of each, in world units.
            names: the structures' names.
            places: of the names; NaN for absent structures.
        """
        texts = [
            *fixed,
            *(
                "" if np.isnan(place[0]) else name
                for name, place in zip(names, places, strict=True)
            ),
        ]
        # Absent names are placed at a title, so that they do not widen the view.
        moved = np.where(np.isnan(places), fixed_places[:1], spread(places, names, self.line))
        self.layer.data[...] = np.vstack([fixed_places, moved])
        if texts == self._texts:
            self.layer.refresh(**_IN_PLACE)
        else:
            self._texts = texts
            self.layer.features = {"name": texts}
            self.layer.refresh_text()
