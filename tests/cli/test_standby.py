"""A process that waits for the words of a command."""

import json

import pytest
from typer.testing import CliRunner

from dva_lens import __version__
from dva_lens.cli.entry import app

REFUSED = ["pattern", "nowhere", "--layer=x"]


def standing_by(line):
    return CliRunner().invoke(app, ["standby"], input=line, prog_name="dva-lens")


def test_it_runs_what_one_line_names_as_the_command_itself_would():
    done = standing_by(json.dumps(["--version"]) + "\n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
    refused = standing_by(json.dumps(REFUSED) + "\n")
    direct = CliRunner().invoke(app, REFUSED, prog_name="dva-lens")
    assert (refused.exit_code, refused.stderr) == (direct.exit_code, direct.stderr) != (0, "")


@pytest.mark.parametrize("line", ["", "\n"])
def test_it_ends_where_nothing_is_named(line):
    done = standing_by(line)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
