"""A study in which one model does not attend, through all that shows it."""

import json

import numpy as np
import pytest
from dva_lens.analyses.questions import questions_to_archives
from dva_lens.app.layout import page_at
from dva_lens.app.library import Library
from dva_lens.app.pages import PAGES
from dva_lens.app.state import Selection
from explorer import PANELS, WORDS, fill, show
from plotly.utils import PlotlyJSONEncoder
from small_text import small_corpus

from dva_lens.reports.report import write_report
from dva_lens.results.archive import open_archive
from dva_lens.results.compare import compare
from dva_lens.study import Study, run

WITHOUT = {
    "name": "without",
    "presets": ["transformer", "causal-mean"],
    "seeds": [0, 1],
    "size": {"layers": 2, "width": 16, "heads": 2, "vocabulary": 270, "context": 32},
    "recipe": {"steps": 3, "batch": 2, "warmup": 1, "measurements": 3, "eval_every": 3},
    "sequences": 2,
}
NO_ATTENTION = "the layer has no attention; it has causal-mean in its place"


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    (folder / "text").mkdir()
    for document in small_corpus(documents=20, words=60).documents:
        (folder / "text" / f"{document.name}.txt").write_text(document.text)
    run(Study.from_dict(WITHOUT | {"text": str(folder / "text")}), folder / "out", edges=1 << 20)
    return folder / "out"


@pytest.fixture(scope="module")
def unattended(studied):
    return Library(open_archive(studied))


@pytest.mark.parametrize("model", ["causal-mean", "transformer"])
def test_every_page_and_part_is_drawn(unattended, model):
    query = f"run={model}-0"
    chosen = Selection.from_query(query, unattended.catalogue)
    assert chosen.run == f"{model}-0"
    for path, page in PAGES.items():
        text = json.dumps(page_at(unattended, path, f"?{query}"), cls=PlotlyJSONEncoder)
        assert page.question in text
    for name in PANELS:
        assert show(name, unattended, chosen) is not None
    for name in WORDS:
        assert fill(name, unattended, chosen) is not None


def test_the_inspector_and_the_map_say_that_nothing_attends(unattended):
    said = f"Nothing attends in causal-mean-0: {NO_ATTENTION}."
    chosen = Selection.from_query("run=causal-mean-0", unattended.catalogue)
    inspected = json.dumps(fill("inspector", unattended, chosen), cls=PlotlyJSONEncoder)
    assert said in inspected
    assert "no sink" not in inspected
    assert "nothing attends in this model" in json.dumps(
        fill("inspector-bar", unattended, chosen), cls=PlotlyJSONEncoder
    )
    for name in ("head-map", "head-scatter", "head-spans"):
        assert show(name, unattended, chosen).missing == said
    other = chosen.but(run="transformer-0")
    assert show("head-map", unattended, other).missing == ""


def test_a_report_shows_what_there_is_and_why_there_is_no_more(studied, tmp_path):
    out = tmp_path / "report.html"
    page = write_report(studied, out).read_text("utf-8")
    assert "causal-mean" in page
    assert NO_ATTENTION in page
    assert ">nan<" not in page.lower()
    page = write_report(studied, out, questions=questions_to_archives()).read_text("utf-8")
    assert "<strong>causal-mean:</strong> no layer attends." in page


def test_a_comparison_says_which_model_has_nothing_to_compare(studied):
    measured = open_archive(studied).on()
    found = compare(measured, "transformer")
    assert {entry.statistic for entry in found.entries} == {"loss", "massive_activation"}
    reason = f"causal-mean has no statistics of attention: {NO_ATTENTION}"
    assert found.refused == {"causal-mean": reason}
    assert np.isnan(measured.values("entropy").sel(model="causal-mean").values).all()
