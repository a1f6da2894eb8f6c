"""Run FAST (PyPI: pyfast) on an ONNX file and frames, in a separate process.

It needs only FAST and numpy, so it can run in a separate environment: FAST clashes with Qt
bindings. Its arguments are ``MODEL FRAMES.npy ENGINE`` (frames uint8 THW; engine ``OpenVINO`` or
``ONNXRuntime``), and it reads one command per line:

    time N       segment the next N frames; answers @[milliseconds, …], from array to mask
    masks PATH   segment all frames; writes their masks, uint8 THW, and answers @"PATH"
"""

import json
import sys
import time

import fast
import numpy as np


def main() -> None:
    """Answer commands until the input ends."""
    model, frames_path, engine = sys.argv[1:4]
    fast.Reporter.setGlobalReportMethod(fast.Reporter.NONE)
    frames_THW = np.load(frames_path)
    network = fast.SegmentationNetwork.create(model, scaleFactor=1 / 255, inferenceEngine=engine)
    position = 0
    for line in sys.stdin:
        verb, value = line.split(maxsplit=1)
        if verb == "time":
            times_ms = []
            for _ in range(int(value)):
                began = time.perf_counter()
                segmented(network, frames_THW[position % len(frames_THW)])
                times_ms.append((time.perf_counter() - began) * 1e3)
                position += 1
            answer(times_ms)
        else:
            np.save(value.strip(), np.stack([segmented(network, frame) for frame in frames_THW]))
            answer(value.strip())


def segmented(network: fast.SegmentationNetwork, frame_HW: np.ndarray) -> np.ndarray:
    """Return the mask of one frame, on the network's grid."""
    network.connect(fast.Image.createFromArray(np.ascontiguousarray(frame_HW)[..., None]))
    return np.asarray(network.runAndGetOutputData())[..., 0].copy()


def answer(value: object) -> None:
    """Print an answer, marked so that FAST's own output cannot be taken for it."""
    print("@" + json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
