from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from fakes.files import noise
from sonotempo.io import open_dataset
from sonotempo.io.writers import write_frame, write_sequence
from sonotempo.structures import NERVE_VESSEL


def test_a_written_sequence_is_read_as_it_was(tmp_path):
    images = [noise(20, 30, seed=i) for i in range(3)]
    masks = [noise(20, 30, seed=10, high=3), None, noise(20, 30, seed=12, high=3)]
    times = np.array([0, 40, 95], np.int64) * 1_000_000
    write_sequence(
        tmp_path / "s" / "q", "us", images, masks, spacing_mm=(0.1, 0.25), timestamps_ns=times
    )
    (recording,) = open_dataset(tmp_path, NERVE_VESSEL).recordings
    assert recording.subject == "s"
    assert recording.labelled == (0, 2)
    assert recording.spacing_mm == pytest.approx((0.1, 0.25))
    assert recording.timestamps_ns.tolist() == times.tolist()
    for i, image in enumerate(images):
        np.testing.assert_array_equal(recording[i].image_HW, image)
    np.testing.assert_array_equal(recording.mask(2), masks[2])


def test_other_programs_read_it_too(tmp_path):
    write_frame(tmp_path, "us_0", noise(20, 30), None, spacing_mm=(0.1, 0.25), timestamp_ns=10**6)
    image = sitk.ReadImage(str(tmp_path / "us_0.mhd"))
    assert image.GetSpacing() == pytest.approx((0.25, 0.1))
    assert image.GetMetaData("Timestamp") == "1.000"
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), noise(20, 30))


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
def test_a_disk_that_fills_up_leaves_no_half_frame(tmp_path, monkeypatch, fails_at):
    calls = []

    def full(write):
        def attempt(path, *arguments, **options):
            calls.append(path)
            if len(calls) == fails_at:
                Path(path).touch()
                raise OSError(28, "No space left on device")
            return write(path, *arguments, **options)

        return attempt

    monkeypatch.setattr(Path, "write_bytes", full(Path.write_bytes))
    monkeypatch.setattr(Path, "write_text", full(Path.write_text))
    with pytest.raises(OSError, match="No space left"):
        write_frame(tmp_path, "us_0", noise(8, 8), noise(8, 8), spacing_mm=None, timestamp_ns=0)
    assert list(tmp_path.iterdir()) == []
