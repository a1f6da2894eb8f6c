"""The ready-made models that the package brings: what they say of themselves, and that they see."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sonotempo import live
from sonotempo.io import open_dataset
from sonotempo.live.models.card import read_card
from sonotempo.live.models.cuda import has_cuda
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.openvino_engine import has_openvino
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.phantom.simulate import Scan, cast
from sonotempo.recording import Frame
from sonotempo.structures import NAMED_SETS, NERVE_VESSEL

READY = Path(live.__file__).parent / "models" / "packaged"
ARMS = {"frame": ("frame",), "sequence": ("sequence",), "pair": ("frame", "sequence")}
NAMES = [f"{procedure}-{kind}" for procedure in ("axillary", "femoral") for kind in ARMS]
REAL = [f"nerve-vessel-{kind}" for kind in ARMS]
STILLS = Path(__file__).parents[4] / "shared" / "data" / "usgra-seg"
ENGINES = [
    "onnxruntime",
    *(["openvino"] if has_openvino() else []),
    *(["cuda"] if has_cuda() else []),
]


def path_of(name):
    return READY / f"{name}.onnx"


@cache
def scanned(procedure):
    """Seconds 1, 3, 5 and 7 of what the live simulation shows by default, with their references."""
    settings = PhantomConfig(procedure=procedure, size=240, frame_rate_hz=30, event_rate=0)
    scan = Scan(cast(settings, 1), settings, width=320)
    shown = [scan.next(30 * second) for second in (1, 3, 5, 7)]
    frames = [
        Frame(one.image_HW, one.index, one.timestamp_ns, one.spacing_mm, area=scan.area)
        for one in shown
    ]
    return frames, np.stack([one.mask_HW for one in shown])


def test_there_are_these_and_no_others():
    assert sorted(path.stem for path in READY.glob("*.onnx")) == sorted([*NAMES, *REAL])


def test_they_are_small_enough_to_ship():
    assert sum(path.stat().st_size for path in READY.glob("*.onnx")) < 25e6


@pytest.mark.parametrize("name", NAMES)
def test_a_model_says_what_it_is_and_that_it_knows_no_patients(name):
    card = read_card(path_of(name))
    procedure, _, kind = name.partition("-")
    assert card.structures == NAMED_SETS[procedure]
    assert card.arms == ARMS[kind]
    assert card.stateful == (kind != "frame")
    assert card.name == f"{procedure} {' + '.join(card.arms)}, trained on simulation"
    assert "simulated" in card.note
    assert "not for patients" in card.note
    assert f"simulated {procedure} subjects" in card.trained_on
    assert "train_ready_models.py" in card.trained_on
    for arm in card.arms:
        (figures,) = [check for check in card.checks if check.startswith(f"{arm}: Dice on")]
        assert "held-out simulated subjects" in figures
        assert all(structure in figures for structure in card.structures.names)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_a_model_finds_something_of_the_live_simulation_on_every_engine(name, engine):
    # A nerve fades with the probe's tilt, and the figures in the cards are far from perfect: these
    # limits tell a model that works from one that does not.
    frames, references_THW = scanned(name.partition("-")[0])
    with OnnxPredictor(path_of(name), engine, threads=1) as predictor:
        steps = [predictor.step(frame) for frame in frames]
        names = predictor.model.structures.names
    for of_arm in zip(*steps, strict=True):
        masks_THW = np.stack([prediction.mask_HW for prediction in of_arm])
        assert masks_THW.shape == references_THW.shape
        assert masks_THW.max() <= len(names)
        for what, least in (("blood", 0.8), ("bone", 0.7), ("nerve", 0.4)):
            labels = [label for label, one in enumerate(names, start=1) if what in one]
            mine, theirs = np.isin(masks_THW, labels), np.isin(references_THW, labels)
            dice = 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum())
            assert dice > least, (of_arm[0].model, what, dice)


@pytest.mark.parametrize("name", REAL)
def test_a_model_of_real_stills_names_their_source_and_licence(name):
    card = read_card(path_of(name))
    kind = name.removeprefix("nerve-vessel-")
    assert card.structures == NERVE_VESSEL
    assert card.arms == ARMS[kind]
    assert card.origin == "204 stills"
    assert "for research and education; trained on 204 stills of volunteers" in card.note
    for text in (card.note, card.trained_on):
        assert "usgra-seg" in text
        assert "CC BY 4.0" in text
    for arm in card.arms:
        (figures,) = [check for check in card.checks if check.startswith(f"{arm}: Dice in 3 folds")]
        assert "subjects are unknown" in figures


@pytest.mark.skipif(not STILLS.is_dir(), reason=f"no real stills at {STILLS}")
@pytest.mark.parametrize("name", REAL)
def test_a_model_of_real_stills_finds_nerves_and_vessels_in_them(name):
    recordings = open_dataset(STILLS, NERVE_VESSEL).recordings[::20]
    found = {1: [], 2: []}
    with OnnxPredictor(path_of(name), threads=1) as predictor:
        for recording in recordings:
            predictor.reset()
            reference_HW = recording.mask(0)
            for prediction in predictor.step(recording[0]):
                for label, dice in found.items():
                    mine, theirs = prediction.mask_HW == label, reference_HW == label
                    if theirs.any():
                        dice.append(2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()))
    # It was trained on nearly all of them: this shows that the file works, not how well.
    assert np.mean(found[1]) > 0.5
    assert np.mean(found[2]) > 0.6
