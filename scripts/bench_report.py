"""Measure the size of a report of 100 subjects, which must stay under 30 MB.

    .venv/bin/python scripts/bench_report.py [--subjects 100] [--frames 120] [--arms 6] [--keep DIR]

Frames are simulated ultrasound of 256×256 pixels. Scores and masks are synthetic: each arm's masks
are the reference, shifted by a few pixels. It prints the size of the page with and without clips,
the number of clips and the time that writing took.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the synthetic runs of the tests

from _measure import verdict  # noqa: E402
from fakes.comparisons import SKILLS, write_run  # noqa: E402
from sonotempo.config import EvaluateConfig  # noqa: E402
from sonotempo.evaluation.comparison.compare import compare  # noqa: E402
from sonotempo.evaluation.report.page.page import write_report  # noqa: E402
from sonotempo.evaluation.report.page.viewer import ArmClip, Clip, ClipLimits, Clips  # noqa: E402
from sonotempo.phantom.settings import PhantomConfig  # noqa: E402
from sonotempo.phantom.simulate import cast, simulate  # noqa: E402
from sonotempo.structures import AXILLARY  # noqa: E402

MOST_MB = 30.0


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description="Measure the size of a report.")
    parser.add_argument("--subjects", type=int, default=100, help="each of one recording")
    parser.add_argument("--frames", type=int, default=120, help="of each recording")
    parser.add_argument(
        "--arms", type=int, default=6, choices=range(2, 7), help="how many are compared"
    )
    parser.add_argument("--keep", type=Path, help="folder that keeps report.html")
    arguments = parser.parse_args()
    baseline, *others = SKILLS
    arms = [baseline, *others[-(arguments.arms - 1) :]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = write_run(
            folder / "run",
            arms=arms,
            subjects=arguments.subjects,
            evaluate=EvaluateConfig(bootstrap_draws=1000),
        )
        comparison = compare([run])
        began = time.perf_counter()
        write_report(comparison, "none asked for.", folder / "bare.html")
        bare_s = time.perf_counter() - began
        packed: list[None] = []
        clips = Clips(
            AXILLARY,
            synthetic_clips(arms, arguments.frames),
            arguments.subjects,
            limits=ClipLimits(frames=arguments.frames),
            on_clip=lambda: packed.append(None),
        )
        out = (arguments.keep or folder) / "report.html"
        out.parent.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        write_report(comparison, clips, out)
        whole_s = time.perf_counter() - began
        whole_mb, bare_mb = (path.stat().st_size / 1e6 for path in (out, folder / "bare.html"))
    print(f"{arguments.subjects} subjects, {len(arms)} arms, {len(packed)} clips were packed")
    print(f"without clips: {bare_mb:.2f} MB, {bare_s:.1f} s")
    print(f"with clips: {whole_mb:.2f} MB, {whole_s:.1f} s")
    print(f"under {MOST_MB:g} MB: {verdict(whole_mb < MOST_MB)}")


def synthetic_clips(arms: list[str], frames: int) -> Iterator[Clip]:
    """Simulate subjects endlessly; the page takes as many as fit."""
    settings = PhantomConfig(procedure="axillary", size=256, seconds=frames / 20, event_rate=0)
    number = 0
    while True:
        random = np.random.default_rng(number)
        made = list(islice(simulate(cast(settings, number), settings), frames))
        images_TSS = np.stack([one.image_HW for one in made])
        reference_TSS = np.stack([one.mask_HW for one in made])
        count = len(made)
        drawn = {}
        for arm in arms:
            moves = random.integers(-6, 7, (count, 2))
            masks_TSS = np.stack(
                [np.roll(reference_TSS[t], tuple(moves[t]), (0, 1)) for t in range(count)]
            )
            dice_TK = random.uniform(0.3, 0.95, (count, len(AXILLARY)))
            drawn[arm] = ArmClip(masks_TSS, np.ones(count, bool), dice_TK)
        yield Clip(
            name=f"subject-{number:03d}/sequence-0",
            subject=f"subject-{number:03d}",
            of_frames=count,
            frames_TSS=images_TSS,
            frame_numbers=np.arange(count),
            timestamps_ns=np.arange(count) * 50_000_000,
            reference_TSS=reference_TSS,
            labelled_T=np.ones(count, bool),
            arms=drawn,
        )
        number += 1


if __name__ == "__main__":
    main()
