"""The literal tables of variants: what they say without an import, and what may be put in."""

import subprocess
import sys
from typing import ClassVar, final

import pytest

from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.table import VariantTable, first_line
from dva_lens.mechanisms.tables import AXES
from dva_lens.mechanisms.value_form import VALUE_FORMS

EVERY = [(axis, name) for axis, table in AXES.items() for name in table]


@pytest.mark.parametrize(("axis", "name"), EVERY)
def test_the_line_of_a_table_is_that_of_the_class(axis, name):
    table = AXES[axis]
    variant = table[name]
    assert table.meanings()[name] == first_line(variant)
    assert issubclass(variant, table.base)
    assert table.name_of(variant()) == name


def test_tables_and_presets_are_read_without_torch():
    code = (
        "import sys; from dva_lens.mechanisms.tables import AXES;"
        "from dva_lens.models.presets import PRESETS;"
        "print(all(t.meanings().values() for t in [*AXES.values()] if list(t)),"
        "bool(PRESETS), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


@final
class Uniform(AttentionRule, frozen=True):
    """All keys alike.

    Only here.
    """

    formula: ClassVar[str] = "1/n"
    source: ClassVar[str] = "example"

    def build(self, shape):
        return None


def test_a_class_from_outside_is_an_entry_like_any_other():
    table = VariantTable(AttentionRule, {})
    table["uniform"] = Uniform
    assert table["uniform"] is Uniform
    assert table.meanings() == {"uniform": "All keys alike."}
    assert table.name_of(Uniform()) == "uniform"


def test_what_is_no_variant_of_the_axis_is_refused():
    with pytest.raises(TypeError, match=r"'uniform' must be a ValueForm, got .*Uniform"):
        VALUE_FORMS["uniform"] = Uniform


def test_a_name_is_not_taken_twice():
    table = VariantTable(AttentionRule, {"softmax": ("Softmax", "One line.")})
    with pytest.raises(ValueError, match="'softmax' is taken by Softmax"):
        table["softmax"] = Uniform


def test_a_variant_of_no_table_cannot_be_named():
    with pytest.raises(ValueError, match="is a Uniform, which no file could name"):
        AXES["rule"].name_of(Uniform())
