"""Formulas for a page without network: the LaTeX that definitions use, as MathML.

What is not known here is shown as it is written, never wrongly.
"""

import html
import re

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|\d+(?:\.\d+)?|\s+|.")
_SYMBOLS = {
    "alpha": "α", "beta": "β", "epsilon": "ϵ", "varepsilon": "ε", "kappa": "κ", "lambda": "λ",
    "mu": "μ", "phi": "φ", "pi": "π", "rho": "ρ", "sigma": "σ", "theta": "θ", "iota": "ι",
    "infty": "∞", "ell": "ℓ",
}  # fmt: skip
_OPERATORS = {
    "sum": "∑", "prod": "∏", "le": "≤", "ge": "≥", "lt": "<", "gt": ">", "neq": "≠", "ne": "≠",
    "in": "∈", "top": "⊤",
    "propto": "∝", "cdot": "·", "times": "×", "approx": "≈", "circ": "∘", "mid": "|",
    "lVert": "‖", "rVert": "‖", "langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|",
    "to": "→", "pm": "±", "ldots": "…", "cdots": "⋯", "partial": "∂", "sim": "∼", "notin": "∉",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
}  # fmt: skip
_NAMES = ("log", "exp", "max", "min", "cos", "sin", "tanh", "det", "ln", "argmax", "rank")
_SPACES = {",": "0.17em", ";": "0.28em", " ": "0.25em", "quad": "1em", "qquad": "2em", "!": "0"}
_SIZES = ("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg")
_ACCENTS = {"bar": "¯", "overline": "¯", "hat": "^", "tilde": "~"}
_UPRIGHT = ("operatorname", "mathrm", "text", "mathbb", "mathbf")
_BLACKBOARD = {"1": "𝟙", "E": "𝔼", "R": "ℝ"}


def _operator(sign: str) -> str:
    stretchy = ' stretchy="false"' if sign in "()[]|‖⟨⟩" else ""
    return f"<mo{stretchy}>{html.escape(sign)}</mo>"


def _name(word: str) -> str:
    return f'<mo lspace="0.1em" rspace="0.12em">{html.escape(word)}</mo>'


_FIXED = {
    **{name: f"<mi>{letter}</mi>" for name, letter in _SYMBOLS.items()},
    **{name: _operator(sign) for name, sign in _OPERATORS.items()},
    **{name: _name(name) for name in _NAMES},
    **{name: f'<mspace width="{width}"/>' for name, width in _SPACES.items()},
    **{sign: _operator(sign) for sign in "{}%#&"},
    "|": _operator("‖"),
}


class _UnknownError(ValueError):
    """A command that is not known here."""


def formula(latex: str) -> str:
    """Return a formula as a block of MathML, or as it is written where it cannot be set."""
    source = html.escape(latex, quote=True)
    try:
        inner = _Reader(latex).everything()
    except _UnknownError:
        return f'<div class="formula"><code>{source}</code></div>'
    return (
        f'<div class="formula"><math displaystyle="true" alttext="{source}">'
        f"<mrow>{inner}</mrow></math></div>"
    )


class _Reader:
    """Reads LaTeX token by token."""

    def __init__(self, latex: str) -> None:
        self.tokens = [token for token in _TOKEN.findall(latex) if not token.isspace()]
        self.at = 0

    def everything(self) -> str:
        """Return all that is left, up to a closing brace."""
        parts = []
        while self.at < len(self.tokens) and self.tokens[self.at] != "}":
            parts.append(self.scripted())
        return "".join(parts)

    def scripted(self) -> str:
        """Return one piece with what stands below and above it."""
        base = self.piece()
        below = above = None
        while self.at < len(self.tokens) and self.tokens[self.at] in "_^":
            mark = self.tokens[self.at]
            self.at += 1
            if mark == "_":
                below = self.piece()
            else:
                above = self.piece()
        return _with_scripts(base, below, above)

    def piece(self) -> str:
        """Return one letter, number, sign, group or command."""
        if self.at >= len(self.tokens):
            raise _UnknownError("a formula ends too early")
        token = self.tokens[self.at]
        self.at += 1
        if token == "{":
            inner = self.everything()
            self.at += 1
            return f"<mrow>{inner}</mrow>"
        if token.startswith("\\"):
            return self.command(token[1:])
        if token.isalpha():
            return f"<mi>{token}</mi>"
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        return _operator(token.replace("-", "−"))

    def command(self, name: str) -> str:
        """Return what a command stands for."""
        if name in _FIXED:
            return _FIXED[name]
        if name in _SIZES:
            return self.piece()
        if name in ("frac", "tfrac", "dfrac"):
            return f"<mfrac>{self.piece()}{self.piece()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.piece()}</msqrt>"
        if name in _ACCENTS:
            mark = f'<mo stretchy="false">{_ACCENTS[name]}</mo>'
            return f'<mover accent="true">{self.piece()}{mark}</mover>'
        if name in _UPRIGHT:
            return self.upright(name)
        raise _UnknownError(name)

    def upright(self, command: str) -> str:
        """Return the words in braces, upright."""
        if self.at >= len(self.tokens) or self.tokens[self.at] != "{":
            raise _UnknownError(command)
        end = self.tokens.index("}", self.at) if "}" in self.tokens[self.at :] else -1
        if end < 0:
            raise _UnknownError(command)
        word = "".join(self.tokens[self.at + 1 : end])
        self.at = end + 1
        if command == "mathbb":
            word = _BLACKBOARD.get(word, word)
        if command == "operatorname":
            return _name(word)
        return f'<mi mathvariant="normal">{html.escape(word)}</mi>'


def _with_scripts(base: str, below: str | None, above: str | None) -> str:
    if below is None and above is None:
        return base
    whole = f"<mrow>{base}</mrow>"
    if below is not None and above is not None:
        return f"<msubsup>{whole}{below}{above}</msubsup>"
    if below is not None:
        return f"<msub>{whole}{below}</msub>"
    return f"<msup>{whole}{above}</msup>"
