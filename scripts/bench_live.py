"""Measure every live engine against FAST, in one interleaved run; ratios first.

    .venv/bin/python scripts/bench_live.py                 # the paper's network, 256x256
    .venv/bin/python scripts/bench_live.py --quick         # only checks that the script works
    .venv/bin/python scripts/bench_live.py --endurance     # 100 000 frames: does the cost grow?

Each row is a separate process. The processes take turns of a few frames, round after round, so
that other load on the machine affects all of them equally: read ratios, not milliseconds. The
network is that of the seed paper (8 to 256 channels, 6 classes) with random weights: time does not
depend on them. Frames are 640x480. Ours are measured end to end, from the frame to the mask in the
frame's own shape. FAST (PyPI: pyfast; scripts/check_fast.py describes the installation) does less:
its mask stays on the network's grid.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from _live_worker import ARMS, PRECISIONS
from _measure import cpu_name, memory, peak_memory, verdict
from _metronome import Metronome
from _workers import FAST_VARIABLE, Worker, fast_python, fast_worker
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.models.cuda import has_cuda
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.openvino_engine import has_openvino
from sonotempo.live.pipeline import Pipeline
from sonotempo.live.stream_statistics import PipelineStatistics
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Frame

FRAME_HW = (480, 640)
FASTER_THAN_FAST = 1.6
PREPARATION_MS = 2.0
ADDED_MS = 3.0
GROWTH_MB = 5.0
MB = 1e6


@dataclass(frozen=True)
class Row:
    """One process that is measured."""

    title: str
    times_ms: list[float]

    @property
    def p50_ms(self) -> float:
        """The median."""
        return float(np.median(self.times_ms))

    @property
    def p10_ms(self) -> float:
        """The tenth percentile: the least disturbed frames."""
        return float(np.percentile(self.times_ms, 10))

    @property
    def p95_ms(self) -> float:
        """The 95th percentile."""
        return float(np.percentile(self.times_ms, 95))


def main() -> None:
    """Run and print the requested measurements."""
    parser = argparse.ArgumentParser(description="Measure the live engines against FAST.")
    parser.add_argument("--quick", action="store_true", help="a small network, few frames")
    parser.add_argument("--endurance", action="store_true", help="many frames: time and memory")
    parser.add_argument("--frames", type=int, help="of the endurance run; 100 000 by default")
    parser.add_argument("--model", type=Path, help="an exported file for the endurance run")
    parser.add_argument("--only", nargs="+", default=[""], help='rows, as in "openvino pair int8"')
    parser.add_argument("--rounds", type=int, help="turns that every process takes")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="where to write all times")
    options = parser.parse_args()
    size = 64 if options.quick else 256
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.model is None:
            make(folder, size)
        if options.endurance:
            model = options.model or folder / "sequence.int8.onnx"
            frames = options.frames or (2_000 if options.quick else 100_000)
            measure_endurance(model, frames, options.threads)
            return
        rounds = options.rounds or (2 if options.quick else 12)
        rows = measure_engines(
            folder, rounds, 3 if options.quick else 6, options.threads, options.only
        )
        print_engines(rows, options.threads)
        measure_preparation(size)
        measure_pipeline(folder, options.threads, 3 if options.quick else 20)
        if options.json:
            times = {key: row.times_ms for key, row in rows.items()}
            options.json.write_text(json.dumps(times), encoding="utf-8")


def make(folder: Path, size: int) -> None:
    """Write every file that is measured, in a process that frees torch's memory when it ends."""
    print(f"exporting the paper's network for {size}x{size}, random weights …", flush=True)
    spec = {"kind": "make", "folder": str(folder), "size": size}
    subprocess.run(worker_command(spec), check=True)
    # Speckle that slides, so that motion is tracked as in a stream, to and fro without a jump.
    random = np.random.default_rng(0)
    speckle = gaussian_filter(random.rayleigh(1.0, (FRAME_HW[0], FRAME_HW[1] + 64)), 2.0) * 90
    scene = np.clip(speckle, 0, 255).astype(np.uint8)
    shifts = [*range(0, 64, 4), *range(64, 0, -4)]
    np.save(folder / "frames.npy", np.stack([scene[:, s : s + FRAME_HW[1]] for s in shifts]))


def measure_engines(
    folder: Path, rounds: int, frames: int, threads: int, only: list[str]
) -> dict[str, Row]:
    """Time every engine on every file that ``only`` selects, in turns; return the rows by key."""
    engines = [*(["cuda"] if has_cuda() else []), *(["openvino"] if has_openvino() else [])]
    workers: dict[str, tuple[str, Worker]] = {}
    for layout in ("eager", "channels last"):
        spec = {"kind": "torch", "folder": str(folder), "layout": layout, "threads": threads}
        workers[f"torch {layout}"] = (f"torch, {layout}: frame, fp32", Worker(worker_command(spec)))
    for engine in [*engines, "onnxruntime"]:
        workers |= engine_workers(folder, engine, threads)
    python = fast_python()
    if python is None:
        print(f"FAST is not measured: set {FAST_VARIABLE} to a Python that has pyfast")
    else:
        for engine in ("OpenVINO", "ONNXRuntime"):
            for precision in ("fp32", "int8"):
                path = folder / f"frame.{precision}.onnx"
                worker = fast_worker(python, path, folder / "frames.npy", engine)
                key = f"fast {engine} {precision}"
                workers[key] = (f"FAST with {engine}: frame, {precision}", worker)
    workers = {k: v for k, v in workers.items() if any(words in k for words in only)}
    times: dict[str, list[float]] = {key: [] for key in workers}
    with ExitStack() as stack:
        for _, worker in workers.values():
            stack.enter_context(worker)
        for key, (_, worker) in workers.items():
            worker.ask("time 3")  # loads and warms up
            print(f"  ready: {key}", flush=True)
        for number in range(rounds):
            for key, (_, worker) in workers.items():
                worker.ask("time 1")  # wakes up
                times[key] += worker.ask(f"time {frames}")
            print(f"  round {number + 1} of {rounds}", flush=True)
    return {key: Row(title, times[key]) for key, (title, _) in workers.items()}


def engine_workers(folder: Path, engine: str, threads: int) -> dict[str, tuple[str, Worker]]:
    """Start a process for every file on one engine, and for the frame model along the motion."""
    workers = {}
    for model, precision in product([*ARMS, "moving"], PRECISIONS):
        is_moving = model == "moving"
        spec = {
            "kind": "onnx",
            "folder": str(folder),
            "path": str(folder / f"{'frame' if is_moving else model}.{precision}.onnx"),
            "engine": engine,
            "threads": threads,
            "along_motion": is_moving,
        }
        what = "frame and along the motion" if is_moving else model
        title = f"{engine}: {what}, {precision}"
        workers[f"{engine} {model} {precision}"] = (title, Worker(worker_command(spec)))
    return workers


def worker_command(spec: dict[str, Any]) -> list[str]:
    """Return the command that starts a worker for a task."""
    return [sys.executable, str(Path(__file__).with_name("_live_worker.py")), json.dumps(spec)]


def print_engines(rows: dict[str, Row], threads: int) -> None:
    """Print the table as multiples of our fastest row, and whether the goals are met."""
    singles = {key: row for key, row in rows.items() if key.endswith(("frame int8", "frame fp32"))}
    ours = min((singles or rows).values(), key=lambda row: row.p50_ms)
    print(f"\n{cpu_name()}, {threads} threads a process; load {os.getloadavg()[0]:.1f}\n")
    print(
        "| engine: model, precision | p50, as a multiple | p10, as a multiple | p50 ms | p95 ms |"
    )
    print("|---|---:|---:|---:|---:|")
    for row in sorted(rows.values(), key=lambda row: row.p50_ms):
        ratio, undisturbed = row.p50_ms / ours.p50_ms, row.p10_ms / ours.p10_ms
        print(
            f"| {row.title} | {ratio:.2f} | {undisturbed:.2f} | {row.p50_ms:.1f} | "
            f"{row.p95_ms:.1f} |"
        )
    pairs = [row for key, row in rows.items() if key.endswith("pair int8")]
    for precision in ("fp32", "int8"):
        fast = [r for k, r in rows.items() if k.startswith("fast") and k.endswith(precision)]
        mine = [row for key, row in singles.items() if key.endswith(precision)]
        if not (fast and mine and pairs):
            continue
        theirs, same, pair = (min(some, key=lambda row: row.p50_ms) for some in (fast, mine, pairs))
        shipped = theirs.p50_ms / ours.p50_ms
        print(
            f"FAST's best on the {precision} file: {shipped:.2f} times our fastest ({ours.title}); "
            f"goal {FASTER_THAN_FAST}: {verdict(shipped >= FASTER_THAN_FAST)}; "
            f"{theirs.p50_ms / same.p50_ms:.2f} times ours on the same file"
        )
        print(
            f"  our pair ({pair.title}) takes {pair.p50_ms / theirs.p50_ms:.2f} of that; goal "
            f"(stretch) 1: {verdict(pair.p50_ms <= theirs.p50_ms)}"
        )


def measure_preparation(size: int) -> None:
    """Print the cost of a frame outside the network: fitting, labels, and mapping the mask back."""
    from sonotempo.live.models.labels import label_map  # noqa: PLC0415

    random = np.random.default_rng(0)
    frame = Frame(random.integers(0, 256, FRAME_HW, np.uint8), 0, 0, (0.1, 0.1))
    scores_KSS = random.random((6, size, size), np.float32)
    fit = fit_frame(frame, size)
    labels_SS, confidence_SS = label_map(scores_KSS)
    parts: dict[str, Callable[[], object]] = {
        "fit the frame": lambda: fit_frame(frame, size).image(frame.image_HW),
        "labels": lambda: label_map(scores_KSS),
        "mask back": lambda: fit.mask_back(labels_SS),
        "confidence back": lambda: fit.values_back(confidence_SS),
    }
    medians = {}
    for part, work_once in parts.items():
        times = []
        for _ in range(100):
            began = time.perf_counter()
            work_once()
            times.append((time.perf_counter() - began) * 1e3)
        medians[part] = float(np.median(times))
    total = sum(medians.values())
    listed = ", ".join(f"{part} {ms:.2f}" for part, ms in medians.items())
    print(
        f"\noutside the network, a 640x480 frame: {total:.2f} ms ({listed}); goal "
        f"{PREPARATION_MS}: {verdict(total <= PREPARATION_MS)}"
    )


def measure_pipeline(folder: Path, threads: int, seconds: float) -> None:
    """Print the time that buffer and threads add, with both arms on a 30 Hz stream."""
    frames_THW = np.load(folder / "frames.npy")
    for title, names in (("pair", ["pair"]), ("two files", ["frame", "sequence"])):
        source = Metronome(frames_THW, rate_hz=30, count=round(seconds * 30))
        with ExitStack() as stack:
            predictors = [
                stack.enter_context(OnnxPredictor(folder / f"{name}.int8.onnx", threads=threads))
                for name in names
            ]
            buffer = stack.enter_context(RingBuffer(2, 30, *FRAME_HW))
            pipeline = Pipeline(buffer, source, predictors, "newest", history_seconds=1)
            with pipeline:
                while pipeline.state == "running":
                    time.sleep(0.05)
            statistics = pipeline.statistics()
        print_pipeline(title, statistics)


def print_pipeline(title: str, statistics: PipelineStatistics) -> None:
    """Print one stream's statistics."""
    stages = statistics.stages
    added = stages["buffer"].p95_ms + stages["ready"].p95_ms
    kept_up = statistics.segmented / max(1, statistics.captured)
    print(
        f"pipeline, both arms int8 as {title}, 640x480 at 30 Hz: capture to ready p50 "
        f"{statistics.latency.p50_ms:.1f} ms, p95 {statistics.latency.p95_ms:.1f} ms; "
        f"buffer and bookkeeping p95 {added:.1f} ms, goal {ADDED_MS}: "
        f"{verdict(added <= ADDED_MS)}; {kept_up:.1%} of frames segmented, "
        f"{statistics.dropped} dropped"
    )


def measure_endurance(model: Path, count: int, threads: int) -> None:
    """Stream frames as fast as they are segmented; print time and memory along the way."""
    random = np.random.default_rng(0)
    frames_THW = random.integers(0, 256, (16, *FRAME_HW), np.uint8)
    marks: list[tuple[int, float, float, float]] = []
    with (
        OnnxPredictor(model, threads=threads) as predictor,
        RingBuffer(10, 30, *FRAME_HW) as buffer,
    ):
        print(f"{predictor.model.name}, {predictor.engine}: {count} frames", flush=True)
        # A few more than are measured: at the end the pipeline frees the buffer's memory.
        source = Metronome(frames_THW, rate_hz=None, count=count + count // 20)
        pipeline = Pipeline(buffer, source, [predictor], "every")
        source.wait_for = lambda number: number < done[0] + 100
        done = [0]
        began = time.monotonic()
        last, last_cpu = began, time.process_time()
        with pipeline:
            while pipeline.state == "running" and len(marks) < 20:
                time.sleep(0.02)
                newest = pipeline.newest()
                done[0] = newest.frame.index + 1 if newest else 0
                if done[0] >= (len(marks) + 1) * count // 20:
                    now, cpu = time.monotonic(), time.process_time()
                    frames = done[0] - (marks[-1][0] if marks else 0)
                    rss_mb = (memory("VmRSS") or peak_memory()) / MB
                    ms, cpu_ms = (now - last) / frames * 1e3, (cpu - last_cpu) / frames * 1e3
                    marks.append((done[0], ms, cpu_ms, rss_mb))
                    print(
                        f"  {done[0]:7d} frames: {ms:.2f} ms a frame, processor "
                        f"{cpu_ms:.2f} ms, memory {rss_mb:.1f} MB",
                        flush=True,
                    )
                    last, last_cpu = now, cpu
        if pipeline.error:
            raise pipeline.error
    # The first tenth is warm-up: the history fills and allocators settle.
    warm = marks[2:]
    spread = max(mark[3] for mark in warm) - min(mark[3] for mark in warm)
    half = len(warm) // 2
    early, late = (float(np.median([m[2] for m in part])) for part in (warm[:half], warm[half:]))
    print(
        f"after warm-up memory moves by {spread:.1f} MB (goal: ±{GROWTH_MB:.0f}, "
        f"{verdict(spread <= 2 * GROWTH_MB)}); processor time a frame {early:.2f} ms in the first "
        f"half, {late:.2f} ms in the second"
    )


if __name__ == "__main__":
    main()
