"""The Basic Application Level Confidentiality Profile of DICOM PS3.15, Annex E.

Which attributes it removes, empties or replaces comes from dicom-anonymizer, which carries table
E.1-1 of the standard's edition 2026c. That library treats the attributes of the outer data set;
here it is called for every item of every sequence.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue

from sonotempo.errors import ConfigError

#: The edition of the standard whose table is applied.
EDITION = "2026c"

_Action = Callable[[Dataset, tuple[int, ...]], None]
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, NotImplementedError)


class Profile:
    """Applies the profile with one way to replace UIDs.

    Args:
        new_uid: returns the new UID for an old one.

    Raises:
        ConfigError: dicom-anonymizer is not installed.
    """

    def __init__(self, new_uid: Callable[[str], str]) -> None:
        try:
            from dicomanonymizer import simpledicomanonymizer as library  # noqa: PLC0415 (an extra)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"de-identifying DICOM needs the package {error.name!r}; install it with: pip "
                "install 'sonotempo[deidentify]'"
            ) from error
        self._apply = library.anonymize_dataset
        rules = library.initialize_actions(f"dicomfields_{EDITION}")
        of_uids = partial(_replace_uids, new_uid)
        self._rules: dict[tuple[int, ...], _Action] = {
            tag: partial(_careful, of_uids if action is library.replace_UID else action)
            for tag, action in rules.items()
        }

    def apply(self, dataset: Dataset) -> None:
        """Apply the profile to a data set and to all items in it; private attributes go.

        An element whose value is not what its type says is removed.
        """
        _drop_malformed(dataset)
        self._apply_to(dataset)

    def _apply_to(self, dataset: Dataset) -> None:
        dataset.remove_private_tags()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of odd values, which go
            self._apply(dataset, base_rules_gen=lambda: self._rules)
        for element in list(dataset):
            if element.VR == "SQ":
                for item in element.value:
                    self._apply_to(item)


def _careful(action: _Action, dataset: Dataset, tag: tuple[int, ...]) -> None:
    """Apply the library's action; an element that it cannot treat is removed."""
    try:
        action(dataset, tag)
    except _MALFORMED:
        if tag in dataset:
            del dataset[tag]


def _drop_malformed(dataset: Dataset) -> None:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]  # a value is converted when it is first read
            for item in element.value if element.VR == "SQ" else ():
                _drop_malformed(item)
        except _MALFORMED:
            del dataset[tag]


def _replace_uids(new_uid: Callable[[str], str], dataset: Dataset, tag: Any) -> None:
    element = dataset.get(tag)
    if element is None or not element.value:
        return
    if isinstance(element.value, (list, MultiValue)):
        element.value = [new_uid(str(one)) for one in element.value]
    else:
        element.value = new_uid(str(element.value))
