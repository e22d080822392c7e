"""`?search=` of lists."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from ops.api.fields import NO_NUL

LETTER = re.compile(r"[^\W_]")  # other characters are in no index: to find them would read the whole table
MOST_WORDS = 20  # each is a condition of the statement


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
        terms = list(dict.fromkeys(terms))
        if len(terms) > MOST_WORDS:
            raise ValidationError({self.search_param: f"has more than {MOST_WORDS} words"})
        if terms and not any(LETTER.search(term) for term in terms):
            raise ValidationError({self.search_param: "needs a letter or a digit"})
        return terms
