"""The command: what it asks, says and returns."""

import pytest
from typer.testing import CliRunner

from fakes.files import write_meta
from fakes.patients import screens
from sonotempo.cli import app
from sonotempo.errors import ConfigError


@pytest.fixture
def source(tmp_path):
    write_meta_to = tmp_path / "in" / "anna"
    write_meta_to.mkdir(parents=True)
    write_meta(write_meta_to / "a.mha", screens(12))
    return tmp_path / "in"


def run(*arguments, **options):
    return CliRunner().invoke(app, ["data", "deidentify", *map(str, arguments)], **options)


def test_without_a_terminal_the_sheet_is_written_and_nothing_else(source, tmp_path):
    done = run(source, tmp_path / "out")
    assert isinstance(done.exception, ConfigError)
    assert "repeat the command with --yes" in str(done.exception)
    assert (tmp_path / "out-key-sheet.png").is_file()
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out-key.csv").exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(source, tmp_path, monkeypatch, answer):
    monkeypatch.setattr("sonotempo.cli.deidentify._can_be_asked", lambda: True)
    done = run(source, tmp_path / "out", input=f"{answer}\n")
    assert "Does every box hold the ultrasound" in done.output
    assert (tmp_path / "out").exists() == (answer == "y")
    assert done.exit_code == (0 if answer == "y" else 1)


def test_the_status_says_that_something_was_left_out(source, tmp_path):
    assert run(source, tmp_path / "out", "--yes").exit_code == 0
    (source / "anna" / "report.pdf").write_bytes(b"%PDF")
    done = run(source, tmp_path / "out", "--yes")
    assert done.exit_code == 1
    assert "report.pdf" in done.output
    assert "1 there already" in done.output
    assert "unknown kind of file: 1" in done.output
