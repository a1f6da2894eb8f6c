"""Whatever happens to a file of a run folder, what reads it says so in one sentence."""

import io
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from sonotempo.config_file import load_run
from sonotempo.data.folds import load_folds
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.comparison.runs import read_run
from sonotempo.evaluation.scoring.mask_files import read_masks
from sonotempo.training.weights import load_weights


def packed_masks(**changes):
    arrays = {
        "masks_TSS": np.zeros((2, 4, 4), np.uint8),
        "frame_numbers": np.arange(2),
        "recording": np.array("s0"),
    }
    content = io.BytesIO()
    np.savez_compressed(content, **{**arrays, **changes})
    return content.getvalue()


def huge_npz(member="masks_TSS.npy"):
    """Masks whose header announces terabytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 10, 1 << 10)}
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, header.getvalue())
    return content.getvalue()


def table(**columns):
    content = io.BytesIO()
    pd.DataFrame(columns or {"arm": ["frame"]}).to_parquet(content)
    return content.getvalue()


def without(content, column):
    changed = io.BytesIO()
    pd.read_parquet(io.BytesIO(content)).drop(columns=column).to_parquet(changed)
    return changed.getvalue()


def as_text(content, column):
    changed = io.BytesIO()
    read = pd.read_parquet(io.BytesIO(content))
    read[column] = read[column].astype(str) + "x"
    read.to_parquet(changed)
    return changed.getvalue()


ANY = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "blank": lambda content: bytes(len(content)),
    "noise": lambda content: np.random.default_rng(0).bytes(len(content)),
    "no text": lambda content: b"\xff\xfe\x00" + content[3:],
    "pickle": lambda content: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x04test\x94.",
}
TEXT = {
    "null": lambda content: b"null",
    "list": lambda content: b"[1, 2]",
    "mapping": lambda content: b"{}",
    "deep": lambda content: b"[" * 100_000,
    "a number": lambda content: b"1e999",
    "long number": lambda content: b'{"number": ' + b"9" * 10_000 + b"}",
    "folds of text": lambda content: json.dumps(
        [{"number": 0, "train": "abc", "validation": "d", "test": "e"}]
    ).encode(),
    "folds of numbers": lambda content: json.dumps(
        [{"number": 0, "train": [1], "validation": [2], "test": [[3]]}]
    ).encode(),
}
TABLE = {
    "another table": lambda content: table(),
    "no rows": lambda content: table(arm=[]),
    "no arm": lambda content: without(content, "arm"),
    "no recording": lambda content: without(content, "recording"),
    "a fold of text": lambda content: as_text(content, "fold"),
    "no value": lambda content: table(value=[1.0]),
}
MASKS = {
    "huge masks": lambda content: huge_npz(),
    "objects": lambda content: packed_masks(masks_TSS=np.array([{}, 1], object)),
    "flat masks": lambda content: packed_masks(masks_TSS=np.zeros(4, np.uint8)),
    "text for numbers": lambda content: packed_masks(frame_numbers=np.array(["a", "b"])),
    "another recording": lambda content: packed_masks(),
}
KINDS = {
    **{("*.*", name): damage for name, damage in ANY.items()},
    **{("*.json", name): damage for name, damage in TEXT.items()},
    **{("*.yaml", name): damage for name, damage in TEXT.items()},
    **{("*.parquet", name): damage for name, damage in TABLE.items()},
    **{("*.npz", name): damage for name, damage in MASKS.items()},
}


def sentences(run, path):
    """Read all that commands read of a run when a file of it is damaged; return what was said."""
    if path.suffix == ".npz":
        reads = [lambda: read_masks(path.parent.parent, path.stem.replace("__", "/"))]
    elif path.suffix == ".safetensors":
        reads = [lambda: load_weights(path)]
    elif path.name == "facts.json":
        reads = [lambda: read_run(run), lambda: load_weights(path.with_name("weights.safetensors"))]
    else:
        reads = [
            lambda: read_run(run),
            lambda: load_run(run),
            lambda: load_folds(run / "folds.json"),
        ]
    said = []
    for read in reads:
        try:
            read()
        except SonotempoError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize(("pattern", "damage"), KINDS, ids=str)
def test_a_damaged_file_of_a_run_is_named_or_does_not_matter(
    finished_run, tmp_path, pattern, damage
):
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run)
    # One arm and fold stands for all, and one file for all of its kind.
    job = run / "sequence" / "fold-00"
    one_of_a_kind = {
        (path.suffix, path.stem if path.suffix != ".npz" else ""): path
        for folder in (run, job, job / "masks")
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }
    assert one_of_a_kind
    for path in one_of_a_kind.values():
        content = path.read_bytes()
        path.write_bytes(KINDS[pattern, damage](content))
        said = sentences(run, path)
        path.write_bytes(content)
        assert all(len(sentence) < 1500 for sentence in said)
