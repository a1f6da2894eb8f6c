"""Plant names everywhere, use every command, and search everything that was written for them.

    python scripts/privacy_check.py            # all parts, about a minute
    python scripts/privacy_check.py deidentify # copies without identity, some seconds

A made-up data set holds markers in DICOM attributes, in the pixels, in file names and in the names
of folders; its commands run with a home folder, a user and a host that are markers too. What each
artefact says is counted. Three things are kept on purpose (docs/privacy.md): the names of subjects'
folders and recordings, the absolute paths in a run's ``config.yaml``, and whatever the pictures
show that were not de-identified. The status is 1 if anything else is found.
"""

import argparse
import getpass
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from _artefacts import draw_marker, markers_in, shows_marker
from sonotempo.io import open_dataset
from sonotempo.io.writers import write_sequence
from sonotempo.structures import NERVE_VESSEL

PATIENT, SUBJECT, NAME = "ZQXPATIENT", "zqxsubject", "zqxname"
PLACE, USER, HOST = "zqxplace", "zqxuser", "zqxhost"
MARKERS = {"patient": PATIENT, "subject": SUBJECT, "name": NAME, "path": PLACE, "user": USER}
MARKERS["host"] = HOST
_US_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
_SHAPE, _TISSUE = (120, 160), (slice(30, 110), slice(40, 140))
_COUNT = 14
# Every Python process of a command believes to run on another host.
_SITE = f"""
import os, platform, socket
socket.gethostname = socket.getfqdn = platform.node = lambda *_: "{HOST}"
"""


@dataclass(slots=True)
class Findings:
    """What was found, a row for each artefact that was searched."""

    rows: list[tuple[str, int, str, bool]] = field(default_factory=list)

    def search(self, name: str, root: Path, allowed: Callable[[Path], Sequence[str]]) -> None:
        """Search all files of an artefact.

        Args:
            name: of the artefact.
            root: its folder or file.
            allowed: the markers that a file may hold, as the documentation says.
        """
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        files = [root] if root.is_file() else files
        # The real ones of this machine, where they are long enough to mean something.
        real = {"home": str(Path.home()), "real host": socket.gethostname()}
        real["real user"] = getpass.getuser()
        real = {key: text for key, text in real.items() if len(text) > 5}
        said = []
        for path in files:
            counts = markers_in(path, MARKERS | real)
            wrong = {key for key, count in counts.items() if count} - set(allowed(path))
            inside = path.relative_to(root) if path != root else path.name
            said += [f"{inside}: {key}" for key in sorted(wrong)]
        self.rows.append((name, len(files), "; ".join(said) or "nothing", not said))

    def look(self, name: str, images: Sequence[NDArray[np.uint8]], *, expected: bool) -> None:
        """Look for the burnt-in marker in pictures."""
        letters_HW = draw_marker(PATIENT)
        seen = sum(shows_marker(image_HW, letters_HW) for image_HW in images)
        sound = bool(images) and seen == (len(images) if expected else 0)
        self.rows.append((name, len(images), f"{seen} show the marker", sound))

    def print(self) -> None:
        """Print the table."""
        width = max(len(row[0]) for row in self.rows)
        print(f"\n{'artefact':{width}}  files  {'found':40}")
        for name, count, found, sound in self.rows:
            print(f"{name:{width}}  {count:5}  {'' if sound else 'WRONG: '}{found}")
        wrong = sum(not row[3] for row in self.rows)
        print(f"\n{wrong} of {len(self.rows)} artefacts hold what they should not")


class Workplace:
    """A folder whose path, user and host are markers, and the commands that run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root / PLACE
        self.root.mkdir()
        site = self.root / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
        self._variables = {
            **os.environ,
            "HOME": str(self.root),
            "USER": USER,
            "LOGNAME": USER,
            "HOSTNAME": HOST,
            "PYTHONPATH": os.pathsep.join([str(site), *sys.path]),
        }

    def sonotempo(self, *words: object, status: int = 0) -> str:
        """Run a command; a status that is not expected ends the check."""
        print("sonotempo", *words[:2], "…", flush=True)
        done = subprocess.run(
            [sys.executable, "-c", "from sonotempo.cli import main; main()", *map(str, words)],
            cwd=self.root,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != status:
            said = f"{done.stdout}{done.stderr}"
            sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{said}")
        return done.stdout


def main() -> None:
    """Run the parts that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    given = parser.parse_args()
    sys.exit(check(given.parts or list(PARTS)))


def check(parts: Sequence[str]) -> int:
    """Run parts, print the table, and return the status."""
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder))
        for part in parts:
            PARTS[part](place, findings)
    findings.print()
    return int(any(not row[3] for row in findings.rows))


def check_deidentify(place: Workplace, findings: Findings) -> None:
    """Copy recordings of several formats without identity."""
    source = place.root / "originals"
    _write_patients(source)
    images = _pictures(source)
    findings.look("originals (must be found)", images, expected=True)
    target = place.root / "copies"
    place.sonotempo("data", "deidentify", source, target, "--yes")
    findings.search("deidentified copies", target, lambda _: ())
    findings.look("deidentified pixels", _pictures(target), expected=False)


def check_run(place: Workplace, findings: Findings) -> None:
    """Train, compare, export and segment."""
    data = place.root / "data"
    config = place.root / "tiny.yaml"
    _write_shapes(data)
    config.write_text(yaml.safe_dump(_settings(data)), encoding="utf-8")
    run, report, model = place.root / "run", place.root / "report", place.root / "model.onnx"
    place.sonotempo("data", "inspect", data)
    place.sonotempo("data", "preview", config, "--out", place.root / "preview.png")
    place.sonotempo("crossval", config, "--out", run)
    place.sonotempo("compare", run, "--out", report)
    place.sonotempo("export", run, "--out", model, "--arm", "frame")
    weights = run / "frame" / "fold-00" / "weights.safetensors"
    place.sonotempo("evaluate", weights, data, "--out", place.root / "scores")
    sequence = next(data.glob("*/*"))
    masks, video = place.root / "masks", place.root / "outlines.mkv"
    place.sonotempo("segment", sequence, "--model", model, "--out", masks, "--video", video)
    findings.search("preview", place.root / "preview.png", lambda _: ("subject",))
    findings.search("cache", place.root / "cache", lambda _: ("subject",))
    findings.search(
        "run folder",
        run,
        lambda path: ("subject", "path") if path.name == "config.yaml" else ("subject",),
    )
    findings.search("report", report, lambda _: ("subject",))
    findings.search("scores", place.root / "scores", lambda _: ("subject",))
    findings.search("exported model", model, lambda _: ())
    findings.search("masks", masks, lambda _: ("subject",))
    findings.search("video with outlines", video, lambda _: ())


def check_live(place: Workplace, findings: Findings) -> None:
    """Stream a DICOM file that names a patient, and record it."""
    model = place.root / "model.onnx"
    if not model.is_file():
        check_run(place, findings)
    cine = place.root / "originals" / f"{SUBJECT}-anna" / f"{NAME}.dcm"
    if not cine.is_file():
        _write_patients(place.root / "originals")
    recorded = place.root / "recorded"
    recorded.mkdir()
    options = ("--record-predictions", "--seconds", 3, "--json", recorded / "stats.json")
    place.sonotempo("stream", cine, "--model", model, "--record", recorded / "live.mkv", *options)
    findings.search("live recording", recorded, lambda _: ("subject", "name"))
    masks = place.root / "masks of a cine"
    place.sonotempo("segment", cine, "--model", model, "--out", masks)
    findings.search("masks of a DICOM file", masks, lambda _: ("subject", "name"))


PARTS: dict[str, Callable[[Workplace, Findings], None]] = {
    "deidentify": check_deidentify,
    "run": check_run,
    "live": check_live,
}


def _screens() -> NDArray[np.uint8]:
    """Return frames of a screen with a name in it and tissue that changes."""
    random = np.random.default_rng(0)
    frames = np.full((_COUNT, *_SHAPE), 20, np.uint8)
    letters_HW = draw_marker(PATIENT)
    frames[:, 4 : 4 + letters_HW.shape[0], 4 : 4 + letters_HW.shape[1]] = letters_HW
    frames[:, *_TISSUE] = random.integers(60, 200, (_COUNT, 80, 100))
    return frames


def _write_patients(root: Path) -> None:
    """Write recordings of two patients, with their names wherever a file can hold one."""
    frames = _screens()
    anna, ben = root / f"{SUBJECT}-anna", root / f"{SUBJECT}-ben"
    for folder in (anna, ben):
        folder.mkdir(parents=True, exist_ok=True)
    _dicom(frames).save_as(anna / f"{NAME}.dcm", enforce_file_format=True)
    _write_video(frames, ben / f"{NAME}.mkv")
    folder = ben / "sequence"
    write_sequence(
        folder,
        NAME,
        frames,
        np.zeros_like(frames),
        spacing_mm=(0.1, 0.1),
        timestamps_ns=np.arange(_COUNT) * 40_000_000,
    )
    for path in folder.glob("*.mhd"):
        path.write_text(f"Comment = {PATIENT}\n{path.read_text()}")
    note = PngInfo()
    note.add_text("Comment", PATIENT)
    images = anna / "images"
    images.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        Pillow.fromarray(frame).save(images / f"{NAME}_{number}.png", pnginfo=note)


def _dicom(frames: NDArray[np.uint8]) -> Dataset:
    inner = Dataset()
    inner.PatientName, inner.PatientComments = f"{PATIENT}^ANNA", PATIENT
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.preamble = PATIENT.encode().ljust(128, b"\0")
    data.SOPClassUID, data.SOPInstanceUID = _US_MULTI_FRAME, generate_uid()
    data.PatientName = data.PatientID = data.InstitutionName = data.StudyDescription = PATIENT
    data.ImageComments = data.OperatorsName = data.Manufacturer = PATIENT
    data.SharedFunctionalGroupsSequence = [inner]
    data.private_block(0x0011, PATIENT, create=True).add_new(1, "LO", PATIENT)
    data.FrameTime, data.Modality = "40", "US"
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = frames.tobytes()
    return data


def _write_video(frames: NDArray[np.uint8], path: Path) -> None:
    import av  # noqa: PLC0415 (an extra)

    with av.open(str(path), "w") as container:
        container.metadata["title"] = PATIENT
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = _SHAPE
        stream.pix_fmt = "gray"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())


def _write_shapes(root: Path) -> None:
    """Write four subjects with a bright and a dark disc in noise, all frames labelled."""
    rows, columns = np.mgrid[:32, :32]
    for number in range(4):
        random = np.random.default_rng(number)
        images = random.integers(60, 140, (6, 32, 32)).astype(np.uint8)
        masks = np.zeros_like(images)
        for frame in range(6):
            for label, (column, grey) in enumerate(((10, 230), (22, 10)), start=1):
                disc = np.hypot(rows - 14 - frame % 3, columns - column - number % 2) < 4
                images[frame][disc], masks[frame][disc] = grey, label
        write_sequence(
            root / f"{SUBJECT}-{number}" / "sequence",
            "frame",
            images,
            masks,
            spacing_mm=(0.3, 0.3),
            timestamps_ns=np.arange(6) * 40_000_000,
        )


def _settings(data: Path) -> dict[str, object]:
    return {
        "name": "tiny",
        "data": {"root": str(data), "input_size": 32, "cache": str(data.with_name("cache"))},
        "folds": {"count": 2},
        "model": {"channels": [4, 8, 8, 8, 8, 8], "memory_channels": 8},
        "train": {"epochs": 2, "batch_size": 4, "accelerator": "cpu"},
        "sequence": {
            "epochs": 1,
            "batch_size": 2,
            "clip_frames": 4,
            "backpropagation_frames": 2,
        },
        "evaluate": {"bootstrap_draws": 100},
    }


def _pictures(root: Path) -> list[NDArray[np.uint8]]:
    """Return some frames of every recording of a folder."""
    dataset = open_dataset(root, NERVE_VESSEL, layout="recordings")
    return [
        recording.images[index]
        for recording in dataset.recordings
        for index in (0, len(recording) // 2, len(recording) - 1)
    ]


if __name__ == "__main__":
    main()
