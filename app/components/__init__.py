"""Parts of pages: they lay out what they are given and read nothing."""
