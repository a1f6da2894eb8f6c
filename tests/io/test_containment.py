"""Nothing outside the data root is read, and no link keeps a data set from opening."""

import time
import zlib
from pathlib import Path

import pytest

from fakes.files import dicom, noise, steps, write_dicom, write_meta, write_png, write_video
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.structures import NERVE_VESSEL


def named(folder, name, text_name="a.mhd"):
    """A MetaImage whose header names a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / text_name
    path.write_text(
        "ObjectType = Image\nNDims = 2\nDimSize = 5 4\nElementType = MET_UCHAR\n"
        f"ElementDataFile = {name}\n"
    )
    return path


def nrrd_named(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "a.nhdr"
    path.write_text(
        "NRRD0004\ntype: unsigned char\ndimension: 2\nsizes: 5 4\nencoding: raw\n"
        f"data file: {name}\n"
    )
    return path


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret" / "a.raw"
    path.parent.mkdir()
    path.write_bytes(bytes(range(20)))
    return path


@pytest.mark.parametrize("write", [named, nrrd_named])
@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_header_cannot_name_pixels_outside(tmp_path, secret, write, is_absolute):
    path = write(tmp_path / "data" / "s1", secret if is_absolute else "../../secret/a.raw")
    with pytest.raises(RecordingError, match=r"outside .*; if you trust it"):
        open_recording(path)
    with pytest.raises(RecordingError, match="outside"):
        open_dataset(tmp_path / "data", NERVE_VESSEL)
    assert open_recording(path, follow_links=True)[0].image_HW.ravel().tolist() == list(range(20))
    found = open_dataset(tmp_path / "data", NERVE_VESSEL, follow_links=True)
    assert len(found.recordings) == 1


@pytest.mark.parametrize("write", [named, nrrd_named])
def test_a_header_may_name_pixels_elsewhere_in_the_data_set(tmp_path, write):
    (tmp_path / "pixels").mkdir()
    (tmp_path / "pixels" / "a.raw").write_bytes(bytes(range(20)))
    write(tmp_path / "s1", "../pixels/a.raw")
    (recording,) = open_dataset(tmp_path, NERVE_VESSEL).recordings
    assert recording[0].image_HW.ravel().tolist() == list(range(20))


def test_a_link_next_to_its_header_leads_nowhere_outside(tmp_path, secret):
    path = named(tmp_path / "data", "a.raw")
    (tmp_path / "data" / "a.raw").symlink_to(secret)
    with pytest.raises(RecordingError, match="outside"):
        open_recording(path)


@pytest.mark.parametrize("name", ["a\0b.raw", "/dev/zero", ".", "x" * 5000])
def test_names_that_are_no_files_are_refused(tmp_path, name):
    with pytest.raises(RecordingError, match=r"a\.mhd"):
        open_recording(named(tmp_path, name))


def test_masks_stay_inside_too(tmp_path, secret):
    folder = tmp_path / "data" / "anna" / "one"
    write_png(folder / "us_1.png", noise(4, 5))
    named(folder, secret, "us_1_gt.mhd")
    with pytest.raises(RecordingError, match="outside"):
        open_dataset(tmp_path / "data", NERVE_VESSEL)


def test_links_that_lead_outside_are_named_and_not_followed(tmp_path):
    write_meta(tmp_path / "elsewhere" / "far.mha", noise(3, 4, 5))
    write_meta(tmp_path / "data" / "s1" / "near.mha", noise(3, 4, 5, seed=1))
    (tmp_path / "data" / "s2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "s1" / "link.mha").symlink_to(tmp_path / "elsewhere" / "far.mha")
    found = open_dataset(tmp_path / "data", NERVE_VESSEL)
    assert [one.name for one in found.recordings] == ["s1/near"]
    assert sorted(one.path.name for one in found.skipped) == ["link.mha", "s2"]
    assert "data.follow_links=true" in found.skipped[0].reason
    followed = open_dataset(tmp_path / "data", NERVE_VESSEL, follow_links=True)
    assert len(followed.recordings) == 2  # each file once, though two links lead to it
    assert followed.skipped == ()


@pytest.mark.parametrize("layout", ["images", "masks"])
def test_folders_of_stills_that_are_links_are_not_followed(tmp_path, layout):
    for folder in ("images", "masks"):
        write_png(tmp_path / "far" / folder / "a.png", noise(4, 5, high=2))
        if folder != layout:
            write_png(tmp_path / "data" / folder / "a.png", noise(4, 5, high=2))
    (tmp_path / "data" / layout).symlink_to(tmp_path / "far" / layout)
    with pytest.raises(RecordingError, match=f"{layout} is a link that leads outside"):
        open_dataset(tmp_path / "data", NERVE_VESSEL)
    assert open_dataset(tmp_path / "data", NERVE_VESSEL, follow_links=True).layout == "stills"


def test_cycles_and_links_to_the_whole_computer_end_at_once(tmp_path):
    write_meta(tmp_path / "s1" / "a.mha", noise(3, 4, 5))
    (tmp_path / "s1" / "up").symlink_to(tmp_path)
    (tmp_path / "s1" / "self").symlink_to(tmp_path / "s1" / "self")
    (tmp_path / "s1" / "usr").symlink_to("/usr")
    (tmp_path / "s1" / "proc").symlink_to("/proc")
    start = time.perf_counter()
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert time.perf_counter() - start < 2
    assert [one.name for one in found.recordings] == ["s1/a"]
    assert {"proc", "usr"} <= {one.path.name for one in found.skipped}


def test_a_folder_is_found_where_it_is_and_not_where_a_link_is(tmp_path):
    write_meta(tmp_path / "s2" / "a.mha", noise(3, 4, 5))
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1" / "again").symlink_to(tmp_path / "s2")
    (tmp_path / "s1" / "b.mha").symlink_to(tmp_path / "s2" / "a.mha")
    assert [one.name for one in open_dataset(tmp_path, NERVE_VESSEL).recordings] == ["s2/a"]


def test_a_root_that_is_a_link_is_what_the_user_named(tmp_path):
    write_meta(tmp_path / "far" / "s1" / "a.mha", noise(3, 4, 5))
    (tmp_path / "data").symlink_to(tmp_path / "far")
    found = open_dataset(tmp_path / "data", NERVE_VESSEL)
    assert len(found.recordings) == 1
    assert found.skipped == ()


def test_frames_that_are_links_outside_are_refused(tmp_path):
    write_png(tmp_path / "far.png", noise(4, 5))
    write_png(tmp_path / "frames" / "us_0.png", noise(4, 5))
    (tmp_path / "frames" / "us_1.png").symlink_to(tmp_path / "far.png")
    with pytest.raises(RecordingError, match=r"us_1\.png is a link that leads outside"):
        open_recording(tmp_path / "frames")
    assert len(open_recording(tmp_path / "frames", follow_links=True)) == 2


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_postscript_in_an_image_reaches_no_other_program(tmp_path, suffix, monkeypatch):
    def started(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(RecordingError, match="its content is not BMP"):
        open_recording(path)


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile a.mp4\n", "#EXTM3U\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n"],
)
def test_a_video_that_names_other_files_is_refused(tmp_path, text):
    inner = write_video(tmp_path / "a.mp4", steps(5))
    path = tmp_path / "b.mp4"
    path.write_text(text.format(inner))
    with pytest.raises(RecordingError, match=r"b\.mp4 cannot be read as a video"):
        open_recording(path)


def test_dicom_has_no_other_files(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(3, 8, 9)))
    assert open_recording(path).files == (path,)


def test_a_compressed_file_elsewhere_is_not_read(tmp_path):
    far = tmp_path / "far.zraw"
    far.write_bytes(zlib.compress(bytes(20)))
    path = named(tmp_path / "data", "../far.zraw")
    path.write_text(path.read_text().replace("NDims", "CompressedData = True\nNDims"))
    with pytest.raises(RecordingError, match="outside"):
        open_recording(path)


def test_labelme_reads_the_image_next_to_it_whatever_it_names(tmp_path):
    folder = tmp_path / "data" / "anna" / "one"
    write_png(folder / "us_1.png", noise(4, 5))
    Path(folder / "us_1.json").write_text(
        '{"shapes": [{"label": "nerve", "points": [[0, 0], [4, 0], [4, 3]]}], '
        '"imagePath": "/etc/passwd", "imageHeight": 4, "imageWidth": 5}'
    )
    (recording,) = open_dataset(tmp_path / "data", NERVE_VESSEL).recordings
    assert recording.mask(0).any()
    assert {path.parent for path in recording.files} == {folder}


def test_a_still_counts_once_whatever_links_lead_to_it(tmp_path):
    for folder in ("images", "masks"):
        write_png(tmp_path / folder / "b.png", noise(4, 5, high=2))
    (tmp_path / "images" / "a.png").symlink_to(tmp_path / "images" / "b.png")
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert [(one.name, one.labelled) for one in found.recordings] == [("b", (0,))]


def test_a_folder_that_cannot_be_read_is_named_and_the_others_are_used(tmp_path, monkeypatch):
    write_meta(tmp_path / "s1" / "a.mha", noise(3, 4, 5))
    write_meta(tmp_path / "s2" / "a.mha", noise(3, 4, 5))
    listed = Path.iterdir

    def iterdir(path):
        if path.name == "s2":  # what permissions do, for root too
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert [one.name for one in found.recordings] == ["s1/a"]
    assert [(one.path.name, "Permission denied" in one.reason) for one in found.skipped] == [
        ("s2", True)
    ]


def test_original_recordings_of_an_export_stay_in_their_folder(tmp_path):
    write_png(tmp_path / "export" / "anna" / "one" / "us_1.png", noise(4, 5))
    write_meta(tmp_path / "export" / "anna" / "one" / "us_1_gt.mhd", noise(4, 5, high=2))
    for i in range(3):
        write_png(tmp_path / "far" / f"us_{i}.png", noise(4, 5, seed=i))
    (tmp_path / "frames" / "anna").mkdir(parents=True)
    (tmp_path / "frames" / "anna" / "one").symlink_to(tmp_path / "far")
    options = {"layout": "annotation_web", "frames_root": tmp_path / "frames"}
    with pytest.raises(RecordingError, match="is a link that leads outside"):
        open_dataset(tmp_path / "export", NERVE_VESSEL, **options)
    (whole,) = open_dataset(
        tmp_path / "export", NERVE_VESSEL, follow_links=True, **options
    ).recordings
    assert len(whole) == 3
