import subprocess
import sys
import time
from importlib.metadata import version

import pytest

COMMANDS = (
    "study run",
    "measure",
    "diagnose",
    "intervene",
    "pair",
    "compare",
    "report",
    "explore",
    "export",
    "list",
    "doctor",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(call, command):
    result = call(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: dva-lens {command}" in " ".join(result.stdout.split())


def test_no_command_shows_the_commands(call):
    result = call()
    assert result.exit_code == 2
    for command in COMMANDS:
        assert command.split()[0] in result.stderr


def test_the_version_is_that_of_the_package(call):
    assert call("--version").stdout.strip() == version("dva-lens")


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from dva_lens.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'xarray', 'pandas', 'dash', 'plotly'} & set(sys.modules)))"
    )
    before = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - before < 5


def test_a_wrong_word_is_answered_with_where_to_look(refused):
    assert "Did you mean 'study'" in refused("stduy", code=2)
    assert "--baseline" in refused("compare", "somewhere", code=2)
    assert "'views'" in refused("list", "view", code=2)


def test_the_installed_command_answers_errors_in_one_sentence(tmp_path):
    words = ["-m", "dva_lens.cli", "compare", str(tmp_path / "no"), "--baseline", "x"]
    result = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("There is no folder")
    assert result.stderr.count("\n") == 1
