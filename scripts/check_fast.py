"""Compare FAST's masks from an exported file with sonotempo's, as shares of equal pixels.

    python -m venv fast && fast/bin/pip install pyfast
    export SONOTEMPO_FAST_PYTHON=fast/bin/python
    .venv/bin/python scripts/check_fast.py MODEL.onnx RECORDING

sonotempo does not need FAST (https://github.com/smistad/FAST). On Debian, FAST needs libusb-1.0-0,
ocl-icd-libopencl1 and pocl-opencl-icd. It thresholds every channel at 0.5, while sonotempo takes
the most probable one, so only pixels where one probability exceeds 0.5 count. Both receive the same
frames on the network grid. Only models without state can be compared: FAST cannot reset one.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _measure import verdict
from _workers import FAST_VARIABLE, fast_python, fast_worker
from sonotempo import SonotempoError, open_recording, structure_set
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Frame, Prediction

GOAL = 0.999
ENGINES = ("OpenVINO", "ONNXRuntime")


def main() -> int:
    """Compare and print; return 0 if every engine of FAST reaches the goal."""
    parser = argparse.ArgumentParser(description="Compare FAST's masks with sonotempo's.")
    parser.add_argument("model", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--frames", type=int, default=100, help="how many at most")
    options = parser.parse_args()
    python = fast_python()
    if python is None:
        print(f"FAST could not be imported; set {FAST_VARIABLE} to a Python that has pyfast")
        return 2
    try:
        shares = compared(python, options.model, options.recording, options.frames)
    except SonotempoError as error:
        print(error)
        return 2
    for engine, (same, counted) in shares.items():
        print(
            f"FAST with {engine}: {same / counted:.4%} of {counted} pixels are equal "
            f"(goal: {GOAL:.1%}, {verdict(same / counted >= GOAL)})"
        )
    return 0 if all(same / counted >= GOAL for same, counted in shares.values()) else 1


def compared(python: str, model: Path, source: Path, most: int) -> dict[str, tuple[int, int]]:
    """Return equal pixels and pixels where one probability exceeds 0.5, by engine of FAST."""
    with OnnxPredictor(model) as predictor, tempfile.TemporaryDirectory() as folder:
        if predictor.stateful or len(predictor.model.members) > 1:
            raise SonotempoError(f"{model} is a pair or has a state; give a frame model")
        recording = open_recording(source, structure_set("nerve+vessel"))  # the names do not matter
        size = predictor.model.input_size
        frames_TSS = np.stack(
            [
                fit_frame(recording[i], size, predictor.model.area).image(recording[i].image_HW)
                for i in range(min(most, len(recording)))
            ]
        )
        ours = [
            predictor.step(Frame(image_SS, i, 0, None))[0] for i, image_SS in enumerate(frames_TSS)
        ]
        mine_TSS = np.stack([prediction.mask_HW for prediction in ours])
        sure_TSS = np.stack([certain(prediction) for prediction in ours])
        frames = Path(folder) / "frames.npy"
        np.save(frames, frames_TSS)
        shares = {}
        for engine in ENGINES:
            with fast_worker(python, model.resolve(), frames, engine) as fast:
                theirs_TSS = np.load(fast.ask(f"masks {Path(folder) / 'masks.npy'}"))
            same = (theirs_TSS == mine_TSS) & sure_TSS
            shares[engine] = (int(same.sum()), int(sure_TSS.sum()))
    return shares


def certain(prediction: Prediction) -> NDArray[np.bool_]:
    """Return where the chosen structure's probability exceeds 0.5."""
    assert prediction.confidence_HW is not None  # an exported model always gives it
    return prediction.confidence_HW > 0.5


if __name__ == "__main__":
    sys.exit(main())
