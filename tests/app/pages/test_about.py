"""About says the words of the statistics, of the report and of the archive, and no other."""

import json

from dva_lens.app.downloads import numbers_of
from dva_lens.app.layout import page_at
from explorer import PARTS
from plotly.utils import PlotlyJSONEncoder

from dva_lens.reports.sections.methods import LIMITS
from dva_lens.statistics.sinks import DEFINITION, TIMES_UNIFORM
from dva_lens.statistics.table import STATISTICS


def test_it_says_what_is_defined_elsewhere(library):
    text = json.dumps(page_at(library, "/about", ""), cls=PlotlyJSONEncoder, ensure_ascii=False)
    assert all(said in text for said in DEFINITION)
    assert f"exceeds {TIMES_UNIFORM:g} times" in DEFINITION[0]
    assert all(said in text for _, said in LIMITS)
    held = {measure.variable for measure in library.catalogue.measures}
    assert all(json.dumps(STATISTICS[name].meaning)[1:-1] in text for name in held & {*STATISTICS})
    assert "Holm" in text
    assert "fake" in text, "the provenance of the archive"


def test_it_lists_every_run_that_was_measured_on_the_text(library, chosen):
    rows = numbers_of(PARTS["about-archive"], library, chosen)[1]
    assert [row["run"] for row in rows] == [run.name for run in library.catalogue.runs]
    assert {row["sequences"] for row in rows} == {6}
