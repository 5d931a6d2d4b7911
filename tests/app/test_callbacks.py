"""A changed selection redraws what depends on it, and nothing else."""

import statistics
import time

from dash import Patch, no_update
from dva_lens.app.callbacks.drawing import changed, redraw, spoken
from dva_lens.app.slots import SLOTS, fill


def test_changed_names_the_fields(chosen):
    assert changed(chosen, chosen) == set()
    assert changed(chosen, chosen.but(layer=2, span=3)) == {"layer", "span"}


def test_another_head_moves_the_frame_only(library, chosen):
    other = chosen.but(layer=1)
    figure, title, caption, hidden, missing, csv = redraw("head-map", library, other, {"layer"})
    assert isinstance(figure, Patch)
    assert title is caption is hidden is missing is no_update
    assert "layer=1" in csv


def test_what_does_not_depend_on_it_stays(library, chosen):
    parts = redraw("depth", library, chosen.but(head=1), {"head"})
    assert all(part is no_update for part in parts[:-1])


def test_another_statistic_draws_anew(library, chosen):
    figure, title, *_ = redraw(
        "head-map", library, chosen.but(statistic="largest_weight"), {"statistic"}
    )
    assert title.startswith(library.menu.measure("largest_weight").long_name)
    assert figure["data"]


def test_every_slot_is_filled_whatever_is_chosen(library, chosen):
    for name in SLOTS:
        for at, measure in enumerate(library.menu.measures):
            run = ("transformer-0", "dva-1")[at % 2]
            assert fill(name, library, chosen.but(statistic=measure.name, run=run)) is not None


def test_the_chosen_head_is_said_aloud(library, chosen):
    name = library.menu.measure("entropy").long_name.lower()
    assert spoken(library, chosen.but(layer=2)).startswith(f"Layer 2, head 0: {name} ")


def test_another_head_takes_a_tenth_of_a_second_at_most(library, chosen):
    names = ("head-map", "head-spans", "head-scatter")
    taken = []
    for layer, head in [(layer, head) for layer in range(4) for head in range(4)]:
        other = chosen.but(layer=layer, head=head)
        start = time.thread_time()
        for name in names:
            redraw(name, library, other, {"layer", "head"})
        for name, slot in SLOTS.items():
            if {"layer", "head"} & set(slot.uses):
                fill(name, library, other)
        taken.append(time.thread_time() - start)
    assert statistics.median(taken) < 0.1
