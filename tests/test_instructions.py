"""Whatever README, guides and CONTRIBUTING tell a reader to type or to open is there."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest
import typer

from dva_lens.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"`(?:dva_)?lens((?:\.(?!NAME\b)\w+)+)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def commands(page):
    """Return the commands of a page's console blocks, without prompts and comments."""
    lines = [line for block in CONSOLE.findall(page.read_text()) for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.strip()]


def parse(words):
    """Let the command line take words apart without running anything."""
    command, context = typer.main.get_command(app), None
    while True:
        words = [word for word in words if word not in ("--debug",)]
        if "--import" in words:
            at = words.index("--import")
            words = words[:at] + words[at + 2 :]
        if not hasattr(command, "commands"):
            return command.make_context(command.name, list(words), parent=context)
        context = typer.Context(command, info_name=command.name, parent=context)
        name, *words = words
        assert name in command.commands, name
        command = command.commands[name]


def targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_those_that_there_are(page):
    for program, *words in commands(page):
        assert program in ("dva-lens", "make"), program
        if program == "make":
            assert set(words) <= targets()
        else:
            parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_and_modules_in_the_text_exist(page):
    text = page.read_text()
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets()
    for name in re.findall(r"python -m (dva_lens[\w.]*)", text):
        assert find_spec(name.rstrip(".").removesuffix(".NAME")) is not None, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_the_text_are_those_of_something(page):
    for name in set(NAME.findall(page.read_text())):
        assert resolve_name(f"dva_lens{name}") is not None, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page):
    # notebooks are brought beside the pages when the site is built
    made = {f"notebooks/{notebook.name}" for notebook in (ROOT / "notebooks").glob("*.ipynb")}
    for link in set(LINK.findall(page.read_text())) - made:
        assert (page.parent / link).exists(), link


def test_a_name_that_is_not_there_is_seen():
    (name,) = NAME.findall("as a table (`dva_lens.views.as_tabel`)")
    with pytest.raises(AttributeError, match="as_tabel"):
        resolve_name(f"dva_lens{name}")


def test_a_command_that_is_not_there_is_seen():
    with pytest.raises(Exception, match="--no-such-option"):
        parse(["compare", "runs/quick", "--baseline", "dva", "--no-such-option"])
