"""The trainings that come with the package are held against the files that planned them."""

import pytest
from dva_lens.analyses.reference import verify

from dva_lens.results.archive import open_archive


@pytest.fixture(scope="module")
def archive():
    return open_archive("reference")


@pytest.fixture(scope="module")
def planned():
    return verify.studies()


def test_every_training_is_as_planned(archive, planned):
    assert len(archive.runs) > 20
    assert verify.faults(archive, planned) == []


def test_what_nobody_planned_is_named(archive, planned):
    first = planned[0].changed(seeds=(0, 1))
    found = verify.faults(archive, [first])
    others = {run.label for run in archive.runs if run.seed not in first.seeds}
    assert {said.split()[0] for said in found} == others
    assert all(said.endswith("is planned by no study file.") for said in found)


def test_another_recipe_text_and_plan_are_seen(archive, planned):
    other = [
        each.changed(
            recipe=each.recipe.changed(weight_decay=0.2),
            text_sha256="0" * 64,
            plan_sha256="0" * 64,
        )
        for each in planned
    ]
    found = verify.faults(archive, other)
    for words in ("configuration, recipe or seed is another", "another text", "another plan"):
        assert sum(words in said for said in found) == len(archive.runs)
