"""Measure the live engines end to end: from a frame to the labels of every arm, in one run.

    .venv/bin/python scripts/bench_engine.py                      # the ready-made axillary pair
    .venv/bin/python scripts/bench_engine.py --model pair.onnx
    .venv/bin/python scripts/bench_engine.py --quick              # only checks that it works

Each engine that works here segments the same simulated frames of 640x480, in turns of a few frames,
so that other load affects all alike. ``cuda`` replays a CUDA graph; ``cuda, no graph`` starts every
kernel by itself, as the engine does where a graph cannot be captured.
Two times are given: to the labels on the network's grid with every structure's confidence, which is
what a live stream shows, and to the mask and the confidence of every pixel in the frame's shape.
Their probabilities are compared with ONNX Runtime's on the CPU.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy.ndimage import zoom

from _measure import cpu_name, verdict
from sonotempo.errors import ModelError
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.cuda import has_cuda
from sonotempo.live.models.cuda_engine import CudaEngine
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.openvino_engine import has_openvino
from sonotempo.live.models.ready import READY_FOLDER
from sonotempo.phantom.cohort import recorded
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.phantom.simulate import cast
from sonotempo.recording import Frame

FRAME_HW = (480, 640)
GOAL_MS = 1.5
TURN = 20
NO_GRAPH = "cuda, no graph"


def main() -> None:
    """Measure every model on every engine and print the table."""
    parser = argparse.ArgumentParser(description="Measure the live engines end to end.")
    parser.add_argument("--model", type=Path, action="append", help="an .onnx file; repeatable")
    parser.add_argument("--rounds", type=int, default=20, help=f"turns of {TURN} frames each")
    parser.add_argument("--quick", action="store_true", help="two turns")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    names = [NO_GRAPH, "cuda"] if has_cuda() else []
    names += [*(["openvino"] if has_openvino() else []), "onnxruntime"]
    print(f"{cpu_name()}, frames of {FRAME_HW[1]}x{FRAME_HW[0]}, {rounds * TURN} frames each")
    for path in options.model or [READY_FOLDER / "axillary-pair.onnx"]:
        measure(path, names, rounds)


def measure(path: Path, names: list[str], rounds: int) -> None:
    """Print one line for each engine."""
    frames = simulated_frames()
    with ExitStack() as stack:
        predictors = {name: stack.enter_context(opened(path, name)) for name in names}
        print(f"{path.name} ({', '.join(predictors[names[0]].model.arms)})")
        grid: dict[str, list[float]] = {name: [] for name in names}
        whole: dict[str, list[float]] = {name: [] for name in names}
        fit: dict[str, list[float]] = {name: [] for name in names}
        network: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, predictor in predictors.items():
                for frame in frames[:TURN]:
                    grid[name].append(timed(partial(predictor.step_on_grid, frame)))
                    network[name].append(predictor.inference_ns / 1e6)
                    fit[name].append(predictor.preprocess_ns / 1e6)
                for frame in frames[:TURN]:
                    whole[name].append(timed(partial(predictor.step, frame)))
        for name, predictor in predictors.items():
            on_grid, in_frame = np.array(grid[name][TURN:]), np.array(whole[name][TURN:])
            parts = {"fit": fit[name], "network and labels": network[name]}
            listed = ", ".join(f"{part} {np.median(ms[TURN:]):.2f}" for part, ms in parts.items())
            print(
                f"  {name}: to labels and confidences p50 {np.median(on_grid):.2f} ms, p95 "
                f"{np.percentile(on_grid, 95):.2f} ms ({listed}); to masks in the frame's shape "
                f"p50 {np.median(in_frame):.2f} ms [{predictor.engine}]"
            )
            print(f"    against ONNX Runtime on the CPU: {difference(path, name, frames)}")
        if "cuda" in predictors and len(predictors["cuda"].model.members) > 1:
            pair_ms = float(np.median(grid["cuda"][TURN:]))
            print(f"  goal: a pair in {GOAL_MS} ms, {verdict(pair_ms <= GOAL_MS)}")


@contextmanager
def opened(path: Path, name: str) -> Iterator[OnnxPredictor]:
    """Open a model on an engine."""
    with ExitStack() as stack:
        if name == NO_GRAPH:
            with patch("sonotempo.live.models.engines.CudaEngine", _without_graphs):
                predictor = stack.enter_context(OnnxPredictor(path, "cuda"))
        else:
            predictor = stack.enter_context(OnnxPredictor(path, name))
        yield predictor


def _without_graphs(path: Path, card: ModelCard, *, graph: bool) -> CudaEngine:
    if graph:
        raise ModelError("not wanted here")
    return CudaEngine(path, card, graph=False)


def difference(path: Path, name: str, frames: list[Frame]) -> str:
    """Return how far the results of a stream are from those of ONNX Runtime on the CPU."""
    farthest, agreeing, pixels = 0.0, 0, 0
    with opened(path, name) as mine, opened(path, "onnxruntime") as theirs:
        for frame in frames:
            for a, b in zip(mine.step(frame), theirs.step(frame), strict=True):
                assert a.confidence_HW is not None
                assert b.confidence_HW is not None
                farthest = max(farthest, float(np.abs(a.confidence_HW - b.confidence_HW).max()))
                agreeing += int((a.mask_HW == b.mask_HW).sum())
                pixels += a.mask_HW.size
    return (
        f"probabilities differ by at most {farthest:.1e}, {1 - agreeing / pixels:.1e} of the "
        f"labels over {len(frames)} frames"
    )


def simulated_frames() -> list[Frame]:
    """Return two seconds of a simulated scan, stretched to the size of a scanner's frames."""
    settings = PhantomConfig(seconds=2, size=240, frame_rate_hz=20, event_rate=0, subjects=1)
    found = []
    for number, frame in enumerate(recorded(cast(settings, 0), settings)):
        height, width = frame.image_HW.shape
        image_HW = zoom(frame.image_HW, (FRAME_HW[0] / height, FRAME_HW[1] / width), order=1)
        found.append(Frame(image_HW, number, 0, (0.1, 0.1)))
    return found


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds the work took."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
