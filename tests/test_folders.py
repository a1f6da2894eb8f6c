import errno
import re
from pathlib import Path

import pytest

from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.folders import make_folder, short_name, whole_folder, without_folder, writing


def test_a_folder_is_made_with_all_above_it_and_left_alone_if_it_is_there(tmp_path):
    folder = tmp_path / "a" / "b"
    make_folder(folder, "--out")
    (folder / "kept").write_text("precious", encoding="utf-8")
    make_folder(folder, "--out")
    assert (folder / "kept").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_in_the_way_is_a_sentence_that_names_the_option(tmp_path, below):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    wanted = tmp_path / "file" / below
    with pytest.raises(
        SonotempoError, match=r"cannot be created \(.+\); give another --cache$"
    ) as error:
        make_folder(wanted, "--cache")
    assert str(error.value).startswith(f"{wanted} ")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


def test_the_error_is_of_the_class_that_the_caller_promises(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(RecordingError):
        make_folder(tmp_path / "file", "--out", RecordingError)


def test_a_write_that_is_refused_names_the_file_in_the_way_and_the_option(tmp_path):
    (tmp_path / "out" / "table.csv").mkdir(parents=True)
    with (
        pytest.raises(
            RecordingError, match=r"cannot be written \(.+\); give another --out$"
        ) as error,
        writing(tmp_path / "out", "--out", RecordingError),
    ):
        (tmp_path / "out" / "table.csv").write_text("a,b", encoding="utf-8")
    assert str(error.value).startswith(str(tmp_path / "out" / "table.csv"))


def test_a_full_disk_names_what_the_user_gave(tmp_path):
    with (
        pytest.raises(SonotempoError, match=f"^{re.escape(str(tmp_path))} cannot be written"),
        writing(tmp_path, "--out"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_no_refusal_passes_through(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path, "--out"):
        raise ZeroDivisionError


class TestWholeFolder:
    def test_it_appears_when_it_is_whole_with_the_rights_of_any_folder(self, tmp_path):
        place = tmp_path / "above" / "set"
        with whole_folder(place, "DST") as draft:
            (draft / "a").touch()
            assert not place.exists()
        (tmp_path / "plain").mkdir()
        assert [path.name for path in place.iterdir()] == ["a"]
        assert place.stat().st_mode == (tmp_path / "plain").stat().st_mode
        assert [path.name for path in place.parent.iterdir()] == ["set"]

    def test_an_empty_folder_is_filled(self, tmp_path):
        with whole_folder(tmp_path / "..." / ".." / "set", "DST") as draft:
            (draft / "a").touch()
        assert (tmp_path / "set" / "a").exists()

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, RecordingError("bad"), SystemExit(143)])
    def test_nothing_is_left_of_one_that_is_interrupted(self, tmp_path, stop):
        place = tmp_path / "set"
        place.mkdir()
        with pytest.raises((KeyboardInterrupt, RecordingError, SystemExit)):
            self.interrupted(place, stop)
        assert list(tmp_path.iterdir()) == [place]
        assert list(place.iterdir()) == []

    @staticmethod
    def interrupted(place, stop):
        with whole_folder(place, "DST") as draft:
            (draft / "a").touch()
            raise stop

    def test_a_full_disk_is_a_sentence(self, tmp_path):
        with pytest.raises(RecordingError, match=r"cannot be written \(full\); give another DST"):
            self.full(tmp_path / "set")
        assert list(tmp_path.iterdir()) == []

    @staticmethod
    def full(place):
        with whole_folder(place, "DST", RecordingError):
            raise OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/b/c.dcm", "b/c.dcm"), ("/c.dcm", "c.dcm"), ("c.dcm", "c.dcm"), ("../b/c.dcm", "b/c.dcm")],
)
def test_a_name_has_two_parts_at_most_and_nothing_of_the_way_there(path, name):
    assert short_name(Path(path)) == name


def test_paths_in_texts_begin_below_the_folder_however_it_is_spelt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (Path("data"), tmp_path / "data"):
        for spelt in (folder, tmp_path / "data"):
            assert without_folder(f"{spelt}/a/b.dcm is damaged", folder) == "a/b.dcm is damaged"
    assert without_folder("/a/b.dcm", Path("/")) == "/a/b.dcm"
