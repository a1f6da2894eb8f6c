"""Documentation that scripts/train_ready_models.py writes: tables of figures, and a picture."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from sonotempo.live.history import StepResult
from sonotempo.live.models.card import read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.overlay import outlined
from sonotempo.live.pipeline import Pipeline
from sonotempo.live.sources.open import buffer_for, open_source
from sonotempo.structures import StructureSet
from sonotempo.training.progress import RunProgress

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "ready-models.md", DOCS / "images" / "ready-models.png"
# Only the part of the page between these lines is replaced.
BEGIN_REAL = "<!-- figures of stills: written by scripts/train_nerve_vessel.py -->"
END_REAL = "<!-- /figures of stills -->"
BEGIN, END = "<!-- figures: written by scripts/train_ready_models.py -->", "<!-- /figures -->"

# When the live stream is drawn, in seconds after its first result.
LOOKS_S = (1.0, 4.0, 7.0)
WAIT_S = 60.0
PANEL_PX = (400, 300)
FONT_PX = 15


def write_page(found: list[dict[str, Any]], files: list[Path], progress: RunProgress) -> None:
    """Write the figures into the page, and draw the pairs' outlines in a live stream.

    Args:
        found: the figures of each procedure.
        files: the exported models.
        progress: reports the progress.
    """
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n\n".join(
        [
            *map(dice_table, found),
            stress_table(found),
            training_table(found),
            file_table(files),
        ]
    )
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
    simulated = {one["procedure"] for one in found}
    cards = {path: read_card(path) for path in files}
    pairs = [
        path
        for path, card in cards.items()
        if len(card.members) == 2 and card.structures.name in simulated
    ]
    progress.step("drawing live streams", len(pairs) * len(LOOKS_S))
    strips = [live_strip(path, progress) for path in pairs]
    Pillow.fromarray(np.concatenate(strips)).save(PICTURE, optimize=True)
    progress.say(f"wrote {PAGE} and {PICTURE}; check the picture")


def write_real_figures(found: dict[str, Any]) -> None:
    """Write the figures of the models that were trained on stills into the page."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN_REAL)
    _, _, after = rest.partition(END_REAL)
    arms = found["dice"]
    lines = [
        f"Dice on {found['stills']} stills in {found['folds']} folds by image group, mean [95 % "
        "interval] over the groups that show the structure:",
        "",
        f"| structure | {' | '.join(f'`{arm}`' for arm in arms)} |",
        f"| --- |{' ---: |' * len(arms)}",
    ]
    for structure in next(iter(arms.values())):
        cells = (
            f"{mean:.2f} [{low:.2f}, {high:.2f}]"
            for mean, low, high, _ in (of[structure] for of in arms.values())
        )
        lines.append(f"| {structure} | {' | '.join(cells)} |")
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN_REAL}\n\n{table}\n\n{END_REAL}{after}", encoding="utf-8")


def dice_table(found: dict[str, Any]) -> str:
    """Return the Dice of both arms by structure, as Markdown."""
    arms = found["dice"]
    lines = [
        f"**{found['procedure'].capitalize()}**: Dice on {found['held_out_subjects']} held-out "
        f"simulated subjects ({found['held_out_frames']} frames), mean ± SD over subjects.",
        "",
        f"| structure | {' | '.join(arms)} |",
        f"| --- |{' ---: |' * len(arms)}",
    ]
    for structure in next(iter(arms.values())):
        cells = [dice_text(of[structure], found["held_out_subjects"]) for of in arms.values()]
        lines.append(f"| {structure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def dice_text(value: list[float | None], subjects: int) -> str:
    """Return mean ± SD, and the number of subjects if some do not show the structure."""
    mean, deviation, shown = value
    if mean is None or deviation is None or shown is None:
        return "not shown by enough subjects"
    text = f"{mean:.2f} ± {deviation:.2f}"
    return text if shown == subjects else f"{text} (n={shown:.0f})"


def stress_table(found: list[dict[str, Any]]) -> str:
    """Return what both arms miss on disturbed recordings of the held-out subjects, as Markdown."""
    lines = [
        "**Under [stress](evaluation.md)**, on the same subjects: frames in which a structure is "
        "missed, and Dice with misses counted as 0.",
        "",
        "| models | arm | missed inside disturbances | Dice | missed on sound frames | Dice |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        for arm in one["dice"]:
            cells = [
                text
                for phase in ("inside", "sound")
                for text in stress_texts(*one["stress"][f"{arm}, {phase}"])
            ]
            lines.append(f"| {one['procedure']} | {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def stress_texts(misses: float | None, dice: float | None) -> tuple[str, str]:
    """Return a share of misses and a Dice as text."""
    if misses is None or dice is None:
        return "–", "–"
    return f"{misses:.0%}", f"{dice:.2f}"


def training_table(found: list[dict[str, Any]]) -> str:
    """Return how each procedure's models were trained, as Markdown."""
    columns = [training_facts(one) for one in found]
    lines = [
        f"| training | {' | '.join(one['procedure'] for one in found)} |",
        f"| --- |{' ---: |' * len(found)}",
    ]
    for name in columns[0]:
        lines.append(f"| {name} | {' | '.join(column[name] for column in columns)} |")
    return "\n".join(lines)


def training_facts(one: dict[str, Any]) -> dict[str, str]:
    """Return how one procedure's models were trained, by row title."""
    epochs, steps = one["epochs"], one["steps"]
    return {
        "training subjects": f"{one['subjects']}",
        "training frames": f"{one['frames']}",
        "seeds of the cohorts (training, held-out)": f"{one['seed']}, {one['held_out_seed']}",
        "network grid": f"{one['input_size']}×{one['input_size']}",
        "epochs (steps) of the frame U-net": f"{epochs['frame']} ({steps['frame']})",
        "then of the sequence U-net": f"{epochs['sequence']} ({steps['sequence']})",
        "change of probabilities by the memory, under faults": f"{one['memory_use']:.4f}",
        "trained on": one["device"],
        "minutes": f"{one['minutes']:.0f}",
    }


def file_table(files: list[Path]) -> str:
    """Return the files with their arms, precision and size, as Markdown."""
    lines = ["| file | arms | precision | MB |", "| --- | --- | --- | ---: |"]
    for path in files:
        card = read_card(path)
        size = path.stat().st_size / 1e6
        lines.append(f"| `{path.name}` | {', '.join(card.arms)} | {card.precision} | {size:.1f} |")
    total = sum(path.stat().st_size for path in files) / 1e6
    return "\n".join([*lines, f"| all | | | {total:.1f} |"])


def live_strip(path: Path, progress: RunProgress) -> NDArray[np.uint8]:
    """Stream the phantom through a pair; return one row of panels for each arm, RGB uint8 HW3."""
    with OnnxPredictor(path) as pair:
        structures = pair.model.structures
        source = open_source(f"phantom://{structures.name}")
        looks = []
        with buffer_for(source) as buffer, Pipeline(buffer, source, [pair]) as pipeline:
            began = newest(pipeline, 0).ready_ns
            for seconds in LOOKS_S:
                looks.append(newest(pipeline, began + round(seconds * 1e9)))
                progress.advance()
    timed = list(zip(looks, LOOKS_S, strict=True))
    rows = [
        np.concatenate([panel(look, row, structures, seconds) for look, seconds in timed], axis=1)
        for row in range(len(looks[0].predictions))
    ]
    legend_HW3 = legend(structures, rows[0].shape[1])
    return np.concatenate([legend_HW3, *rows])


def newest(pipeline: Pipeline, after_ns: int) -> StepResult:
    """Wait for a result that became ready after a moment of the monotonic clock."""
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up and pipeline.error is None:
        result = pipeline.newest()
        if result is not None and result.ready_ns >= after_ns:
            return result
        time.sleep(0.01)
    raise SystemExit(f"no live result within {WAIT_S:g} s ({pipeline.error or 'no error'})")


def panel(
    look: StepResult, row: int, structures: StructureSet, seconds: float
) -> NDArray[np.uint8]:
    """Draw one arm's outlines on a live frame, with its name and the time."""
    prediction = look.predictions[row]
    picture = Pillow.fromarray(outlined(look.frame.image_HW, prediction.mask_HW(), structures))
    picture = picture.resize(PANEL_PX, Pillow.Resampling.LANCZOS)
    words = f"{prediction.model}, {seconds:g} s"
    draw = ImageDraw.Draw(picture)
    draw.text((6, 4), words, fill="white", font=ImageFont.load_default(FONT_PX))
    return np.asarray(picture)


def legend(structures: StructureSet, width: int) -> NDArray[np.uint8]:
    """Draw the structures' names in their colours."""
    font = ImageFont.load_default(FONT_PX)
    band = Pillow.new("RGB", (width, 2 * FONT_PX))
    draw = ImageDraw.Draw(band)
    x = 6.0
    title = f"{structures.name}, simulated:"
    for word, color in [(title, (255, 255, 255)), *((s.name, s.color_rgb) for s in structures)]:
        draw.text((x, FONT_PX / 2), word, fill=color, font=font)
        x += font.getlength(word) + FONT_PX
    return np.asarray(band)
