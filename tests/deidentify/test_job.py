"""A folder of every kind of recording, with a name in all of them, copied without it."""

import json
import sys
import time

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from fakes.files import dicom, write_dicom, write_meta, write_video
from fakes.patients import MARKER, SHAPE, TISSUE, holds_marker, inside, screens
from fakes.recordings import half_and_half
from sonotempo.deidentify import writer
from sonotempo.deidentify.area import GivenArea
from sonotempo.deidentify.job import Copying, deidentify
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.io.stream_recording import open_predictions
from sonotempo.io.writers import write_sequence
from sonotempo.label_origin import Origin, read_origins, write_origins
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.recording.recorder import Recorder
from sonotempo.live.sources.source import SourceEvent
from sonotempo.recording import Frame, Prediction
from sonotempo.structures import NERVE_VESSEL

COUNT = 14
FRAMES = screens(COUNT)
GIVEN = GivenArea(TISSUE)


class Steps:
    def step(self, name, total, /):
        pass

    def advance(self):
        pass


def copying(tmp_path, source, area=None, name="out"):
    return Copying(
        source=source,
        target=tmp_path / name,
        key=tmp_path / f"{name}-key.csv",
        sheet=tmp_path / f"{name}-sheet.png",
        area=area,
        structures=NERVE_VESSEL,
        sample=12,
    )


def run(request, answer=True):
    return deidentify(request, lambda plan, shown: answer, Steps())


def report(request):
    return json.loads((request.target / "deidentified.json").read_text())


def patient_dicom(frames=FRAMES, **elements):
    sop = "1.2.840.10008.5.1.4.1.1.3.1"
    return dicom(frames, **{"SOPClassUID": sop, "PatientID": MARKER, **elements})


def masks():
    mask = half_and_half(SHAPE)
    mask[: TISSUE.top] = 0
    return mask


def write_stream(path):
    """A recorded stream whose event names somebody, with masks of one model."""
    with RingBuffer(COUNT, 1, *SHAPE) as buffer, buffer.writer() as writer:
        recorder = Recorder(buffer.reader(), path, structures=NERVE_VESSEL)
        recorder.note(SourceEvent("connected", time.monotonic_ns(), f"probe of {MARKER}"))
        for number, image in enumerate(FRAMES):
            writer.write(image, probe_ns=number * 40_000_000, spacing_mm=(0.1, 0.2), area=TISSUE)
            frame = Frame(image, number, number * 40_000_000, (0.1, 0.2))
            recorder.add((Prediction(frame, masks(), None, number + 1, "frame"),))
        while recorder.statistics.predictions < COUNT:
            time.sleep(0.005)
        recorder.stop()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("originals") / MARKER
    anna = root / f"anna {MARKER}"
    anna.mkdir(parents=True)
    write_dicom(anna / f"{MARKER}.dcm", patient_dicom())
    for number in range(COUNT):
        elements = {"SeriesInstanceUID": "1.2.3", "InstanceNumber": number + 1}
        moment = f"{120000 + number // 25}.{number % 25 * 40000:06d}"
        one = patient_dicom(FRAMES[number], ContentDate="19770307", ContentTime=moment, **elements)
        write_dicom(anna / "series" / f"{MARKER}{number}.dcm", one)
    write_video(anna / f"{MARKER}.mp4", FRAMES, rate=25)
    write_meta(anna / f"{MARKER}.mha", FRAMES, spacing=(0.2, 0.1, 1), Comment=MARKER)
    write_stream(root / f"ben {MARKER}" / f"{MARKER}.mkv")
    return root


@pytest.fixture(scope="module")
def done(source, tmp_path_factory):
    request = copying(tmp_path_factory.mktemp("copies"), source)
    return request, run(request)


def test_nothing_names_anybody(done):
    request, outcome = done
    assert (outcome.written, outcome.left_out) == (5, ())
    assert holds_marker(request.target) == []
    assert holds_marker(request.target, "19770307") == []
    assert MARKER in request.key.read_text()


def test_frames_times_and_spacing_are_those_of_the_originals(done):
    request, _ = done
    copies = open_dataset(request.target, NERVE_VESSEL)
    assert copies.skipped == ()
    assert len(copies.subjects) == 2
    assert len(copies.recordings) == 5
    for copy in copies.recordings:
        assert len(copy) == COUNT
        steps_ms = np.diff(copy.timestamps_ns) / 1e6
        assert np.allclose(steps_ms, 40, atol=0.01), copy.name
    rows = {row["kind"]: row for row in report(request)["files"]}
    assert set(rows) == {"DICOM", "DICOM series", "video", "frames", "recorded stream"}
    exact = {kind for kind in rows if kind != "video"}  # the original video is lossy
    for kind in exact:
        copy = open_recording(request.target / rows[kind]["file"])
        top, left, bottom, right = rows[kind]["kept_box"]
        expected = FRAMES[:, top:bottom, left:right]
        got = np.stack([copy.images[i] for i in range(COUNT)])
        np.testing.assert_array_equal(got, expected)
    original = open_recording(request.source / f"anna {MARKER}" / f"{MARKER}.mha")
    copy = open_recording(request.target / rows["frames"]["file"])
    assert copy.spacing_mm == original.spacing_mm is not None


def test_the_report_names_attributes_and_no_file(done):
    request, _ = done
    content = report(request)
    row = next(row for row in content["files"] if row["kind"] == "DICOM")
    assert "PatientID" in row["replaced"]
    assert row["found_by"] == "changing pixels"
    assert row["original_HW"] == list(SHAPE)
    assert "PS3.15" in content["dicom"]


def test_masks_and_numbers_of_a_stream_are_kept_and_its_messages_are_not(done):
    request, _ = done
    row = next(row for row in report(request)["files"] if row["kind"] == "recorded stream")
    assert row["found_by"] == "the file"
    (first,) = (request.target / row["file"]).glob("????.mkv")
    kept = open_predictions(first)["frame"]
    expected = masks()[TISSUE.top : TISSUE.bottom, TISSUE.left : TISSUE.right]
    np.testing.assert_array_equal(kept[3](), expected)
    lines = [json.loads(line) for line in first.with_suffix(".jsonl").read_text().splitlines()]
    assert [line["detail"] for line in lines if "event" in line] == [""]
    assert [line["state_age"] for line in lines if "prediction" in line] == [*range(1, COUNT + 1)]
    assert next(line for line in lines if line.get("frame") == 0)["host_ns"] == 0


def test_again_with_the_same_key_writes_nothing_and_with_another_is_refused(done, source, tmp_path):
    request, _ = done
    before = {path: path.stat().st_mtime_ns for path in request.target.rglob("*.dcm")}
    outcome = run(request)
    assert (outcome.written, outcome.kept) == (0, 5)
    assert {path: path.stat().st_mtime_ns for path in request.target.rglob("*.dcm")} == before
    other = copying(tmp_path, source)
    with pytest.raises(ConfigError, match="written with another key"):
        run(Copying(**{**fields(other), "target": request.target}))


def fields(request):
    return {name: getattr(request, name) for name in Copying.__slots__}


def test_nothing_is_written_before_the_answer(source, tmp_path):
    request = copying(tmp_path, source)
    seen = []

    def confirm(plan, shown):
        seen.append((len(plan.items), shown, request.sheet.is_file()))
        assert sorted(tmp_path.iterdir()) == [request.sheet]
        return False

    assert deidentify(request, confirm, Steps()) is None
    assert seen == [(5, 5, True)]
    assert sorted(tmp_path.iterdir()) == [request.sheet]


def test_stills_keep_their_labels_and_lose_their_texts(tmp_path):
    source = tmp_path / "in"
    for part in ("images", "masks"):
        (source / part).mkdir(parents=True)
    note = PngInfo()
    note.add_text("Comment", MARKER)
    Pillow.fromarray(FRAMES[0]).save(source / "images" / f"{MARKER}.png", pnginfo=note)
    Pillow.fromarray(masks()).save(source / "masks" / f"{MARKER}.png", pnginfo=note)
    request = copying(tmp_path, source, GIVEN)
    outcome = run(request)
    assert (outcome.written, outcome.labels_cut > 0) == (1, True)
    assert holds_marker(request.target) == []
    (copy,) = open_dataset(request.target, NERVE_VESSEL).recordings
    np.testing.assert_array_equal(copy.images[0], inside(FRAMES)[0])
    np.testing.assert_array_equal(copy.mask(0), inside(masks()[None])[0])


def test_an_annotated_sequence_keeps_numbers_masks_and_origins_without_names(tmp_path):
    folder = tmp_path / "in" / MARKER / "sequence"
    numbers = [3, 7]
    times = np.array([0, 160_000_000])
    for number, time_ns in zip(numbers, times, strict=True):
        write_sequence(
            folder,
            f"us_{number}",
            FRAMES[:1],
            masks()[None],
            spacing_mm=(0.1, 0.2),
            timestamps_ns=np.array([time_ns]),
        )
    for path in folder.iterdir():  # the writer numbers each sequence from 0
        text = path.name.replace("_0", "")
        if path.suffix == ".mhd":
            path.write_text(path.read_text().replace("_0", ""))
        path.rename(path.with_name(text))
    origin = Origin("model", "frame", is_accepted=True, by=MARKER, at="2020-02-02")
    write_origins(folder, {3: origin, 7: Origin()})
    request = copying(tmp_path, tmp_path / "in", GIVEN)
    assert run(request).left_out == ()
    assert holds_marker(request.target) == []
    (copy,) = open_dataset(request.target, NERVE_VESSEL).recordings
    assert copy.frame_numbers.tolist() == numbers
    assert copy.spacing_mm == (0.1, 0.2)
    np.testing.assert_array_equal(copy.mask(1), inside(masks()[None])[0])
    assert read_origins(copy.source)[3] == Origin("model", "frame", is_accepted=True)


def test_what_cannot_be_copied_is_named_and_the_rest_is_copied(tmp_path):
    source = tmp_path / "in" / "anna"
    write_dicom(source / "a.dcm", patient_dicom())
    write_dicom(source / "one.dcm", patient_dicom(FRAMES[:1]))
    (source / "notes.txt").write_text(MARKER)
    (source / "broken.mp4").write_bytes(b"?")
    (source / "link.dcm").symlink_to(source / "a.dcm")
    request = copying(tmp_path, tmp_path / "in")
    outcome = run(request)
    assert outcome.written == 1
    kinds = {one.path.name: one.kind for one in outcome.left_out}
    assert kinds == {
        "one.dcm": "no ultrasound region found",
        "notes.txt": "unknown kind of file",
        "broken.mp4": "cannot be read",
        "link.dcm": "link",
    }
    assert sum(report(request)["left_out"].values()) == 4
    assert holds_marker(request.target) == []


def test_a_recording_that_breaks_off_leaves_nothing_of_it(tmp_path, monkeypatch):
    source = tmp_path / "in" / "anna"
    source.mkdir(parents=True)
    write_meta(source / "a.mha", FRAMES)
    write_meta(source / "b.mha", FRAMES)

    def fail(recording, folder, box):
        (folder / "us_0.mhd").write_text("half")
        raise RecordingError("frame 1 cannot be read")

    monkeypatch.setattr("sonotempo.deidentify.writer.write_frames", fail)
    request = copying(tmp_path, tmp_path / "in")
    outcome = run(request)
    assert (outcome.written, len(outcome.left_out)) == (0, 2)
    assert [path.name for path in request.target.rglob("*") if path.is_file()] == [
        "deidentified.json"
    ]


def test_stills_of_one_series_do_not_become_a_cine(tmp_path):
    for number in range(3):
        elements = {"SeriesInstanceUID": "1.2.3", "InstanceNumber": number + 1}
        elements |= {"ContentDate": "19770307", "ContentTime": f"12{number:02d}00"}
        one = patient_dicom(FRAMES[number], **elements)
        write_dicom(tmp_path / "in" / "anna" / f"{number}.dcm", one)
    before = open_dataset(tmp_path / "in", NERVE_VESSEL).recordings
    request = copying(tmp_path, tmp_path / "in", GIVEN)
    run(request)
    after = open_dataset(request.target, NERVE_VESSEL).recordings
    assert [len(one) for one in before] == [len(one) for one in after] == [1, 1, 1]


def test_without_the_extra_only_dicom_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dicomanonymizer", None)
    source = tmp_path / "in" / "anna"
    source.mkdir(parents=True)
    write_meta(source / "a.mha", FRAMES)
    assert run(copying(tmp_path, tmp_path / "in")).written == 1
    write_dicom(source / "a.dcm", patient_dicom())
    with pytest.raises(ConfigError, match=r"pip install 'sonotempo\[deidentify\]'"):
        run(copying(tmp_path, tmp_path / "in", name="more"))
    assert not (tmp_path / "more").exists()


def test_a_file_that_breaks_a_library_is_left_out_and_the_rest_is_copied(tmp_path, monkeypatch):
    source = tmp_path / "in" / "anna"
    for name in ("a", "b"):
        write_dicom(source / f"{name}.dcm", patient_dicom())
    write = writer.write_dicom

    def break_on_a(recording, *arguments, **options):
        if recording.name == "a":
            raise RecursionError
        return write(recording, *arguments, **options)

    monkeypatch.setattr(writer, "write_dicom", break_on_a)
    request = copying(tmp_path, tmp_path / "in")
    outcome = run(request)
    assert outcome.written == 1
    (one,) = outcome.left_out
    assert "a.dcm is damaged (RecursionError)" in one.reason


def test_two_patients_in_a_folder_are_two_subjects_and_their_videos_a_third(tmp_path):
    source = tmp_path / "in" / "monday"
    for number, patient in enumerate(("A", "B", "A")):
        write_dicom(source / f"{number}.dcm", patient_dicom(PatientID=patient))
    write_dicom(tmp_path / "in" / "tuesday" / "3.dcm", patient_dicom(PatientID="A"))
    write_dicom(tmp_path / "in" / "tuesday" / "4.dcm", patient_dicom(PatientID=""))
    request = copying(tmp_path, tmp_path / "in")
    run(request)
    subjects = sorted(len(list(folder.glob("*.dcm"))) for folder in request.target.glob("s*"))
    assert subjects == [1, 4]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "in/out"}, "lie within each other"),
        ({"target": "."}, "lie within each other"),
        ({"key": "out/key.csv"}, "whoever gets the copies could undo them"),
        ({"sheet": "out/a/sheet.png"}, "whoever gets the copies could undo them"),
        ({"target": "full"}, "not empty and not from an earlier run"),
        ({"source": "none"}, "does not exist"),
    ],
)
def test_paths_that_would_mix_things_are_refused(tmp_path, change, words):
    write_meta_in = tmp_path / "in"
    write_meta_in.mkdir()
    write_meta(write_meta_in / "a.mha", FRAMES)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").touch()
    request = fields(copying(tmp_path, write_meta_in))
    request |= {name: tmp_path / value for name, value in change.items()}
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((ConfigError, RecordingError), match=words):
        run(Copying(**request))
    assert sorted(tmp_path.rglob("*")) == before
