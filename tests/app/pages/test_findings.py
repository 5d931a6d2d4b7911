"""The first page answers what readers ask first, in the words and numbers of the findings."""

from urllib.parse import parse_qs

import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.library import Library
from dva_lens.app.state import Selection
from explorer import fill
from fakes import STEPS, fake_measurement, run_attrs

import dva_lens as lens
from dva_lens.results.writer import write_run

PLANTED = (17, 5)


def planted(model, seed, *, layers, heads, sink):
    """Return a measurement that is uniform on the first key but in one head, if in any."""
    data = fake_measurement(model, seed, layers=layers, heads=heads, steps=STEPS)
    even = data["first_key_mass"] * 0 + data["first_key_mass_reference"]
    even = even.transpose(*data["first_key_mass"].dims).assign_attrs(data["first_key_mass"].attrs)
    if sink:
        layer, head = sink
        rises = even["step"] > 0  # the untrained model has none
        there = (even["layer"] == layer) & (even["head"] == head) & rises
        even = even.where(~there, 0.6).assign_attrs(even.attrs)
    top = data["top_key_mass"] * 0 + 0.03
    return data.assign(
        first_key_mass=even, top_key_mass=top.assign_attrs(data["top_key_mass"].attrs)
    )


def written(folder, *, layers, heads, sink):
    for order, model in enumerate(("transformer", "resformer-identity")):
        data = planted(model, 0, layers=layers, heads=heads, sink=sink)
        attrs = run_attrs(model, 0, order=order, heads=heads)
        write_run(folder, model, attrs=attrs, measurements={"held-out": data})
    return folder


@pytest.fixture(scope="module", params=[(4, 4, None), (24, 16, PLANTED)], ids=["none", "planted"])
def archive(request, tmp_path_factory):
    layers, heads, sink = request.param
    folder = tmp_path_factory.mktemp("planted")
    return lens.open_archive(written(folder, layers=layers, heads=heads, sink=sink)), sink


def shown(archive):
    library = Library(archive)
    return fill("findings", library, Selection.from_query("", library.catalogue)).children


def test_every_finding_is_a_card_in_its_own_words(archive):
    found, cards = lens.findings(archive[0]), shown(archive[0])
    assert [card.children[1].children for card in cards] == [each.words for each in found.entries]


def test_a_sink_is_named_where_it_is_and_nowhere_else(archive):
    sinks = lens.findings(archive[0]).of("sink")
    opening = [str(card.children[0].children) for card in shown(archive[0])][: len(sinks)]
    if archive[1] is None:
        assert opening == ["no sink"] * 2
        assert all("no sink here" in each.words for each in sinks)
        return
    assert opening == ["sink"] * 2
    assert {(each.numbers["layer"], each.numbers["head"]) for each in sinks} == {PLANTED}
    assert all("the first key (“<s>”)" in each.words for each in sinks)
    assert all("Its value is not drained" in each.words for each in sinks)


def opened(archive, query):
    """Return the query of the page of heads that an address opens."""
    page = page_at(Library(archive), "/heads", query)
    (store,) = (each for each in page.children if getattr(each, "id", "") == "query")
    return {name: found[0] for name, found in parse_qs(store.data).items()}


def test_a_page_opens_on_the_strongest_sink_unless_it_is_asked_for_a_head(archive):
    bare = opened(archive[0], "")
    assert (int(bare["layer"]), int(bare["head"])) == (archive[1] or (0, 0))
    if archive[1]:
        (first, _) = lens.findings(archive[0]).of("sink")
        assert bare["run"] == first.place["run"]
    for query in ("layer=2", "head=1", "run=transformer-0", "run=nobody"):
        said = dict(part.split("=") for part in query.split("&"))
        found = opened(archive[0], query)
        assert (found["layer"], found["head"]) == (said.get("layer", "0"), said.get("head", "0"))
        assert found["run"] == "transformer-0"


def test_what_the_value_residual_changes_is_the_verdict_of_compare(archive):
    (change,) = lens.findings(archive[0]).of("change")
    assert change.model == "resformer-identity"
    card = shown(archive[0])[-1]
    link = card.children[2].children[0]
    assert link.children == "See the comparison"
    assert "baseline=transformer" in link.href
