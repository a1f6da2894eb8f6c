"""The profile's own work, before what is not named as needed is dropped."""

import pytest
from pydicom import Dataset

from sonotempo.deidentify.key import Key
from sonotempo.deidentify.profile import Profile


@pytest.fixture(scope="module")
def profile():
    return Profile(Key("unused", b"secret").uid)


def test_items_of_sequences_are_treated_as_the_outer_data_set(profile):
    inner = Dataset()
    inner.PatientName, inner.InstitutionName = "A^B", "Clinic"
    middle = Dataset()
    middle.PatientComments = "calls herself A"
    middle.SharedFunctionalGroupsSequence = [inner]
    outer = Dataset()
    outer.PatientName, outer.StudyDate = "A^B", "20200229"
    outer.SharedFunctionalGroupsSequence = [middle]
    profile.apply(outer)
    text = str(outer)
    assert all(word not in text for word in ("A^B", "Clinic", "herself", "20200229"))
    assert len(outer.SharedFunctionalGroupsSequence[0].SharedFunctionalGroupsSequence) == 1


def test_one_uid_stays_one_uid_wherever_it_is_named(profile):
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    data = Dataset()
    data.SOPInstanceUID = "1.2.3"
    data.FrameOfReferenceUID = "1.2.4"
    data.PerFrameFunctionalGroupsSequence = [item]
    profile.apply(data)
    found = data.PerFrameFunctionalGroupsSequence[0].ReferencedSOPInstanceUID
    assert found == data.SOPInstanceUID != "1.2.3"
    assert data.FrameOfReferenceUID not in ("1.2.4", found)


def test_private_attributes_go_at_every_depth(profile):
    item, data = Dataset(), Dataset()
    for one in (item, data):
        one.private_block(0x0019, "VENDOR", create=True).add_new(1, "LO", "A^B")
    data.SharedFunctionalGroupsSequence = [item]
    profile.apply(data)
    assert len(data.SharedFunctionalGroupsSequence[0]) == 0
    assert [element.tag.is_private for element in data] == [False]
