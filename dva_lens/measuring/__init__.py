"""From a model and a text to labelled data, without writing anything."""

from dva_lens.measuring.measure import describe, measure

__all__ = ["describe", "measure"]
