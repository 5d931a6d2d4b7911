"""Lets `python -m dva_lens.cli` stand in for the installed command."""

from dva_lens.cli import main

if __name__ == "__main__":
    main()
