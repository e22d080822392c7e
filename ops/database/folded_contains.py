"""Search for a text in any case: `name__folded_contains`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Lookup

from ops.database.folding import POSTGRESQL, SQLITE_FUNCTION, fold

if TYPE_CHECKING:
    AnyLookup = Lookup[Any]
else:
    AnyLookup = Lookup


class FoldedContains(AnyLookup):
    """Match rows that contain the text in any case; the models of an app register it."""

    lookup_name = "folded_contains"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, parameters = self.process_lhs(compiler, connection)
        text = fold(str(self.rhs)) or ""
        if connection.vendor == "sqlite":
            return f"INSTR({SQLITE_FUNCTION}({column}), %s) > 0", (*parameters, text)
        pattern = f"%{connection.ops.prep_for_like_query(text)}%"
        return f"{POSTGRESQL.format(column)} LIKE %s", (*parameters, pattern)
