"""One name, one idea: no two public classes share a name, and former words stay where they go."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("dva_lens", "app", "analyses")
TEXT = {".py", ".md", ".ipynb", ".toml", ".yaml", ".yml", ".js", ".css", ".j2", ".html", ".cff"}
GENERATED = (ROOT / "docs" / "_build", ROOT / "docs" / "api")
CHANGES = "CHANGELOG.md"
# Former words of users' files, flags and links, as patterns, and the only files that know them:
# readers of what was written before the words changed, and what tests them.
FORMER = {
    r"(?i:probes?)": (
        CHANGES,
        "app/state.py",
        "dva_lens/cli/compare.py",
        "dva_lens/cli/pages.py",
        "dva_lens/cli/texts.py",
        "dva_lens/results/schema.py",
        "dva_lens/study/definition.py",
        "tests/app/test_pages.py",
        "tests/app/test_state.py",
        "tests/cli/test_compare.py",
        "tests/compatibility/test_archive.py",
        "tests/study/test_definition.py",
        "tests/study/test_folder.py",
    ),
    r"(?i:arms?)": (
        CHANGES,
        "dva_lens/statistics/inference/plan.py",
        "tests/cli/test_compare.py",
        "tests/statistics/inference/test_compare.py",
    ),
}
# Words that mean something only to who wrote them: nothing is called so, and no text says them.
PRIVATE = (
    r"Watch(?! )",
    r"Passing",
    r"(?:\w+\.)?take\(0\)",
    r"(?i:wish\w*)",
    r"_Bench",
    r"settle",
    r"told",
    r"in the open",
    r"on the way back",
    r"is not told apart from",
)
# Words of plain English that are no names: "far apart" is a distance, `apart` says nothing.
NO_NAMES = ("apart", "together")


def texts(root):
    """Yield every file with words of ours: code, tests, pages and notebooks, without fixtures."""
    places = (*CODE, "docs", "tests", "notebooks")
    found = [path for place in places for path in sorted((root / place).rglob("*"))]
    for path in (*found, *sorted(root.glob("*.md")), root / "Makefile", root / "pyproject.toml"):
        generated = any(path.is_relative_to(folder) for folder in GENERATED)
        fixture = path.is_relative_to(root / "tests" / "fixtures")
        known = path.suffix in TEXT or path.name == "Makefile"
        if known and path.is_file() and path != Path(__file__) and not (generated or fixture):
            yield str(path.relative_to(root)), path.read_text(encoding="utf-8")


def holders(root, pattern):
    """Return the files in which a pattern stands as a word."""
    word = re.compile(rf"(?<!\w){pattern}(?!\w)")
    return {place for place, text in texts(root) if word.search(text)}


def public_classes(root):
    """Return the modules that define each public class at their top level, by its name."""
    found = defaultdict(list)
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(root)))
    return found


def names(text):
    """Return every name that code gives: to functions, classes, arguments and variables."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_no_two_public_classes_share_a_name():
    assert {name: paths for name, paths in public_classes(ROOT).items() if len(paths) > 1} == {}


def test_a_second_class_of_a_name_is_seen(tmp_path):
    for number, folder in enumerate(CODE):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module.py").write_text(f"class Same:\n    number = {number}\n")
    assert len(public_classes(tmp_path)["Same"]) == len(CODE)


@pytest.mark.parametrize(("pattern", "readers"), FORMER.items(), ids=FORMER)
def test_former_words_stay_with_those_who_read_them(pattern, readers):
    assert holders(ROOT, pattern) == set(readers)


@pytest.mark.parametrize("pattern", PRIVATE)
def test_no_private_words(pattern):
    assert holders(ROOT, pattern) == set()


def test_words_of_plain_english_are_no_names():
    code = {place: text for place, text in texts(ROOT) if place.endswith(".py")}
    assert {place for place, text in code.items() if set(names(text)) & set(NO_NAMES)} == set()


def test_a_private_word_is_seen(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("Two Probes, told of in the open.")
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text("")
    for pattern in (r"(?i:probes?)", r"told", r"in the open"):
        assert holders(tmp_path, pattern) == {"docs/page.md"}
    assert set(names("def apart(together): pass")) == {"apart", "together"}
