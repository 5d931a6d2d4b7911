"""Claims of a report: written, read and held against data that are the same or others."""

import json
import shutil

import pytest
import zarr
from fakes import fake_archive

from dva_lens.reports.claims import (
    claims_of,
    claims_text,
    no_longer_supported,
    read_claims_of_report,
)
from dva_lens.results.archive import open_archive
from dva_lens.results.compare import compare
from dva_lens.results.schema import ArchiveError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("claims"), models=("transformer", "dva"), seeds=3)


@pytest.fixture(scope="module")
def written(folder):
    """A file of the claims of the archive."""
    path = folder.parent / "claims.json"
    path.write_text(claims_text(claims_of(open_archive(folder))))
    return path


def changed(written, tmp_path, **values):
    """Write the file again with other values of its first decided claim."""
    held = json.loads(written.read_text())
    one = next(e for e in held["claims"] if e["state"] in ("higher", "lower"))
    one |= values
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(held))
    return path, one


def test_claims_are_those_of_the_one_comparison(folder, written):
    compared = compare(open_archive(folder).on())
    claims = read_claims_of_report(written).claims
    changes = [claim for claim in claims if claim.baseline is not None]
    assert len(changes) == compared.family
    for claim, entry in zip(changes, compared.entries, strict=False):
        assert (claim.statistic, claim.contrast) == (entry.statistic, entry.contrast)
        assert claim.state == entry.word
        stands = entry.text if entry.muted else entry.retrained
        assert claim.value == float(stands.mean)
        assert claim.n == stands.units_count
    assert {claim.model for claim in claims if claim.baseline is None} == {"transformer", "dva"}
    assert any(claim.state in ("higher", "lower") for claim in claims)


def test_the_same_data_support_every_claim(folder, written):
    assert no_longer_supported(read_claims_of_report(written), open_archive(folder)) == []


def test_a_claim_of_another_state_or_value_is_one_sentence(folder, written, tmp_path):
    archive = open_archive(folder)
    path, one = changed(written, tmp_path, low=5.0, value=5.5, high=6.0)
    (said,) = no_longer_supported(read_claims_of_report(path), archive)
    assert said.startswith(f"{one['statistic']} of dva against transformer")
    assert "outside of what was claimed" in said
    other = {"higher": "lower", "lower": "higher"}[one["state"]]
    path, _ = changed(written, tmp_path, state=other)
    (said,) = no_longer_supported(read_claims_of_report(path), archive)
    assert f"claimed {other}" in said
    assert "from the same numbers" in said


def test_other_numbers_are_noticed(folder, written, tmp_path):
    shutil.copytree(folder, tmp_path / "other")
    _, one = changed(written, tmp_path)
    archive = open_archive(tmp_path / "other")
    for run in archive.runs:
        if run.model == "dva":
            place = tmp_path / "other" / "archive.zarr" / "runs" / run.key
            group = zarr.open_group(place, mode="r+")
            held = group[f"{archive.main_texts[0]}/{one['statistic']}"]
            held[:] = held[:] * 9
    lost = no_longer_supported(read_claims_of_report(written), open_archive(tmp_path / "other"))
    named = f"{one['statistic']} of dva against transformer"
    assert any(said.startswith(named) and "from other numbers" in said for said in lost)


def test_claims_of_another_archive_are_refused_by_name(written, tmp_path):
    other = fake_archive(tmp_path / "elsewhere", models=("gated",), seeds=1)
    with pytest.raises(ArchiveError, match=r"claims are of the archive .* none of whose runs"):
        no_longer_supported(read_claims_of_report(written), open_archive(other))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": "claims"}, "`format` must be 'dva-lens claims', got 'claims'"),
        ({"claims": [{"state": "higher"}]}, r"is no file of claims\. .*claims"),
    ],
)
def test_what_is_no_file_of_claims_is_one_sentence(written, tmp_path, values, said):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(json.loads(written.read_text()) | values))
    with pytest.raises(ValueError, match=said):
        read_claims_of_report(path)
