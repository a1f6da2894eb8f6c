"""Recordings whose pixels are computed on access, with one real file for the cache key."""

from pathlib import Path

import numpy as np

from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL


class Generated:
    """Noise frames that remember which of them were read."""

    def __init__(self, count, shape_HW=(40, 48), broken=(), seed=0):
        self.seed = seed
        self.count = count
        self.shape_HW = shape_HW
        self.broken = dict.fromkeys(broken) if not isinstance(broken, dict) else broken
        self.reads = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.reads.append(index)
        if index in self.broken:
            raise self.broken[index]
        return np.random.default_rng(index + 1000 * self.seed).integers(
            0, 256, self.shape_HW, np.uint8
        )


def half_and_half(shape_HW, label=1):
    """A mask whose left half has a label."""
    mask_HW = np.zeros(shape_HW, np.uint8)
    mask_HW[:, : shape_HW[1] // 2] = label
    return mask_HW


def make_recording(
    folder,
    count,
    *,
    numbers=None,
    labelled=None,
    masks=None,
    shape_HW=(40, 48),
    subject="anna",
    name="anna/one",
    content=b"pixels",
    broken=(),
    seed=0,
    **more,
):
    """A recording of ``count`` frames; ``masks`` maps frames to a mask or an error to raise."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    file = Path(folder) / "recording.bin"
    file.write_bytes(content)
    if masks is None:
        masks = dict.fromkeys(range(count) if labelled is None else labelled)
        masks = {index: half_and_half(shape_HW) for index in masks}

    def reader(mask):
        def read():
            if isinstance(mask, Exception):
                raise mask
            return mask

        return read

    return Recording(
        source=file,
        subject=subject,
        name=name,
        images=Generated(count, shape_HW, broken, seed),
        timestamps_ns=np.arange(count, dtype=np.int64) * 50_000_000,
        structures=NERVE_VESSEL,
        frame_numbers=np.asarray(numbers if numbers is not None else range(count), np.int64),
        mask_readers={index: reader(mask) for index, mask in masks.items()},
        files=(file,),
        **more,
    )
