"""The command ``fedi``. Nouns and verbs; exit codes 0 done, 1 refused or failed, 2 wrong usage, 3 could not finish."""

from fedi.cli.commands import main

__all__ = ["main"]
