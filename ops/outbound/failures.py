"""Name the cause of a failed exchange, below the exceptions of the libraries that wrapped it."""

from __future__ import annotations


def root_cause(error: BaseException) -> BaseException:
    """Return the exception that was raised first."""
    while error.__context__ is not None:
        error = error.__context__
    return error
