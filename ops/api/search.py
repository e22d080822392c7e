"""`?search=` of lists."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from ops.api.fields import NO_NUL

# An index of trigrams can find this. Any other word would read the whole table, for any client.
INDEXED = re.compile(r"[^\W_]{3}")


class SearchFilter(filters.SearchFilter):
    """Search like Django REST framework's filter; name the parameter in a refusal."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"pattern": NO_NUL}
        return parameters

    def get_search_terms(self, request: Request) -> list[str]:
        try:
            terms = super().get_search_terms(request)
        except ValidationError as error:
            raise ValidationError({self.search_param: error.detail}) from None
        if terms and not any(INDEXED.search(term) for term in terms):
            raise ValidationError({self.search_param: "needs a word with three letters or digits in a row"})
        return terms
