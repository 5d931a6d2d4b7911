"""From a model and a text to labelled data, without writing anything."""

from dva_lens.measuring.measure import describe, measure
from dva_lens.measuring.parts import measure_parts

__all__ = ["describe", "measure", "measure_parts"]
