"""The explorer as files that a browser opens without Python and without a server.

Every figure and every text of a page is worked out beforehand for what readers can choose, kept
by the fields that it reads, and put in place by `offline.js`.
"""

from .exporting import export
from .folder import pages_folder

__all__ = ["export", "pages_folder"]
