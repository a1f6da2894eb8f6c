"""Compressed pixels, unpacked in bounded pieces; large ones into a temporary file."""

import bz2
import io
import shutil
import tempfile
import weakref
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.io.limits import limits

_PIECE_BYTES = 1 << 20
# Smaller pixels stay in memory: a file for each frame of a folder would take longer.
_IN_MEMORY_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Packed:
    """Compressed pixels in a file.

    Attributes:
        path: the file.
        offset: where they begin.
        size_bytes: what the header says that they become.
        frames: how many frames these are, for messages.
        packing: ``zlib`` means gzip too.
    """

    path: Path
    offset: int
    size_bytes: int
    frames: int
    packing: Literal["zlib", "bzip2"] = "zlib"

    def whole_frames(self, held_bytes: int) -> str:
        """Say how many frames so many bytes are."""
        return f"{held_bytes * self.frames // self.size_bytes} of {self.frames} frames"


def unpacked(packed: Packed) -> NDArray[np.uint8]:
    """Unpack pixels and return them, uint8 of one axis.

    Nothing beyond the announced size is unpacked, whatever the stream holds. A temporary file goes
    with the array.

    Raises:
        RecordingError: a limit is exceeded, the temporary folder has too little space, or the
            stream is damaged or ends early.
    """
    size_bytes = packed.size_bytes
    limits().check_unpacked(packed.path, size_bytes)
    if size_bytes <= _IN_MEMORY_BYTES:
        memory = io.BytesIO()
        _unpack(packed, memory)
        return np.frombuffer(memory.getbuffer(), np.uint8)
    free_bytes = shutil.disk_usage(tempfile.gettempdir()).free
    if size_bytes > free_bytes:
        raise RecordingError(
            f"the pixels of {packed.path} need {size_bytes / 1e6:.1f} MB of temporary space, and "
            f"{tempfile.gettempdir()} has {free_bytes / 1e6:.1f} MB; free some, or set TMPDIR to a "
            "folder on another disk"
        )
    target = tempfile.TemporaryFile()  # noqa: SIM115  (the map needs it as long as it lives)
    try:
        _unpack(packed, target)
        target.flush()
        pixels: np.memmap[Any, np.dtype[np.uint8]] = np.memmap(
            target, np.uint8, "r", shape=(size_bytes,)
        )
    except BaseException:
        target.close()
        raise
    weakref.finalize(pixels, target.close)
    return pixels


def _unpack(packed: Packed, target: IO[bytes]) -> None:
    """Write the announced number of bytes."""
    is_zlib = packed.packing == "zlib"
    unpacker: Any = zlib.decompressobj(wbits=47) if is_zlib else bz2.BZ2Decompressor()
    done, waiting = 0, b""
    with packed.path.open("rb") as file:
        file.seek(packed.offset)
        while done < packed.size_bytes and not unpacker.eof:
            wants_more = not waiting if is_zlib else unpacker.needs_input
            if wants_more:
                waiting = file.read(_PIECE_BYTES)
            is_at_end = wants_more and not waiting
            try:
                piece = unpacker.decompress(waiting, min(_PIECE_BYTES, packed.size_bytes - done))
            except (zlib.error, OSError) as error:
                raise RecordingError(
                    f"{packed.path} is damaged: its compressed pixels end after "
                    f"{packed.whole_frames(done)} ({error}); copy or export it again"
                ) from error
            waiting = unpacker.unconsumed_tail if is_zlib else b""
            target.write(piece)
            done += len(piece)
            if is_at_end and not piece:
                break
    if done < packed.size_bytes:
        raise RecordingError(
            f"{packed.path} is cut short: it holds {packed.whole_frames(done)}; copy or export it "
            "again"
        )
