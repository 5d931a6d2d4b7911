"""The pages that show code run as they stand."""

import re
from pathlib import Path

import pytest
import torch
from small_text import small_corpus

from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.models.presets import PRESETS
from dva_lens.results.archive import open_archive
from dva_lens.statistics.table import STATISTICS

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


@pytest.fixture
def tables_as_they_were():
    """Whatever the page adds to a table is taken out again."""
    tables = (VALUE_FORMS, PRESETS, STATISTICS)
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


@pytest.mark.usefixtures("tables_as_they_were")
def test_a_mechanism_and_a_statistic_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dva_lens.study.texts.open_corpus", lambda _: small_corpus(documents=20))
    said = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    names = {"__name__": "page"}
    exec(compile(said, str(PAGE), "exec"), names)
    data, figure = names["data"], names["figure"]
    _, cache = names["model"].run_with_cache(torch.arange(5)[None])
    sizes = cache["blocks.1.attn.mix.hook_v"].norm(dim=-1)
    torch.testing.assert_close(sizes, torch.ones_like(sizes))
    assert data["self_mass"].sizes["layer"] == 2
    assert "uniform attention" in str(figure.to_plotly_json())
    archive = open_archive(tmp_path / "runs/unit")
    assert [run.model for run in archive.runs] == ["transformer", "unit-values"]
