"""The extended set and the controls, from the command line to the archive, report and explorer."""

import json

import numpy as np
import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.library import Library
from dva_lens.app.pages import PAGES
from families import family
from own_models import tiny
from plotly.utils import PlotlyJSONEncoder
from tokens import WORDS, letters, word_tokenizer, wrapped

from dva_lens.axes import span_of
from dva_lens.measuring.controls import CONTROLS
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.results.archive import open_archive
from dva_lens.statistics.table import EXTENDED, STATISTICS

LENGTH = 32
MODELS = ("dva", "llama")
SHOWN = ("gini", "sink_count", "triad_agreement", "value_decomposition", "effective_rank")


def saved(name, folder):
    if name == "llama":
        family("llama").save_pretrained(folder)
        wrapped(word_tokenizer()).save_pretrained(folder)
    else:
        save_checkpoint(folder, tiny(name, context=LENGTH, layers=2), word_tokenizer(), {})
    return folder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS[4:], LENGTH)) for _ in range(2)]
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text("\n<|endoftext|>\n".join([*texts, letters(LENGTH)]))
    return file


@pytest.fixture(params=MODELS, scope="module")
def archive(request, tmp_path_factory, text):
    from typer.testing import CliRunner

    from dva_lens.cli import app

    top = tmp_path_factory.mktemp(request.param)
    model, out = saved(request.param, top / request.param), top / "out"
    words = ["measure", model, "--text", text, "--out", out, "--extended", "--length", LENGTH]
    words += [word for control in CONTROLS for word in ("--control", control)]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return open_archive(out)


def finite_where_defined(data, name):
    """Say whether a statistic has a number wherever its definition gives one."""
    found = data[name]
    if "span" in found.dims:
        fewest = 5 if name == "top_mass" else 4
        found = found.sel(span=slice(span_of(fewest), span_of(LENGTH) - 1))
    return bool(np.isfinite(found).all())


def test_every_extended_statistic_has_a_number_or_a_reason(archive):
    data = archive.dataset(archive.runs[0])
    for name in EXTENDED:
        held = np.isfinite(data[name].values)
        if "why_not" in data[name].attrs:
            assert not held.all(), name
            continue
        assert finite_where_defined(data, name), name
        assert STATISTICS[name].version == data[name].attrs["version"]


def test_controls_lie_beside_the_text(archive):
    run = archive.runs[0]
    assert archive.texts_of(run) == ("text", *CONTROLS)
    text = archive.dataset(run)
    for control in CONTROLS:
        found = archive.dataset(run, control)
        assert found.attrs["text"] == control
        assert found["document"].values.tolist() == text["document"].values.tolist()
        assert not np.allclose(found["loss"], text["loss"])


def test_the_report_and_the_explorer_read_it(archive, tmp_path, call):
    report = tmp_path / "report.html"
    result = call("report", archive.folder, "--out", report)
    assert result.exit_code == 0, result.output
    assert report.stat().st_size > 10_000
    library = Library(archive)
    for path in PAGES:
        page = page_at(library, path, "?statistic=mass_account")
        assert "Traceback" not in json.dumps(page, cls=PlotlyJSONEncoder)
    for name in SHOWN:
        page_at(library, "/", f"?statistic={name}")


def test_models_can_be_compared_on_a_control(archive, call):
    words = ("compare", archive.folder, "--baseline", archive.runs[0].preset)
    result = call(*words, "--text", "shuffled", "--statistic", "gini")
    assert result.exit_code == 0, result.output
