"""Results of classes: each in a child of its own, kept, and not made twice."""

import json
import os
import time

from dva_lens.analyses.architectures import children
from dva_lens.analyses.architectures.classes import TABLES, Entry, entries


def test_every_class_stands_once_and_in_the_order_of_families():
    found = entries()
    assert len({each.name for each in found}) == len(found)
    order = [list(TABLES).index(each.family) for each in found]
    assert order == sorted(order)
    assert {"LlamaForCausalLM", "ViTForImageClassification"} <= {each.name for each in found}


def test_a_result_is_kept_and_not_made_again(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(children, "WARM", ())
    monkeypatch.setattr(children, "_in_child", lambda name: {"stage": "measured", "name": name})
    entry, cache = Entry("One", "one", "decoder"), tmp_path / "cache.json"
    first = children.results([entry], cache, made.append)
    assert children.results([entry], cache, made.append) == first
    assert len(made) == 1
    assert json.loads(cache.read_text())["One"]["family"] == "decoder"


def test_a_child_that_dies_costs_its_own_line(monkeypatch):
    monkeypatch.setattr(children, "result_of", lambda name: os._exit(7))
    assert children._in_child("One")["message"] == "exit code 7"


def test_a_child_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(children, "WALL_SECONDS", 0.2)
    monkeypatch.setattr(children, "result_of", lambda name: time.sleep(60))
    assert children._in_child("One")["stage"] == "stopped"
