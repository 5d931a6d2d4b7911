"""One number is one number: in views, report, explorer, command line, tables and notebooks.

The archive is one that readers get wrong: a layer with a window among layers without, texts of
different lengths, and a training that is missing. The truth is the mean of patterns in double
precision, none of it made by the code that reads.
"""

import csv
import html
import io
import re

import numpy as np
import pytest
import xarray as xr
from dva_lens.app.server import create_app
from fakes import run_attrs
from typer.testing import CliRunner

import dva_lens as lens
from dva_lens import axes, views
from dva_lens.cli.entry import app as commands
from dva_lens.cli.findings import say_findings
from dva_lens.measuring.measure import describe
from dva_lens.recording.from_arrays import from_patterns
from dva_lens.reports.report import write_report
from dva_lens.results import spans
from dva_lens.results.archive import open_archive
from dva_lens.results.collect import collect
from dva_lens.results.compare import compare
from dva_lens.results.estimates import estimate
from dva_lens.results.writer import write_run
from dva_lens.views.words import shown

NAME = "normalised_entropy"
LENGTHS = (96, 37, 70, 96)
DOCUMENTS = ("a", "a", "b", "c")
WINDOWS = {"transformer": (None, None, None), "windowed": (None, 16, None)}
TRAININGS = (("transformer", 0), ("transformer", 1), ("windowed", 0))
LOCAL = {"Host": "127.0.0.1"}
ROUNDING = 1e-6
"""Archives keep float32: half a unit in the last place of numbers up to one, with room."""


def patterns(model, seed):
    """Return softmax patterns of every layer over (sequence, head, query, key)."""
    draw = np.random.default_rng([len(model), seed])
    longest = max(LENGTHS)
    query, key = np.arange(longest)[:, None], np.arange(longest)[None]
    found = []
    for layer, window in enumerate(WINDOWS[model]):
        seen = (key <= query) & (key > query - (window or longest))
        scores = (1 + layer + seed) * draw.standard_normal((len(LENGTHS), 2, longest, longest))
        weights = np.where(seen, np.exp(scores), 0.0)
        found.append(weights / weights.sum(-1, keepdims=True))
    return found


def truth(model, layers=slice(None)):
    """Return the mean over queries of all texts, then over heads, layers and seeds."""
    means = []
    for name, seed in TRAININGS:
        if name != model:
            continue
        for pattern, window in list(zip(patterns(name, seed), WINDOWS[name], strict=True))[layers]:
            total, count = np.zeros(2), 0
            for text, length in enumerate(LENGTHS):
                for query in range(1, length):
                    row = pattern[text, :, query]
                    visible = min(query + 1, window or query + 1)
                    logs = np.log(row, out=np.zeros_like(row), where=row > 0)
                    total += -(row * logs).sum(-1) / np.log(visible)
                count += length - 1
            means.append(total / count)
    return float(np.mean(means))


@pytest.fixture(scope="module")
def measured():
    found = {}
    for model, seed in TRAININGS:
        record = from_patterns(
            patterns(model, seed), lengths=np.array(LENGTHS), window=WINDOWS[model]
        )
        data = describe(
            record,
            statistics=("entropy", NAME, "first_key_mass"),
            documents=DOCUMENTS,
            name=model,
        )
        found[model, seed] = data.assign_attrs(preset=model, seed=seed)
    return found


@pytest.fixture(scope="module")
def folder(measured, tmp_path_factory):
    place = tmp_path_factory.mktemp("one-number")
    for order, ((model, seed), data) in enumerate(measured.items()):
        attrs = run_attrs(model, seed, order=order, heads=2) | {"train_seconds": None}
        write_run(place, f"{order:08x}", attrs=attrs, measurements={"held-out": data})
    return place


def command(*words):
    done = CliRunner().invoke(commands, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def in_memory(folder, measured, model):
    data = [data for (name, _), data in measured.items() if name == model]
    return estimate(collect({model: data}).values(NAME))["value"].item()


def in_a_notebook(folder, measured, model):
    values = open_archive(folder).values(NAME)
    return estimate(values)["value"].sel(model=model).item()


def in_a_view(folder, measured, model):
    data = {name: [] for name, _ in measured}
    for (name, _), one in measured.items():
        data[name].append(one)
    figure = views.depth_profile(data, NAME)
    rows = [row for row in views.as_table(figure) if row["model"] == model]
    assert len(rows) == len(WINDOWS[model])
    return float(np.mean([row["value"] for row in rows]))


def in_tables(folder, measured, model):
    out = folder / "tables"
    command("export", folder, "--out", out)
    rows = rows_of((out / "means.csv").read_text(encoding="utf-8"))
    return next(
        float(row["value"]) for row in rows if (row["statistic"], row["model"]) == (NAME, model)
    )


def in_exported_numbers(folder, measured, model):
    """Return the mean that a reader of the table makes, by the rows that it holds."""
    out = folder / "numbers"
    command("export", folder, "--out", out)
    rows = rows_of((out / f"{NAME}.csv").read_text(encoding="utf-8"))
    cells = {}
    for row in rows:
        if row["model"] == model:
            place = (row["seed"], row["layer"], row["head"])
            cells.setdefault(place, []).append((float(row["value"]), float(row["rows"])))
    columns = [np.transpose(numbers) for numbers in cells.values()]
    return float(np.mean([np.average(value, weights=rows) for value, rows in columns]))


def in_the_explorer(folder, measured, model):
    """Return the mean over the layers that the explorer draws."""
    rows = [
        row for row in downloaded(folder, f"depth.csv?statistic={NAME}") if row["model"] == model
    ]
    assert len(rows) == len(WINDOWS[model])
    return float(np.mean([float(row["value"]) for row in rows]))


def on_the_first_page(folder, measured, model):
    """Return the mean that the overview prints where nothing was chosen."""
    rows = downloaded(folder, "headline.csv")
    return next(
        float(row["value"]) for row in rows if (row["statistic"], row["model"]) == (NAME, model)
    )


def downloaded(folder, name):
    client = create_app(folder).server.test_client()
    answer = client.get(f"/numbers/{name}", headers=LOCAL)
    assert answer.status_code == 200, answer.text
    table = "\n".join(line for line in answer.text.splitlines() if not line.startswith("#"))
    return rows_of(table)


READERS = (
    in_memory,
    in_a_notebook,
    in_a_view,
    in_the_explorer,
    on_the_first_page,
    in_tables,
    in_exported_numbers,
)


@pytest.fixture
def wrong_rows(monkeypatch):
    """Plant the defect: every layer is read by the rows of the widest."""
    monkeypatch.setattr(spans, "rows_of", lambda data: data["rows"])


@pytest.mark.parametrize("model", WINDOWS)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_says_the_mean_of_the_patterns(reader, model, folder, measured):
    assert reader(folder, measured, model) == pytest.approx(truth(model), abs=ROUNDING)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_is_seen_failing(reader, folder, measured, wrong_rows):
    assert abs(reader(folder, measured, "windowed") - truth("windowed")) > 100 * ROUNDING


def on_a_page(folder, tmp_path):
    page = write_report(folder, tmp_path / "report.html")
    return re.sub(r"\s+", " ", html.unescape(page.read_text(encoding="utf-8")))


def test_the_report_prints_it(folder, tmp_path):
    page = on_a_page(folder, tmp_path)
    for model in WINDOWS:
        assert shown(truth(model)) in page, model


def test_the_report_is_seen_failing(folder, tmp_path, wrong_rows):
    assert shown(truth("windowed")) not in on_a_page(folder, tmp_path)


def difference_said(folder):
    said = command("compare", folder, "--baseline", "transformer", "--statistic", NAME)
    line = next(line for line in said.splitlines() if line.strip().startswith("windowed"))
    return float(line.split()[1])


def test_the_command_line_prints_the_difference(folder):
    difference = truth("windowed", slice(1, 2)) - truth("transformer", slice(1, 2))
    assert difference_said(folder) == pytest.approx(difference, abs=0.5e-4 + ROUNDING)
    (entry,) = compare(open_archive(folder).on()).of(NAME, contrast="middle half")
    assert float(entry.text.mean) == pytest.approx(difference, abs=2 * ROUNDING)


def test_the_command_line_is_seen_failing(folder, wrong_rows):
    difference = truth("windowed", slice(1, 2)) - truth("transformer", slice(1, 2))
    assert abs(difference_said(folder) - difference) > 1e-3


def largest_first_key_mass(model):
    """Return the largest mean weight of a head on the first key, by queries that see 16 keys."""
    means = []
    for name, seed in TRAININGS:
        if name == model:
            for pattern in patterns(name, seed):
                late = [pattern[text, :, 15:length, 0] for text, length in enumerate(LENGTHS)]
                means += list(np.concatenate(late, axis=-1).mean(-1))
    return float(max(means))


def findings_said(folder, capsys, tmp_path):
    """Return the mass of the baseline's finding wherever it is said, and check the sentences."""
    notebook = lens.findings(open_archive(folder))
    finding = notebook.of("sink")[0]
    say_findings(folder)
    assert str(notebook) in capsys.readouterr().out
    page = on_a_page(folder, tmp_path)
    for entry in notebook.entries:
        assert re.sub(r"\s+", " ", entry.words) in page
    first = downloaded(folder, "findings.csv")[0]
    assert first["words"] == finding.words
    table = lens.sinks(open_archive(folder)).query("model == 'transformer' and position == 0")
    return finding.numbers["mass"], float(first["mass"]), table["mass"].max()


def test_a_finding_is_one_number(folder, capsys, tmp_path):
    want = largest_first_key_mass("transformer")
    for found in findings_said(folder, capsys, tmp_path):
        assert found == pytest.approx(want, abs=ROUNDING)


def test_a_finding_is_seen_failing(folder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(axes, "MANY_KEYS", 8)
    want = largest_first_key_mass("transformer")
    for found in findings_said(folder, capsys, tmp_path):
        assert abs(found - want) > 100 * ROUNDING


def test_uniform_attention_is_that_of_each_layer(measured):
    """In a window of 16 keys uniform attention has entropy log 16, not that of all keys."""
    found = collect(measured["windowed", 0]).reference("entropy")
    visible = [
        [min(query + 1, window or query + 1) for query in range(length)]
        for window in WINDOWS["windowed"]
        for length in LENGTHS
    ]
    level = np.array([np.log(seen).mean() for seen in visible]).reshape(3, len(LENGTHS))
    np.testing.assert_allclose(
        found.isel(model=0, seed=0).transpose("layer", "sequence").values, level, atol=1e-6
    )


def test_the_missing_training_is_named(folder):
    values = open_archive(folder).values(NAME)
    assert isinstance(values, xr.DataArray)
    assert values.sel(model="windowed", seed=1).isnull().all()
    assert values.attrs["why_nan"] == "windowed, seed 1: no such training"
