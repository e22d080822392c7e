"""The format of `--help`: the same with every version of Python, as docs/commands.md shows it."""

from __future__ import annotations

import textwrap
from argparse import Action, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import Any

from django.core.management.base import DjangoHelpFormatter


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keep the line breaks of the description and the examples; print options and usage in one style.

    argparse of Python 3.13 prints `-v, --verbosity N` where that of 3.11 prints `-v N, --verbosity N`.
    """

    def add_usage(self, usage: str | None, actions: Iterable[Action], *args: Any, **kwargs: Any) -> None:
        if usage is None:
            own_first: list[Action] = self._reordered_actions(actions)  # type: ignore[attr-defined] # not in the stubs
            ordered = sorted(own_first, key=lambda action: not action.option_strings)
            parts = [self._prog, *(self._usage_of(action) for action in ordered)]
            spaced = " ".join(part.replace(" ", "\0") for part in parts)  # a part stays on one line
            lines = textwrap.wrap(spaced, self._width - len("usage: "), break_on_hyphens=False, break_long_words=False)
            usage = f"\n{' ' * len('usage: ')}".join(lines).replace("\0", " ").replace("%", "%%")
        super().add_usage(usage, actions, *args, **kwargs)

    def _usage_of(self, action: Action) -> str:
        if not action.option_strings:
            return self._format_args(action, self._get_default_metavar_for_positional(action))
        text = f"{action.option_strings[0]} {self._values_of(action)}".rstrip()
        return text if action.required else f"[{text}]"

    def _values_of(self, action: Action) -> str:
        return "" if action.nargs == 0 else self._format_args(action, self._get_default_metavar_for_optional(action))

    def _format_action_invocation(self, action: Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._values_of(action)}".rstrip()
