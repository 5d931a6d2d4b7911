"""One name, one idea: no two public classes of the package share a name."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("dva_lens", "app", "analyses")
# Names that still mean two things. The list only shrinks.
SHARED = {
    "Case",
    "Interval",
    "Line",
    "Outcome",
    "Paired",
    "Row",
    "Words",
}


def public_classes(root):
    """Return the modules that define each public class at their top level, by its name."""
    found = defaultdict(list)
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(root)))
    return found


def test_no_two_public_classes_share_a_name():
    twice = {name: paths for name, paths in public_classes(ROOT).items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in SHARED} == {}


def test_a_second_class_of_a_name_is_seen(tmp_path):
    for number, folder in enumerate(CODE):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module.py").write_text(f"class Same:\n    number = {number}\n")
    assert len(public_classes(tmp_path)["Same"]) == len(CODE)
