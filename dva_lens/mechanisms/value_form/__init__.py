"""Whether the value of a key is the same for every query, and if not, what it depends on.

That a value is decided for each query is the claim of Dynamic Value Attention (2512.22212); its
abstract gives no formula. The forms of its family are therefore ours, and none is a reproduction:
φ is GELU, B is folded into W_V, and q and k are taken before rotary position. Beside them stand
published values that differ between queries, each with its source.
"""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant

ABSTRACT = "idea: abstract of 2512.22212; form: ours"
FORM_OURS = "the whole form of v_ij, its start and its width"


class ValueForm(Variant, frozen=True):
    """A form says how many vectors a value holds, and what has to be kept of a key."""

    called: ClassVar[str] = "value form"

    paired: ClassVar[bool] = False
    """Whether v_ij depends on the pair in a way that no change before or after undoes."""

    of_key: ClassVar[bool] = False
    """Whether v_ij is a value of the key alone, the same for every query."""

    pairing: ClassVar[str] = ""
    """What v_ij depends on, and what it collapses into: the place of the form on the ladder."""

    reads_query: ClassVar[bool] = False
    """Whether v_ij is made of the query that the scores compare."""

    @property
    def parts(self) -> int:
        """Return how many vectors of the value width a static value holds."""
        return 1

    @property
    def outputs(self) -> int:
        """Return how many vectors of the value width a head hands to the output projection."""
        return 1

    def cached(self, shape: Shape) -> int:
        """Return the numbers to keep per key and key-value head besides key and value."""
        del shape
        return 0

    def kept(self, shape: Shape, static: int) -> int:
        """Return the numbers to keep per key besides itself, `static` being those of its value."""
        return static + shape.kv_heads * self.cached(shape)

    @abstractmethod
    def build(self, shape: Shape) -> Any:
        """Return the module, which has the methods of `form.FormModule`."""


VALUE_FORMS = VariantTable(
    ValueForm,
    {
        "static": ("StaticValue", "Every query receives the same value."),
        "value-mlp": (
            "ValueMlp",
            "Control for the nonlinearity: the value passes through φ and depends on no query.",
        ),
        "query-gate": (
            "QueryGate",
            "The query scales the channels of every value alike: the same as a gate afterwards.",
        ),
        "separable": (
            "SeparableValue",
            "Control for pairing: the parameters of the pairwise form, with φ of each part.",
        ),
        "pairwise": (
            "PairwiseValue",
            "Query and key meet inside the nonlinearity: every pair has its own value.",
        ),
        "pair-gate": (
            "PairGate",
            "Query and key gate each channel together: as many virtual patterns as channels.",
        ),
        "experts": ("ExpertValues", "Every pair chooses among several values of the key."),
        "query-value": (
            "QueryValue",
            "A value that query and key make together is added to the value of the key.",
        ),
        "relative": (
            "RelativeValues",
            "The distance between query and key moves the value.",
        ),
        "switch-head": (
            "SwitchHead",
            "The key's token chooses among maps to a value, the query's among maps back.",
        ),
    },
)
