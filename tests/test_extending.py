"""docs/extending.md is executed: a copy of the package with its blocks applied has to run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
_BLOCK = re.compile(
    r'^```python title="([^":]+)(?:: (in|before|after|imports) ?(\w*))?"\n(.*?)^```', re.M | re.S
)
_ROW = re.compile(r"^\| an? ([a-z ]+) \|.*\| ([0-9 or]+) \|$", re.M)

SCRIPT = """
import dataclasses, json, sys, traceback
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fakes.experiments import FinishedRun, TINY, Told
from fakes.shapes import write_shapes
from sonotempo.config import AugmentConfig, EvaluateConfig

here = Path(sys.argv[1])
write_shapes(here / "data", 4, 6, 32, seed=0)
run = FinishedRun.of(
    here / "data",
    arms=("frame", "frame_extra", "frame_late", "sequence"),
    model=TINY.model_copy(update={"memory": "leaky_mean"}),
    augment=AugmentConfig(gain_probability=1.0),
    evaluate=EvaluateConfig(primary_metrics=("dice", "centre_mm"), bootstrap_draws=100),
)
frames = pd.read_parquet(run.folder / "frames.parquet")


def a_metric():
    from sonotempo.study.reporting import report_runs
    with Told() as progress:
        comparison = report_runs([run.folder], here / "report", progress)
    tested = {d.metric for pair in comparison.pairs for d in pair.differences if d.primary}
    return {
        "values": int(frames["centre_mm"].notna().sum()),
        "tested": sorted(tested),
        "written": [
            name
            for name in ("tables.md", "tables.tex", "comparison.csv", "report.html")
            if "Centre distance" in (here / "report" / name).read_text(encoding="utf-8")
            or "centre_mm" in (here / "report" / name).read_text(encoding="utf-8")
        ],
    }


def a_memory_cell():
    from sonotempo.export.job import export_model
    from sonotempo.live.models.onnx_predictor import OnnxPredictor
    from sonotempo.models import build_model
    from sonotempo.recording import Frame
    with Told() as progress:
        export_model(run.folder, here / "m.onnx", progress, arms=("sequence",), pair=False)
    image_HW = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    with OnnxPredictor(here / "m.onnx", "onnxruntime", threads=1) as predictor:
        ages = [predictor.step(Frame(image_HW, i, i, None))[0].state_age for i in range(3)]
    sizes = [
        sum(weight.numel() for weight in build_model(arm, run.experiment.model, 3).parameters())
        for arm in ("sequence", "frame_extra")
    ]
    return {"ages": ages, "sizes": sizes}


def a_reader():
    from sonotempo.io import open_recording
    stack = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    np.save(here / "stack.npy", stack)
    recording = open_recording(here / "stack.npy")
    return {"same": bool((recording[1].image_HW == stack[1]).all()), "frames": len(recording)}


def a_live_source():
    from sonotempo.live.sources.open import buffer_for, open_source
    source = open_source("noise://white")
    with buffer_for(source) as buffer, buffer.reader() as reader:
        source.start(buffer)
        arrived = reader.wait(20)
        shape = reader.newest().frame.image_HW.shape
        source.stop()
    return {"arrived": arrived, "shape": shape, "state": source.state}


def an_arm():
    late = frames[(frames.arm == "frame_late") & (frames.state_age == 1)]
    return {"scored": len(late), "predicted_px": int(late.predicted_px.sum())}


def an_augmentation():
    from sonotempo.data.augment import Augmentation
    from sonotempo.data.augmentations import Gain
    draws = [
        Augmentation(AugmentConfig(gain_probability=p)).draw(20, torch.Generator().manual_seed(4))
        for p in (0.0, 1.0)
    ]
    without = [tuple(e for e in draw if not isinstance(e, Gain)) for draw in draws[1]]
    before, after = (sum(map(len, each)) for each in draws)
    return {"others": without == draws[0], "gains": after - before}


answers = {}
for kind in (a_metric, a_memory_cell, a_reader, a_live_source, an_arm, an_augmentation):
    try:
        answers[kind.__name__] = kind()
    except Exception:
        answers[kind.__name__] = traceback.format_exc()
print(json.dumps(answers))
"""


def blocks():
    """The blocks of the page: file, what to do there, next to what, and the text."""
    return [match.groups() for match in _BLOCK.finditer(PAGE)]


def apply(text, verb, name, block):
    """Change a file as the title of a block says."""
    lines = text.split("\n")
    if verb == "imports":
        at = next(i for i, line in enumerate(lines) if line.startswith("from sonotempo"))
        return "\n".join([*lines[:at], block.rstrip("\n"), *lines[at:]])
    here = next(i for i, line in enumerate(lines) if re.match(rf"\s*(def )?{name}\b", line))
    if verb == "after":
        return "\n".join([*lines[: here + 1], block.rstrip("\n"), *lines[here + 1 :]])
    if verb == "before":
        while lines[here - 1].startswith("#:"):
            here -= 1
        return "\n".join([*lines[:here], block, "", *lines[here:]])
    if lines[here].rstrip().endswith((")", "}")):  # a list on one line
        lines[here] = f"{lines[here].rstrip()[:-1]}, {block.strip()}{lines[here].rstrip()[-1]}"
        return "\n".join(lines)
    closing = re.compile(r" {0,4}[)}]$" if lines[here].startswith("def") else r"[)}]$")
    end = next(i for i in range(here + 1, len(lines)) if closing.match(lines[i]))
    return "\n".join([*lines[:end], block.rstrip("\n"), *lines[end:]])


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the extended copy of the package did, by kind of addition."""
    folder = tmp_path_factory.mktemp("extended")
    ignored = shutil.ignore_patterns("packaged", "__pycache__")
    shutil.copytree(ROOT / "src" / "sonotempo", folder / "src" / "sonotempo", ignore=ignored)
    for name, verb, anchor, block in blocks():
        path = folder / name
        text = path.read_text(encoding="utf-8") if verb else ""
        path.write_text(apply(text, verb, anchor, block) if verb else block, encoding="utf-8")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    paths = os.pathsep.join([str(folder / "src"), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, script, folder],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_the_page_counts_the_files_that_its_blocks_touch():
    sections = PAGE.split("\n## ")[1:]
    touched = {}
    for section in sections:
        files = {match[1] for match in _BLOCK.finditer(section)}
        touched[section.partition("\n")[0].removeprefix("An ").removeprefix("A ")] = len(files)
    stated = {kind.strip(): int(number.split()[-1]) for kind, number in _ROW.findall(PAGE)}
    assert len(stated) == 6
    assert touched == stated


def test_a_metric_reaches_scores_tests_and_every_output(answers):
    found = answers["a_metric"]
    assert found["values"] > 0, found
    assert found["tested"] == ["centre_mm", "dice"]
    assert found["written"] == ["tables.md", "tables.tex", "comparison.csv", "report.html"]


def test_a_memory_cell_is_trained_exported_and_streamed_and_has_its_control(answers):
    found = answers["a_memory_cell"]
    assert found["ages"] == [1, 2, 3], found
    sequence, control = found["sizes"]
    assert abs(control - sequence) < 0.1 * sequence


def test_a_reader_opens_files(answers):
    assert answers["a_reader"] == {"same": True, "frames": 3}


def test_a_live_source_streams_and_stops(answers):
    found = {"arrived": True, "shape": [128, 128], "state": "stopped"}
    assert answers["a_live_source"] == found


def test_an_arm_is_scored_in_every_fold(answers):
    """It shows nothing at first: the frame before is none."""
    assert answers["an_arm"] == {"scored": 4 * 2, "predicted_px": 0}


def test_an_augmentation_leaves_the_draws_of_the_others_alone(answers):
    assert answers["an_augmentation"] == {"others": True, "gains": 20}


def test_every_block_names_a_file_of_the_package():
    by_file = defaultdict(list)
    for name, verb, anchor, _ in blocks():
        by_file[name].append((verb, anchor))
        assert verb is None or (ROOT / name).is_file(), name
    assert len(by_file) == 12
