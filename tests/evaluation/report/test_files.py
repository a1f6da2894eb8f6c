"""The files of a comparison: the same numbers in all of them, the same bytes every time."""

import csv
import io
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from fakes.comparisons import SIMULATED, write_run
from sonotempo.config import EvaluateConfig
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.report.documents import latex, markdown
from sonotempo.evaluation.report.files import CSV_COLUMNS, to_csv, to_json, write_comparison
from sonotempo.measures import COMPARED, measure

PAPER_METRICS = [one.name for one in COMPARED if one.in_paper]

ARMS = ("frame", "frame_continued", "sequence")


def run_of(folder, **changes):
    settings = {"arms": ARMS, "subjects": 8, "frames": 5, "structures": ["nerve_1", "art|ery"]}
    few = EvaluateConfig(bootstrap_draws=200)
    return write_run(folder, **settings | {"evaluate": few} | changes)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    return compare([run_of(tmp_path_factory.mktemp("files") / "run")])


@pytest.fixture(scope="module")
def record(comparison):
    return json.loads(to_json(comparison))


def read_markdown(text):
    """Every table's rows, split at bars that are not part of a name."""
    tables, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            rows.append([cell.strip().replace("\\", "") for cell in cells])
        elif rows:
            tables.append([rows[0], *rows[2:]])
            rows = []
    return tables


def read_latex(text):
    """Every table's rows as plain text."""
    tables = []
    for body in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.S):
        plain = body.replace("\\midrule\n", "").replace("$\\pm$", "±").replace("$-$", "-")
        plain = plain.replace("\\_", "_").replace("\\%", "%").replace("--", "–").replace("$<$", "<")
        tables.append(
            [
                [cell.strip() for cell in line.removesuffix("\\\\").split(" & ")]
                for line in plain.strip().splitlines()
            ]
        )
    return tables


def test_json_holds_the_whole_record_sorted_and_without_nan(comparison, record):
    text = to_json(comparison)
    assert list(record) == sorted(record)
    assert "NaN" not in text
    assert record["schema"] == 1
    assert record["data"]["simulated"] is True
    assert record["summary"] == list(comparison.summary)
    measures = {one["name"]: one for one in record["settings"]["measures"]}
    assert list(measures) == [one.name for one in COMPARED]
    assert measures["dice"]["margin"] == 0.02
    assert measures["dice"]["better"] == "higher"
    assert record["settings"]["primary_metrics"] == ["f1", "dice"]
    numbers = re.findall(r"-?\d+\.\d+", text)
    assert numbers
    assert max(len(number.partition(".")[2]) for number in numbers) <= 4


def test_the_same_scores_give_the_same_bytes_wherever_they_lie(tmp_path, comparison):
    again = compare([run_of(tmp_path / "elsewhere" / "run")])
    assert to_json(again) == to_json(comparison)
    assert to_csv(again) == to_csv(comparison)


def numbers_of(record):
    """Every number of a record, by the columns of the CSV that name it."""
    for cell in record["cells"]:
        for name in ("mean", "sd", "n", "pooled"):
            yield ("scores", *key_of(cell), "", name), cell[name]
    for cell in record["temporal"]:
        for name in ("mean", "sd", "n"):
            yield ("temporal", *key_of(cell), "", name), cell[name]
    for age in record["state_age"]:
        said = f"frames {age['first']} to {age['last']} since reset"
        for name in ("dice", "f1", "subjects", "frames"):
            yield ("state_age", age["structure"], age["arm"], "", name, "", said), age[name]
    for pair, one in [(of, one) for of in record["pairs"] for one in of["differences"]]:
        of = (one["structure"], pair["arm"], pair["baseline"], one["metric"])
        tests = ("p", "p_holm", "verdict") if one["primary"] else ()
        for name in ("estimate", "ci_low", "ci_high", "n", "detectable", *tests):
            yield ("differences", *of, "", name), one[name]
        for subject in one["subjects"]:
            for name in ("arm", "baseline", "difference"):
                yield ("subjects", *of, subject["subject"], name), subject[name]


def key_of(cell):
    return cell["structure"], cell["arm"], "", cell["metric"]


def test_csv_and_json_agree_in_every_number(comparison, record):
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert tuple(rows[0]) == CSV_COLUMNS
    found = {
        tuple(row[name] for name in CSV_COLUMNS[:7]): row["value"]
        for row in rows
        if row["table"] != "notes"
    }
    expected = dict(numbers_of(record))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        text = found[key]
        if value is None or isinstance(value, str):
            assert text == (value or "")
        else:
            assert float(text) == value


@pytest.mark.parametrize(("written", "read"), [(markdown, read_markdown), (latex, read_latex)])
def test_tables_and_json_agree_in_every_number(comparison, record, written, read):
    scores, *differences = read(written(comparison))
    cells = {(c["structure"], c["arm"], c["metric"]): c for c in record["cells"]}
    assert scores[0] == [
        "Structure",
        "Arm",
        *(measure(m).title for m in PAPER_METRICS),
        "F1 pooled",
    ]
    assert len(scores) == 1 + 2 * len(ARMS)
    for structure, arm, *texts, pooled in scores[1:]:
        for metric, text in zip(PAPER_METRICS, texts, strict=True):
            cell = cells[structure, arm, metric]
            mean, sd = re.findall(r"\d\.\d{3}", text)
            assert (float(mean), float(sd)) == (cell["mean"], cell["sd"])
            assert ("n=" in text) == (cell["n"] < 8)
        assert float(pooled) == cells[structure, arm, "f1"]["pooled"]
    assert len(differences) == len(record["pairs"]) == 2
    for table, pair in zip(differences, record["pairs"], strict=True):
        primary = [one for one in pair["differences"] if one["primary"]]
        assert len(table) == 1 + len(primary)
        for row, one in zip(table[1:], primary, strict=True):
            structure, metric, estimate, bounds, p, least, n, verdict = row
            assert (structure, metric) == (one["structure"], measure(one["metric"]).title)
            assert float(estimate) == one["estimate"]
            low, high = bounds.strip("[]").split(", ")
            assert (float(low), float(high)) == (one["ci_low"], one["ci_high"])
            assert float(p.replace("<0.0001", "0")) == one["p_holm"]
            assert (None if least == "–" else float(least)) == one["detectable"]
            assert (int(n), verdict) == (one["n"], one["verdict"])


def test_numbers_of_the_summary_are_those_of_the_record(comparison, record):
    primary = [one for pair in record["pairs"] for one in pair["differences"] if one["primary"]]
    shown = re.findall(
        r"([+-]\d\.\d{3}) \[([+-]\d\.\d{3}), ([+-]\d\.\d{3})\]", comparison.summary[1]
    )
    assert shown
    known = {(one["estimate"], one["ci_low"], one["ci_high"]) for one in primary}
    assert {tuple(map(float, numbers)) for numbers in shown} <= known
    verdicts = [one["verdict"] for one in record["pairs"][0]["differences"] if one["primary"]]
    if "better" in verdicts:
        assert f"better in {verdicts.count('better')}" in comparison.summary[1]


def test_every_output_says_that_the_subjects_are_simulated(comparison):
    assert SIMULATED in markdown(comparison)
    table = pd.read_csv(io.StringIO(to_csv(comparison)), dtype=str)
    assert set(table["simulated"]) == {"yes"}
    assert SIMULATED in set(table["value"])
    text = latex(comparison)
    captions = re.findall(r"\\caption\{(.*)\}", text)
    assert len(captions) == 3
    assert all(
        "Simulated subjects: these numbers say nothing about patients" in c for c in captions
    )


def test_latex_is_balanced_and_names_are_escaped(comparison):
    text = "\n".join(line for line in latex(comparison).splitlines() if line[:1] != "%")
    assert text.count("{") == text.count("}")
    assert text.count("\\begin") == text.count("\\end")
    assert text.isascii()
    assert "nerve\\_1" in text
    assert not re.search(r"(?<!\\)[_%#]", text.replace("tab:sonotempo", ""))


def test_files_are_written_and_a_folder_that_cannot_be_is_named(tmp_path, comparison):
    files = write_comparison(comparison, tmp_path / "report")
    names = ["comparison.json", "comparison.csv", "tables.tex", "tables.md"]
    assert [file.name for file in files] == names
    assert all(file.stat().st_size for file in files)
    (tmp_path / "file").write_text("")
    with pytest.raises(SonotempoError, match="cannot be created"):
        write_comparison(comparison, tmp_path / "file" / "report")


def test_a_single_subject_leaves_dashes_and_no_nan(tmp_path):
    found = compare([run_of(tmp_path / "run", subjects=1, folds=1)])
    for text in (to_json(found), to_csv(found), markdown(found), latex(found)):
        assert "nan" not in text.lower()
        assert "one subject" in text
    assert "± –" in markdown(found)


def test_texts_of_users_do_no_harm_in_any_format(tmp_path):
    names = ["=1+1", "<img src=x onerror=alert(1)>"]
    found = compare([run_of(tmp_path / "run", structures=names)])
    found = replace(found, notes=(*found.notes, "a note\n\\input{secret}\r\n=2+2"))
    live = [line for line in latex(found).splitlines() if not line.startswith("%")]
    assert not any("\\input" in line for line in live)
    page = markdown(found)
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert not any(line.startswith(("=2", "\\input")) for line in page.splitlines())
    for row in csv.DictReader(io.StringIO(to_csv(found))):
        for value in row.values():
            assert not value.startswith(("=", "+", "@")) or re.fullmatch(r"[+-][\d.]+", value), (
                value
            )
    numbers = pd.read_csv(io.StringIO(to_csv(found)), dtype=str)
    differences = numbers[(numbers["table"] == "differences")]["value"].dropna()
    assert differences.str.startswith("-").any()
