"""Measure how long training waits for data, and how its memory grows with the data.

    .venv/bin/python scripts/bench_training.py
    .venv/bin/python scripts/bench_training.py --device cuda

With ``--device cuda`` it prints how many frames a second the GPU trains on, for both arms, and the
share of the time in which it computes, against a plain loop with MONAI's dictionary transforms
(scripts/_training_speed.py). The rest of this text is about the measurement without it.

Run it on an otherwise idle machine. It takes 2 to 4 minutes on 2 cores and 1 GB in the temporary
folder; ``--quick`` only checks that the script works. scripts/bench_augmentation.py compares the
augmentation with MONAI's.

Waiting is the share of a training step that passes before its batch is available, for the sequence
arm with 4 clips of 8 frames, 256×256, in a real Lightning training on the CPU.
Everything between the end of one step and the start of the next counts as waiting: cutting the
epoch's windows, reading from the memory-mapped cache, joining clips, moving them to the device,
and Lightning's own work. The rest of the step is augmentation with faults, and the model with
loss, gradients and optimiser. It is measured with the cached files in the system's page
cache, where they stay if the data fit, and again with the files dropped from it, which needs Linux
and a temporary folder on a disk.

Memory is the peak of a fresh process that opens and caches 10, 100 and 1000 recordings of 8 frames
and reads the same number of batches from each. The goal is for anonymous memory, which belongs to
the process alone; Linux reports it, and it is sampled every 5 ms. Resident memory also counts
pages of mapped files, which the system reclaims when it needs memory.
"""

import argparse
import json
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from _measure import memory, peak_memory, verdict
from _training_speed import measure_speed
from sonotempo.config import DataConfig, Experiment, SequenceConfig
from sonotempo.data.cache import CachedRecording
from sonotempo.data.clips import Clips
from sonotempo.io.writers import write_sequence
from sonotempo.models import build_model
from sonotempo.phantom.cohort import recorded, write_cohort
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.phantom.simulate import cast
from sonotempo.training.cohort import open_cohort
from sonotempo.training.progress import RunProgress
from sonotempo.training.stage import stage_of
from sonotempo.training.task import SegmentationTask

BATCH, FRAMES = 4, 8
WAITING_GOAL = 0.05
# From the fewest recordings to the most: a hundred times the pixels.
GROWTH_GOAL = 0.10
SUBJECTS, SUBJECT_FRAMES = 4, 40
# The first warms up, the second reads from the page cache, the third after dropping it.
EPOCHS = 3
# One clip of each of 1000 recordings.
BATCHES = 250
CHILD_SECONDS = 300
MB = 1e6


def main() -> None:
    """Run and print every measurement."""
    parser = argparse.ArgumentParser(description="Measure waiting and memory in training.")
    parser.add_argument("--quick", action="store_true", help="small frames, few recordings")
    parser.add_argument(
        "--device",
        choices=("auto", "cuda"),
        default="auto",
        help="cuda: measure how fast the GPU trains, and against MONAI, instead",
    )
    parser.add_argument("--seconds", type=float, default=5, help="per training, with --device")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # Exit through the context managers, which end the child and remove the files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    size = 64 if options.quick else 256
    if options.memory_of is not None:
        print(json.dumps(measured_memory(options.memory_of, size)))
        return
    if options.device == "cuda":
        measure_gpu(size, options.seconds, options.quick)
        return
    measure_waiting(size)
    measure_memory((2, 8, 32) if options.quick else (10, 100, 1000), size, options.quick)


def measure_waiting(size: int) -> None:
    """Print the shares of a training step."""
    # sonotempo.training, imported first, makes lightning importable with any torchvision.
    import lightning  # noqa: PLC0415

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    with tempfile.TemporaryDirectory() as folder:
        experiment = experiment_in(Path(folder), size)
        write_cohort(Path(folder) / "data", cohort_of(SUBJECTS, SUBJECT_FRAMES, size))
        task = TimedTask(experiment, opened_and_cached(experiment))
        lightning.Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            reload_dataloaders_every_n_epochs=1,
        ).fit(task)
    print(
        f"training step, {BATCH} clips of {FRAMES} frames, {size}x{size}, on {task.device.type}, "
        f"{torch.get_num_threads()} threads"
    )
    for epoch in task.epochs[1:]:
        whole = epoch.waiting + epoch.working
        waiting, augmentation = epoch.waiting / whole, epoch.augmentation / whole
        print(
            f"  files {'dropped from' if epoch.dropped else 'in'} the page cache: "
            f"{whole / epoch.steps:.3f} s a step ({epoch.steps} steps): waiting {waiting:.2%}, "
            f"augmentation {augmentation:.2%}, model {1 - waiting - augmentation:.2%}; goal: "
            f"waiting at most {WAITING_GOAL:.0%}, {verdict(waiting <= WAITING_GOAL)}"
        )


def measure_gpu(size: int, seconds: float, quick: bool) -> None:
    """Print how fast both arms are trained; ``quick`` runs on a CPU too."""
    if not torch.cuda.is_available() and not quick:
        sys.exit("torch finds no CUDA GPU here; leave --device out to measure the CPU")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    if torch.cuda.is_available():
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        measure_speed(Path(folder), 3 if quick else 64, size, seconds)


def measure_memory(counts: tuple[int, ...], size: int, quick: bool) -> None:
    """Print the peak memory of opening, caching and reading growing numbers of recordings."""
    print(f"memory, recordings of {FRAMES} frames, {BATCHES} batches of {BATCH} clips")
    peaks = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_recordings(Path(folder) / "data", count, size)
            # run() kills the child if anything interrupts it.
            child = subprocess.run(
                [sys.executable, __file__, "--memory-of", folder, *(["--quick"] * quick)],
                check=True,
                stdout=subprocess.PIPE,
                timeout=CHILD_SECONDS,
            )
        peaks.append(json.loads(child.stdout))
        shown = ", ".join(f"{name} {in_mb(value)}" for name, value in peaks[-1].items())
        print(f"  {count} recordings: {shown}")
    first, last = peaks[0], peaks[-1]
    if first["peak anonymous"] is None:
        print("  anonymous memory is measured on Linux only")
        return
    grown = {name: last[name] - first[name] for name in first}
    share = grown["peak anonymous"] / first["peak anonymous"]
    print(
        "  the goal is for anonymous memory, which belongs to the process alone; resident memory "
        "also counts mapped file pages, which the system can reclaim"
    )
    print(
        f"  from {counts[0]} to {counts[-1]} recordings the files grow by "
        f"{in_mb(grown['frames and masks'])}, peak anonymous memory by "
        f"{in_mb(grown['peak anonymous'])} or {share:.1%}; goal: flat (at most "
        f"{GROWTH_GOAL:.0%}), {verdict(share <= GROWTH_GOAL)}"
    )


@dataclass(slots=True)
class Epoch:
    """Seconds of one epoch by part; augmentation is a part of working."""

    dropped: bool
    steps: int = 0
    waiting: float = 0.0
    working: float = 0.0
    augmentation: float = 0.0


class TimedTask(SegmentationTask):
    """The sequence arm as a job trains it, with a clock between the parts of a step."""

    def __init__(self, experiment: Experiment, recordings: tuple[CachedRecording, ...]) -> None:
        model = build_model("sequence", experiment.model, experiment.structures.channels)
        model.freeze(encoder=experiment.model.share_encoder == "frozen", normalization=True)
        stage = stage_of("sequence", experiment)
        super().__init__(model, stage, experiment, train=recordings, validation=(), seed=0)
        self.epochs: list[Epoch] = []
        self._files = [path for r in recordings for path in r.folder.glob("*.npy")]
        self._last = 0.0

    def on_train_epoch_start(self) -> None:
        """Reset the clock; in every other epoch drop the files first, which is not counted."""
        start = time.perf_counter()
        drops = self.current_epoch % 2 == 0 and drop_from_page_cache(self._files)
        self.epochs.append(Epoch(drops))
        self._last += time.perf_counter() - start

    def on_train_batch_start(self, batch: Clips, batch_index: int) -> None:
        """Count the time until the batch was available as waiting."""
        self.epochs[-1].waiting += self._lap()

    def on_train_batch_end(self, outputs: Any, batch: Clips, batch_index: int) -> None:
        """Count the time of the step as working."""
        self.epochs[-1].working += self._lap()
        self.epochs[-1].steps += 1

    def augmented(self, batch: Clips, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augment as in training, and time it."""
        start = time.perf_counter()
        result = super().augmented(batch, generator)
        self.epochs[-1].augmentation += time.perf_counter() - start
        return result

    def _lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def measured_memory(folder: Path, size: int) -> dict[str, float | None]:
    """Open, cache and read the recordings of a folder; return this process's memory in bytes."""
    before = memory("RssAnon")
    with sampled_anonymous() as samples:
        experiment = experiment_in(folder, size)
        recordings = opened_and_cached(experiment)
        task = TimedTask(experiment, recordings)
        epochs = chain.from_iterable(task.train_dataloader() for _ in repeat(None))
        for _ in islice(epochs, BATCHES):
            pass  # each batch is read, joined and discarded
    return {
        "frames and masks": sum(r.frames_TSS().nbytes + r.masks_MSS().nbytes for r in recordings),
        "anonymous at the start": before,
        "peak anonymous": max(samples, default=None),
        "peak resident": peak_memory(),
    }


@contextmanager
def sampled_anonymous() -> Iterator[list[float]]:
    """Sample this process's anonymous memory in bytes in a thread; Linux only, else empty."""
    samples: list[float] = []
    done = threading.Event()

    def sample() -> None:
        while (value := memory("RssAnon")) is not None:
            samples.append(value)
            if done.wait(0.005):
                return

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def experiment_in(folder: Path, size: int) -> Experiment:
    """Return the default experiment at the measured length and size."""
    return Experiment(
        name="bench",
        data=DataConfig(
            root=folder / "data", structures="axillary", input_size=size, cache=folder / "cache"
        ),
        sequence=SequenceConfig(
            batch_size=BATCH, clip_frames=FRAMES, backpropagation_frames=FRAMES
        ),
    )


def cohort_of(subjects: int, frames: int, size: int) -> PhantomConfig:
    """Return the settings of a simulated cohort without dropped or frozen frames."""
    rate_hz = PhantomConfig().frame_rate_hz
    return PhantomConfig(subjects=subjects, seconds=frames / rate_hz, size=size, event_rate=0)


def opened_and_cached(experiment: Experiment) -> tuple[CachedRecording, ...]:
    """Open the recordings and fit them to the grid, as every training does."""
    return open_cohort(experiment, RunProgress(Console(quiet=True))).recordings


def write_recordings(root: Path, count: int, size: int) -> None:
    """Write recordings with different content, each with its last frame labelled."""
    cohort = cohort_of(1, FRAMES, size)
    frames = list(recorded(cast(cohort, 0), cohort))
    images_THW = np.stack([frame.image_HW for frame in frames])
    random = np.random.default_rng(1)
    for number in range(count):
        images_THW[:, :8] = random.integers(256, size=(FRAMES, 8, size), dtype=np.uint8)
        write_sequence(
            root / f"subject-{number:04d}" / "sequence-0",
            "frame",
            images_THW,
            [*[None] * (FRAMES - 1), frames[-1].mask_HW],
            spacing_mm=(0.3, 0.3),
            timestamps_ns=np.arange(FRAMES, dtype=np.int64) * 50_000_000,
        )


def drop_from_page_cache(files: list[Path]) -> bool:
    """Drop the contents of files from the page cache; return whether the system can."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def in_mb(size: float | None) -> str:
    """Return bytes as MB, or that they were not measured."""
    if size is None or math.isnan(size):
        return "not measured on this system"
    return f"{size / MB:.1f} MB"


if __name__ == "__main__":
    main()
