"""What the head of every page carries: light or dark, and the sign of the project."""

from urllib.parse import quote

SCHEME = (
    "(function(){var s='auto';try{s=localStorage.getItem('mantine-color-scheme-value')||s}"
    "catch(e){}var d=s==='dark'||(s==='auto'&&matchMedia('(prefers-color-scheme: dark)').matches);"
    "document.documentElement.setAttribute('data-mantine-color-scheme',d?'dark':'light')})()"
)
"""Runs before anything is drawn, so that a dark page does not flash white."""

_SIGN = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='#2497fd'>"
    "<path fill='#f0690a' d='M0 0h3.4v16H0z'/>"
    "<path d='M4.2 12h3.4v4H4.2zM8.4 9h3.4v7H8.4zM12.6 5H16v11h-3.4z'/></svg>"
)
ICON = f'<link rel="icon" href="data:image/svg+xml,{quote(_SIGN)}">'
"""In the page itself, because browsers ask for a file again with every address they show."""
