"""Public docstrings say what they promise: a `Raises` section names every error that is raised."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("dva_lens", "app", "analyses")
SECTION = re.compile(r"^Raises\n-{6}\n(.*?)(?=\n\n\w[\w ]*\n-{3,}|\Z)", re.DOTALL | re.M)
ERROR = re.compile(r"^(?:[\w.]+\.)?(\w+)$", re.M)
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def own_nodes(function):
    """Yield the nodes of a function, without those of functions and classes inside it."""
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FUNCTIONS | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def raised(function):
    """Return the names of the errors that a function raises itself; passing one on is not one."""
    caught = {node.name for node in own_nodes(function) if isinstance(node, ast.ExceptHandler)} - {
        None
    }
    found = set()
    for node in own_nodes(function):
        if not isinstance(node, ast.Raise) or node.exc is None:
            continue
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = ast.unparse(error).rpartition(".")[2]
        if name not in caught:
            found.add(name)
    return found


def is_abstract(function):
    return any(
        ast.unparse(decorator).endswith("abstractmethod") for decorator in function.decorator_list
    )


def errors_of(node):
    """Yield (name, docstring, errors) of a public function, or of a class and its methods."""
    if isinstance(node, FUNCTIONS):
        yield node.name, ast.get_docstring(node), raised(node)
        return
    methods = [each for each in node.body if isinstance(each, FUNCTIONS)]
    spoken = [each for each in methods if not each.name.startswith("_")]
    special = [each for each in methods if each.name.endswith("__")]
    # A special method without words of its own is described by its class.
    spoken += [each for each in special if ast.get_docstring(each)]
    without = [raised(each) for each in special if not ast.get_docstring(each)]
    yield node.name, ast.get_docstring(node), set().union(*without)
    for each in spoken:
        errors = raised(each) - ({"NotImplementedError"} if is_abstract(each) else set())
        yield f"{node.name}.{each.name}", ast.get_docstring(each), errors


def is_help(docstring):
    """Tell whether a docstring is the help of a command, read where errors are one sentence."""
    return "\nExample: dva-lens " in (docstring or "")


def silent(text):
    """Return which errors the public names of a module raise and do not tell."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, FUNCTIONS | ast.ClassDef) and not node.name.startswith("_"):
            for name, docstring, errors in errors_of(node):
                if is_help(docstring):
                    continue
                section = SECTION.search(docstring or "")
                named = set(ERROR.findall(section[1])) if section else set()
                missing = {error for error in errors if error[:1].isupper()} - named
                if missing or (errors and not named):
                    found[name] = missing or errors
    return found


def test_public_docstrings_say_what_is_raised():
    assert {
        f"{path.relative_to(ROOT)}: {name}": errors
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, errors in silent(path.read_text()).items()
    } == {}


FAULTS = '''
class Table:
    """A table."""

    def __getitem__(self, name):
        raise KeyError(name)

    def entry(self, name):
        """Return an entry.

        Raises
        ------
        KeyError
            There is none.
        """
        if not name:
            raise ValueError(name)
        raise KeyError(name)

    @abstractmethod
    def each(self):
        """Return all."""
        raise NotImplementedError

def read(path):
    """Read a file."""
    try:
        return open(path)
    except OSError as error:
        raise error
    except ValueError as error:
        raise refusal(path) from error
'''


def test_an_error_that_is_not_told_is_seen():
    assert silent(FAULTS) == {
        "Table": {"KeyError"},
        "Table.entry": {"ValueError"},
        "read": {"refusal"},
    }
