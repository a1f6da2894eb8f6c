"""Reading OpenIGTLink messages from a socket, within limits, and images from messages."""

import socket
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonotempo.errors import SourceError
from sonotempo.recording import Image, Spacing

HEADER_BYTES = 58
#: A larger message is no ultrasound image: garbage, or another protocol.
LARGEST_BYTES = 64_000_000
# The weights of ITU-R BT.601, as everywhere else where colour becomes grey.
_GREY = np.array((0.299, 0.587, 0.114), np.float32)


class Silent(Exception):
    """Nothing arrived in time."""


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """An image as a peer sent it.

    Attributes:
        device: its name there.
        image_HW: uint8 grey.
        spacing_mm: as (row, column); None where the peer does not know it.
        timestamp_ns: by the peer's clock.
    """

    device: str
    image_HW: Image
    spacing_mm: Spacing | None
    timestamp_ns: int


def import_pyigtl() -> Any:
    """Return pyigtl's messages.

    Raises:
        SourceError: pyigtl is missing.
    """
    try:
        from pyigtl import messages  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise SourceError(
            "OpenIGTLink needs pyigtl; install it with: pip install 'sonotempo[igtl]'"
        ) from error
    return messages


def received(peer: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Wait for the next message, at most as long as the socket's timeout.

    Returns:
        The fields of its header, and its body.

    Raises:
        Silent: nothing came; try again.
        SourceError: what came is no OpenIGTLink message.
        OSError: the connection is lost.
    """
    header = _exactly(peer, HEADER_BYTES, may_be_silent=True)
    try:
        fields: dict[str, Any] = import_pyigtl().MessageBase.parse_header(header)
    except (ValueError, UnicodeDecodeError) as error:
        raise SourceError("the peer sends something else than OpenIGTLink messages") from error
    if fields["header_version"] not in (1, 2, 3) or not fields["message_type"].isprintable():
        raise SourceError("the peer sends something else than OpenIGTLink messages")
    if fields["body_size"] > LARGEST_BYTES:
        raise SourceError(
            f"the peer announces a message of {fields['body_size'] / 1e6:.0f} MB, more than the "
            f"{LARGEST_BYTES / 1e6:.0f} MB that an image may have"
        )
    return fields, _exactly(peer, fields["body_size"])


def image_in(fields: dict[str, Any], body: bytes) -> ReceivedImage:
    """Take an image out of an IMAGE message.

    Raises:
        SourceError: it is damaged, or no 8-bit picture of one plane.
    """
    messages = import_pyigtl()
    message = messages.ImageMessage()
    try:
        message.unpack(fields, body)
        voxels_KJIC = np.asarray(message.image)
    except Exception as error:  # pyigtl checks nothing: any error of its parts can come
        raise SourceError(
            f"an image of {fields['device_name']} is damaged ({type(error).__name__}: {error})"
        ) from error
    if voxels_KJIC.dtype != np.uint8 or voxels_KJIC.shape[0] != 1 or not voxels_KJIC.size:
        raise SourceError(
            f"{fields['device_name']} sends {voxels_KJIC.dtype} images of "
            f"{'x'.join(map(str, voxels_KJIC.shape))} voxels (planes x rows x columns); expected "
            "8-bit images of one plane"
        )
    plane = voxels_KJIC[0]
    if plane.ndim == 3:
        is_colour = plane.shape[-1] >= 3
        plane = np.rint(plane[..., :3] @ _GREY).astype(np.uint8) if is_colour else plane[..., 0]
    columns = np.linalg.norm(message.ijk_to_world_matrix[:3, :2], axis=0)
    return ReceivedImage(
        fields["device_name"],
        np.ascontiguousarray(plane),
        _spacing(float(columns[1]), float(columns[0])),
        round(fields["timestamp"] * 1e9),
    )


def _spacing(row_mm: float, column_mm: float) -> Spacing | None:
    """Return the size of a pixel; None of 1 by 1, which peers send that do not know it."""
    if not (np.isfinite((row_mm, column_mm)).all() and row_mm > 0 and column_mm > 0):
        return None
    if abs(row_mm - 1) < 1e-6 and abs(column_mm - 1) < 1e-6:
        return None
    return (round(row_mm, 6), round(column_mm, 6))


def _exactly(peer: socket.socket, count: int, *, may_be_silent: bool = False) -> bytes:
    data = bytearray(count)
    view, filled = memoryview(data), 0
    while filled < count:
        try:
            taken = peer.recv_into(view[filled:])
        except TimeoutError as error:
            if may_be_silent and filled == 0:
                raise Silent from error
            raise ConnectionError("the peer stopped in the middle of a message") from error
        if taken == 0:
            raise ConnectionError("the peer has closed the connection")
        filled += taken
    return bytes(data)
