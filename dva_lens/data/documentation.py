"""The default text: what the documentation of the running Python says.

It needs no download and no licence beyond Python's own. Sources are parsed, never imported. The
text differs between Python versions, which the hash of the corpus shows.
"""

import ast
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dva_lens.data.documents import Corpus, Document, corpus_of

OUTSIDE = frozenset({"test", "tests", "idle_test", "lib2to3", "turtledemo", "__pycache__"})
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def default_corpus() -> Corpus:
    """Return the docstrings of the standard library and Python's help topics.

    A document is a module, with each docstring under the name and arguments of what it describes,
    or a help topic. Comments are left out: they read like notes on code, not like text.
    """
    return _documentation(Path(sysconfig.get_path("stdlib")))


@cache
def _documentation(library: Path) -> Corpus:
    documents = (*_modules(library), *_topics(library / "pydoc_data" / "topics.py"))
    if not documents:
        raise ValueError(
            f"This Python keeps no readable sources in {str(library)!r}; name a text of your own."
        )
    return corpus_of("python-documentation", documents)


def _modules(library: Path) -> Iterator[Document]:
    for file in _sources(library):
        tree = _parsed(file)
        text = "\n\n".join(_docstrings(tree)) if tree is not None else ""
        if text:
            parts = file.relative_to(library).with_suffix("").parts
            yield Document(".".join(part for part in parts if part != "__init__"), text)


def _sources(library: Path) -> Iterator[Path]:
    for name in sorted(sys.stdlib_module_names):
        module, package = library / f"{name}.py", library / name
        files = [module] if module.is_file() else sorted(package.rglob("*.py"))
        for file in files:
            if OUTSIDE.isdisjoint(file.relative_to(library).parts):
                yield file


def _parsed(file: Path) -> ast.Module | None:
    """Return the syntax tree of a file, or None where this Python cannot parse it."""
    try:
        with tokenize.open(file) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError):
        return None


def _docstrings(node: Documented, path: str = "") -> Iterator[str]:
    text = ast.get_docstring(node)
    if text and text.strip():
        yield f"{path}{_arguments(node)}\n{text}" if path else text
    for child in node.body if isinstance(node, ast.Module | ast.ClassDef) else ():
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(child, f"{path}.{child.name}" if path else child.name)


def _arguments(node: Documented) -> str:
    return "" if isinstance(node, ast.Module | ast.ClassDef) else f"({ast.unparse(node.args)})"


def _topics(file: Path) -> Iterator[Document]:
    tree = _parsed(file)
    for statement in tree.body if tree is not None else ():
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            for name, text in ast.literal_eval(statement.value).items():
                yield Document(f"help.{name}", text.strip())
