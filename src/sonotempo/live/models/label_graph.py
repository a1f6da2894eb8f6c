"""The label map as nodes of the model's own graph, so that a GPU hands over labels, not scores.

A model file is a protocol buffer, and two of these joined end to end are one that holds the parts
of both. So the nodes are written here, and joined to a file without reading it: the base
installation has no library that edits ONNX. Field numbers are those of onnx.proto.
"""

from collections.abc import Iterator, Sequence

from sonotempo.live.models.card import ModelCard

_FLOAT, _UINT8, _INT64 = 1, 2, 7
_PREFIX = "sonotempo_label"


def label_outputs(member: int) -> tuple[str, str]:
    """Return the names of a member's outputs: labels uint8 1SS, and their probability float32."""
    return f"{_PREFIX}_{member}_mask", f"{_PREFIX}_{member}_probability"


def with_labels(model: bytes, card: ModelCard) -> bytes:
    """Return a model that has two more outputs for each of its members.

    They are exactly those of :func:`~sonotempo.live.models.labels.label_map`: the first label where
    probabilities are equal, and not a number where one of them is not.

    Args:
        model: the ``.onnx`` file's content.
        card: its description; its members must give probabilities, not logits.
    """
    channels, size = card.structures.channels, card.input_size
    parts = [_constant(_channel(label), _INT64, label) for label in range(channels)]
    parts += [_constant(_label(label), _UINT8, label) for label in range(channels)]
    for number, member in enumerate(card.members):
        parts += _label_nodes(number, member.probabilities, channels)
        mask, probability = label_outputs(number)
        parts.append(_output(mask, _UINT8, (1, size, size)))
        parts.append(_output(probability, _FLOAT, (1, size, size)))
    return model + _field(7, b"".join(parts))


def _label_nodes(member: int, scores: str, channels: int) -> Iterator[bytes]:
    """Compare a member's channels one after another, as ``label_map`` does."""
    prefix = f"{_PREFIX}_{member}"
    best, label = f"{prefix}_score_0", _label(0)
    yield _node("Gather", (scores, _channel(0)), best, axis=1)
    for channel in range(1, channels):
        score, is_larger = f"{prefix}_score_{channel}", f"{prefix}_larger_{channel}"
        is_last = channel == channels - 1
        mask_name, best_name = f"{prefix}_label_{channel}", f"{prefix}_best_{channel}"
        if is_last:
            mask_name, best_name = label_outputs(member)
        yield _node("Gather", (scores, _channel(channel)), score, axis=1)
        yield _node("Greater", (score, best), is_larger)
        yield _node("Where", (is_larger, _label(channel), label), mask_name)
        yield _node("Max", (best, score), best_name)
        best, label = best_name, mask_name


def _channel(number: int) -> str:
    return f"{_PREFIX}_channel_{number}"


def _label(number: int) -> str:
    return f"{_PREFIX}_value_{number}"


def _node(kind: str, inputs: Sequence[str], output: str, axis: int | None = None) -> bytes:
    fields = [*(_field(1, name.encode()) for name in inputs), _field(2, output.encode())]
    fields += [_field(3, output.encode()), _field(4, kind.encode())]
    if axis is not None:
        fields.append(_field(5, _field(1, b"axis") + _field(3, axis) + _field(20, 2)))
    return _field(1, b"".join(fields))


def _constant(name: str, kind: int, value: int) -> bytes:
    """Return a constant without axes."""
    width = {_UINT8: 1, _INT64: 8}[kind]
    raw = value.to_bytes(width, "little")
    return _field(5, _field(2, kind) + _field(8, name.encode()) + _field(9, raw))


def _output(name: str, kind: int, shape: Sequence[int]) -> bytes:
    sides = b"".join(_field(1, _field(1, side)) for side in shape)
    tensor = _field(1, kind) + _field(2, sides)
    return _field(12, _field(1, name.encode()) + _field(2, _field(1, tensor)))


def _field(number: int, value: bytes | int) -> bytes:
    """Encode one field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
