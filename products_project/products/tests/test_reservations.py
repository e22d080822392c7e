"""Stock is reserved once and released once under an id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from ops.tests.clients import anonymous, staff
from ops.tests.problem_shape import assert_problem
from products_project.products.metrics import reservations_total
from products_project.products.models import Product, Reservation
from products_project.products.services.catalogue import built_in_products, retire_product, seed_products
from products_project.products.tests.reserving import path, release, reserve, service, set_stock, stock

pytestmark = pytest.mark.django_db

ID = str(UUID(int=7))
TWO = {"id": ID, "productId": 1, "quantity": 2, "status": "held"}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())
    set_stock(5)


def counted(outcome: str) -> float:
    return float(reservations_total.labels(outcome)._value.get())


def test_a_reservation_takes_stock() -> None:
    before = counted("held")

    answer = reserve(7, quantity=2)

    assert (answer.status_code, answer.json()) == (201, TWO)
    assert stock() == 3
    assert counted("held") == before + 1
    assert service().get(path(7)).json() == TWO


def test_the_same_again_takes_nothing_more() -> None:
    reserve(7, quantity=2)
    before = counted("repeated")

    answer = reserve(7, quantity=2)

    assert (answer.status_code, answer.json()) == (200, TWO)
    assert stock() == 3
    assert counted("repeated") == before + 1


@pytest.mark.parametrize(("product_id", "quantity"), [(1, 3), (2, 2), (99, 2)])
def test_the_same_id_for_something_else_is_refused(product_id: int, quantity: int) -> None:
    reserve(7, quantity=2)
    before = counted("reservation_reused")

    answer = reserve(7, product_id, quantity)

    assert_problem(answer, 422, "reservation_reused")
    assert (stock(1), stock(2)) == (3, None)
    assert counted("reservation_reused") == before + 1


@pytest.mark.parametrize(("left", "quantity"), [(5, 6), (0, 1), (5, 1_000_000)])
def test_more_than_there_is_cannot_be_held_and_the_answer_says_what_is_left(left: int, quantity: int) -> None:
    set_stock(left)
    before = counted("out_of_stock")

    answer = reserve(7, quantity=quantity)

    assert assert_problem(answer, 409, "out_of_stock", members=("available",))["available"] == left
    assert stock() == left
    assert not Reservation.objects.exists()
    assert counted("out_of_stock") == before + 1


def test_what_was_out_of_stock_can_be_held_under_the_same_id_when_there_is_more() -> None:
    set_stock(0)
    reserve(7)
    set_stock(1)

    assert reserve(7).status_code == 201
    assert stock() == 0


def test_the_last_pieces_can_be_held() -> None:
    assert reserve(7, quantity=5).status_code == 201
    assert stock() == 0


@pytest.mark.parametrize("product_id", [3, 2**63 - 1])
def test_a_product_that_does_not_exist_cannot_be_held(product_id: int) -> None:
    before = counted("not_found")

    assert_problem(reserve(7, product_id), 404, "not_found")

    assert not Reservation.objects.exists()
    assert counted("not_found") == before + 1


@pytest.mark.parametrize("left", [5, None])
def test_a_retired_product_cannot_be_held(left: int | None) -> None:
    set_stock(left)
    retire_product(product_id=1)

    assert_problem(reserve(7), 404, "not_found")
    assert stock() == left
    assert not Reservation.objects.exists()


def test_what_is_held_of_a_product_that_is_retired_later_is_held_still() -> None:
    reserve(7, quantity=2)
    retire_product(product_id=1)

    assert reserve(7, quantity=2).status_code == 200
    assert release(7).status_code == 204
    assert stock() == 5


def test_an_untracked_product_is_held_without_moving_stock() -> None:
    assert reserve(7, product_id=2, quantity=1_000_000).status_code == 201
    assert stock(2) is None
    assert not Reservation.objects.get().takes_stock

    set_stock(9, product_id=2)
    release(7)
    assert stock(2) == 9


def test_a_release_gives_back_what_was_held_once() -> None:
    reserve(7, quantity=2)
    before = counted("released"), counted("repeated")

    answers = [release(7), release(7)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b""), (204, b"")]
    assert stock() == 5
    assert service().get(path(7)).json() == TWO | {"status": "cancelled"}
    assert (counted("released"), counted("repeated")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("quantity", [2, 3])
def test_what_was_released_is_never_held_again(quantity: int) -> None:
    reserve(7, quantity=2)
    release(7)
    before = counted("reservation_cancelled")

    assert_problem(reserve(7, quantity=quantity), 409, "reservation_cancelled")

    assert stock() == 5
    assert counted("reservation_cancelled") == before + 1


def test_a_release_of_an_unknown_id_keeps_it_from_being_held_later() -> None:
    before = counted("buried")

    assert release(7).status_code == 204

    assert_problem(reserve(7), 409, "reservation_cancelled")
    assert stock() == 5
    shown = {"id": ID, "productId": None, "quantity": None, "status": "cancelled"}
    assert service().get(path(7)).json() == shown
    assert counted("buried") == before + 1


def test_what_comes_back_to_a_product_that_nobody_counts_any_more_is_not_counted() -> None:
    reserve(7, quantity=2)
    set_stock(None)

    assert release(7).status_code == 204
    assert stock() is None


def test_a_product_may_be_deleted_while_some_of_it_is_held() -> None:
    reserve(7, quantity=2)
    Product.objects.all().delete()

    assert reserve(7, quantity=2).status_code == 200
    assert release(7).status_code == 204


def test_a_reservation_that_does_not_exist_is_not_found() -> None:
    assert_problem(service().get(path(8)), 404, "not_found")


@pytest.mark.parametrize("key", ["7", ID[:-1], f"{ID}0", f"{ID}/", "x" * 36])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_id_is_a_uuid(key: str, method: str) -> None:
    assert_problem(service().generic(method, f"/reservations/{key}"), 404, "not_found")


@pytest.mark.parametrize("value", [0, -1, "1", 1.0, 1e2, True, None, [1], 2**63])
@pytest.mark.parametrize("field", ["productId", "quantity"])
def test_a_bad_value_is_refused_by_name(field: str, value: Any) -> None:
    answer = service().put(path(7), {"productId": 1, "quantity": 1} | {field: value})

    assert_problem(answer, 400, "validation_error", fields=[field])
    assert stock() == 5


def test_product_and_quantity_are_required() -> None:
    assert_problem(service().put(path(7), {}), 400, "validation_error", fields=["productId", "quantity"])


def test_more_than_a_million_is_too_much() -> None:
    assert_problem(reserve(7, quantity=1_000_001), 400, "validation_error", fields=["quantity"])


@pytest.mark.parametrize("client", [anonymous, staff])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nobody_but_services_gets_in(client: Any, method: str) -> None:
    answer = client().generic(method, path(7), '{"productId": 1, "quantity": 1}', content_type="application/json")

    assert_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="products-service"'
    assert not Reservation.objects.exists()


def test_options_names_the_methods() -> None:
    answer = service().options(path(7))

    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PUT", "DELETE", "HEAD", "OPTIONS"}


def test_a_browser_with_the_token_gets_the_browsable_api() -> None:
    reserve(7)

    answer = service().get(path(7), headers={"accept": "text/html"})

    assert answer.status_code == 200
    assert ID in answer.content.decode()
