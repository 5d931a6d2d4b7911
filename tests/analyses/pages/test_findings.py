import pytest
from dva_lens.analyses.pages import findings as page_of
from fakes import fake_archive

from dva_lens.files import read_yaml
from dva_lens.reports.findings import findings
from dva_lens.results.archive import open_archive
from dva_lens.results.claims import held_against
from dva_lens.statistics.inference.plan import claims_from
from dva_lens.views.words import shown


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    models = ("transformer", "resformer-identity")
    return open_archive(fake_archive(tmp_path_factory.mktemp("study"), models=models, seeds=3))


@pytest.fixture(scope="module")
def page(archive):
    return page_of.page(archive)


def test_claims_of_models_that_are_there_are_answered_and_others_wait(archive, page):
    claims = claims_from(read_yaml(page_of.PLAN))
    named = {"transformer", "resformer-identity", "zero"}
    there = [claim for claim in claims if {claim.model, claim.baseline} <= named]
    assert 0 < len(there) < len(claims)
    rows = [line for line in page.splitlines() if line.startswith("| ") and "middle half" in line]
    assert len(rows) == sum(claim.contrast == "middle half" for claim in there)
    assert f"{len(claims) - len(there)} further claims wait for their trainings." in page
    for verdict in held_against(archive, there):
        found = verdict.estimate
        number = shown(float(found.mean), float(found.low), float(found.high))
        assert f"| {verdict.answer} | {number} |" in page


def test_it_says_what_the_findings_say_everywhere(archive, page):
    for entry in findings(archive).entries:
        assert f"- {entry.words}" in page


def test_further_questions_are_answered_as_the_report_answers_them(page):
    answers = page.partition("## Further questions")[2].partition("## Layer by layer")[0]
    assert "### Sinks and drains" in answers
    assert "- transformer: with twice the keys to see" in answers
    assert "### Value residuals" not in answers  # these models say nothing of their values


def test_layers_hold_the_means_of_all_seeds(archive, page):
    values = archive.values("first_key_mass").sel(model="transformer")
    wanted = values.isel(layer=0).mean().item()
    (row,) = [
        line
        for line in page.partition("### Weight on the first key")[2].splitlines()[:6]
        if line.startswith("| transformer ")
    ]
    assert float(row.split("|")[2]) == pytest.approx(wanted, rel=0.02)


def test_few_seeds_are_said_to_be_few(tmp_path):
    few = open_archive(fake_archive(tmp_path, models=("transformer",), seeds=1))
    assert "With fewer than 3 seeds nothing is claimed" in page_of.page(few)
