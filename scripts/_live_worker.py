"""One process of scripts/bench_live.py: writes the files to measure, or times one engine.

Its argument is its task as JSON. As an engine it reads lines ``time N``, segments the next N frames
and answers @[milliseconds, …], from the frame to the mask in the frame's own shape.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.recording import Frame

#: The arms of each file.
ARMS = {
    "frame": ("frame",),
    "sequence": ("sequence",),
    "pair": ("frame", "sequence"),
    "aligned": ("sequence_aligned",),
    "aligned pair": ("frame", "sequence_aligned"),
}
PRECISIONS = ("fp32", "fp16", "int8")


def main() -> None:
    """Do the task."""
    spec = json.loads(sys.argv[1])
    if spec["kind"] == "make":
        write_files(Path(spec["folder"]), spec["size"])
        return
    step = torch_step(spec) if spec["kind"] == "torch" else onnx_step(spec)
    frames_THW = np.load(Path(spec["folder"]) / "frames.npy")
    position = 0
    for line in sys.stdin:
        times_ms = []
        for _ in range(int(line.split()[1])):
            frame = Frame(frames_THW[position % len(frames_THW)], position, 0, (0.1, 0.1))
            began = time.perf_counter()
            step(frame)
            times_ms.append((time.perf_counter() - began) * 1e3)
            position += 1
        print("@" + json.dumps(times_ms), flush=True)


def onnx_step(spec: dict[str, Any]) -> Callable[[Frame], object]:
    """Return the step of an exported file."""
    predictor = OnnxPredictor(
        Path(spec["path"]),
        spec["engine"],
        spec["threads"],
        along_motion=spec.get("along_motion", False),
    )
    return predictor.step


def torch_step(spec: dict[str, Any]) -> Callable[[Frame], object]:
    """Return the step of the torch network in the requested memory layout."""
    import torch  # noqa: PLC0415  (only in this process)

    from sonotempo.training.torch_predictor import TorchPredictor  # noqa: PLC0415

    torch.set_num_threads(spec["threads"])
    size = OnnxPredictor(Path(spec["folder"]) / "frame.fp32.onnx").model.input_size
    model = networks()["frame"]
    predictor = TorchPredictor(model, size, "frame")  # converts to channels last
    if spec["layout"] == "eager":
        model.to(memory_format=torch.contiguous_format)
    return predictor.step


def networks() -> Any:
    """Return the paper's networks with random weights, one encoder for both."""
    import torch  # noqa: PLC0415

    from sonotempo.config import ModelConfig  # noqa: PLC0415
    from sonotempo.models import build_model  # noqa: PLC0415

    torch.manual_seed(0)
    frame = build_model(
        "frame", ModelConfig(memory_strides=(4, 8), memory_channels="half"), classes=6
    ).eval()
    sequence = build_model(
        "sequence", ModelConfig(memory_strides=(4, 8), memory_channels="half"), classes=6
    ).eval()
    aligned = build_model(
        "sequence_aligned", ModelConfig(memory_strides=(4, 8), memory_channels="half"), classes=6
    ).eval()
    for model in (sequence, aligned):
        model.start_from(frame)
    return {"frame": frame, "sequence": sequence, "sequence_aligned": aligned}


def write_files(folder: Path, size: int) -> None:
    """Export every model in every precision; int8 is calibrated on noise."""
    from sonotempo.export.graph import export_graph, write_card  # noqa: PLC0415
    from sonotempo.export.quantization import to_half, to_int8  # noqa: PLC0415
    from sonotempo.structures import AXILLARY  # noqa: PLC0415

    models = networks()
    random = np.random.default_rng(0)
    clip = [random.random((1, 1, size, size), np.float32) for _ in range(4)]
    for name, arms in ARMS.items():
        full, half, int8 = (folder / f"{name}.{precision}.onnx" for precision in PRECISIONS)
        card = export_graph({arm: models[arm] for arm in arms}, AXILLARY, size, full)
        to_half(full, half)
        to_int8(full, int8, card, iter([iter(clip)]))
        write_card(half, replace(card, precision="fp16"))
        write_card(int8, replace(card, precision="int8"))


if __name__ == "__main__":
    main()
