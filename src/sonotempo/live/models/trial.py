"""A model's first step in a process that can be ended, where the graph does not tell how long.

A graph of a hundred bytes can loop for years, and a runtime in the same process cannot be
interrupted.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from sonotempo.errors import ModelError
from sonotempo.guard import in_few_words, shortened
from sonotempo.live.spawning import exit_words

#: How long loading a model and its first step may take together.
LONGEST_FIRST_STEP_S = 30.0


def require_first_step(
    path: Path, inputs: dict[str, tuple[int, ...]], scores: str, size: int
) -> bool:
    """Run a model once on noise in another process; return whether its scores sum to 1.

    Args:
        path: the ``.onnx`` file.
        inputs: the shape of each input.
        scores: the output to look at, NCHW.
        size: side of the image, for messages.

    Raises:
        ModelError: the step fails, does not end in time, or ends the process.
    """
    request = json.dumps({"path": str(path), "inputs": inputs, "scores": scores})
    command = [sys.executable, "-m", "sonotempo.live.models.trial"]
    try:
        ended = subprocess.run(
            command,
            input=request,
            capture_output=True,
            text=True,
            timeout=LONGEST_FIRST_STEP_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{path} has not finished its first step within {LONGEST_FIRST_STEP_S:g} s, so it "
            "cannot be used on a stream; choose another model"
        ) from error
    what = f"{path} cannot run on an image of {size}x{size} pixels"
    if ended.returncode:
        how = exit_words(ended.returncode) or shortened(ended.stderr)
        raise ModelError(f"{what} (its process ended: {how}); choose another model")
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    if "problem" in answer:
        raise ModelError(f"{what} ({answer['problem']}); choose another model")
    return bool(answer["sums_to_1"])


def _run_once(request: dict[str, Any]) -> dict[str, object]:
    """Run a model on noise for the image and zeros for the rest."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            request["path"], options, providers=["CPUExecutionProvider"]
        )
        names = list(request["inputs"])
        random = np.random.default_rng(0)
        tensors = {name: np.zeros(request["inputs"][name], np.float32) for name in names}
        tensors[names[0]] = random.random(request["inputs"][names[0]]).astype(np.float32)
        (scores_1KSS,) = session.run([request["scores"]], tensors)
        sums = scores_1KSS.sum(axis=1)
        sums_to_1 = scores_1KSS.min() >= 0 and np.allclose(sums, 1, atol=1e-2)
    except Exception as error:  # noqa: BLE001  # ONNX Runtime's errors have no common base class
        return {"problem": in_few_words(error)}
    return {"sums_to_1": bool(sums_to_1)}


if __name__ == "__main__":
    print(json.dumps(_run_once(json.load(sys.stdin))))
