"""Light or dark, as a reader chose it last or as the system says."""

SCHEME = (
    "(function(){var s='auto';try{s=localStorage.getItem('mantine-color-scheme-value')||s}"
    "catch(e){}var d=s==='dark'||(s==='auto'&&matchMedia('(prefers-color-scheme: dark)').matches);"
    "document.documentElement.setAttribute('data-mantine-color-scheme',d?'dark':'light')})()"
)
"""Runs before anything is drawn, so that a dark page does not flash white."""
