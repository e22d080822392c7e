"""Search for a text in any case: `name__folded_contains`.

An index of trigrams finds three letters or digits in a row anywhere, and fewer only at the beginning of a word. So a
text without three in a row, such as 日本, must begin the column or follow a blank.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db.models import Lookup

from ops.database.folding import POSTGRESQL, SQLITE_FUNCTION, fold

if TYPE_CHECKING:
    AnyLookup = Lookup[Any]
else:
    AnyLookup = Lookup


THREE_IN_A_ROW = re.compile(r"[^\W_]{3}")


class FoldedContains(AnyLookup):
    """Match rows that contain the text in any case, a short one as a word's beginning; an app's models register it."""

    lookup_name = "folded_contains"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, parameters = self.process_lhs(compiler, connection)
        text = fold(str(self.rhs)) or ""
        begins_a_word = not THREE_IN_A_ROW.search(str(self.rhs))
        if connection.vendor == "sqlite":
            blank = " " if begins_a_word else ""
            return f"INSTR(%s || {SQLITE_FUNCTION}({column}), %s) > 0", (blank, *parameters, blank + text)
        folded, pattern = POSTGRESQL.format(column), f"{connection.ops.prep_for_like_query(text)}%"
        if begins_a_word:
            return f"({folded} LIKE %s OR {folded} LIKE %s)", (*parameters, pattern, *parameters, f"% {pattern}")
        return f"{folded} LIKE %s", (*parameters, f"%{pattern}")
