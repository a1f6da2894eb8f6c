"""A DICOM file without identity: any planted value is gone, and the geometry still holds."""

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.tag import Tag
from pydicom.uid import JPEGBaseline8Bit, generate_uid

from fakes.files import dicom, write_dicom
from fakes.patients import MARKER, TISSUE, inside, screens
from sonotempo.deidentify.dicom import write_dicom as write_clean
from sonotempo.deidentify.dicom_check import check_dicom, stored_area
from sonotempo.deidentify.key import Key
from sonotempo.deidentify.profile import Profile
from sonotempo.deidentify.refused import RefusedError
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.recording import Box

FRAMES = screens(4)
MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
# Without these there is no image at all.
NEEDED = {
    Tag(name)
    for name in ("SOPClassUID", "PixelData", "Rows", "Columns", "NumberOfFrames", "HighBit")
} | {Tag(name) for name in ("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated")}
NEEDED |= {Tag("BitsStored"), Tag("PixelRepresentation"), Tag("FloatPixelData")}
NEEDED |= {Tag("DoubleFloatPixelData"), Tag("SpecificCharacterSet"), Tag("PlanarConfiguration")}
PLANTED = {
    **dict.fromkeys(("AE", "CS", "SH", "LO", "LT", "ST", "UC", "UR", "UT"), MARKER),
    "PN": f"{MARKER}^ANNA",
    "UI": "1.2.3.77773333111",
    "DA": "19770307",
    "DT": "19770307133333",
    "TM": "133333.777",
    "AS": "077Y",
    "OB": MARKER.encode(),
}
MARKS = [MARKER, "77773333111", "19770307", "133333", "077Y"]
TAGS = sorted(
    Tag(tag)
    for tag, (vr, *_) in DicomDictionary.items()
    if tag >> 16 > 0x0007 and tag not in NEEDED and vr != "NONE"
)


@pytest.fixture(scope="module")
def profile():
    return Profile(Key("unused", b"secret").uid)


def region(**changes):
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionFlags = 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = TISSUE.left, TISSUE.top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = TISSUE.right - 1, TISSUE.bottom - 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX, item.PhysicalDeltaY = 0.02, 0.01
    item.ReferencePixelX0, item.ReferencePixelY0 = 50, 0
    for name, value in changes.items():
        setattr(item, name, value)
    return item


def patient(pixels=FRAMES, **changes):
    elements = {
        "SOPClassUID": MULTI_FRAME,
        "PatientName": f"{MARKER}^A",
        "PatientID": MARKER,
        "FrameTime": "40",
        "SequenceOfUltrasoundRegions": [region()],
        "StudyInstanceUID": "1.2.3.77773333111",
        **changes,
    }
    return dicom(pixels, **elements)


def clean(path, target, profile, box=TISSUE, **options):
    check_dicom(path)
    recording = open_recording(path)
    return write_clean(recording, target, box, subject="subject-001", profile=profile, **options)


def leaks(path):
    content = path.read_bytes()
    return [mark for mark in MARKS if mark.encode() in content]


def element(tag, vr):
    return DataElement(tag, vr, PLANTED[vr])


planted = st.tuples(
    st.one_of(
        # Not the sequence that the test itself plants in.
        st.sampled_from(TAGS).filter(lambda tag: tag != tag_for_keyword("ReferencedImageSequence")),
        st.integers(0x0009, 0x0FFF).filter(lambda group: group % 2).map(lambda g: Tag(g, 0x1001)),
    ),
    st.one_of(st.none(), st.sampled_from(sorted(PLANTED))),
    st.integers(0, 3),
)


@given(st.lists(planted, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_planted_value_is_gone_at_any_depth(profile, tmp_path_factory, plants):
    data = patient()
    for tag, vr, depth in plants:
        own = DicomDictionary[tag][0].split(" ")[0] if tag in DicomDictionary else "LO"
        vr = vr or (own if own in PLANTED else "OB")  # noqa: PLW2901
        holder = data
        for _ in range(depth):
            inner = Dataset()
            holder.setdefault("ReferencedImageSequence", []).value.append(inner)
            holder = inner
        if depth == 3:
            data.SequenceOfUltrasoundRegions[0].add(element(tag, vr))
        holder.add(element(tag, vr))
    folder = tmp_path_factory.mktemp("planted")
    try:
        clean(write_dicom(folder / "a.dcm", data), folder / "b.dcm", profile)
    except (RefusedError, RecordingError):
        assert not (folder / "b.dcm").exists()
        return
    assert leaks(folder / "b.dcm") == []
    assert len(open_recording(folder / "b.dcm")) == len(FRAMES)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("name", ["FrameTime", "PixelSpacing", "WindowCenter", "InstanceNumber"])
def test_text_where_a_number_belongs_is_gone(profile, tmp_path, name, depth):
    number = "1234567890"
    value = [number, number] if name == "PixelSpacing" else number
    data = patient()
    holder = data
    for _ in range(depth):
        holder.SharedFunctionalGroupsSequence = [Dataset()]
        holder = holder.SharedFunctionalGroupsSequence[0]
    setattr(holder, name, value)
    source = write_dicom(tmp_path / "a.dcm", data)
    source.write_bytes(source.read_bytes().replace(number.encode(), MARKER.encode()))
    try:
        clean(source, tmp_path / "b.dcm", profile)
    except RecordingError:
        return  # the reader needs that number
    assert leaks(tmp_path / "b.dcm") == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("start", range(0, len(TAGS), 500))
def test_every_attribute_of_the_dictionary_at_once(profile, tmp_path, start):
    data = patient()
    item = Dataset()
    for tag in TAGS[start : start + 500]:
        vr = DicomDictionary[tag][0].split(" ")[0]
        if tag >> 16 in (*range(0x5000, 0x5100), *range(0x6000, 0x6100)) or vr == "SQ":
            continue
        if DicomDictionary[tag][4] in ("EncapsulatedDocument", "FrameTime", "PixelSpacing"):
            continue
        if DicomDictionary[tag][4] in ("PixelAspectRatio", "FrameTimeVector"):
            continue
        if vr in PLANTED:
            data.add(element(tag, vr))
            item.add(element(tag, vr))
    data.ReferencedImageSequence = [item]
    clean(write_dicom(tmp_path / "a.dcm", data), tmp_path / "b.dcm", profile)
    assert leaks(tmp_path / "b.dcm") == []


@pytest.mark.parametrize("place", ["preamble", "file meta", "after the pixels", "private"])
def test_what_lies_outside_the_data_set_is_gone(profile, tmp_path, place):
    data = patient()
    if place == "preamble":
        data.preamble = MARKER.encode().ljust(128, b"\0")
    elif place == "file meta":
        data.file_meta.SourceApplicationEntityTitle = MARKER
        data.file_meta.PrivateInformationCreatorUID = "1.2.3"
        data.file_meta.PrivateInformation = MARKER.encode()
    elif place == "after the pixels":
        data.add_new(0xFFFCFFFC, "OB", MARKER.encode())
    else:
        data.private_block(0x0011, MARKER, create=True).add_new(1, "LO", MARKER)
    done = clean(write_dicom(tmp_path / "a.dcm", data), tmp_path / "b.dcm", profile)
    assert leaks(tmp_path / "b.dcm") == []
    assert done.private == (2 if place == "private" else 0)
    assert "PatientName" in done.replaced


def test_pixels_and_geometry_move_together(profile, tmp_path):
    data = patient(PixelSpacing=[0.1, 0.2], PixelAspectRatio=[1, 2])
    source = write_dicom(tmp_path / "a.dcm", data)
    assert stored_area(source) == TISSUE
    box = Box(TISSUE.top + 5, TISSUE.left + 7, TISSUE.bottom - 3, TISSUE.right - 2)
    clean(source, tmp_path / "b.dcm", profile, box)
    made = pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_array_equal(made.pixel_array, inside(FRAMES, box))
    assert (made.Rows, made.Columns) == box.shape
    item = made.SequenceOfUltrasoundRegions[0]
    assert (item.RegionLocationMinX0, item.RegionLocationMinY0) == (0, 0)
    assert (item.RegionLocationMaxX1 + 1, item.RegionLocationMaxY1 + 1) == box.shape[::-1]
    assert (item.ReferencePixelX0, item.ReferencePixelY0) == (43, -5)
    assert (item.PhysicalDeltaX, item.PhysicalDeltaY) == (0.02, 0.01)
    assert made.PatientIdentityRemoved == "YES"
    assert made.BurnedInAnnotation == "NO"
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    before, after = open_recording(source), open_recording(tmp_path / "b.dcm")
    assert after.spacing_mm == before.spacing_mm == pytest.approx((0.1, 0.2))
    assert after.timestamps_ns.tolist() == before.timestamps_ns.tolist()
    assert after.subject == "subject-001"


def test_a_region_beyond_the_image_gives_neither_area_nor_spacing(profile, tmp_path):
    data = patient(SequenceOfUltrasoundRegions=[region(RegionLocationMaxX1=500)])
    source = write_dicom(tmp_path / "a.dcm", data)
    assert stored_area(source) is None
    clean(source, tmp_path / "b.dcm", profile)
    assert open_recording(tmp_path / "b.dcm").spacing_mm is None


def test_a_region_that_is_the_whole_image_counts_if_the_file_says_that_no_text_is_there(
    profile, tmp_path
):
    whole = region(
        RegionLocationMinX0=0,
        RegionLocationMinY0=0,
        RegionLocationMaxX1=FRAMES.shape[2] - 1,
        RegionLocationMaxY1=FRAMES.shape[1] - 1,
    )
    for says, expected in (("YES", None), ("NO", Box(0, 0, *FRAMES.shape[1:]))):
        data = patient(SequenceOfUltrasoundRegions=[whole], BurnedInAnnotation=says)
        source = write_dicom(tmp_path / f"{says}.dcm", data)
        assert stored_area(source) == expected
        clean(source, tmp_path / "clean.dcm", profile)
        assert open_recording(tmp_path / "clean.dcm").spacing_mm == pytest.approx((0.1, 0.2))


@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME1", "PALETTE COLOR"])
def test_colours_and_inverted_grey_look_the_same(profile, tmp_path, photometric):
    extra = {}
    pixels = np.stack([FRAMES] * 3, axis=-1) if photometric == "RGB" else FRAMES
    if photometric == "PALETTE COLOR":
        for name in ("Red", "Green", "Blue"):
            extra[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            table = (np.arange(256, dtype="<u2")[::-1] * 256).tobytes()
            extra[f"{name}PaletteColorLookupTableData"] = table
    source = write_dicom(tmp_path / "a.dcm", patient(pixels, photometric=photometric, **extra))
    clean(source, tmp_path / "b.dcm", profile)
    before, after = open_recording(source), open_recording(tmp_path / "b.dcm")
    for index in range(len(before)):
        expected = before.images[index][TISSUE.top : TISSUE.bottom, TISSUE.left : TISSUE.right]
        np.testing.assert_array_equal(after.images[index], expected)


def test_bits_that_pixels_do_not_use_are_cleared(profile, tmp_path):
    pixels = FRAMES.astype(np.uint16) | 0xF000
    data = patient(pixels, bits=12, WindowCenter="128", WindowWidth="256")
    clean(write_dicom(tmp_path / "a.dcm", data), tmp_path / "b.dcm", profile)
    made = pydicom.dcmread(tmp_path / "b.dcm")
    words = np.frombuffer(made.PixelData, "<u2")
    assert made.BitsStored == 12
    assert int(words.max()) < 1 << 12
    np.testing.assert_array_equal(words.reshape(inside(FRAMES).shape), inside(FRAMES))


def test_the_time_within_a_series_is_kept(profile, tmp_path):
    data = patient(FRAMES[:1], ContentDate="19770307", ContentTime="133333.777")
    source = write_dicom(tmp_path / "a.dcm", data)
    clean(source, tmp_path / "b.dcm", profile, time_s=61.04)
    made = pydicom.dcmread(tmp_path / "b.dcm")
    assert made.ContentTime == "000101.040000"
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    assert leaks(tmp_path / "b.dcm") == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["BitsStored", "SOPClassUID", "HighBit"])
def test_a_header_that_makes_no_sense_is_refused(tmp_path, name):
    data = patient()
    data[name].VR = "OB"
    data[name]._value = b"? "
    source = write_dicom(tmp_path / "a.dcm", data)
    with pytest.raises(RefusedError):
        check_dicom(source)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, "not an ultrasound image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "not an ultrasound image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1"}, "not an ultrasound image"),
        ({"OverlayRows": 4}, "text, drawings or documents in the file"),
        ({"EncapsulatedDocument": b"%PDF"}, "text, drawings or documents in the file"),
        ({"HighBit": 6}, "cannot be read"),
    ],
)
def test_what_nobody_can_be_sure_of_is_refused(tmp_path, change, kind):
    data = patient()
    for name, value in change.items():
        if name == "OverlayRows":
            data.add_new(0x60000010, "US", value)
        else:
            setattr(data, name, value)
    source = write_dicom(tmp_path / "a.dcm", data)
    with pytest.raises(RefusedError) as caught:
        check_dicom(source)
    assert caught.value.kind == kind
    assert str(source) in str(caught.value)


def test_a_curve_is_refused(tmp_path):
    data = patient()
    data.add_new(0x50000005, "US", 1)
    with pytest.raises(RefusedError, match="curves"):
        check_dicom(write_dicom(tmp_path / "a.dcm", data))


def test_pixels_that_cannot_be_decoded_leave_nothing(profile, tmp_path):
    data = patient(FRAMES[:1])
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xe0" + bytes(60)])
    data["PixelData"].is_undefined_length = True
    source = write_dicom(tmp_path / "a.dcm", data)
    with pytest.raises((RefusedError, RecordingError)):
        clean(source, tmp_path / "b.dcm", profile)
    assert sorted(tmp_path.iterdir()) == [source]


def test_uids_agree_between_files_and_runs_with_one_key(tmp_path):
    study = generate_uid()
    made = []
    for number, secret in enumerate((b"one", b"one", b"other")):
        data = patient(StudyInstanceUID=study)
        source = write_dicom(tmp_path / f"{number}.dcm", data)
        target = tmp_path / f"clean-{number}.dcm"
        clean(source, target, Profile(Key("unused", secret).uid))
        made.append(pydicom.dcmread(target).StudyInstanceUID)
    assert made[0] == made[1] != study
    assert made[2] not in made[:2]
    assert all(len(uid) <= 64 and uid.startswith("2.25.") for uid in made)
