"""Several images in one file, against Pillow's own frames."""

import numpy as np
import pytest
from PIL import Image as Pillow

from fakes.files import noise
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.structures import NERVE_VESSEL


def written(path, frames, **options):
    images = [Pillow.fromarray(frame) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".tif", {}),
        (".tiff", {"compression": "tiff_lzw"}),
        (".gif", {"duration": [50, 100, 50]}),
        (".webp", {"duration": [50, 100, 50], "lossless": True}),
    ],
)
def test_every_image_is_a_frame(tmp_path, suffix, options):
    frames = noise(3, 20, 30)
    recording = open_recording(written(tmp_path / f"a{suffix}", frames, **options))
    assert len(recording) == 3
    for i in (2, 0, 1):
        np.testing.assert_array_equal(recording[i].image_HW, frames[i])
    if options.get("duration"):
        assert recording.timestamps_ns.tolist() == [0, 50_000_000, 150_000_000]
    assert recording.rate_is_assumed == ("duration" not in options)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif"])
def test_one_image_is_a_still(tmp_path, suffix):
    written(tmp_path / f"a{suffix}", noise(1, 20, 30))
    assert len(open_recording(tmp_path / f"a{suffix}")) == 1


def test_stacks_in_a_folder_are_recordings_each(tmp_path):
    for name in ("a", "b"):
        written(tmp_path / f"{name}.tif", noise(3, 20, 30))
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert [(recording.name, len(recording)) for recording in found.recordings] == [
        ("a", 3),
        ("b", 3),
    ]


def test_a_stack_of_16_bits_is_refused(tmp_path):
    written(tmp_path / "a.tif", noise(3, 20, 30).astype(np.uint16))
    with pytest.raises(RecordingError, match="more than 8 bits"):
        open_recording(tmp_path / "a.tif")
