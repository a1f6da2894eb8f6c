"""How fast a GPU trains, and how much of the time it computes: for scripts/bench_training.py.

The peer is the same network with the same loss, optimiser and precision, in a plain torch loop over
a DataLoader with MONAI's dictionary transforms, with each of several numbers of worker processes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset

from bench_augmentation import monai_transforms
from sonotempo.config import DataConfig, Experiment, SequenceConfig, TrainConfig
from sonotempo.data.cache import CachedRecording, cache_recording
from sonotempo.models import build_model
from sonotempo.phantom.cohort import recorded
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.phantom.simulate import PhantomFrame, cast
from sonotempo.recording import Image, Recording
from sonotempo.structures import AXILLARY
from sonotempo.training.losses import SegmentationLoss
from sonotempo.training.prefetch import Prepared
from sonotempo.training.stage import stage_of
from sonotempo.training.task import SegmentationTask

BATCH = 16
CLIP_FRAMES = {"frame": 1, "sequence": 8}
#: Frames of each recording.
RECORDED = 32
#: Steps before anything is measured: libraries choose kernels, and graphs are captured.
WARM_UP = 30


def experiment_for(folder: Path, size: int) -> Experiment:
    """Return the default experiment with batches of 16 frames, or 16 clips of 8 frames."""
    return Experiment(
        name="speed",
        data=DataConfig(
            root=folder / "data", structures="axillary", input_size=size, cache=folder / "cache"
        ),
        train=TrainConfig(batch_size=BATCH),
        sequence=SequenceConfig(
            batch_size=BATCH,
            clip_frames=CLIP_FRAMES["sequence"],
            backpropagation_frames=CLIP_FRAMES["sequence"],
        ),
    )


class ClockedTask(SegmentationTask):
    """An arm as a job trains it, that stops after some seconds and counts its steps."""

    def __init__(
        self,
        arm: str,
        experiment: Experiment,
        recordings: tuple[CachedRecording, ...],
        seconds: float,
        *,
        profiled: bool,
    ) -> None:
        torch.manual_seed(0)
        model = build_model(arm, experiment.model, experiment.structures.channels)
        if arm != "frame":
            model.freeze(encoder=True, normalization=True)
        stage = stage_of(arm, experiment)
        super().__init__(model, stage, experiment, train=recordings, validation=(), seed=0)
        self.seconds, self.profiled = seconds, profiled
        self.steps, self.elapsed, self.busy = 0, 0.0, 0.0
        self._began: float | None = None
        self._profile: Any = None

    def on_train_batch_end(self, outputs: Any, batch: Prepared, batch_index: int) -> None:
        """Start the clock after the warm-up; stop after the time."""
        if self._began is None:
            if self.global_step >= WARM_UP:
                _synchronize()
                if self.profiled:
                    self._profile = profile(activities=[ProfilerActivity.CUDA])
                    self._profile.start()
                self._began = time.perf_counter()
            return
        self.steps += 1
        if time.perf_counter() - self._began < self.seconds or self.elapsed:
            return
        _synchronize()
        self.elapsed = time.perf_counter() - self._began
        if self._profile is not None:
            self._profile.stop()
            self.busy = _union_seconds(self._profile)
        self.trainer.should_stop = True
        self.trainer.limit_train_batches = batch_index  # and ends the epoch


def train(arm: str, experiment: Experiment, recordings: Any, seconds: float, **more: bool) -> Any:
    """Train for some seconds through Lightning, as a job does; return the task."""
    import lightning  # noqa: PLC0415  (after sonotempo.training, which makes it importable)

    task = ClockedTask(arm, experiment, recordings, seconds, **more)
    lightning.Trainer(
        max_epochs=10_000,
        devices=1,
        precision="bf16-mixed" if _fast() else "32-true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
    ).fit(task)
    return task


def recordings_in(folder: Path, count: int, size: int) -> tuple[CachedRecording, ...]:
    """Return recordings of simulated frames, all labelled, on the network grid in a cache."""
    settings = PhantomConfig(
        subjects=1, seconds=RECORDED / PhantomConfig().frame_rate_hz, size=size, event_rate=0
    )
    frames = list(recorded(cast(settings, 0), settings))
    images_THW = np.stack([frame.image_HW for frame in frames])
    random = np.random.default_rng(1)
    found = []
    for number in range(count):
        images_THW[:, :8] = random.integers(256, size=(len(frames), 8, size), dtype=np.uint8)
        file = folder / f"recording-{number}.bin"
        file.write_bytes(images_THW[:, :8].tobytes())  # its content is its key in the cache
        recording = Recording(
            source=folder,
            subject=f"subject-{number}",
            name=f"subject-{number}/sequence-0",
            images=images_THW,
            timestamps_ns=np.arange(len(frames), dtype=np.int64) * 50_000_000,
            structures=AXILLARY,
            spacing_mm=(0.3, 0.3),
            mask_readers={i: partial(_mask_of, frame) for i, frame in enumerate(frames)},
            files=(file,),
        )
        found.append(cache_recording(recording, folder / "cache", size, None))
    return tuple(found)


def _mask_of(frame: PhantomFrame) -> Image:
    return frame.mask_HW


def measure_speed(folder: Path, count: int, size: int, seconds: float) -> None:
    """Print frames per second, the GPU's share, and MONAI's figures, for both arms."""
    experiment = experiment_for(folder, size)
    recordings = recordings_in(folder, count, size)
    for arm, frames in CLIP_FRAMES.items():
        per_step = BATCH * frames
        print(f"{arm}: {BATCH} clips of {frames} frames, {size}x{size}, six augmentations")
        own = 0.0
        for title, graphs in (("sonotempo, kernel by kernel", False), ("sonotempo", True)):
            chosen = experiment.model_copy(
                update={"train": experiment.train.model_copy(update={"cuda_graphs": graphs})}
            )
            task = train(arm, chosen, recordings, seconds, profiled=False)
            own = task.steps * per_step / task.elapsed
            line = f"  {title}: {own:.0f} frames/s, {1e3 * task.elapsed / task.steps:.2f} ms a step"
            if _on_gpu():
                task = train(arm, chosen, recordings, min(seconds, 2.0), profiled=True)
                line += (
                    f"; the GPU computes {task.busy / task.elapsed:.0%} of the time (profiled: "
                    f"{1e3 * task.elapsed / task.steps:.2f} ms a step)"
                )
            print(line, flush=True)
        best = 0.0
        for workers in _worker_counts():
            rate = peer_rate(arm, experiment, recordings, seconds, workers) * per_step
            best = max(best, rate)
            print(f"  MONAI's transforms, {workers} workers: {rate:.0f} frames/s", flush=True)
        print(f"  sonotempo / fastest MONAI: {own / best:.1f}x", flush=True)


class ClipList(Dataset[dict[str, Tensor]]):
    """Clips in memory, each transformed when it is read: MONAI's ``Dataset`` of dictionaries."""

    def __init__(self, clips: list[dict[str, Tensor]], transform: Any) -> None:
        self.clips, self.transform = clips, transform

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        transformed: dict[str, Tensor] = self.transform(dict(self.clips[index]))
        return transformed


def peer_rate(
    arm: str,
    experiment: Experiment,
    recordings: tuple[CachedRecording, ...],
    seconds: float,
    workers: int,
) -> float:
    """Return the steps per second of a plain training loop with MONAI's transforms."""
    device = torch.device("cuda" if _on_gpu() else "cpu")
    size, frames = experiment.data.input_size, CLIP_FRAMES[arm]
    clips = [
        {
            "image": torch.from_numpy(recording.frames_TSS()[start : start + frames].copy()),
            "mask": torch.from_numpy(recording.masks_MSS()[start : start + frames].copy()),
        }
        for recording in recordings
        for start in range(0, len(recording) - frames + 1, frames)
    ]
    loader = DataLoader(
        ClipList(clips, monai_transforms(experiment.augment, size)),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=_on_gpu(),
    )
    torch.manual_seed(0)
    model = build_model(arm, experiment.model, experiment.structures.channels).to(device).train()
    if arm != "frame":
        model.freeze(encoder=True, normalization=True)
    loss_of = SegmentationLoss(experiment.train.loss)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=experiment.train.learning_rate)
    fast = torch.autocast("cuda", torch.bfloat16) if _fast() else nullcontext()
    steps, began = 0, 0.0
    for number, batch in enumerate(_endless(loader)):
        if number == WARM_UP:
            _synchronize()
            began = time.perf_counter()
        x_BTCHW = batch["image"].to(device, non_blocking=True).unsqueeze(2)
        masks_BTHW = batch["mask"].to(device, non_blocking=True)
        with fast:
            logits_BTKHW, _ = model(x_BTCHW)
            loss = loss_of(logits_BTKHW.flatten(0, 1), masks_BTHW.flatten(0, 1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, experiment.train.gradient_clip_norm)
        optimizer.step()
        if number >= WARM_UP:
            steps += 1
            if time.perf_counter() - began > seconds:
                break
    _synchronize()
    return steps / (time.perf_counter() - began)


def _endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _union_seconds(profiled: Any) -> float:
    """Return how long at least one kernel or copy ran."""
    spans = sorted(
        (event.start_ns(), event.start_ns() + event.duration_ns())
        for event in profiled.profiler.kineto_results.events()
        if str(event.device_type()).endswith("CUDA")
    )
    total = reached = 0
    for start, end in spans:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1e9


def _worker_counts() -> list[int]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return sorted({0, 4, cores or 1}) if _on_gpu() else [0]


def _on_gpu() -> bool:
    return torch.cuda.is_available()


def _fast() -> bool:
    return _on_gpu() and torch.cuda.is_bf16_supported()


def _synchronize() -> None:
    if _on_gpu():
        torch.cuda.synchronize()
