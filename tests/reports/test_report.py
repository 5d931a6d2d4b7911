"""The report of an archive: offline, the same every time, safe, complete."""

import base64
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fakes import MODELS, fake_archive, fake_measurement, fake_training

from dva_lens.reports.cells import shown_cell
from dva_lens.reports.files import write_figures, write_page
from dva_lens.reports.findings import findings
from dva_lens.reports.page import (
    Chart,
    DataTable,
    Folded,
    Points,
    Report,
    Section,
    Text,
    charts_of,
)
from dva_lens.reports.render import render
from dva_lens.reports.report import report_of, write_report
from dva_lens.reports.sections.table import SECTIONS
from dva_lens.results.archive import open_archive
from dva_lens.results.compare import compare
from dva_lens.results.estimates import estimate
from dva_lens.results.schema import RUN_ATTRS, ArchiveError
from dva_lens.results.writer import write_run
from dva_lens.statistics.table import RECORDED
from dva_lens.views import sink_curve
from dva_lens.views.words import shown

HOSTILE = "</script><script>alert(1)</script>\"'<b>"

NUMBERS = ("parameters", "flops_per_token", "kv_bytes_per_token", "train_seconds", "loss")
UNKNOWN = dict.fromkeys(RUN_ATTRS, "") | dict.fromkeys(NUMBERS)
"""What a run says of itself of which nothing is known."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_archive(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return report_of(open_archive(folder))


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render(report)


class Reader(HTMLParser):
    """Collects attributes that fetch something, ids, headings, and tags left open."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag, attrs):
        self.fetched += [value for key, value in attrs if key in ("src", "href", "action")]
        self.ids += [value for key, value in attrs if key == "id"]
        self.scripts += tag == "script"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_nothing_is_fetched_from_anywhere(page):
    assert all(value.startswith(("#", "data:")) for value in read(page).fetched)
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_the_page_is_whole_and_its_links_lead_somewhere(page):
    reader = read(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    targets = {value[1:] for value in reader.fetched if value.startswith("#")}
    assert targets <= set(reader.ids)


def test_the_same_archive_gives_the_same_page(folder, page):
    assert render(report_of(open_archive(folder))) == page


def test_every_model_is_in_every_figure_by_depth(report):
    profiles = [figure for figure in charts_of(report) if figure.name.endswith("by-depth")]
    assert len(profiles) > 6
    for figure in profiles:
        names = {trace.name for trace in figure.figure.data}
        assert set(MODELS) <= names, figure.name


def test_figures_carry_their_numbers_as_table_and_as_csv(report, page):
    for figure in charts_of(report):
        assert f'download="{figure.name}.csv"' in page
    links = re.findall(r'href="data:text/csv;base64,([^"]*)"', page)
    tables = [base64.b64decode(link).decode() for link in links]
    assert all(table.count("\n") > 1 for table in tables)
    assert page.count("Show as table") == len(charts_of(report))


def test_the_report_opens_with_the_findings(report, folder):
    (short,) = [section for section in report.sections if section.name == "findings"]
    assert report.sections[0] is short
    said = [words for _, words in short.parts[0].entries]
    found = findings(open_archive(folder))
    assert [entry.about for entry in found.entries[: len(MODELS)]] == ["sink"] * len(MODELS)
    assert said[: len(found.entries)] == [entry.words for entry in found.entries]


def test_how_texts_became_sequences_is_said(page):
    assert "Special tokens: each window begins with &lt;s&gt;." in page
    assert "Windows of 64 tokens, one every 64; padding on the right" in page
    assert "chat template: none" in page


def test_two_seeds_make_no_claim_about_architectures(report):
    (short,) = [section for section in report.sections if section.name == "findings"]
    (points,) = [part for part in short.parts if isinstance(part, Points)]
    said = " ".join(said for _, said in points.entries)
    assert "no claim is made about the architectures" in said
    assert "[" in said


def test_costs_name_loss_parameters_flops_time_and_memory(report):
    (training,) = [section for section in report.sections if section.name == "training"]
    (table,) = [part for part in training.parts if isinstance(part, DataTable)]
    words = " ".join(table.columns)
    assert all(
        word in words for word in ("loss", "parameters", "FLOPs", "training time", "KV cache")
    )
    assert len(table.rows) == 8


def test_every_statistic_is_defined_with_its_formula(page):
    for name in RECORDED:
        assert f'id="definition-{name}"' in page
    assert page.count("<math") == len(RECORDED)


def hostile_report() -> Report:
    table = DataTable.of("t", HOSTILE, [{HOSTILE: HOSTILE, "=1+1": "=cmd()"}], HOSTILE)
    parts = (Text(HOSTILE), Points(((HOSTILE, HOSTILE),)), table)
    return Report(HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), (Section("s", HOSTILE, parts),))


def test_hostile_words_stay_words():
    harmless = Report("a", "b", (("c", "d"),), (Section("s", "e", (Text("f"),)),))
    assert read(render(hostile_report())).scripts == read(render(harmless)).scripts
    assert "<script>alert" not in render(hostile_report())


def test_hostile_names_of_models_stay_names(tmp_path):
    folder = fake_archive(
        tmp_path / "study", models=("transformer", HOSTILE.replace("/", "")), seeds=1
    )
    page = render(report_of(open_archive(folder)))
    assert "<script>alert" not in page
    assert read(page).open == []


def test_one_model_from_one_seed_gets_a_report(tmp_path):
    folder = fake_archive(tmp_path / "study", models=("dva",), seeds=1)
    written = write_report(folder, tmp_path / "deep" / "report.html")
    page = written.read_text(encoding="utf-8")
    assert "Where attention goes in dva" in page
    assert "Differences from" not in page


def test_a_folder_is_no_file(folder, tmp_path):
    with pytest.raises(ValueError, match="is a folder; name the HTML file"):
        write_report(folder, tmp_path)


def test_models_that_were_only_measured_get_a_report_too(tmp_path):
    attrs = UNKNOWN | {
        "model": "gpt2",
        "preset": "",
        "seed": 0,
        "label": "gpt2",
        "config": "{}",
    }
    attrs |= {name: float("nan") for name in ("parameters", "train_seconds", "loss")}
    attrs |= {"flops_per_token": None, "kv_bytes_per_token": None}
    measurements = {"text": fake_measurement("gpt2")}
    folder = tmp_path / "measured"
    write_run(folder, "k", attrs=attrs, measurements=measurements, training=fake_training())
    page = render(report_of(open_archive(folder)))
    assert "Where attention goes in gpt2" in page
    assert "no model was trained on" not in page


def test_no_archive_no_report(tmp_path):
    with pytest.raises(ArchiveError, match="no folder"):
        write_report(tmp_path / "nothing", tmp_path / "report.html")


def small_report() -> Report:
    figure = Chart("sinks", sink_curve(fake_measurement()))
    return Report("a", "b", (), (Section("s", "t", (figure,)),))


def test_figures_are_written_as_vectors_and_numbers_the_same_every_time(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    once, again = (
        {path.name: path.read_bytes() for path in write_figures(small_report(), tmp_path / name)}
        for name in ("once", "again")
    )
    assert set(once) == {"sinks.svg", "sinks.pdf", "sinks.csv"}
    assert once == again
    assert b"Sink rate" in once["sinks.svg"]


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "dva_lens.reports.drawing", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"dva-lens\[figures\]"):
        write_figures(small_report(), tmp_path / "figures")


def test_a_failed_page_leaves_the_former_one(tmp_path, monkeypatch):
    out = write_page(small_report(), tmp_path / "report.html")
    before = out.read_bytes()
    monkeypatch.setattr("dva_lens.reports.files.render", lambda report: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        write_page(small_report(), out)
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_what_is_no_file_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="is a device or a pipe"):
        write_page(small_report(), pipe)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(None, "–"), (1234567, "1,234,567"), (-2, "−2"), (0.5, "0.500"), ("a", "a"), (True, "True")],
)
def test_cells_read_well(cell, shown):
    assert shown_cell(cell, 3) == shown


def test_drawings_hold_no_numbers_twice(page):
    data = re.search(r'id="sink-rate-by-threshold-data">(.*?)</script>', page, re.DOTALL)
    assert "meta" not in json.loads(data.group(1))["layout"]


def written_apart(folder: Path, change) -> Path:
    """Write an archive of two models, the second of which is changed."""
    for order, model in enumerate(("transformer", "dva")):
        attrs = UNKNOWN | {"model": model, "seed": 0, "label": f"{model}-0"}
        attrs |= {"config": "{}", "parameters": 1000, "order": order}
        data = fake_measurement(model)
        write_run(
            folder,
            f"k{order}",
            attrs=attrs,
            measurements={"held-out": change(data) if order else data},
            training=fake_training(),
        )
    return folder


def on_other_documents(data):
    names = [f"other{at}" for at in range(data.sizes["sequence"])]
    return data.assign_coords(document=("sequence", names))


def test_models_on_different_texts_are_not_compared_and_the_page_says_why(tmp_path):
    archive = open_archive(written_apart(tmp_path / "apart", on_other_documents))
    report = report_of(archive)
    page = render(report)
    assert "dva-0 was measured on other texts than transformer-0" in page
    assert "On the same texts" not in page
    assert "Not every model was measured on the same" in page
    assert "Differences from" not in page
    same = report_of(open_archive(written_apart(tmp_path / "same", lambda data: data)))
    assert "On the same texts" in render(same)


def test_a_statistic_from_outside_is_drawn_and_defined(tmp_path):
    folder = tmp_path / "study"
    attrs = UNKNOWN | {"model": "mine", "seed": 0, "label": "mine-0"}
    data = fake_measurement("mine")
    data["swiftness"] = data["dynamism"].assign_attrs(long_name="Swiftness", units="1")
    write_run(
        folder,
        "k",
        attrs=attrs | {"config": "{}"},
        measurements={"held-out": data},
        training=fake_training(),
    )
    page = render(report_of(open_archive(folder)))
    assert 'id="swiftness-by-depth"' in page
    assert 'id="definition-swiftness"' in page


def test_sections_are_named_by_their_links_and_one_from_outside_is_shown(folder, monkeypatch):
    archive = open_archive(folder)
    own = Section("mine", "A section of mine", (Text("words"),))
    monkeypatch.setitem(SECTIONS, "mine", lambda material: own)
    monkeypatch.setitem(SECTIONS, "empty", lambda material: None)
    names = [section.name for section in report_of(archive).sections]
    assert names == [name for name in SECTIONS if name != "empty"]


def test_the_report_says_what_results_say(folder):
    archive = open_archive(folder)
    (findings,) = (one for one in report_of(archive).sections if one.name == "findings")
    glance = next(part for part in findings.parts if isinstance(part, DataTable))
    cells = dict(zip(glance.columns, glance.rows[0], strict=True))
    one = estimate(archive.values("normalised_entropy")).sel(model="transformer")
    said = shown(float(one["value"]), float(one["low"]), float(one["high"]))
    assert cells["Normalised attention entropy"] == said
    verdicts = {
        (entry.model, entry.contrast): entry.word
        for entry in compare(archive.on()).of("normalised_entropy")
    }
    (folded,) = (part for part in findings.parts if isinstance(part, Folded))
    (table,) = folded.parts
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert verdicts == {
        (row["model"], row["over depth"]): row["verdict"]
        for row in rows
        if row["statistic"] == "Normalised attention entropy"
    }
