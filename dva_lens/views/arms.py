"""Conditions by their former names, for callers that have not moved yet."""

from dva_lens.views.conditions import Condition as Arm
from dva_lens.views.conditions import conditions as arms
from dva_lens.views.conditions import label_of, title_of

__all__ = ["Arm", "arms", "label_of", "title_of"]
