"""Measure the speed of augmentation against MONAI's, as a ratio from one run.

    .venv/bin/python scripts/bench_augmentation.py

scripts/bench_training.py measures what augmentation and reading cost within training.

Run it on an otherwise idle machine: two threads that wait for each other lose far more to another
busy program than two processes of one thread do.

The figure is clips per second of sonotempo's six augmentations and of the same six as MONAI
dictionary transforms. Both take the same fitted uint8 frames (batches of 4 clips, 8 frames,
256×256) and return float32 network input in 0–1 and uint8 masks; both draw once per clip with the
same probabilities and ranges; both may use 2 CPU threads. sonotempo augments a whole batch in the
training process. MONAI augments clip by clip, with frames as channels so that they share a draw,
in two set-ups, of which the faster counts: in the training process with 2 threads, and in a
DataLoader with 2 worker processes of 1 thread each. Each figure is the fastest of 5 alternating
rounds. Gamma, rotation and elastic deformation are MONAI's own transforms; it has no ultrasound
shadow, depth cut or JPEG, so these are short dictionary transforms with NumPy and Pillow.
"""

import argparse
import io
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import (
    Compose,
    MapTransform,
    Rand2DElasticd,
    RandAdjustContrastd,
    RandomizableTransform,
    RandRotated,
    ScaleIntensityRanged,
)
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sonotempo.config import AugmentConfig
from sonotempo.data.augment import Augmentation
from sonotempo.data.resampling import REFERENCE_SIZE

THREADS = 2
BATCH, FRAMES, SIZE = 4, 8, 256
ROUNDS = 5
# More than the batches that workers hold ready, which take no time to fetch.
WARM_UP_STEPS = 6


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description="Measure augmentation against MONAI's.")
    parser.add_argument("--seconds", type=float, default=15, help="time for each measurement")
    seconds = parser.parse_args().seconds
    torch.set_num_threads(THREADS)
    measure_augmentation(seconds)


def measure_augmentation(seconds: float) -> None:
    """Print clips per second of both implementations, and their ratio."""
    config = AugmentConfig()
    frames_BTHW, masks_BTHW = example_clips()
    augmentation = Augmentation(config)
    generator = torch.Generator().manual_seed(0)
    peer = monai_transforms(config, SIZE)
    peer.set_random_state(0)

    def ours() -> int:
        augmentation(frames_BTHW, masks_BTHW, generator)
        return len(frames_BTHW)

    def in_process() -> int:
        pairs = zip(frames_BTHW, masks_BTHW, strict=True)
        clips = [peer({"image": frames, "mask": masks}) for frames, masks in pairs]
        torch.stack([clip["image"] for clip in clips])
        torch.stack([clip["mask"] for clip in clips])
        return len(clips)

    loader = DataLoader(
        EndlessClips(frames_BTHW, masks_BTHW, peer), batch_size=BATCH, num_workers=THREADS
    )
    batches: Iterator[dict[str, Tensor]] = iter(loader)

    def in_workers() -> int:
        return len(next(batches)["image"])

    print(f"augmentation, {BATCH} clips of {FRAMES} frames, {SIZE}x{SIZE}, {THREADS} threads")
    rates = fastest_rounds(
        {
            "sonotempo": ours,
            "MONAI in the training process": in_process,
            f"MONAI in {THREADS} workers": in_workers,
        },
        seconds,
    )
    for name, rate in rates.items():
        print(f"  {name}: {rate:.1f} clips/s")
    own = rates.pop("sonotempo")
    print(f"  sonotempo / faster MONAI: {own / max(rates.values()):.1f}x")


def fastest_rounds(steps: dict[str, Callable[[], int]], seconds: float) -> dict[str, float]:
    """Return each step's clips per second: the fastest of alternating rounds.

    Other programs can only slow a round down, so the fastest round is the best estimate.
    """
    rates = dict.fromkeys(steps, 0.0)
    for _ in range(ROUNDS):
        for name, step in steps.items():
            rates[name] = max(rates[name], clips_a_second(step, seconds / ROUNDS))
            # Workers fill their queue before the next step is timed.
            time.sleep(1)
    return rates


def clips_a_second(step: Callable[[], int], seconds: float) -> float:
    """Call a step repeatedly for some seconds and return its rate."""
    for _ in range(WARM_UP_STEPS):
        step()
    clips, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        clips += step()
    return clips / (time.perf_counter() - start)


def example_clips() -> tuple[Tensor, Tensor]:
    """Return smooth random frames and masks of two structures, (B, T, H, W) uint8."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(BATCH, FRAMES, 32, 32, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")
    frames = (smooth * 255).to(torch.uint8)
    return frames, (frames > 150).to(torch.uint8) + (frames > 200).to(torch.uint8)


def monai_transforms(config: AugmentConfig, size: int) -> Compose:
    """Return the six augmentations of a clip {"image": THW, "mask": THW}, in sonotempo's order."""
    both, modes = ("image", "mask"), ("bilinear", "nearest")
    reach_px = config.elastic_px * size / REFERENCE_SIZE
    return Compose(
        [
            ScaleIntensityRanged("image", a_min=0, a_max=255, b_min=0, b_max=1),
            Rand2DElasticd(
                both,
                spacing=size / (config.elastic_grid - 1),
                magnitude_range=(0, reach_px),
                prob=config.elastic_probability,
                mode=modes,
                padding_mode="zeros",
            ),
            RandRotated(
                both,
                range_x=math.radians(config.rotation_degrees),
                prob=config.rotation_probability,
                mode=modes,
                padding_mode="zeros",
            ),
            RandShadowd(config),
            RandDepthd(config),
            RandAdjustContrastd("image", prob=config.gamma_probability, gamma=config.gamma),
            RandJpegd(config),
            AsPlaind(both),
        ]
    )


class RandShadowd(RandomizableTransform, MapTransform):
    """One Gaussian shadow on the image."""

    def __init__(self, config: AugmentConfig) -> None:
        MapTransform.__init__(self, "image")
        RandomizableTransform.__init__(self, config.shadow_probability)
        self.config = config

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Darken the image if drawn."""
        clip = dict(data)
        self.randomize(None)
        if self._do_transform:
            size = clip["image"].shape[-1]
            x, y = self.R.uniform(0, size, 2)
            sigma_x, sigma_y = self.R.uniform(*self.config.shadow_size, 2) * size
            rows, columns = np.ogrid[:size, :size]
            distance = ((columns - x) / sigma_x) ** 2 + ((rows - y) / sigma_y) ** 2
            kept = 1 - self.R.uniform(*self.config.shadow_strength) * np.exp(-distance / 2)
            clip["image"] = clip["image"] * torch.from_numpy(kept.astype(np.float32))
        return clip


class RandDepthd(RandomizableTransform, MapTransform):
    """A cut of the bottom in image and mask."""

    def __init__(self, config: AugmentConfig) -> None:
        MapTransform.__init__(self, ("image", "mask"))
        RandomizableTransform.__init__(self, config.depth_probability)
        self.config = config

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Set the rows below the cut to 0 if drawn."""
        clip = dict(data)
        self.randomize(None)
        if self._do_transform:
            cut = round(self.R.uniform(*self.config.depth_keep) * clip["image"].shape[-2])
            for key in self.key_iterator(clip):
                clip[key] = clip[key].clone()
                clip[key][:, cut:] = 0
        return clip


class RandJpegd(RandomizableTransform, MapTransform):
    """JPEG compression of every frame at one quality, by Pillow."""

    def __init__(self, config: AugmentConfig) -> None:
        MapTransform.__init__(self, "image")
        RandomizableTransform.__init__(self, config.jpeg_probability)
        self.config = config

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Compress and decompress if drawn."""
        clip = dict(data)
        self.randomize(None)
        if self._do_transform:
            worst, best = self.config.jpeg_quality
            quality = int(self.R.randint(worst, best + 1))
            frames = (clip["image"] * 255).round().to(torch.uint8).numpy()
            stored = np.stack([through_jpeg(frame, quality) for frame in frames])
            clip["image"] = torch.from_numpy(stored).float().div_(255)
        return clip


def through_jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    """Compress and decompress one grey uint8 frame in memory."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


class AsPlaind(MapTransform):
    """Plain tensors of the dtypes that training needs."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Drop MONAI's metadata."""
        clip = dict(data)
        types = {"image": torch.float32, "mask": torch.uint8}
        for key in self.key_iterator(clip):
            clip[key] = torch.as_tensor(clip[key]).to(types[str(key)])
            if hasattr(clip[key], "as_tensor"):
                clip[key] = clip[key].as_tensor()
        return clip


class EndlessClips(Dataset[dict[str, Tensor]]):
    """The same few clips repeated, each augmented when it is read."""

    def __init__(self, frames_BTHW: Tensor, masks_BTHW: Tensor, transform: Compose) -> None:
        self.frames_BTHW, self.masks_BTHW, self.transform = frames_BTHW, masks_BTHW, transform

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip = index % len(self.frames_BTHW)
        pair = {"image": self.frames_BTHW[clip], "mask": self.masks_BTHW[clip]}
        transformed: dict[str, Tensor] = self.transform(pair)
        return transformed


if __name__ == "__main__":
    main()
