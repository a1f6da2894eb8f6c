"""What the tables and the plot say, word for word where it matters."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from sonotempo.arms import ARMS
from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.report.summary_table import comparison_table, draw_bars
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, frame_table, summary

# tp, fp, fn and Dice per arm and subject: 'bone' is only seen in subject A, 'vein' never.
COUNTS = {
    ("frame", "A", "nerve"): (1, 1, 0, 0.6),
    ("frame", "B", "nerve"): (1, 0, 0, 0.8),
    ("sequence", "A", "nerve"): (1, 0, 0, 0.7),
    ("sequence", "B", "nerve"): (1, 0, 0, 0.9),
    ("frame", "A", "bone"): (1, 0, 0, 0.5),
    ("sequence", "A", "bone"): (0, 0, 1, 0.0),
}


def scored(arms=("frame", "sequence"), subjects="AB", overlap="reference"):
    rows = []
    for arm in arms:
        for subject in subjects:
            scores = []
            for structure in ("nerve", "bone", "vein"):
                tp, fp, fn, dice = COUNTS.get((arm, subject, structure), (0, 0, 0, np.nan))
                area = 100 * (tp + fn > 0)
                scores.append(
                    FrameScore(structure, tp, fp, fn, tp, fp, fn, dice, 0, 100 * tp, area)
                )
            rows.append((FrameKey(arm, 0, subject, "scan", 0), scores))
    return summary(frame_table(rows), EvaluateConfig(overlap=overlap))


def table_of(summarised=None, arms=("frame", "sequence"), **keywords):
    keywords = {"title": "Groin"} | keywords
    return comparison_table(scored() if summarised is None else summarised, arms, **keywords)


def test_the_arms_stand_side_by_side_under_each_metric():
    lines = table_of(structures=["nerve"]).markdown().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[0] == (
        "| Structure | Precision, frame | Precision, sequence | Recall, frame | Recall, sequence "
        "| F1, frame | F1, sequence | Dice, frame | Dice, sequence "
        "| F1 pooled, frame | F1 pooled, sequence |"
    )
    # F1 of frame: subjects 2/3 and 1, pooled 4/5.
    assert rows[2] == (
        "| nerve | 0.75 ± 0.35 | 1.00 ± 0.00 | 1.00 ± 0.00 | 1.00 ± 0.00 "
        "| 0.83 ± 0.24 | 1.00 ± 0.00 | 0.70 ± 0.14 | 0.80 ± 0.14 | 0.80 | 1.00 |"
    )
    assert len(rows) == 3


def test_heading_and_notes_stand_above_the_table_in_every_rendering():
    table = table_of(
        title="Groin: image-level folds, subjects unknown", notes=["Stills moved into clips."]
    )
    markdown = table.markdown()
    assert markdown.startswith(
        "### Groin: image-level folds, subjects unknown\n\nStills moved into clips.\n\n"
    )
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(table.rich())
    text = console.export_text()
    assert text.index("subjects unknown") < text.index("Stills moved") < text.index("Structure")
    rows = pd.read_csv(io.StringIO(table.csv()))
    assert set(rows["title"]) == {"Groin: image-level folds, subjects unknown"}
    assert set(rows["notes"]) == {"Stills moved into clips."}


def test_the_caption_names_the_rules_and_the_sizes():
    caption = table_of().caption
    assert "intersection / reference area is more than 25 %" in caption
    assert "smaller than a circle of 7 px radius on a grid 256 px wide" in caption
    assert caption.endswith("2 subjects, 2 frames.")
    assert "intersection / union (IoU) is more than" in table_of(scored(overlap="iou")).caption


def test_the_caption_tells_when_the_arms_were_scored_on_different_frames():
    both = pd.concat([scored(["frame"], "AB"), scored(["sequence"], "A")])
    caption = table_of(both).caption
    assert caption.endswith("frame: 2 subjects, 2 frames; sequence: 1 subject, 1 frame.")


def test_undefined_values_are_dashes_with_a_footnote_and_nan_is_never_shown():
    table = table_of()
    assert table.texts["vein", "frame", "F1"] == "–"
    assert table.texts["vein", "frame", "F1 pooled"] == "–"
    assert table.texts["bone", "sequence", "Precision"] == "–"
    assert table.texts["bone", "sequence", "Recall"] == "0.00 ± – (n=1)"
    markdown = table.markdown()
    assert "nan" not in markdown.lower()
    assert "– is an undefined value: precision needs a predicted region" in markdown
    assert "± – is a mean of one subject" in markdown
    assert "(n=…) is how many subjects" in markdown


def test_footnotes_explain_only_what_is_there():
    assert table_of(structures=["nerve"]).footnotes == ()


def test_a_single_subject_has_a_value_without_sd():
    table = table_of(scored(subjects="A"), structures=["nerve"])
    assert table.texts["nerve", "frame", "Precision"] == "0.50 ± –"
    assert len(table.footnotes) == 1


def test_csv_and_markdown_agree():
    table = table_of()
    rows = pd.read_csv(io.StringIO(table.csv()))
    assert list(rows.columns[:8]) == (
        ["structure", "arm", "metric", "mean", "sd", "n", "pooled", "subjects"]
    )
    assert len(rows) == 3 * 2 * 6  # dice_all and nsd are in the CSV only
    titles = {"precision": "Precision", "recall": "Recall", "f1": "F1", "dice": "Dice"}
    for row in rows[rows["metric"].isin(list(titles))].itertuples():
        shown = table.texts[row.structure, row.arm, titles[row.metric]]
        if np.isnan(row.mean):
            assert shown == "–"
        else:
            sd = "–" if np.isnan(row.sd) else f"{row.sd:.2f}"
            assert shown.startswith(f"{row.mean:.2f} ± {sd}")


def test_a_narrow_terminal_keeps_each_arm_on_its_own_rows():
    console = Console(width=70, file=io.StringIO(), record=True)
    console.print(table_of(structures=["nerve"]).rich())
    arms = re.findall(r"\b(frame|sequence) +(\d\.\d\d)", console.export_text())
    assert arms == [("frame", "0.75"), ("sequence", "1.00")]


def test_six_arms_of_a_long_structure_fit_a_terminal_of_80_columns():
    arms = tuple(arm.name for arm in ARMS)
    of_frame = scored(("frame",)).replace("nerve", "musculocutaneous nerve")
    table = table_of(pd.concat([of_frame.assign(arm=arm) for arm in arms]), arms)
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(table.rich())
    text = console.export_text()
    for arm in arms:
        assert re.search(rf"^ *{arm} +[\d–]", text, re.MULTILINE), text
    assert "Precision" in text
    assert "F1 pooled" in text


def test_markup_in_names_is_shown_as_written():
    renamed = scored().replace({"structure": {"nerve": "nerve [red]|left"}})
    table = table_of(renamed)
    assert "| nerve [red]\\|left |" in table.markdown()
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(table.rich())
    assert "nerve [red]|left" in console.export_text()


def test_unknown_arms_and_structures_are_named():
    with pytest.raises(ConfigError, match="did you mean 'sequence'"):
        table_of(arms=["sequnce"])
    with pytest.raises(ConfigError, match="did you mean 'nerve'"):
        table_of(structures=["nervs"])
    with pytest.raises(ConfigError, match="no scores of vein of arm frame; score all arms"):
        table_of(scored().query("arm != 'frame' or structure != 'vein'"))
    with pytest.raises(ConfigError, match="nothing to compare"):
        table_of(arms=[])


def test_bars_are_drawn_with_undefined_values_and_one_subject(tmp_path):
    drawn = tmp_path / "bars.png"
    draw_bars(scored(), None, drawn, title="Groin", notes=["Stills moved into clips."])
    with Image.open(drawn) as image:
        assert image.format == "PNG"
        colors = {color for _, color in image.convert("RGB").getcolors(1 << 24)}
    for of_metric in ((0, 114, 178), (86, 180, 233), (230, 159, 0), (0, 158, 115)):
        assert of_metric in colors
    with pytest.raises(ConfigError, match="7 arms do not fit"):
        draw_bars(scored(), None, drawn, arms=list("abcdefg"))
