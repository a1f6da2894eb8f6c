"""Decodes DICOM frames in a process that may end: gdcm aborts its process on some damaged files.

Only lossless JPEG and JPEG of 12 bits need gdcm. The process is started for the first such frame,
serves all recordings, and ends with this process, because its input does.
"""

import atexit
import io
import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import pixel_array

from sonotempo.errors import RecordingError
from sonotempo.guard import in_few_words
from sonotempo.io.dicom_file import DicomFile

_LONGEST_S = 60.0
_LENGTH_BYTES = 8


class _Decoder:
    """The process, its lock, and its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @property
    def pid(self) -> int | None:
        """The id of the process, if there is one."""
        return None if self._process is None else self._process.pid

    def decode(self, path: Path, index: int, options: dict[str, Any]) -> NDArray[Any]:
        """Return the pixels of one frame.

        Raises:
            RecordingError: gdcm ended, did not end in time, or refused the frame.
        """
        request = {"path": str(path), "index": index, "options": options}
        with self._lock:
            process = self._started()
            in_time = threading.Timer(_LONGEST_S, process.kill)
            in_time.start()
            try:
                return self._answer(process, request, path)
            except (OSError, EOFError) as error:
                self._end()
                raise RecordingError(
                    f"a frame of {path} ended the decoder (exit code {process.returncode}); copy "
                    "or export the file again"
                ) from error
            finally:
                in_time.cancel()

    def close(self) -> None:
        """End the process; the next frame starts another."""
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sonotempo.io.separate_decoder"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._owner = os.getpid()
        return self._process

    def _answer(
        self, process: subprocess.Popen[bytes], request: dict[str, Any], path: Path
    ) -> NDArray[Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        kind = _exactly(process.stdout, 1)
        length = int.from_bytes(_exactly(process.stdout, _LENGTH_BYTES), "little")
        content = _exactly(process.stdout, length)
        if kind == b"e":
            raise RecordingError(
                f"a frame of {path} cannot be decoded ({content.decode()}); copy or export the "
                "file again"
            )
        pixels: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
        return pixels

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what it has not read any more
                    continue
        process.kill()
        process.wait()


def _exactly(stream: BinaryIO | Any, count: int) -> bytes:
    content = bytes(stream.read(count))
    if len(content) < count:
        raise EOFError(f"{len(content)} of {count} bytes")
    return content


#: The one process that all recordings share.
SEPARATE = _Decoder()
atexit.register(SEPARATE.close)


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    warnings.simplefilter("ignore")
    for line in requests:
        kind, content = _decoded(json.loads(line))
        answers.write(kind + len(content).to_bytes(_LENGTH_BYTES, "little") + content)
        answers.flush()


def _decoded(request: dict[str, Any]) -> tuple[bytes, bytes]:
    written = io.BytesIO()
    try:
        with DicomFile(Path(request["path"])) as file:
            pixels = pixel_array(file, index=request["index"], **request["options"])
        np.save(written, pixels, allow_pickle=False)
    except Exception as error:  # noqa: BLE001  # it is passed on as a sentence
        return b"e", in_few_words(error).encode()
    return b"a", written.getvalue()


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
