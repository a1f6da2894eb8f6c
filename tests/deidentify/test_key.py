"""The key: names in random order, written for its owner only, the same in the next run."""

import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonotempo.deidentify.key import Key
from sonotempo.errors import ConfigError

NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(names=st.lists(NAMES, min_size=1, max_size=8, unique=True))
@settings(max_examples=40, deadline=None)
def test_comes_back_as_written(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("key") / "key.csv"
    key = Key.load(path)
    key.name_subjects(names)
    for name in names:
        key.name_file(name, "00", key.subjects[name])
    key.save()
    again = Key.load(path)
    assert (again.secret, again.subjects, again.files) == (key.secret, key.subjects, key.files)
    assert again.uid("1.2.3") == key.uid("1.2.3")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not any(cell.startswith(("=", "+", "@")) for line in lines for cell in line.split(","))


def test_new_subjects_get_further_numbers_and_files_further_ones(tmp_path):
    key = Key.load(tmp_path / "key.csv")
    key.name_subjects(["a"])
    first = key.name_file("a/x.mp4", "1", key.subjects["a"])
    key.name_subjects(["a", "b"])
    assert key.subjects["a"] == "subject-001"
    assert key.subjects["b"] == "subject-002"
    assert first == key.name_file("a/x.mp4", "1", "subject-001") == "subject-001/0001"
    assert key.name_file("a/x.mp4", "2", "subject-001") == "subject-001/0002"
    assert key.name_file("b/x.mp4", "3", "subject-002") == "subject-002/0001"


def test_numbers_do_not_follow_the_alphabet(tmp_path):
    orders = set()
    for _ in range(6):
        key = Key.load(tmp_path / "none.csv")
        key.name_subjects("abcdefgh")
        orders.add(tuple(sorted(key.subjects, key=key.subjects.__getitem__)))
    assert len(orders) > 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_only_its_owner_may_read_it(tmp_path):
    key = Key.load(tmp_path / "key.csv")
    key.save()
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600


def test_the_fingerprint_gives_nothing_away(tmp_path):
    key = Key.load(tmp_path / "key.csv")
    assert len(key.fingerprint) == 16
    assert key.fingerprint not in key.secret.hex()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "kind,new,original,checksum\n", "\0"])
def test_what_is_no_key_is_said(tmp_path, text):
    path = tmp_path / "key.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"key\.csv is not a key"):
        Key.load(path)
