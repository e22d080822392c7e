"""scripts/blocks.py copies, adds and takes away by structure, and says which place of a file is gone."""

from __future__ import annotations

import pytest

from scripts.blocks import Unfit, with_copy, with_document, with_items, with_name, without

COMPOSE = """\
services:
  products:
    image: products
    # a comment of products

  orders:
    image: orders
"""
DOCUMENTS = """\
# The products.
kind: Service
metadata: {name: products}
---
kind: Service
metadata:
  name: orders
"""


def rename(text: str) -> str:
    return text.replace("products", "invoices").replace("orders", "refunds")


def test_a_block_is_copied_with_the_lines_below_it() -> None:
    copied = with_copy(COMPOSE, "  products:", rename)

    assert "  invoices:\n    image: invoices\n    # a comment of invoices\n\n  orders:" in copied
    assert copied.replace("\n  invoices:\n    image: invoices\n    # a comment of invoices\n", "") == COMPOSE


def test_a_document_is_copied_by_the_name_in_its_metadata() -> None:
    assert with_document(DOCUMENTS, "products", rename).endswith(
        "  name: orders\n---\n# The invoices.\nkind: Service\nmetadata: {name: invoices}\n"
    )
    assert with_document(DOCUMENTS, "orders", rename).endswith("---\nkind: Service\nmetadata:\n  name: refunds\n")


def test_an_item_joins_each_list_that_has_its_neighbours() -> None:
    text = "a: [one, two]\nb: [two, three, one]\nc: [two]\n"

    assert with_items(text, ("one", "two"), "four") == "a: [one, two, four]\nb: [two, three, one, four]\nc: [two]\n"


def test_what_is_gone_goes_with_its_lines_its_decorator_and_its_bracket() -> None:
    def is_gone(line: str) -> bool:
        return "orders" in line

    python = "@mark\ndef orders() -> None:\n    one()\n\n    two()\n\n\n"
    python += "x = [\n    call(  # orders\n        1,\n    ),\n    3,\n]\n"
    nginx = "location /orders {\n    proxy;\n}\nlocation / {\n    proxy;\n}\n"

    assert without(COMPOSE, is_gone) == "services:\n  products:\n    image: products\n    # a comment of products\n"
    assert without(DOCUMENTS, is_gone) == "# The products.\nkind: Service\nmetadata: {name: products}\n"
    assert without(python, is_gone) == "x = [\n    3,\n]\n"
    assert without(nginx, is_gone) == "location / {\n    proxy;\n}\n"
    assert without("a: [orders, products]\nb: [one]\n", is_gone) == "a: [products]\nb: [one]\n"


def test_a_place_that_is_gone_or_stands_twice_is_named() -> None:
    with pytest.raises(Unfit, match="'refunds:' begins 0 blocks"):
        with_copy(COMPOSE, "  refunds:", rename)
    with pytest.raises(Unfit, match="'' begins 7 blocks"):
        with_copy(COMPOSE, "", rename)
    with pytest.raises(Unfit, match="the document 'refunds' is missing"):
        with_document(DOCUMENTS, "refunds", rename)
    with pytest.raises(Unfit, match="no list in brackets has one and two"):
        with_items("a: [one]\n", ("one", "two"), "three")
    with pytest.raises(Unfit, match="'for service in' is missing"):
        with_name(COMPOSE, "for service in", " invoices")
