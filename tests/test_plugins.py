"""What is added from outside is found by every process, and what fails is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dva_lens import plugins
from dva_lens.plugins import VARIABLE, PluginError, Registry

ROOT = Path(__file__).parents[1]
STATISTIC = """
from dva_lens.statistics.table import STATISTICS
from dataclasses import replace
print("imported")
STATISTICS["self_mass"] = replace(STATISTICS["entropy"], name="self_mass", meaning="Ours.")
"""
DISTRIBUTION = """Metadata-Version: 2.1
Name: outside
Version: 1.0
"""


def dva_lens(*words, env=None, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "dva_lens.cli", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | (env or {}),
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "ours.py"
    path.write_text(STATISTIC)
    return path


@pytest.fixture
def fresh(monkeypatch):
    """Let this process believe that it has loaded nothing."""
    monkeypatch.setattr(plugins, "_state", plugins._State())
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    monkeypatch.setenv(VARIABLE, "")
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def test_a_module_named_on_the_command_line_is_imported_once(module):
    out = dva_lens("list", "statistics", "--import", str(module)).stdout
    assert out.count("imported") == 1
    assert "self_mass" in out
    assert "self_mass" in dva_lens(f"--import={module}", "list", "statistics").stdout


def test_a_child_process_knows_it_through_the_environment(module):
    out = dva_lens("list", "statistics", env={VARIABLE: str(module)}).stdout
    assert "self_mass" in out


def test_an_installed_package_offers_its_entry_points(tmp_path):
    (tmp_path / "outside.py").write_text(STATISTIC)
    facts = tmp_path / "outside-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(DISTRIBUTION)
    (facts / "entry_points.txt").write_text("[dva_lens.plugins]\nanything = outside\n")
    env = {"PYTHONPATH": str(tmp_path)}
    assert "self_mass" in dva_lens("list", "statistics", env=env).stdout
    (tmp_path / "outside.py").write_text("import nowhere_to_be_found")
    refused = dva_lens("list", "statistics", env=env, code=1).stderr
    assert refused == (
        "The plugin outside, named by the entry point 'anything' of outside, could not be "
        "imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'.\n"
    )


def test_a_plugin_is_not_imported_before_a_table_needs_it(tmp_path):
    loud = tmp_path / "loud.py"
    loud.write_text("raise RuntimeError('imported too early')")
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "dva_lens").rglob("*.py"))
        if path.stem != "__main__" and "fused" not in path.parts
    ]
    names += ["dva_lens.app", "dva_lens.app.pages"]
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {VARIABLE: str(loud)},
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("fresh")
def test_tables_look_outside_for_what_they_lack(tmp_path, monkeypatch):
    table = Registry({"one": 1})
    assert table["one"] == 1
    path = tmp_path / "adds_two.py"
    path.write_text("import builtins\nbuiltins.the_table['two'] = 2\n")
    monkeypatch.setattr("builtins.the_table", table, raising=False)
    plugins.request(str(path))
    assert "adds_two" not in sys.modules
    assert table["one"] == 1
    assert "adds_two" not in sys.modules
    assert "two" in table
    assert list(table.items()) == [("one", 1), ("two", 2)]
    assert len(table) == 2
    del table["two"]
    with pytest.raises(KeyError, match="two"):
        _ = table["two"]


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError: invalid syntax"),
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("import builtins; builtins.the_table['one'] = 3", "the name 'one' is taken"),
    ],
)
def test_what_fails_is_named_every_time(tmp_path, monkeypatch, text, said):
    table = Registry({"one": 1})
    monkeypatch.setattr("builtins.the_table", table, raising=False)
    path = tmp_path / "fails.py"
    path.write_text(text)
    plugins.request(str(path))
    for _ in range(2):
        with pytest.raises(PluginError, match=f"The plugin {path}, named by --import") as refused:
            list(table)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
    assert table["one"] == 1


def test_a_module_that_is_not_there_is_refused_at_once(tmp_path):
    gone = tmp_path / "gone.py"
    assert "There is no file" in dva_lens("doctor", "--import", str(gone), code=1).stderr
    assert "no module 'nowhere'" in dva_lens("--import", "nowhere", "doctor", code=1).stderr
    assert "--import needs a module" in dva_lens("doctor", "--import", code=2).stderr


def test_words_after_two_dashes_are_left_alone(module):
    from dva_lens.cli.guard import split_imports

    words = ["measure", "--import", "a", "--", "--import", "b"]
    assert split_imports(words) == (["a"], ["measure", "--", "--import", "b"])
