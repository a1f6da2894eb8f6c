"""Named sets of anatomical structures with their colours.

A mask holds 0 for background and ``i + 1`` for the ``i``-th structure of its set, so a network
for a set of ``K`` structures has ``K + 1`` output channels.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sonotempo.errors import ConfigError, unknown_option

# How similar a name must be to that of a set to count as a slip.
_A_SLIP = 0.75
# Colours of user-defined structures, in order (Okabe & Ito 2008, safe for colour blindness).
_PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)


@dataclass(frozen=True, slots=True)
class Structure:
    """One anatomical class: its name and its colour as red, green, blue in 0 to 255."""

    name: str
    color_rgb: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class StructureSet:
    """The structures of a mask, in the order of their label values from 1.

    >>> AXILLARY.names
    ('blood', 'bone', 'musculocutaneous nerve', 'median nerve', 'ulnar nerve')
    >>> AXILLARY.label("median nerve")
    4
    """

    name: str
    structures: tuple[Structure, ...]

    def __post_init__(self) -> None:
        if not self.structures:
            raise ConfigError(f"structure set {self.name!r} is empty; name at least one structure")
        if not all(name.strip() for name in self.names):
            raise ConfigError(
                f"structure set {self.name!r} has a structure without a name; name every label "
                "value from 1"
            )
        if len(set(self.names)) < len(self.structures):
            raise ConfigError(
                f"structure set {self.name!r} names a structure twice: {', '.join(self.names)}; "
                "give every label value a unique name"
            )
        if len(self.structures) > 254:
            raise ConfigError(
                f"structure set {self.name!r} has {len(self.structures)} structures; "
                "a mask of 8 bits holds at most 254"
            )

    def __len__(self) -> int:
        return len(self.structures)

    def __iter__(self) -> Iterator[Structure]:
        return iter(self.structures)

    @property
    def names(self) -> tuple[str, ...]:
        """The structures' names in label order, without the background."""
        return tuple(structure.name for structure in self.structures)

    @property
    def channels(self) -> int:
        """Number of output channels of a network for this set, including the background."""
        return len(self.structures) + 1

    def label(self, name: str) -> int:
        """Return the mask value of a structure.

        Raises:
            ConfigError: the set has no structure of this name.
        """
        if name not in self.names:
            raise ConfigError(unknown_option("structure", name, self.names))
        return self.names.index(name) + 1


_BLOOD = Structure("blood", (214, 39, 40))
_BONE = Structure("bone", (236, 226, 198))

#: The axillary nerve block of Smistad et al. 2021: six output channels.
AXILLARY = StructureSet(
    "axillary",
    (
        _BLOOD,
        _BONE,
        Structure("musculocutaneous nerve", (0, 158, 115)),
        Structure("median nerve", (240, 228, 66)),
        Structure("ulnar nerve", (86, 180, 233)),
    ),
)

#: The femoral nerve block of Smistad et al. 2021: four output channels.
FEMORAL = StructureSet("femoral", (_BLOOD, _BONE, Structure("femoral nerve", (240, 228, 66))))

#: One nerve among bodies that look like it, and an artery: the controls of memory.
LOOKALIKES = StructureSet("lookalikes", (_BLOOD, Structure("nerve", (240, 228, 66))))

#: Any nerve and any vessel, for data that do not distinguish them further.
NERVE_VESSEL = StructureSet(
    "nerve+vessel", (Structure("nerve", (240, 228, 66)), Structure("vessel", (214, 39, 40)))
)

NAMED_SETS = {known.name: known for known in (AXILLARY, FEMORAL, LOOKALIKES, NERVE_VESSEL)}


def structure_set(names: str | Sequence[str]) -> StructureSet:
    """Return a named set, or make one from a list of names in label order, or from one name.

    >>> structure_set("femoral").channels
    4
    >>> structure_set(["artery", "vein"]).label("vein")
    2

    Raises:
        ConfigError: the name resembles one of :data:`NAMED_SETS` but is none, or names repeat.
    """
    if isinstance(names, str):
        if names not in NAMED_SETS:
            is_slip = difflib.get_close_matches(names, NAMED_SETS, cutoff=_A_SLIP) or "+" in names
            if names and not is_slip:
                return structure_set([names])
            raise ConfigError(
                unknown_option("structure set", names, NAMED_SETS)
                + "; or give a list of names, one for each label value from 1"
            )
        return NAMED_SETS[names]
    colors = [_PALETTE[i % len(_PALETTE)] for i in range(len(names))]
    structures = tuple(Structure(name, color) for name, color in zip(names, colors, strict=True))
    return StructureSet("own", structures)
