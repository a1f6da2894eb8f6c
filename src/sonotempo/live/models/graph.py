"""The inputs and outputs of an ONNX graph, read without running it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from sonotempo.errors import ModelError
from sonotempo.guard import guarded
from sonotempo.live.models.screening import require_contained

#: The sides of a tensor; those that the graph leaves open are None.
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A graph's inputs and outputs: names with their shapes, unknown sides as None."""

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str]


def read_interface(path: Path) -> Interface:
    """Read a graph's inputs, outputs and metadata.

    Raises:
        ModelError: no such file, not an ONNX model, or one that needs other code or other files.
    """
    remedy = "it is damaged, or another kind of file: export or copy it again"
    with guarded(f"{path} cannot be read as an ONNX model", remedy, ModelError):
        session = open_session(path)
        return Interface(
            inputs={one.name: _shape(one.shape) for one in session.get_inputs()},
            outputs={one.name: _shape(one.shape) for one in session.get_outputs()},
            metadata=dict(session.get_modelmeta().custom_metadata_map),
        )


def open_session(path: Path) -> Any:
    """Open a graph for inspection."""
    if not path.is_file():
        raise ModelError(f"no model at {path}; give an .onnx file, as `sonotempo export` writes it")
    require_contained(path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base class
        reason = " ".join(str(error).split()).rpartition("] : ")[2]
        raise ModelError(_refusal(path, reason)) from error


def _refusal(path: Path, reason: str) -> str:
    """Return what is wrong with a file and what to do, from ONNX Runtime's words."""
    if "IR version" in reason or "opset" in reason.lower():
        kind = "IR" if "IR version" in reason else "opset"
        found = re.search(rf"(?:{kind} version:? |{kind} )(\d+)", reason, re.IGNORECASE)
        number = f" {found[1]}" if found else ""
        return (
            f"{path} uses ONNX {kind} version{number}, which is too new for the installed ONNX "
            f"Runtime {onnxruntime.__version__}; update onnxruntime, or export the model for an "
            f"older {kind}"
        )
    return (
        f"{path} cannot be read as an ONNX model ({reason}); it is damaged, or another kind of "
        "file: export or copy it again"
    )


def fits(shape: Shape, wanted: Sequence[int]) -> bool:
    """Whether a shape is the wanted one; open sides fit anything."""
    return len(shape) == len(wanted) and all(
        side in (None, want) for side, want in zip(shape, wanted, strict=True)
    )


def spelled(shape: Sequence[int | None]) -> str:
    """Write a shape as ``1x3x?x?``."""
    return "x".join("?" if side is None else str(side) for side in shape) or "a single number"


def listed(named: Mapping[str, Sequence[int | None]]) -> str:
    """Write names with their shapes."""
    return ", ".join(f"{name} {spelled(shape)}" for name, shape in named.items()) or "nothing"


def _shape(sides: Sequence[Any]) -> Shape:
    """Return a shape; sides with a name instead of a number are open."""
    return tuple(side if isinstance(side, int) else None for side in sides)
