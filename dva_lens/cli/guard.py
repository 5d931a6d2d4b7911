"""What the command line does with errors: one sentence, an exit code, a traceback on request.

Warnings are said in one sentence too, without the line of the program that they came from.
"""

import errno
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, final

import typer
from typer.core import TyperGroup

from dva_lens.plugins import request

# typer raises the errors of the click it carries; the base of its public one names them.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
DEBUG = "--debug"
IMPORT = "--import"

LONGEST_WORD = 300

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


@final
class Guarded(TyperGroup):
    """The root of the commands, which turns every error into one sentence and an exit code."""

    def main(self, args: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]
        """Run a command and leave with its exit code.

        `--debug` and `--import MODULE` may stand anywhere before `--`.
        """
        words = list(sys.argv[1:] if args is None else args)
        debug = DEBUG in words
        options["standalone_mode"] = False
        try:
            refuse_empty(words)
            modules, rest = split_imports(word for word in words if word != DEBUG)
            for module in modules:
                request(module)
            with warnings_said(debug=debug):
                code = super().main(rest, **options)
        except UsageError as error:
            _say(_usage(error))
            sys.exit(WRONG_USAGE)
        except (KeyboardInterrupt, typer.Abort):
            _interrupted()
        except BrokenPipeError:
            # Whoever read the output has left; nothing is wrong and nobody is listening.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except Exception as error:  # the edge of the program: whatever it is, one sentence
            if debug:
                raise
            _say(sentence(error))
            sys.exit(FAILED)
        if code == INTERRUPTED:
            _interrupted()
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def warnings_said(*, debug: bool) -> Iterator[None]:
    """Say warnings as errors are said; with `debug` as Python shows them."""
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _warn
        yield


def _warn(message: Warning | str, *_: Any) -> None:
    _say(f"Warning: {shortened(' '.join(str(message).split()))}")


def refuse_empty(words: Sequence[str]) -> None:
    """Refuse an empty word, such as a shell makes of a variable that is not set.

    As a path it would be the current folder.

    Raises
    ------
    typer.BadParameter
        One of the words is empty.
    """
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if word and not (equals and not value and name.startswith("--")):
            continue
        before = words[number - 1] if number else ""
        culprit = name or (before if before.startswith("-") else f"argument {number + 1}")
        raise typer.BadParameter(f"{culprit} must not be empty ('')")


def split_imports(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the modules named by `--import` before any `--`, and the words without them.

    Raises
    ------
    typer.BadParameter
        `--import` is the last word.
    """
    modules: list[str] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return modules, [*rest, word, *left]
        name, equals, value = word.partition("=")
        if name != IMPORT:
            rest.append(word)
            continue
        module = value if equals else next(left, "")
        if not module:
            raise typer.BadParameter(f"{IMPORT} needs a module or the path of a .py file")
        modules.append(module)
    return modules, rest


def sentence(error: BaseException) -> str:
    """Return an error as one line that a person can act on."""
    # str() of a KeyError shows the quotes of its message; the message itself is the argument.
    whole = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = shortened(" ".join(whole.split()))
    expected = (ValueError, KeyError, OSError, RuntimeError, TypeError, ImportError)
    if isinstance(error, OSError) and error.strerror and error.errno:
        text = _of_system(error)
    if isinstance(error, MemoryError):
        text = f"Memory ran out ({text or 'no detail'}); choose a smaller size or shorter texts."
    elif not text or not isinstance(error, (*expected, ArithmeticError)):
        text = f"{type(error).__name__}: {text or 'no detail'} (use --debug for the traceback)"
    return text


def shortened(text: str) -> str:
    """Return a sentence with the middle of any endless name in it left out."""
    return " ".join(
        word if len(word) <= LONGEST_WORD else f"{word[:100]}…{word[-20:]}"
        for word in text.split(" ")
    )


def _of_system(error: OSError) -> str:
    where = shortened(f" at {error.filename}") if error.filename else ""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.strerror}{where}."
    return (
        f"{error.strerror}{where}; what was finished is kept, and the same command continues "
        f"once there is room and permission."
    )


def _usage(error: Exception) -> str:
    message = getattr(error, "format_message", error.__str__)().replace("Value error, ", "")
    message = shortened(message)
    if "\n" in message:  # a group called without a command answers with its help
        return message
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "dva-lens"
    return f"{message.rstrip('.')}; `{path} --help` lists what is allowed."


def _interrupted() -> NoReturn:
    _say("Interrupted; what was finished is kept, and the same command continues from there.")
    sys.exit(INTERRUPTED)


def _say(message: str) -> None:
    typer.echo(message, err=True)
