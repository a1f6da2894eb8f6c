"""Open every file of a folder with sonotempo's readers and with independent ones, and compare.

    .venv/bin/python scripts/check_readers.py FOLDER [FOLDER …]

Each file is `equal` (same frames, to one grey level), `differs` (how), `refused` (why), `opened`
where no independent reader exists, or `not a recording`. Independent are pydicom for DICOM,
SimpleITK for MetaImage and NRRD, PyAV read from start to end for videos, and Pillow for images. The
exit status is 1 if a file differs, or if something other than a sentence comes of it. `--pydicom`
adds the files that travel with pydicom.
"""

import argparse
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydicom.pixels import apply_color_lut, apply_voi_lut, pixel_array
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sonotempo.errors import SonotempoError
from sonotempo.io import open_recording
from sonotempo.io.formats import format_of, is_mask, is_recording
from sonotempo.recording import Recording

Frames = list[NDArray[np.uint8]]
# One level of grey: how a value is rounded is free.
TOLERATED = 1
_UNCHECKED = "opened"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare sonotempo's readers with others.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pydicom", action="store_true", help="pydicom's own files too")
    options = parser.parse_args()
    files = [path for folder in options.folders for path in sorted(folder.rglob("*"))]
    if options.pydicom:
        files += pydicom_files()
    raise SystemExit(report([path for path in files if path.is_file()]))


def pydicom_files() -> list[Path]:
    """Return the files that travel with pydicom; none is downloaded."""
    return sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"))


def report(files: list[Path]) -> int:
    """Check files, print the table, and return 1 if any differs."""
    console = Console(width=200, soft_wrap=True)
    rows = [(path, *checked(path)) for path in track(files, "reading", console=console)]
    table = Table(box=None)
    for title in ("file", "format", "outcome", ""):
        table.add_column(title, overflow="fold")
    for path, name, outcome, how in rows:
        if outcome not in ("not a recording", "equal"):
            table.add_row("/".join(path.parts[-3:]), name, outcome, how)
    console.print(table)
    counts = Counter(outcome for _, _, outcome, _ in rows)
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    return int(counts["differs"] + counts["crash"] > 0)


def checked(path: Path) -> tuple[str, str, str]:
    """Return the format of a file, the outcome, and how it differs or why it is refused."""
    known = format_of(path)
    if known is None or not is_recording(path) or is_mask(path):
        return "", "not a recording", ""
    try:
        recording = open_recording(path)
        ours = [frame.image_HW for frame in recording]
    except SonotempoError as error:
        return known.name, "refused", str(error).replace(str(path), path.name)
    except Exception as error:  # noqa: BLE001  # that is what this script looks for
        return known.name, "crash", f"{type(error).__name__}: {error}"
    read = READERS.get(known.name)
    if read is None:
        return known.name, _UNCHECKED, f"{len(ours)} frames, no independent reader"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = read(path)
    except Exception as error:  # noqa: BLE001  # of any of five libraries
        return known.name, _UNCHECKED, f"the other reader fails: {type(error).__name__}: {error}"
    difference = compared(ours, theirs, recording)
    return known.name, "differs" if difference else "equal", difference


def compared(ours: Frames, theirs: Frames, recording: Recording) -> str:
    """Say how two readings differ; an empty text if they do not."""
    if len(theirs) != len(ours):
        # Frames that the file marks as invalid are left out.
        numbers = recording.frame_numbers
        if len(theirs) <= int(numbers[-1]):
            return f"{len(ours)} frames against {len(theirs)}"
        theirs = [theirs[number] for number in numbers]
    for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one.shape != other.shape:
            return f"frame {index} is {one.shape} against {other.shape}"
        apart = int(np.abs(one.astype(int) - other.astype(int)).max())
        if apart > TOLERATED:
            return f"frame {index} differs by up to {apart}"
    return ""


def by_pydicom(path: Path) -> Frames:
    """Decode the whole file as pydicom does."""
    header = pydicom.dcmread(path)
    pixels = pixel_array(header)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        # Its look-up reads tables in the order of the processor.
        if not header.file_meta.TransferSyntaxUID.is_little_endian:
            for colour in ("Red", "Green", "Blue"):
                element = header[f"{colour}PaletteColorLookupTableData"]
                element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
        pixels = apply_color_lut(pixels, header)
        pixels = pixels >> 8 if pixels.max() > 255 else pixels
    elif header.BitsStored > 8:
        whole = 2.0**header.BitsStored - 1
        pixels = np.rint(apply_voi_lut(pixels, header).astype(float) / whole * 255)
    is_palette = header.PhotometricInterpretation == "PALETTE COLOR"
    colour = is_palette or header.SamplesPerPixel > 1
    stack = pixels.astype(np.uint8)
    if stack.ndim == 2 + colour:
        stack = stack[None]
    grey = [_grey(frame) for frame in stack]
    inverted = header.PhotometricInterpretation == "MONOCHROME1"
    return [255 - frame for frame in grey] if inverted else grey


def by_simpleitk(path: Path) -> Frames:
    """Read with SimpleITK, and flip by PLUS's flag."""
    image = sitk.ReadImage(str(path))
    pixels = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() not in (1, 3, 4):  # frames as the fastest axis
        pixels = np.moveaxis(pixels, -1, 0)
    stack = pixels if pixels.ndim > 2 + (pixels.shape[-1] in (3, 4)) else pixels[None]
    key = "UltrasoundImageOrientation"
    flag = image.GetMetaData(key)[:2] if image.HasMetaDataKey(key) else "MF"
    turned = [_grey(np.squeeze(frame)) for frame in stack]
    if flag[0] in "FN":
        turned = [frame.T for frame in turned]
    if "U" in flag:
        turned = [np.fliplr(frame) for frame in turned]
    return [np.flipud(frame) for frame in turned] if "N" in flag else turned


def by_pyav(path: Path) -> Frames:
    """Decode from start to end; turn by PyAV's angle, and repeat what AVI leaves out."""
    frames: Frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if path.suffix.lower() == ".avi" and frames and frame.pts is not None:
                frames += [frames[-1]] * (frame.pts - len(frames))
            frames.append(np.rot90(frame.to_ndarray(format="gray"), frame.rotation // 90))
    return frames


def by_pillow(path: Path) -> Frames:
    """Read every image of a file."""
    return list(_images(path))


def _images(path: Path) -> Iterator[NDArray[np.uint8]]:
    with Pillow.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            yield np.array(image.convert("RGB").convert("L"))


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array(Pillow.fromarray(frame[..., :3]).convert("L")) if frame.ndim == 3 else frame


READERS: dict[str, Callable[[Path], Frames]] = {
    "DICOM": by_pydicom,
    "MetaImage": by_simpleitk,
    "NRRD": by_simpleitk,
    "video": by_pyav,
    "image stack": by_pillow,
    "image": by_pillow,
}

if __name__ == "__main__":
    main()
