import pytest

from sonotempo.errors import ConfigError
from sonotempo.structures import NAMED_SETS, structure_set


@pytest.mark.parametrize("name", sorted(NAMED_SETS))
def test_a_named_set_has_a_label_and_a_colour_of_its_own_for_every_structure(name):
    known = structure_set(name)
    assert [known.label(each) for each in known.names] == list(range(1, len(known) + 1))
    assert known.channels == len(known) + 1
    assert len({structure.color_rgb for structure in known}) == len(known)


def test_your_own_names_keep_their_order_and_get_different_colours():
    own = structure_set(["vein", "artery", "nerve"])
    assert own.names == ("vein", "artery", "nerve")
    assert own.label("artery") == 2
    assert len({structure.color_rgb for structure in own}) == 3


def test_more_names_than_colours_are_fine():
    assert len(structure_set([f"s{i}" for i in range(20)])) == 20


def test_a_misspelt_set_is_answered_with_the_nearest_and_the_other_way():
    with pytest.raises(ConfigError, match=r"did you mean 'axillary'.*or give a list of names"):
        structure_set("axilary")


def test_a_misspelt_structure_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'vessel'"):
        structure_set("nerve+vessel").label("vesel")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "empty"),
        (["nerve", "nerve"], "twice"),
        ([f"s{i}" for i in range(255)], "at most 254"),
        (["nerve", ""], "without a name"),
    ],
)
def test_names_that_cannot_label_a_mask_are_refused(names, words):
    with pytest.raises(ConfigError, match=words):
        structure_set(names)


def test_a_single_name_is_a_set_of_one():
    assert structure_set("vessel").names == ("vessel",)


@pytest.mark.parametrize("slip", ["axilary", "nerve-vessel", "femorl", "nerve+artery"])
def test_a_slip_in_the_name_of_a_set_is_no_structure(slip):
    with pytest.raises(ConfigError, match="structure set"):
        structure_set(slip)
