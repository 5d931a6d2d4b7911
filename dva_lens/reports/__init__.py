"""Pages made of views, tables and words."""
