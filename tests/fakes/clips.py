"""Clips for the report's viewer: noise with moving discs, which each arm segments with errors."""

import numpy as np

from sonotempo.evaluation.metrics.overlap import pixel_overlaps
from sonotempo.evaluation.report.page.viewer import ArmClip, Clip


def disc(size, centre_yx, radius, label, mask_SS):
    """Draw a disc of a label into a mask."""
    rows, columns = np.ogrid[:size, :size]
    inside = (rows - centre_yx[0]) ** 2 + (columns - centre_yx[1]) ** 2 < radius**2
    mask_SS[inside] = label


def make_clip(
    name="anna/one",
    subject="anna",
    *,
    arms=("frame", "sequence"),
    frames=12,
    size=64,
    structures=3,
    error_px=2.0,
    labelled=None,
    seed=0,
    period_ns=50_000_000,
    of_frames=None,
):
    """A clip in which every structure is a disc that drifts; arms are off by some pixels.

    Arms see every frame, but the first one only the labelled ones, as an arm without state does.
    """
    rng = np.random.default_rng(seed)
    homes = size * np.stack([np.linspace(0.25, 0.75, structures), np.full(structures, 0.5)], 1)
    reference_TSS = np.zeros((frames, size, size), np.uint8)
    masks = {arm: np.zeros_like(reference_TSS) for arm in arms}
    for t in range(frames):
        for label, home in enumerate(homes, start=1):
            centre = home + size * 0.06 * np.array([0, np.sin(t / 3 + label)])
            disc(size, centre, size * 0.09, label, reference_TSS[t])
            for masks_TSS in masks.values():
                if rng.random() > 0.1:
                    disc(
                        size, centre + rng.normal(0, error_px, 2), size * 0.09, label, masks_TSS[t]
                    )
    grey = 60 * rng.rayleigh(size=(frames, size, size)) + 40 * (reference_TSS > 0)
    labelled_T = np.isin(np.arange(frames), range(frames) if labelled is None else labelled)
    drawn = {}
    for place, (arm, masks_TSS) in enumerate(masks.items()):
        dice_TK = np.full((frames, structures), np.nan)
        for t in np.flatnonzero(labelled_T):
            pairs = pixel_overlaps(masks_TSS[t], reference_TSS[t], structures)
            dice_TK[t] = [one.dice for one in pairs]
        predicted_T = labelled_T if place == 0 else np.ones(frames, bool)
        drawn[arm] = ArmClip(masks_TSS * predicted_T[:, None, None], predicted_T, dice_TK)
    return Clip(
        name=name,
        subject=subject,
        of_frames=frames if of_frames is None else of_frames,
        frames_TSS=grey.clip(0, 255).astype(np.uint8),
        frame_numbers=np.arange(frames, dtype=np.int64) + 100,
        timestamps_ns=np.arange(frames, dtype=np.int64) * period_ns,
        reference_TSS=reference_TSS * labelled_T[:, None, None],
        labelled_T=labelled_T,
        arms=drawn,
    )
