"""Formulas for a page without network: the LaTeX that definitions use, as MathML."""

import html
from xml.etree.ElementTree import Element, SubElement, tostring

_ATTRIBUTES = {
    "display", "displaystyle", "fence", "form", "linethickness", "lspace", "mathvariant",
    "maxsize", "minsize", "movablelimits", "rspace", "scriptlevel", "separator", "stretchy",
    "symmetric", "width",
}  # fmt: skip
_CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2}
_BLACKBOARD = ord("𝟘")


def formula(latex: str) -> str:
    r"""Return a formula as a block of MathML, or as it is written where it cannot be set.

    A formula that the converter does not understand is never set wrongly: it appears in its own
    letters.

    Examples
    --------
    >>> formula(r"\unknown{x}")
    '<div class="formula"><code>\\unknown{x}</code></div>'
    """
    block = Element("div", {"class": "formula"})
    math = _set(latex)
    if math is None:
        SubElement(block, "code").text = latex
    else:
        math.set("alttext", latex)
        math.set("display", "inline")  # set as a display, but where it stands
        math.set("displaystyle", "true")
        block.append(math)
    return tostring(block, encoding="unicode", short_empty_elements=False)


def _set(latex: str) -> Element | None:
    from latex2mathml.converter import convert_to_element  # slow, and a page may have no formula

    try:
        math = convert_to_element(latex, display="block")
    except Exception:
        return None
    for part in math.iter():
        part.text = html.unescape(part.text) if part.text else None
        if not _is_understood(part):
            return None
        _as_browsers_set(part)
    return math


def _is_understood(part: Element) -> bool:
    """Say whether a part is whole, holds no command as text and fetches nothing."""
    whole = len(part) == _CHILDREN.get(part.tag, len(part))
    return whole and "\\" not in (part.text or "") and set(part.keys()) <= {*_ATTRIBUTES, "xmlns"}


def _as_browsers_set(part: Element) -> None:
    """Replace what MathML Core leaves out: spaces around names, and letters by attribute."""
    text = part.text or ""
    if part.tag in ("mi", "mo") and len(text) > 1 and text.isalpha():
        part.tag = "mo"
        part.set("lspace", "0.1em")
        part.set("rspace", "0.12em")
    elif part.get("mathvariant") == "double-struck" and text.isdecimal():
        part.text = "".join(chr(_BLACKBOARD + int(digit)) for digit in text)
        del part.attrib["mathvariant"]
