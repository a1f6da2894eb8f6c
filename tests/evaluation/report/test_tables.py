"""What the tables say, word for word where it matters."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from sonotempo.arms import ARMS
from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.report.tables import run_table
from sonotempo.evaluation.scoring.frames import MEANS, FrameKey, FrameScore, frame_table
from sonotempo.measures import COMPARED

# tp, fp, fn and Dice per arm and subject: 'bone' is only seen in subject A, 'vein' never.
COUNTS = {
    ("frame", "A", "nerve"): (1, 1, 0, 0.6),
    ("frame", "B", "nerve"): (1, 0, 0, 0.8),
    ("sequence", "A", "nerve"): (1, 0, 0, 0.7),
    ("sequence", "B", "nerve"): (1, 0, 0, 0.9),
    ("frame", "A", "bone"): (1, 0, 0, 0.5),
    ("sequence", "A", "bone"): (0, 0, 1, 0.0),
}


def scored(arms=("frame", "sequence"), subjects="AB", values=()):
    rows = []
    for arm in arms:
        for subject in subjects:
            scores = []
            for structure in ("nerve", "bone", "vein"):
                tp, fp, fn, dice = COUNTS.get((arm, subject, structure), (0, 0, 0, np.nan))
                area = 100 * (tp + fn > 0)
                unknown = dict.fromkeys((of.column for of in MEANS.values()), np.nan)
                measured = unknown | {"dice": dice} | dict(values)
                counts = (tp, fp, fn) * 2
                scores.append(FrameScore(structure, *counts, 0, 100 * tp, area, measured))
            rows.append((FrameKey(arm, 0, subject, "scan", 0, 1), scores))
    return frame_table(rows)


def table_of(
    frames=None,
    arms=("frame", "sequence"),
    structures=("nerve", "bone", "vein"),
    title="Groin",
    notes=(),
    **config,
):
    frames = scored() if frames is None else frames
    return run_table(frames, EvaluateConfig(**config), arms, structures, title=title, notes=notes)


def text_of(table, structure, arm, column):
    """One cell as shown."""
    (row,) = [row for row in table.table.rows if row[:2] == (structure, arm)]
    return row[table.table.columns.index(column)]


def printed(table, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table.rich())
    return console.export_text()


def test_every_arm_of_a_structure_is_a_row():
    lines = table_of(structures=["nerve"]).markdown().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[0] == "| Structure | Arm | Precision | Recall | F1 | Dice | F1 pooled |"
    # F1 of frame: subjects 2/3 and 1, pooled 4/5.
    assert rows[2:] == [
        "| nerve | frame | 0.750 ± 0.354 | 1.000 ± 0.000 | 0.833 ± 0.236 | 0.700 ± 0.141 | 0.800 |",
        "| nerve | sequence | 1.000 ± 0.000 | 1.000 ± 0.000 | 1.000 ± 0.000 | 0.800 ± 0.141 "
        "| 1.000 |",
    ]


def test_heading_and_notes_are_above_the_table_in_every_output():
    table = table_of(
        title="Groin: image-level folds, subjects unknown", notes=["Stills moved into clips."]
    )
    markdown = table.markdown()
    assert markdown.startswith(
        "### Groin: image-level folds, subjects unknown\n\nStills moved into clips.\n\n"
    )
    text = printed(table, 120)
    assert text.index("subjects unknown") < text.index("Stills moved") < text.index("Structure")
    rows = pd.read_csv(io.StringIO(table.csv()))
    assert set(rows["title"]) == {"Groin: image-level folds, subjects unknown"}
    assert set(rows["notes"]) == {"Stills moved into clips."}


def test_the_caption_names_the_rules_and_the_sizes():
    caption = table_of().table.caption
    assert "intersection / reference area is more than 25 %" in caption
    assert "smaller than a circle of 7 px radius on a grid 256 px wide" in caption
    assert "Dice is of the frames in which the structure is present" in caption
    assert caption.endswith("2 subjects, 2 frames.")
    assert "intersection / union (IoU) is more than" in table_of(overlap="iou").table.caption


def test_the_caption_tells_when_the_arms_were_scored_on_different_frames():
    both = pd.concat([scored(["frame"], "AB"), scored(["sequence"], "A")])
    caption = table_of(both).table.caption
    assert caption.endswith("frame: 2 subjects, 2 frames; sequence: 1 subject, 1 frame.")


def test_primary_metrics_beyond_the_papers_are_shown_too():
    table = table_of(scored(values={"nsd": 0.5}), primary_metrics=("f1", "nsd"))
    assert text_of(table, "nerve", "frame", "NSD") == "0.500 ± 0.000"
    assert "Dice and NSD are of the frames" in table.table.caption
    assert "NSD: structure absent or spacing unknown" in " ".join(table.table.footnotes)
    shown = printed(table, 80)
    assert "NSD" in shown
    assert "…" not in shown.partition("Mean ±")[0]


def test_undefined_values_are_dashes_with_a_footnote_and_nan_is_never_shown():
    table = table_of()
    assert text_of(table, "vein", "frame", "F1") == "–"
    assert text_of(table, "vein", "frame", "F1 pooled") == "–"
    assert text_of(table, "bone", "sequence", "Precision") == "–"
    assert text_of(table, "bone", "sequence", "Recall") == "0.000 ± – (n=1)"
    markdown = table.markdown()
    assert "nan" not in markdown.lower()
    assert "– is an undefined value. Precision: nothing predicted; Recall: no ref" in markdown
    assert "± – is a mean of one subject" in markdown
    assert "(n=…) is how many subjects" in markdown


def test_footnotes_explain_only_what_is_there():
    assert table_of(structures=["nerve"]).table.footnotes == ()


def test_a_single_subject_has_a_value_without_sd():
    table = table_of(scored(subjects="A"), structures=["nerve"])
    assert text_of(table, "nerve", "frame", "Precision") == "0.500 ± –"
    assert len(table.table.footnotes) == 1


def test_csv_and_markdown_agree():
    table = table_of()
    rows = pd.read_csv(io.StringIO(table.csv()))
    assert list(rows.columns[:8]) == (
        ["structure", "arm", "metric", "mean", "sd", "n", "reason", "pooled"]
    )
    assert len(rows) == 3 * 2 * len(COMPARED)  # some of them are in the CSV only
    titles = {"precision": "Precision", "recall": "Recall", "f1": "F1", "dice": "Dice"}
    for row in rows[rows["metric"].isin(list(titles))].itertuples():
        shown = text_of(table, row.structure, row.arm, titles[row.metric])
        if np.isnan(row.mean):
            assert shown == "–"
        else:
            sd = "–" if np.isnan(row.sd) else f"{row.sd:.3f}"
            assert shown.startswith(f"{row.mean:.3f} ± {sd}")


@pytest.mark.parametrize("primary", [("f1", "dice"), ("f1", "nsd"), ("hd95",)])
def test_six_arms_of_a_long_structure_fit_a_terminal_of_80_columns(primary):
    arms = tuple(arm.name for arm in ARMS)
    of_frame = scored(("frame",)).replace("nerve", "musculocutaneous nerve")
    frames = pd.concat([of_frame.assign(arm=arm) for arm in arms])
    structures = ["musculocutaneous nerve", "bone"]
    text = printed(table_of(frames, arms, structures, primary_metrics=primary), 80)
    for arm in arms:
        assert re.search(rf"^ *{arm} +[\d–]", text, re.MULTILINE), text
    assert "Precision" in text
    assert "pooled" in text
    assert "…" not in text.partition("Mean ±")[0]
    assert "0.833" in text


def test_markup_in_names_is_shown_as_written():
    table = table_of(
        scored().replace({"structure": {"nerve": "nerve [red]|left"}}),
        structures=["nerve [red]|left"],
    )
    assert "| nerve [red]\\|left |" in table.markdown()
    assert "nerve [red]|left" in printed(table, 200)
