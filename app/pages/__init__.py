"""The pages of the explorer, in the order of its navigation."""

from dva_lens.plugins import Registry

from .compare import COMPARE
from .heads import HEADS
from .overview import OVERVIEW
from .page import Page
from .tokens import TOKENS
from .training import TRAINING
from .values import VALUES

PAGES: Registry[Page] = Registry(
    {page.path: page for page in (OVERVIEW, HEADS, TOKENS, VALUES, COMPARE, TRAINING)}
)

__all__ = ["PAGES", "Page"]
