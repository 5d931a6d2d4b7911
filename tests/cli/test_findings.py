"""Findings at the end of a command: on every text that is no control, or why there are none."""

import pytest
from fakes import fake_archive

from dva_lens.cli.findings import say_findings
from dva_lens.reports import findings as said_of
from dva_lens.reports.findings import findings
from dva_lens.results.archive import open_archive
from dva_lens.results.schema import NotComparableError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("said"), models=("transformer", "dva"), seeds=1)


def test_all_models_or_some_are_spoken_of(folder, capsys):
    say_findings(folder)
    assert capsys.readouterr().out == f"\n{findings(open_archive(folder))}\n\n"
    say_findings(folder, "dva")
    out = capsys.readouterr().out
    assert "- dva: strongest sink" in out
    assert "transformer: strongest sink" not in out


def test_what_cannot_be_read_together_is_one_sentence(folder, capsys, monkeypatch):
    def refuse(*_):
        raise NotComparableError("Some models were measured once.")

    monkeypatch.setattr(said_of, "findings", refuse)
    say_findings(folder)
    said = "No findings on held-out: Some models were measured once.\n"
    assert capsys.readouterr().out == f"\n{said}\n"
