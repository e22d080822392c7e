"""What `--help` prints."""

from __future__ import annotations

import re
from argparse import RawDescriptionHelpFormatter

from django.core.management.base import DjangoHelpFormatter

# argparse up to Python 3.12 prints `-v N, --verbosity N`, from 3.13 on `-v, --verbosity N`.
TWICE = re.compile(r"(-\w) (\S+), (--[\w-]+) \2")


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keep the line breaks of the description and the examples."""


def same_text(text: str) -> str:
    """Return a help text in the one form that every version of Python has in common, to compare it."""
    return " ".join(TWICE.sub(r"\1, \3 \2", text).split())
