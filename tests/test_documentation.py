"""Commands in the documents can be typed, and what they link to exists."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from sonotempo import cli

ROOT = Path(__file__).parents[1]
SITE = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *SITE]
_LINE = re.compile(r"^(?:\.venv/bin/)?(sonotempo [a-z].*)$", re.MULTILINE)
_INLINE = re.compile(r"`(sonotempo [a-z][^`]*)`")
_SCRIPT = re.compile(r"\b((?:bench|check|make|train)_\w+\.py|scripts/\w+\.py)")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def commands_in(page):
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    said = [match.group(1) for pattern in (_LINE, _INLINE) for match in pattern.finditer(text)]
    return [command.partition("#")[0].replace("…", "X") for command in said]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_written_down_is_understood(page):
    for said in commands_in(page):
        words, command = shlex.split(said)[1:], typer.main.get_command(cli.app)
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert not isinstance(command, click.Group), said
        try:
            command.make_context(said, words)
        except click.exceptions.MissingParameter:
            pass  # a command that is only mentioned
        except click.exceptions.UsageError as error:
            pytest.fail(f"{said}: {error.message}")


def test_commands_are_found_in_the_documents():
    assert sum(len(commands_in(page)) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page):
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    broken = [
        link
        for link in links
        if not re.match(r"[a-z]+:", link) and not (page.parent / link).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_that_is_named_is_there(page):
    named = {Path(name).name for name in _SCRIPT.findall(page.read_text(encoding="utf-8"))}
    assert [name for name in sorted(named) if not (ROOT / "scripts" / name).is_file()] == []


def test_the_site_leads_to_every_page():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in SITE]
    assert [page for page in pages if f" {page}" not in navigation] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
