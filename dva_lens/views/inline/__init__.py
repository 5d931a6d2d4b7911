"""One text inline in a notebook: point at a token, see where it looks and who looks at it."""

from dva_lens.views.inline.fragment import TokenView, look_of_head, token_view, view_of

__all__ = ["TokenView", "look_of_head", "token_view", "view_of"]
