"""Cross-validation folds by subject, written once and reused.

Every fold has its test subjects and at least one validation subject taken from the training ones;
no subject is on two sides of a fold. If subjects are unknown, near-identical stills are given one
subject, so that they share a fold.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from sonotempo.config import FoldsConfig
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.guard import guarded, shortened, shown
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Recording

_THUMBNAIL_PX = 32

_EXPECTED = "expected a JSON list of objects with number, train, validation and test"


@dataclass(frozen=True, slots=True)
class Fold:
    """One split by subject.

    Attributes:
        number: position in the run, from 0.
        train: subjects for training.
        validation: subjects for selection and checks, not used for training in this fold.
        test: subjects for the final scores only.
    """

    number: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        for name, subjects in sides.items():
            if not subjects:
                raise ConfigError(f"fold {self.number} has no {name} subject; use fewer folds")
        everyone = [*self.train, *self.validation, *self.test]
        twice = sorted({subject for subject in everyone if everyone.count(subject) > 1})
        if twice:
            raise ConfigError(
                f"fold {self.number} has {shortened(', '.join(twice))} on two sides; every subject "
                "must be in one of train, validation and test"
            )


def make_folds(
    subjects: Mapping[str, tuple[str, ...]], config: FoldsConfig, seed: int
) -> tuple[Fold, ...]:
    """Split subjects into folds.

    Args:
        subjects: the stratum of every subject, for example its visible structures.
        config: the numbers of folds and validation subjects, and whether to stratify.
        seed: the same seed and subjects give the same folds.

    Raises:
        ConfigError: too few subjects for the number of folds.
    """
    count, held = config.count, config.validation_subjects
    needed = max(count, 2)
    largest_test = -(-len(subjects) // count)
    if len(subjects) < needed or len(subjects) - largest_test < held + 1:
        counts = range(2, len(subjects) + 1)
        enough = [k for k in counts if len(subjects) - -(-len(subjects) // k) > held]
        span = " to ".join(str(k) for k in sorted({*enough[:1], *enough[-1:]}))
        remedy = f"set folds.count to {span}" if enough else "add subjects"
        raise ConfigError(
            f"{len(subjects)} subject{'s' if len(subjects) != 1 else ''} cannot make {count} folds "
            f"with a test, {held} validation and a training subject each; {remedy}"
        )
    random = np.random.default_rng(seed)
    shuffled = [str(name) for name in random.permutation(sorted(subjects))]
    if config.stratify:
        shuffled.sort(key=lambda name: subjects[name])  # stable: shuffled within each stratum
    dealt = [shuffled[k::count] for k in range(count)]
    folds = []
    for k, test in enumerate(dealt):
        # Rotating the rest gives every fold different validation subjects.
        rest = [name for j in range(1, count) for name in dealt[(k + j) % count]]
        validation = random.choice(rest, size=held, replace=False).tolist()
        train = [name for name in rest if name not in validation]
        folds.append(Fold(k, tuple(sorted(train)), tuple(sorted(validation)), tuple(sorted(test))))
    return tuple(folds)


def save_folds(folds: Sequence[Fold], path: Path) -> None:
    """Write folds as JSON."""
    path.write_text(json.dumps([asdict(fold) for fold in folds], indent=1) + "\n", encoding="utf-8")


def load_folds(path: Path) -> tuple[Fold, ...]:
    """Read folds that :func:`save_folds` wrote, or a handwritten file of the same form.

    Raises:
        ConfigError: the file has another form, a fold leaks, or a subject is tested twice.
    """
    with guarded(f"{path} is not a fold file", _EXPECTED, ConfigError):
        folds = tuple(
            Fold(
                int(fold["number"]),
                _names(fold["train"]),
                _names(fold["validation"]),
                _names(fold["test"]),
            )
            for fold in json.loads(path.read_text(encoding="utf-8"))
        )
    for what, values in (
        ("number {} is given to", [fold.number for fold in folds]),
        ("{} is tested in", [subject for fold in folds for subject in fold.test]),
    ):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            said = what.format(shortened(str(twice[0]), 100))
            raise ConfigError(f"{path}: {said} more than one fold; correct the file")
    return folds


def _names(subjects: object) -> tuple[str, ...]:
    if not isinstance(subjects, list) or not all(isinstance(name, str) for name in subjects):
        raise TypeError(f"{shown(subjects)} is not a list of subjects")
    return tuple(subjects)


def share_subjects(recordings: Sequence[Recording], correlation: float) -> tuple[Recording, ...]:
    """Give near-identical stills one subject: the name of the first of them.

    Stills belong together if their thumbnails (32x32, of the fitted frame) correlate above
    ``correlation``, directly or through others. One that cannot be read stays separate.
    """
    thumbnails = np.stack([_thumbnail(recording) for recording in recordings])
    _, group = connected_components(thumbnails @ thumbnails.T > correlation, directed=False)
    first = {
        number: recordings[index].subject for index, number in reversed(list(enumerate(group)))
    }
    return tuple(
        replace(recording, subject=first[number])
        for recording, number in zip(recordings, group, strict=True)
    )


def _thumbnail(recording: Recording) -> NDArray[np.float64]:
    try:
        frame = recording[0]
    except RecordingError:  # reported by the next reader
        return np.zeros(_THUMBNAIL_PX**2)
    small = fit_frame(frame, _THUMBNAIL_PX).image(frame.image_HW).astype(np.float64).ravel()
    small -= small.mean()
    norm = float(np.linalg.norm(small))
    return small / norm if norm else small
