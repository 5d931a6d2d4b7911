"""One fake study that scripts about archives are asked of, written once."""

import json
from dataclasses import replace

import pytest
from fakes import fake_archive

from dva_lens.results.archive import open_archive


@pytest.fixture(scope="package")
def study(tmp_path_factory):
    """The folder of three models with three seeds each."""
    models = ("transformer", "resformer-identity", "dva")
    return fake_archive(tmp_path_factory.mktemp("study"), models, seeds=3)


@pytest.fixture(scope="package")
def archive(study):
    """The archive of that study, opened."""
    return open_archive(study)


def configured(archive):
    """Return the archive of that study with what its models would be configured to be."""
    own, mix = {"kind": "own"}, {"kind": "first-layer-mix", "first": 0.5}
    found = {
        "transformer": (4, "static", own, "swiglu"),
        "resformer-identity": (4, "static", mix, "swiglu"),
        "dva": (1, "pairwise", own, "none"),
    }
    configs = {
        model: {"heads": heads, "value_form": form, "value_source": source, "feedforward": fed}
        for model, (heads, form, source, fed) in found.items()
    }
    runs = tuple(
        replace(run, attrs={**run.attrs, "config": json.dumps(configs[run.model])})
        for run in archive.runs
    )
    return replace(archive, runs=runs)


@pytest.fixture(scope="package")
def models(archive):
    """The archive of that study, its models configured."""
    return configured(archive)


@pytest.fixture(scope="package")
def single(tmp_path_factory):
    """An archive of one model with one seed."""
    folder = tmp_path_factory.mktemp("single")
    return open_archive(fake_archive(folder, ("dva",), seeds=1))
