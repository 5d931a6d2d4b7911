"""One text inline in a notebook: point at a token, see where it looks and who looks at it."""

from dva_lens.views.inline.fragment import TokenView, token_view

__all__ = ["TokenView", "token_view"]
