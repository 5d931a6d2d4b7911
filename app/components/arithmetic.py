"""What a query makes of one key, step by step: from q·k to what the key adds to the output."""

from collections.abc import Iterator, Mapping
from typing import Any

from .elements import html
from .numbers import number
from .words import token_name


def arithmetic(found: Mapping[str, Any]) -> list[Any]:
    """Return the steps of a pair as a table, after a sentence that names both tokens."""
    query, key = (
        [html.Span(token_name(found[f"{name}_token"]), className="token-name"), f" (token {at})"]
        for name, at in (("query", found["query"]), ("key", found["key"]))
    )
    place = f"Layer {found['layer']}, head {found['head']}: "
    rows = [
        html.Tr([html.Th(name, scope="row"), html.Td(value, className="number"), html.Td(said)])
        for name, value, said in _steps(found)
    ]
    table = html.Table(html.Tbody(rows), className="numbers compact live-pair")
    return [html.P([place, *query, " looks at ", *key, "."]), table]


def _steps(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "q·k", number(found["dot"]), ""
    counts = "the product is multiplied by it"
    whole = "past blocks are weighed as wholes, whatever the product"
    yield "scale", number(found["scale"]), counts if found["scale"] else whole
    if found["softcap"] is not None:
        yield "bound", number(found["softcap"]), "the product is softly kept below it"
    if found["similarity"] != "exponential":
        of = "1 + s + s²/2" if found["similarity"] == "taylor" else "s"
        yield "similarity", of, "its logarithm stands for the product s"
    if found["bias"]:
        yield "bias", number(found["bias"]), "added"
    yield "logit", number(found["logit"]), ""
    visible_keys = f"{found['visible']:,} visible keys"
    uniform = number(1 / found["visible"])
    yield "weight", number(found["weight"]), f"uniform over {visible_keys}: {uniform}"
    if found["factor"] != 1:
        yield "distance", number(found["factor"]), "the weight has been multiplied by it"
    yield "rank", f"{found['rank']:,}", "1 is the key with the largest weight"
    kind = "the same for every query" if found["static"] else "of this query alone"
    yield "size of the value", number(found["value_norm"]), kind
    if found["written_norm"] is None:
        yield "what it writes", "–", "the output projection of this model was not found"
        return
    of = f"of {number(found['output_norm'])} that the head writes here"
    yield "size of what it writes", number(found["written_norm"]), of
    if found["share"] is not None:
        yield "its share", number(found["share"]), "signed; the shares of all keys total 1"
