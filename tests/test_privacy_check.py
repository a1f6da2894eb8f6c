"""The check finds a marker in whatever it is packed in, and none in copies without identity."""

import base64
import gzip
import io
import zipfile
import zlib

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from fakes.scripts import load_script

artefacts = load_script("_artefacts")
script = load_script("privacy_check")

MARKER = "ZqxMarker"


def zipped(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(content))


def named_in_zip(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(content.decode(), b"?")


def png(path, content):
    note = PngInfo()
    note.add_text("Comment", content.decode(), zip=True)
    Pillow.fromarray(np.zeros((4, 4), np.uint8)).save(path, "PNG", pnginfo=note)


def page(path, content):
    packed = base64.b64encode(gzip.compress(content * 9 + bytes(np.arange(200, dtype=np.uint8))))
    path.write_bytes(b"<script>const data = '" + packed + b"'</script>")


def table(path, content):
    path = path.with_suffix(".parquet")
    pd.DataFrame({"subject": [content.decode()] * 9}).to_parquet(path)
    return path


def video(path, content):
    path = path.with_suffix(".mkv")
    with av.open(str(path), "w") as container:
        container.metadata["title"] = content.decode()
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "gray"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16), np.uint8), format="gray")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


PACKED = {
    "plain": lambda path, content: path.write_bytes(content),
    "utf-16": lambda path, content: path.write_bytes(content.decode().encode("utf-16-le")),
    "zlib": lambda path, content: path.write_bytes(zlib.compress(content)),
    "gzip": lambda path, content: path.write_bytes(gzip.compress(content)),
    "zip": zipped,
    "name in zip": named_in_zip,
    "PNG": png,
    "page": page,
    "parquet": table,
    "video": video,
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_marker_is_found(tmp_path, kind):
    path = tmp_path / "file"
    made = PACKED[kind](path, MARKER.encode())
    path = made if hasattr(made, "suffix") else path
    assert artefacts.markers_in(path, {"it": MARKER})["it"] > 0
    assert artefacts.markers_in(path, {"it": "somebody else"})["it"] == 0


def test_letters_in_a_picture_are_found_where_they_are():
    letters = artefacts.draw_marker(MARKER)
    image = np.random.default_rng(0).integers(0, 60, (120, 200)).astype(np.uint8)
    assert not artefacts.shows_marker(image, letters)
    image[50 : 50 + letters.shape[0], 30 : 30 + letters.shape[1]] = letters
    assert artefacts.shows_marker(image, letters)
    packed = io.BytesIO()
    Pillow.fromarray(image).save(packed, "JPEG", quality=60)
    assert artefacts.shows_marker(np.array(Pillow.open(packed)), letters)


def test_copies_without_identity_hold_no_marker(capsys):
    assert script.check(["deidentify"]) == 0, capsys.readouterr().out
    assert "12 show the marker" in capsys.readouterr().out


def test_what_should_not_be_there_is_counted(tmp_path, capsys):
    findings = script.Findings()
    (tmp_path / "a.txt").write_text(script.PATIENT)
    findings.search("a folder", tmp_path, lambda _: ())
    findings.search("the same", tmp_path, lambda _: ("patient",))
    findings.print()
    said = capsys.readouterr().out
    assert "WRONG: a.txt: patient" in said
    assert "1 of 2 artefacts hold what they should not" in said
