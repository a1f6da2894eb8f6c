"""The page in a real browser: it opens from a file, plays, and makes no request."""

import re

import pytest

from fakes.browser import chromium
from fakes.clips import make_clip
from fakes.comparisons import write_run
from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.report.page.page import write_report
from sonotempo.evaluation.report.page.viewer import Clips
from sonotempo.structures import AXILLARY

ARMS = ("frame", "frame_continued", "sequence")
NASTY = "</script><b>\"two\"</b> & 'more'"
FRAMES = 8
PERIOD_MS = 100


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A report with two clips, as an address."""
    folder = tmp_path_factory.mktemp("report")
    quick = EvaluateConfig(bootstrap_draws=100)
    names = ["blood", "median nerve"]
    run = write_run(
        folder / "run", arms=ARMS, subjects=4, frames=4, structures=names, evaluate=quick
    )
    clips = [
        make_clip(
            name,
            arms=ARMS,
            frames=FRAMES,
            structures=5,
            error_px=error_px,
            labelled=range(2, FRAMES),
            period_ns=PERIOD_MS * 1_000_000,
            seed=int(error_px),
        )
        for name, error_px in ((NASTY, 1.0), ("worst/one", 6.0))
    ]
    write_report(compare([run]), Clips(AXILLARY, clips, 2), folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(params=[(390, 844), (1280, 900)], ids=["phone", "desktop"])
def report(request, browser, address):
    """The page in a window; complaints and requests are failures when the test is over."""
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=width < 500, color_scheme="dark"
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: troubles.append(asked.url))
    page.goto(address)
    ready(page)
    yield page
    context.close()
    asked = [one for one in troubles if one != address and not one.startswith("data:")]
    assert asked == []


def ready(page):
    page.locator("#viewer:not([aria-busy])").wait_for()


def part(page, name):
    return page.locator(f'#viewer [data-part="{name}"]')


def frame(page):
    """The number of the frame that is shown."""
    return int(re.match(r"frame (\d+)", part(page, "position").inner_text())[1])


def pixels(page, name):
    """The picture of a canvas, to be compared."""
    return part(page, name).evaluate("canvas => canvas.toDataURL()")


def dice(page, slot):
    return page.locator(f'[data-dice="{slot}"]').all_inner_texts()


def test_the_page_is_no_wider_than_the_window(report):
    widths = report.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] == widths[1]


def test_the_worst_recording_is_shown_first(report):
    options = part(report, "recording").locator("option").all_inner_texts()
    assert options[0].startswith("worst/one · Dice 0.")
    assert options[1].startswith(NASTY)
    assert "worst/one" in part(report, "reference").get_attribute("aria-label")


def test_it_plays_at_the_recordings_own_speed_and_starts_again(report):
    part(report, "play").click()
    began = report.evaluate("performance.now()")
    for number in (101, 103, 107, 100):  # the last one is followed by the first
        report.locator('[data-part="position"]', has_text=f"frame {number} ").wait_for()
    passed_ms = report.evaluate("performance.now()") - began
    assert passed_ms > 0.9 * (FRAMES - 1) * PERIOD_MS
    part(report, "play").click()
    assert part(report, "play").inner_text() == "Play"
    stopped = frame(report)
    report.wait_for_timeout(3 * PERIOD_MS)
    assert frame(report) == stopped


def test_scrubbing_changes_picture_number_and_dice(report):
    before = pixels(report, "arms"), pixels(report, "reference"), dice(report, "first")
    part(report, "scrubber").fill("5")
    assert frame(report) == 105
    after = pixels(report, "arms"), pixels(report, "reference"), dice(report, "first")
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_keys_step_jump_and_turn_to_the_next_recording(report):
    part(report, "stage").focus()
    for key, number in (("ArrowRight", 101), ("ArrowLeft", 100), ("End", 107), ("Home", 100)):
        report.keyboard.press(key)
        assert frame(report) == number
    part(report, "scrubber").focus()
    report.keyboard.press("ArrowRight")
    assert frame(report) == 101  # one step, though the slider knows the key as well
    report.keyboard.press("PageDown")
    ready(report)
    assert NASTY in part(report, "reference").get_attribute("aria-label")
    report.keyboard.press("Space")
    assert part(report, "play").inner_text() == "Pause"


def test_recordings_are_chosen_from_the_list(report):
    before = pixels(report, "reference")
    part(report, "recording").select_option(index=1)
    ready(report)
    assert pixels(report, "reference") != before
    assert frame(report) == 100


def test_any_two_arms_are_chosen_and_named(report):
    part(report, "scrubber").fill("4")
    before = pixels(report, "arms")
    part(report, "first").select_option("frame")
    part(report, "second").select_option("frame_continued")
    assert pixels(report, "arms") != before
    assert set(report.locator('[data-name="second"]').all_inner_texts()) == {"frame_continued"}
    assert "frame and frame_continued" in part(report, "arms").get_attribute("aria-label")
    part(report, "second").select_option("")
    assert dice(report, "second") == [""] * 6


def test_outlines_structures_and_numbers_can_be_hidden(report):
    part(report, "scrubber").fill("4")
    seen = {pixels(report, "arms")}
    for name in ("show-second", "structure-3", "numbers", "show-first"):
        part(report, name).uncheck()
        seen.add(pixels(report, "arms"))
    part(report, "show-reference").check()
    seen.add(pixels(report, "arms"))
    assert len(seen) == 6


def test_frames_without_reference_or_prediction_say_so(report):
    part(report, "first").select_option("frame")  # without state: it skips unlabelled frames
    assert part(report, "unlabelled").is_visible()
    assert part(report, "absent-first").is_visible()
    assert not part(report, "absent-second").is_visible()
    assert set(dice(report, "first")) == {"–"}
    part(report, "scrubber").fill("2")
    assert not part(report, "unlabelled").is_visible()
    assert not part(report, "absent-first").is_visible()


def test_dragging_over_the_picture_scrubs(report):
    part(report, "arms").scroll_into_view_if_needed()
    box = part(report, "arms").bounding_box()
    report.mouse.move(box["x"] + 5, box["y"] + 40)
    report.mouse.down()
    report.mouse.move(box["x"] + 5 + box["width"] / 2, box["y"] + 40, steps=4)
    report.mouse.up()
    assert frame(report) == 104
    report.mouse.click(box["x"] + 20, box["y"] + 20)
    assert part(report, "play").inner_text() == "Pause"


def test_a_click_into_the_curves_goes_to_that_frame(report):
    part(report, "timeline").scroll_into_view_if_needed()
    box = part(report, "timeline").bounding_box()
    part(report, "timeline").click(position={"x": box["width"] * 6.5 / FRAMES, "y": 20})
    assert frame(report) == 106


def test_every_control_has_a_name(report):
    nameless = report.evaluate(
        """[...document.querySelectorAll('#viewer :is(input, select, button, canvas)')].filter(
            one => !(one.labels && one.labels.length) && !one.getAttribute('aria-label')
                   && !one.textContent.trim()).map(one => one.outerHTML)"""
    )
    assert nameless == []


def test_both_schemes_have_their_own_colours(report):
    colors = set()
    for scheme in ("light", "dark"):
        report.emulate_media(color_scheme=scheme)
        colors.add(report.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colors == {"rgb(255, 255, 255)", "rgb(20, 24, 28)"}


def test_screenshots_show_a_page_and_no_blank(report, tmp_path):
    part(report, "stage").scroll_into_view_if_needed()
    for name, whole in (("viewer", False), ("page", True)):
        path = tmp_path / f"{name}.png"
        report.screenshot(path=path, full_page=whole)
        assert path.stat().st_size > 20_000
