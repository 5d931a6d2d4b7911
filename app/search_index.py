"""What search finds: models with their words, statistics, and texts, as the browser reads them."""

import json

from .describe import run_words
from .library import Library


def search_index(library: Library) -> str:
    """Return the index as JSON; pages and tokens the browser reads from what it shows."""
    catalogue = library.catalogue
    per_head = {measure.name for measure in catalogue.head_measures}
    return json.dumps(
        {
            "runs": [
                (run.name, run.layers, run.heads, run_words(library, run.name))
                for run in catalogue.runs
            ],
            "statistics": [
                (measure.name, measure.long_name, measure.meaning, measure.name in per_head)
                for measure in catalogue.layer_measures
            ],
            "texts": catalogue.texts,
        }
    )
