import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.errors import RecordingError
from sonotempo.label_origin import (
    ORIGINS_FILE,
    Origin,
    counted_origins,
    read_origins,
    write_origins,
)

ORIGINS = st.builds(
    Origin,
    st.sampled_from(["human", "propagated", "model", "empty"]),
    st.text(),
    st.booleans(),
    st.text(),
    st.text(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("masks")


@given(st.dictionaries(st.integers(0, 10**12), ORIGINS))
def test_what_is_written_is_read(folder, origins):
    write_origins(folder, origins)
    assert read_origins(folder) == origins
    assert [path.name for path in folder.iterdir()] == [ORIGINS_FILE]


def test_without_a_file_nothing_is_said(tmp_path):
    assert read_origins(tmp_path) == {}


@pytest.mark.parametrize(
    ("origin", "use", "text"),
    [
        (Origin(), "human", "human"),
        (Origin("empty"), "human", "empty (confirmed)"),
        (Origin("propagated"), "propagated", "propagated"),
        (Origin("propagated", is_accepted=True), "accepted", "propagated (accepted)"),
        (Origin("model", "frame"), "model", "model:frame"),
        (Origin("model", "frame", is_accepted=True), "accepted", "model:frame (accepted)"),
        (Origin("human", is_accepted=True), "human", "human"),
    ],
)
def test_what_nobody_accepted_is_not_truth(origin, use, text):
    assert (origin.use, origin.text) == (use, text)
    assert origin.is_truth == (use in ("human", "accepted"))


def test_people_are_counted_first_then_what_they_accepted():
    counts = {"propagated": 3, "model:a (accepted)": 2, "human": 1, "empty (confirmed)": 4}
    said = "4 empty (confirmed), 1 human, 2 model:a (accepted), 3 propagated"
    assert counted_origins(counts) == said


def _frames(**one):
    return json.dumps({"format": 1, "frames": {"3": one}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "list indices"),
        ("{}", "format"),
        ('{"format": 2, "frames": {}}', "format 2, this version reads 1"),
        ('{"format": 1, "frames": []}', "items"),
        ('{"format": 1, "frames": {"x": {}}}', "invalid literal"),
        ('{"format": 1, "frames": {"3": "human"}}', "mapping"),
        (_frames(kind="robot"), "unknown origin 'robot'; known are human, propagated"),
        (_frames(kind=["human"]), "unknown origin"),
        (_frames(kind="model", is_accepted="no"), "is_accepted is true or false"),
        (_frames(kind="model", model=3), "model, by and at are texts"),
        (_frames(kind="model", color="red"), "color"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_taken_for_a_persons(tmp_path, text, why):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / ORIGINS_FILE).write_bytes(content)
    with pytest.raises(RecordingError, match=r"restore it, or delete it if people made") as caught:
        read_origins(tmp_path)
    assert str(tmp_path / ORIGINS_FILE) in str(caught.value)
    assert why in str(caught.value)


def test_a_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    write_origins(tmp_path, {1: Origin()})

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    with pytest.raises(RecordingError, match=r"cannot be written .*; give another folder"):
        write_origins(tmp_path, {1: Origin("propagated")})
    assert read_origins(tmp_path) == {1: Origin()}
    assert [path.name for path in tmp_path.iterdir()] == [ORIGINS_FILE]
