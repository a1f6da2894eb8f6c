"""What a model's probabilities mean: measured on validation frames, kept in its card."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sonotempo.calibration import Reliability
from sonotempo.live.models.card import ModelCard

#: How the sentence of :func:`calibration_words` begins.
CALIBRATED = "expected calibration error"


def with_temperatures(card: ModelCard, reliabilities: Sequence[Reliability]) -> ModelCard:
    """Return the card with the temperatures that fit best, by member and structure.

    Args:
        card: of the model.
        reliabilities: one for each member.
    """
    members = tuple(
        replace(member, temperatures=reliability.temperatures())
        for member, reliability in zip(card.members, reliabilities, strict=True)
    )
    return replace(card, members=members)


def calibration_words(card: ModelCard, reliabilities: Sequence[Reliability], frames: int) -> str:
    """Return the calibration errors before and after the temperatures in one sentence.

    Args:
        card: with temperatures.
        reliabilities: one for each member.
        frames: how many were scored.
    """
    parts = []
    for member, reliability in zip(card.members, reliabilities, strict=True):
        raw, scaled = reliability.errors(), reliability.errors(member.temperatures)
        of_structures = ", ".join(
            f"{name} not predicted"
            if math.isnan(before)
            else f"{name} {before:.3f} to {after:.3f} (temperature {temperature:.2f})"
            for name, before, after, temperature in zip(
                card.structures.names, raw, scaled, member.temperatures, strict=True
            )
        )
        parts.append(f"{member.arm}: {of_structures}")
    return (
        f"{CALIBRATED} on {frames} frames that were not trained on, without and with temperature: "
        + "; ".join(parts)
    )
