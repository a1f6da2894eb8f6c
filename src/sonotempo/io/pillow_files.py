"""Image files through Pillow: named formats only, and no more pixels than the limits allow.

Left to itself, Pillow opens whatever is inside a file, and hands PostScript to another program.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.bounded_file import BoundedFile
from sonotempo.io.limits import limits

#: What is opened, whatever the suffix of the file.
PILLOW_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


@contextmanager
def opened_image(
    path: Path, check: Callable[[Pillow.Image, Path], None] = lambda image, path: None
) -> Iterator[Pillow.Image]:
    """Open and check an image; errors, also while reading, become one sentence.

    Raises:
        RecordingError: it cannot be read, is too large, or ``check`` refuses it.
    """
    with (
        guarded(f"{path} cannot be read as an image", "copy or export it again", RecordingError),
        BoundedFile(path) as file,
    ):
        try:
            with warnings.catch_warnings():
                # Our own limit is lower and has a sentence.
                warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
                image = Pillow.open(file, formats=PILLOW_FORMATS)
        except UnidentifiedImageError as error:
            raise RecordingError(
                f"{path} cannot be read as an image (its content is not {_KINDS}); copy or export "
                "it again"
            ) from error
        with image:
            limits().check_frame(path, image.height, image.width)
            check(image, path)
            yield image


def frame_count(image: Pillow.Image) -> int:
    """Return how many images a file holds."""
    return int(getattr(image, "n_frames", 1))


def go_to_frame(image: Pillow.Image, index: int, path: Path) -> None:
    """Go to another image of the file, whose size may differ from the first.

    Raises:
        RecordingError: it is too large.
    """
    image.seek(index)
    limits().check_frame(path, image.height, image.width)


_KINDS = f"{', '.join(PILLOW_FORMATS[:-1])} or {PILLOW_FORMATS[-1]}"
