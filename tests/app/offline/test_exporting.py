"""Exported pages hold what the explorer would answer, for every choice that they offer."""

import base64
import gzip
import json
import random
import re

import pytest
from dva_lens.app.components.markup import markup
from dva_lens.app.inspector import INSPECTOR
from dva_lens.app.offline import export, pages_folder
from dva_lens.app.offline.answers import MARKS
from dva_lens.app.offline.exporting import _told_of
from dva_lens.app.offline.names import CHOICES, DATA
from dva_lens.app.page import single_parts
from dva_lens.app.pages import PAGES
from dva_lens.app.state import Selection, as_said
from explorer import PARTS, draw, fill, show
from plotly.utils import PlotlyJSONEncoder

STATISTICS = ("entropy", "value_drain")
RUNS = ("dva-1", "dva-0")


@pytest.fixture(scope="session")
def out(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("pages") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dva_lens.app.offline.exporting.SEQUENCES", 2)
        export(folder, place, runs=RUNS, statistics=STATISTICS)
    return place


@pytest.fixture(scope="session")
def known(out):
    return json.loads((out / CHOICES).read_text("utf-8").removeprefix("lensChoices = ")[:-2])


@pytest.fixture(scope="session")
def kept(out):
    """What every file of data holds, by its name."""
    found = {}
    for file in (out / DATA).glob("*.js"):
        if file.name == "choices.js":
            continue
        name, packed = json.loads(f"[{file.read_text('utf-8')[len('lensOffline.take(') : -3]}]")
        found[name] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return found


def looked_up(known, kept, name, chosen):
    """Return what a part shows, found as a browser finds it."""
    for order in known["parts"][name]:
        key = "&".join(f"{field}={as_said(field, getattr(chosen, field))}" for field in order)
        run = f"-{known['fields']['run'].index(chosen.run)}" if "run" in order else ""
        held = kept.get(name + run, {})
        if key in held:
            return held[key]
    raise AssertionError(f"{name} shows nothing for {chosen}")


def drawn(library, known):
    """Return selections that readers can make, drawn at random."""
    rng = random.Random(7)
    usual = Selection.from_query(known["first"], library.catalogue)
    for _ in range(12):
        run = rng.choice(RUNS)
        layers, heads = known["sizes"][run]
        yield usual.but(
            run=run,
            statistic=rng.choice(STATISTICS),
            layer=rng.randrange(layers),
            head=rng.randrange(heads),
            sequence=rng.choice(known["fields"]["sequence"]),
            order=rng.choice(known["fields"]["order"]),
            by=rng.choice(known["fields"]["by"]),
            baseline=rng.choice(known["fields"]["baseline"]),
        )


def same(value):
    return json.loads(json.dumps(value, cls=PlotlyJSONEncoder))


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/live"])
def test_every_choice_is_answered_as_the_explorer_answers(library, known, kept, path):
    page, offered = PAGES[path], known["statistics"][path]
    for chosen in drawn(library, known):
        fitting = chosen.statistic in offered
        chosen = chosen if fitting or not offered else chosen.but(statistic=offered[0])
        if offered:
            others = [name for name in offered if name != chosen.statistic] or offered
            chosen = chosen.but(other=others[0])
        for name in (*(part.name for part in single_parts(page.parts)), INSPECTOR.name):
            found = looked_up(known, kept, name, chosen)
            if isinstance(found, str):
                assert found == markup(fill(name, library, chosen))
                continue
            shown = show(name, library, chosen)
            assert (found["title"], found["missing"]) == (shown.title, shown.missing)
            assert found["drawing"] == same(shown.drawing)
            if name + MARKS in known["parts"] and not shown.missing:
                own = found["drawing"]["layout"].get("shapes", [])
                marks = looked_up(known, kept, name + MARKS, chosen)
                layout = same(draw(name, library, chosen))["layout"]
                assert [*own, *marks] == layout.get("shapes", [])


def test_menus_offer_what_was_exported_and_no_page_names_a_server(out, known):
    heads = (out / "heads.html").read_text("utf-8")
    assert [run in heads.split("<main", 1)[1].split("</form>")[0] for run in RUNS] == [True, True]
    assert 'value="transformer-0"' not in heads
    assert "live.html" not in heads
    assert known["files"]["/"] == "index.html"
    for file in out.glob("*.html"):
        text = file.read_text("utf-8")
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert 'href="/"' not in text


def test_by_default_every_model_has_a_run_and_findings_lead_to_one(library):
    runs = _told_of(library, Selection.from_query("", library.catalogue))
    assert [run.rsplit("-", 1)[0] for run in runs] == ["transformer", "dva"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"runs": ["transformr-0"]}, "no run 'transformr-0' (did you mean 'transformer-0'?)"),
        ({"statistics": ["entropie"]}, "no statistic 'entropie' (did you mean 'entropy'?)"),
    ],
)
def test_what_the_archive_lacks_is_named_before_anything_is_written(folder, tmp_path, given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        export(folder, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    for place in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(ValueError, match=r"name (a new folder|another)"):
            pages_folder(place)
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_what_was_exported_before_is_replaced_even_if_it_was_interrupted(tmp_path):
    place = pages_folder(tmp_path / "out")
    (place / "index.html").write_text("old")
    (place / DATA / "old.js").write_text("old")
    assert pages_folder(place) == place
    assert not (place / "index.html").exists()
    assert [file.name for file in (place / DATA).iterdir()] == ["choices.js"]


def test_parts_of_all_exported_pages_are_kept(known):
    assert set(known["parts"]) >= {name for name in PARTS if not name.startswith("live")}
