import html
import json
import re
from dataclasses import asdict, replace

import pytest

from fakes.clips import make_clip
from fakes.comparisons import write_run
from sonotempo.config import EvaluateConfig
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.comparison.record import RunSource
from sonotempo.evaluation.comparison.rounding import interval, number, p_number
from sonotempo.evaluation.report.page.page import write_report
from sonotempo.evaluation.report.page.viewer import ClipLimits, Clips
from sonotempo.evaluation.scoring.scored_data import DataFacts
from sonotempo.measures import measure
from sonotempo.structures import AXILLARY

NAMES = ["blood", "median nerve"]
ARMS = ("frame", "frame_continued", "sequence")
QUICK = EvaluateConfig(bootstrap_draws=100, streaming_latency_ms={"frame": (3.0, 4.0, 9.0)})


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """A comparison of made-up scores; leave it as it is."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    return compare([write_run(folder, arms=ARMS, subjects=6, structures=NAMES, evaluate=QUICK)])


@pytest.fixture(scope="module")
def page(comparison, tmp_path_factory):
    """The page of it, with two clips."""
    return page_of(comparison, tmp_path_factory.mktemp("page"), clips_of())


def clips_of(names=("a/one", "b/two"), arms=ARMS, **limits):
    shown = [
        make_clip(name, arms=arms, frames=3, structures=5, error_px=1 + i, seed=i)
        for i, name in enumerate(names)
    ]
    return Clips(AXILLARY, shown, len(names), limits=ClipLimits(**limits))


def page_of(comparison, tmp_path, clips="the data are gone.", **more):
    write_report(comparison, clips, tmp_path / "report.html", **more)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def text_of(page):
    """Return what a reader sees, tables' cells apart by spaces."""
    page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def rows_of(page, table):
    """Return the texts of a table's rows, by the number of the table on the page."""
    found = re.findall(r"<table.*?</table>", page, flags=re.DOTALL)[table]
    return [
        [text_of(cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, flags=re.DOTALL)]
        for row in re.findall(r"<tr.*?</tr>", found, flags=re.DOTALL)
    ]


class TestNumbers:
    def test_the_table_of_scores_holds_the_numbers_of_the_json(self, comparison, page):
        table = page[page.index('id="tables"') :]
        rows = rows_of(table, 0)
        listed = json.loads(json.dumps(asdict(comparison)))["cells"]
        metrics = list(dict.fromkeys(cell["metric"] for cell in listed))
        arms = [row for row in rows[1:] if len(row) > 1]
        assert len(arms) == len(comparison.structures) * len(ARMS)
        structure = None
        for row in rows[1:]:
            if len(row) == 1:
                structure = row[0]
                continue
            for metric, shown in zip(metrics, row[1:], strict=False):
                [cell] = [
                    one
                    for one in listed
                    if (one["structure"], one["arm"], one["metric"]) == (structure, row[0], metric)
                ]
                mean, sd = (number(cell[of], measure(metric).decimals) for of in ("mean", "sd"))
                assert shown.startswith(f"{mean} ± {sd}")
                if metric == "f1":
                    assert row[-1] == number(cell["pooled"])

    def test_the_tables_of_differences_hold_the_numbers_of_the_json(self, comparison, page):
        tables = re.findall(r'<table class="differences">.*?</table>', page, flags=re.DOTALL)
        assert len(tables) == len(comparison.pairs)
        for table, pair in zip(tables, comparison.pairs, strict=True):
            named = [row for row in rows_of(table, 0)[1:] if len(row) == 1]
            assert [row[0] for row in named] == list(comparison.structures)
            rows = [row for row in rows_of(table, 0)[1:] if len(row) > 1]
            for row, one in zip(rows, pair.differences, strict=True):
                assert row[0].startswith(measure(one.metric).title)
                decimals = measure(one.metric).decimals
                assert row[1:7] == [
                    number(one.estimate, decimals, signed=True),
                    interval(one.ci_low, one.ci_high, decimals),
                    p_number(one.p),
                    p_number(one.p_holm),
                    number(one.detectable, decimals),
                    str(one.n),
                ]

    def test_the_temporal_table_holds_the_numbers_of_the_json(self, comparison, page):
        text = text_of(page[page.index('id="time"') : page.index('id="tables"')])
        for cell in comparison.temporal:
            if cell.mean is not None:
                assert f"{number(cell.mean)} ± {number(cell.sd)}" in text

    def test_the_summary_is_the_comparisons(self, comparison, page):
        text = text_of(page)
        assert all(sentence in text for sentence in comparison.summary)
        assert all(note in text for note in comparison.notes)

    def test_the_figures_say_in_words_what_they_show(self, comparison, page):
        labels = [
            html.unescape(label) for label in re.findall(r'role="img" aria-label="(.*?)"', page)
        ]
        one = next(one for one in comparison.pairs[0].differences if one.primary)
        expected = (
            f"{number(one.estimate, signed=True)}, interval {interval(one.ci_low, one.ci_high)}"
        )
        assert any(expected in label for label in labels)
        assert any("human–human Dice of nerve in the literature 0.48" in text for text in labels)


class TestArms:
    def test_no_two_of_seven_arms_look_alike(self, tmp_path):
        """Seven arms are more than there are colours."""
        folder = tmp_path / "run"
        arms = ("frame", *(f"arm {i}" for i in range(6)))
        run = write_run(folder, arms=arms, subjects=2, frames=2, structures=NAMES, evaluate=QUICK)
        page = page_of(compare([run]), tmp_path)
        keys = re.search(r'<ul class="keys".*?</ul>', page, re.DOTALL)[0]
        svgs = re.findall(r"<svg.*?</svg>", keys, re.DOTALL)
        drawn = {re.sub(r"(bars-)?key-\d+|(?<=-)[0-9a-f]{10,}", "", svg) for svg in svgs}
        assert len(drawn) == len(svgs) == 7


class TestHonesty:
    def test_simulated_data_are_named_first(self, comparison, page):
        body = text_of(page).split(comparison.title)[1]
        assert body.strip().startswith("Simulated data.")

    def test_recorded_data_are_named_first_too(self, comparison, tmp_path):
        page = page_of(replace(comparison, data=DataFacts(), notes=()), tmp_path)
        assert "Recorded data." in text_of(page)
        assert "Simulated data." not in text_of(page)

    def test_without_data_the_page_says_why_there_is_no_viewer(self, comparison, tmp_path):
        page = page_of(comparison, tmp_path, "the data folder is gone.")
        assert "no clip viewer on this page: the data folder is gone." in text_of(page)
        assert 'id="viewer"' not in page

    def test_a_limit_that_nothing_fits_into_is_said(self, comparison, tmp_path):
        page = page_of(comparison, tmp_path, clips_of(megabytes=0.001))
        assert "no recording could be packed into it" in text_of(page)

    def test_what_the_viewer_leaves_out_is_said(self, comparison, tmp_path):
        text = text_of(page_of(comparison, tmp_path, clips_of(clips=1)))
        assert "1 of 2 recordings" in text
        assert "this page's limit of 1 recordings and 22 MB" in text

    def test_all_recordings_are_called_all(self, page):
        assert "All 2 recordings" in text_of(page)

    def test_sparse_labels_are_not_available_and_not_zero(self, tmp_path):
        run = write_run(
            tmp_path / "run",
            arms=ARMS,
            subjects=4,
            structures=NAMES,
            dense=False,
            evaluate=QUICK,
        )
        page = page_of(compare([run]), tmp_path)
        section = page[page.index('id="time"') : page.index("State age")]
        assert "not available: sparse labels" in text_of(section)
        assert "not available: not available" not in text_of(section)
        assert "0.000" not in text_of(section)
        assert "nan" not in text_of(page).lower().split()

    def test_what_was_not_scored_is_named(self, comparison, tmp_path):
        bare = replace(comparison, temporal=(), state_age=(), latencies=(), streaming=(), human=())
        text = text_of(page_of(bare, tmp_path))
        assert "Temporal metrics: not available" in text
        assert "State-age curve: not available" in text
        assert "Latency: not available" in text
        assert "how well two people agree" not in text

    def test_what_is_no_memory_effect_is_not_called_one(self, comparison, page):
        for pair, article in zip(
            comparison.pairs, re.findall(r"<article.*?</article>", page, re.DOTALL), strict=True
        ):
            assert f'<span class="kind">{pair.kind}</span>' in article
            assert pair.meaning in text_of(article)


class TestFile:
    def test_it_loads_nothing_from_anywhere(self, page):
        markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
        addresses = re.findall(r"""(?:\ssrc=|href=|url\()["']?([^"')\s>]+)""", markup)
        assert {address for address in addresses if not address.startswith(("#", "data:"))} == set()
        assert "default-src 'none'" in page

    def test_the_same_comparison_is_the_same_file(self, comparison, page, tmp_path):
        assert page_of(comparison, tmp_path, clips_of()) == page

    def test_no_id_is_there_twice(self, page):
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids))

    def test_every_text_is_escaped(self, comparison, tmp_path):
        evil = "</script><img src=x onerror=alert(1)>\"'&"
        hostile = replace(
            comparison,
            title=evil,
            summary=(evil,) * 3,
            notes=(evil,),
            runs=(RunSource(evil, evil, 0, evil),),
            subjects=(evil,),
            arms=tuple(replace(arm, facts={evil: evil}) for arm in comparison.arms),
        )
        page = page_of(hostile, tmp_path, clips_of([evil], arms=ARMS), command=evil)
        assert "<img" not in page
        assert page.count("</script>") == page.count("<script")
        assert text_of(page).count(evil) >= 9

    def test_the_command_and_the_versions_are_there(self, comparison, tmp_path):
        text = text_of(page_of(comparison, tmp_path, command="sonotempo compare run"))
        assert "Command: sonotempo compare run" in text
        assert re.search(r"Python 3\.\d+\.\d+, sonotempo \d", text)

    def test_a_file_that_cannot_be_written_is_a_sentence(self, comparison, tmp_path):
        with pytest.raises(SonotempoError, match="cannot be written"):
            write_report(comparison, "no data.", tmp_path / "missing" / "report.html")
