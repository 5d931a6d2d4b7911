import warnings

import pytest
import typer

from dva_lens.cli.guard import Guarded, sentence

FULL = OSError(28, "No space left on device", "/data/x")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("width must be\n  a multiple."), "width must be a multiple."),
        (KeyError("Unknown statistic 'x'."), "Unknown statistic 'x'."),
        (FULL, "No space left on device at /data/x; what was finished is kept"),
        (FileNotFoundError("There is no folder."), "There is no folder."),
        (MemoryError("1 TiB"), "Memory ran out (1 TiB)"),
        (
            AttributeError("no such thing"),
            "AttributeError: no such thing (use --debug for the traceback)",
        ),
        (ValueError(f"no '{'x' * 9000}' here"), f"no '{'x' * 99}…{'x' * 19}' here"),
        (ValueError(), "ValueError: no detail (use --debug for the traceback)"),
    ],
)
def test_an_error_is_one_sentence(error, expected):
    found = sentence(error)
    assert found.startswith(expected)
    assert "\n" not in found


def program(error):
    app = typer.Typer(cls=Guarded, rich_markup_mode=None)

    @app.command()
    def fail():
        raise error

    @app.command()
    def warn():
        warnings.warn("Layer 3 was\n not kept.", stacklevel=1)

    @app.command()
    def other():
        pass

    return app


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("so"), 1), (KeyboardInterrupt(), 130), (typer.Exit(3), 3)]
)
def test_errors_become_exit_codes(capsys, error, code):
    with pytest.raises(SystemExit) as left:
        program(error)(["fail"])
    assert left.value.code == code
    if code == 130:
        assert "the same command continues" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_sentence_without_its_line(capfd):
    with pytest.raises(SystemExit) as left:
        program(None)(["warn"])
    assert left.value.code == 0
    assert capfd.readouterr().err == "Warning: Layer 3 was not kept.\n"
    with pytest.warns(UserWarning, match="Layer 3"), pytest.raises(SystemExit):
        program(None)(["warn", "--debug"])


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (["fail", "--out", ""], "--out"),
        (["fail", "--out="], "--out"),
        (["fail", ""], "argument 2"),
        (["fail", "--", ""], "--"),
    ],
)
def test_an_empty_word_is_no_path(capsys, words, culprit):
    with pytest.raises(SystemExit) as left:
        program(ValueError("so"))(words)
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith(f"Invalid value: {culprit} must not be empty")


def test_debug_shows_the_error_itself():
    with pytest.raises(ValueError, match="so"):
        program(ValueError("so"))(["fail", "--debug"])
