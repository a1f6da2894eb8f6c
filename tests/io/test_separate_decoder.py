"""gdcm runs in another process: when that ends, a sentence is said and the next frame is read."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLosslessSV1

from fakes.clarius import is_running, wait_until
from fakes.files import dicom, noise, write_dicom
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.io.separate_decoder import SEPARATE

gdcm = pytest.importorskip("gdcm")


@pytest.fixture
def lossless(tmp_path):
    """A file of lossless JPEG, and its frames."""
    frames = noise(3, 24, 32)
    path = write_dicom(tmp_path / "a.dcm", dicom(frames))
    reader, change, writer = (
        gdcm.ImageReader(),
        gdcm.ImageChangeTransferSyntax(),
        gdcm.ImageWriter(),
    )
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()
    return path, frames


def test_frames_come_back_through_the_process(lossless):
    assert get_decoder(JPEGLosslessSV1).available_plugins == ("gdcm",)
    path, frames = lossless
    recording = open_recording(path)
    for i in (2, 0, 1):
        np.testing.assert_array_equal(recording[i].image_HW, frames[i])
    assert "gdcm" in sys.modules  # of this test; the pixels came from elsewhere
    assert SEPARATE.pid not in (None, os.getpid())


def test_a_frame_that_ends_the_process_is_a_sentence_and_the_next_is_read(lossless):
    path, frames = lossless
    recording = open_recording(path)
    recording[0]
    os.kill(SEPARATE.pid, signal.SIGABRT)
    with pytest.raises(RecordingError, match=r"a frame of .*a\.dcm ended the decoder"):
        recording[1]
    np.testing.assert_array_equal(recording[1].image_HW, frames[1])


def test_a_frame_that_takes_too_long_is_ended(lossless, monkeypatch):
    recording = open_recording(lossless[0])
    recording[0]
    os.kill(SEPARATE.pid, signal.SIGSTOP)
    monkeypatch.setattr("sonotempo.io.separate_decoder._LONGEST_S", 0.3)
    with pytest.raises(RecordingError, match="ended the decoder"):
        recording[1]


def test_a_damaged_frame_is_named(lossless):
    path, _ = lossless
    content = bytearray(path.read_bytes())
    at = content.rindex(b"\xff\xc3")
    content[at + 12 : at + 40] = bytes(28)
    path.write_bytes(content)
    recording = open_recording(path)
    with pytest.raises(RecordingError, match=r"a\.dcm"):
        recording[2]


def test_the_process_ends_with_its_owner_however_that_ends(lossless):
    program = textwrap.dedent("""
        import os, signal, sys
        from sonotempo.io import open_recording
        from sonotempo.io.separate_decoder import SEPARATE
        open_recording(sys.argv[1])[0]
        print(SEPARATE.pid, flush=True)
        if sys.argv[2] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    for how in ("ends", "killed"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(lossless[0]), how],
            capture_output=True,
            text=True,
            check=False,
        )
        pid = int(done.stdout)
        wait_until(lambda pid=pid: not is_running(pid), "the decoder to end")
