"""What an ONNX file would do, read from its bytes before any runtime opens it.

Files that need other code (custom operators) or name other files (external data) are refused. The
names of the operators tell whether a step surely ends. Protocol buffers are walked here because the
``onnx`` package is not part of an installation that only runs models.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sonotempo.errors import ModelError
from sonotempo.guard import shown

# Operators whose time follows from the sizes of their inputs: what sonotempo exports, and the
# usual parts of other networks. There is no loop and no branch among them.
_PLAIN = frozenset(
    (  # noqa: SIM905  (one word a line would fill the page)
        "Add ArgMax AveragePool BatchNormalization Cast Clip Concat Constant Conv ConvTranspose "
        "DequantizeLinear Div Dropout Elu Erf Exp Flatten Gather Gemm GlobalAveragePool "
        "GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization "
        "LayerNormalization LeakyRelu LogSoftmax MatMul MaxPool Mul PRelu Pow QuantizeLinear "
        "ReduceMean Relu Reshape Resize Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tanh "
        "Transpose Unsqueeze"
    ).split()
)
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_DEEPEST = 64
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_EXTERNAL = 1

# Numbers of the fields that are followed, by message.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_EXTERNAL, _TENSOR_PLACE = 13, 14
_FUNCTION_NAME, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 7, 10


@dataclass(slots=True)
class _Found:
    """What was seen on the way through a file."""

    operators: set[tuple[str, str]] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    has_external: bool = False


def is_plain(path: Path) -> bool:
    """Whether a graph holds only operators whose time follows from its inputs.

    Raises:
        ModelError: the file is damaged, needs custom operators, or keeps data in other files.
    """
    found = _screened(path)
    return all(domain in ("", "ai.onnx") and name in _PLAIN for domain, name in found.operators)


def require_contained(path: Path) -> None:
    """Refuse a file that needs other code or other files.

    Raises:
        ModelError: it does, or it is damaged.
    """
    found = _screened(path)
    if found.has_external:
        raise ModelError(
            f"{path} keeps its weights in another file (external data), which is not read; export "
            "the model as one file"
        )
    known = {*found.functions}
    custom = sorted(
        name for name in found.operators if name[0] not in _KNOWN_DOMAINS and name not in known
    )
    if custom:
        domain, name = custom[0]
        raise ModelError(
            f"{path} needs the custom operator {shown(name)} of {shown(domain)}, which would need "
            "other code; export the model with the operators of ONNX"
        )


def _screened(path: Path) -> _Found:
    found = _Found()
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise ValueError("it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                _model(content, found)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} cannot be read as an ONNX model ({error}); it is damaged, or another kind of "
            "file: export or copy it again"
        ) from error
    return found


def _model(content: mmap.mmap, found: _Found) -> None:
    for number, begin, end in _fields(content, 0, len(content)):
        if number == _MODEL_GRAPH:
            _graph(content, begin, end, found, 0)
        elif number == _MODEL_FUNCTIONS:
            _function(content, begin, end, found)


def _function(content: mmap.mmap, begin: int, end: int, found: _Found) -> None:
    name = domain = ""
    for number, start, stop in _fields(content, begin, end):
        if number == _FUNCTION_NAME:
            name = content[start:stop].decode()
        elif number == _FUNCTION_DOMAIN:
            domain = content[start:stop].decode()
        elif number == _FUNCTION_NODE:
            _node(content, start, stop, found, 0)
    found.functions.add((domain, name))


def _graph(content: mmap.mmap, begin: int, end: int, found: _Found, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("its graphs are nested too deeply")
    for number, start, stop in _fields(content, begin, end):
        if number == _GRAPH_NODE:
            _node(content, start, stop, found, depth)
        elif number == _GRAPH_TENSOR:
            _tensor(content, start, stop, found)
        elif number == _GRAPH_SPARSE:
            _sparse(content, start, stop, found)


def _node(content: mmap.mmap, begin: int, end: int, found: _Found, depth: int) -> None:
    name = domain = ""
    for number, start, stop in _fields(content, begin, end):
        if number == _NODE_OPERATOR:
            name = content[start:stop].decode()
        elif number == _NODE_DOMAIN:
            domain = content[start:stop].decode()
        elif number == _NODE_ATTRIBUTE:
            for inner, first, last in _fields(content, start, stop):
                if inner in _ATTRIBUTE_GRAPHS:
                    _graph(content, first, last, found, depth + 1)
                elif inner in _ATTRIBUTE_TENSORS:
                    _tensor(content, first, last, found)
                elif inner in _ATTRIBUTE_SPARSE:
                    _sparse(content, first, last, found)
    found.operators.add((domain, name))


def _sparse(content: mmap.mmap, begin: int, end: int, found: _Found) -> None:
    for number, start, stop in _fields(content, begin, end):
        if number in (1, 2):  # values and indices
            _tensor(content, start, stop, found)


def _tensor(content: mmap.mmap, begin: int, end: int, found: _Found) -> None:
    for number, start, stop in _fields(content, begin, end):
        is_place = number == _TENSOR_PLACE and _varint(content, start, stop)[0] == _EXTERNAL
        if is_place or number == _TENSOR_EXTERNAL:
            found.has_external = True


def _fields(content: mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each field of a message, and where its value begins and ends."""
    at = begin
    while at < end:
        key, at = _varint(content, at, end)
        kind = key & 7
        if kind == _VARINT:
            stop = _varint(content, at, end)[1]
        elif kind == _BYTES:
            length, at = _varint(content, at, end)
            stop = at + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            stop = at + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise ValueError("it is no protocol buffer")
        if stop > end:
            raise ValueError("it is cut short")
        yield key >> 3, at, stop
        at = stop


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("it is cut short")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it is no protocol buffer")
