"""JSON input is strict and bounded, and a refusal has a reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from ops.tests.problem_shape import assert_problem


def post(client: APIClient, body: bytes, content_type: str = "application/json", **headers: Any):
    return client.post("/echo", data=body, content_type=content_type, **headers)


@pytest.mark.parametrize(
    "body",
    [b'{"a": [1, 2.5, null, true, "\\u00e9"]}', b"[]", b'""', b"0", b" \r\n\t{} ", b'{"a": {"b": 1}, "c": {"b": 2}}'],
)
def test_json_is_read(client: APIClient, body: bytes) -> None:
    assert post(client, body).status_code == 200


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "The body is not JSON: "),
        (b"{'a': 1}", "The body is not JSON: "),
        (b"01", "The body is not JSON: "),
        (b'"\x00"', "The body is not JSON: "),
        (b'{"a": 1, "a": 1}', "A name occurs twice in one JSON object."),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "A name occurs twice in one JSON object."),
        (b"NaN", "NaN is not JSON."),
        (b"[-Infinity]", "-Infinity is not JSON."),
        (b'"\xff"', "The body is not UTF-8."),
        (b'"\xed\xa0\x80"', "The body is not UTF-8."),
        (b"[" * 100_000, "The JSON is nested too deeply."),
        (b'{"a":' * 100_000, "The JSON is nested too deeply."),
        (b"[" * 101 + b"]" * 101, "The JSON is nested too deeply."),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "The JSON is nested too deeply."),
        (b"[[]," * 20_000 + b"1" + b"]" * 20_000, "The JSON is nested too deeply."),
    ],
)
def test_anything_else_is_refused_with_its_reason(client: APIClient, body: bytes, detail: str) -> None:
    answer = post(client, body)

    assert assert_problem(answer, 400, "parse_error")["detail"].startswith(detail)


@pytest.mark.parametrize(
    "body", [b"[" * 100 + b"]" * 100, b'{"a":' * 100 + b"1" + b"}" * 100, b"[" + b"{}," * 500 + b"[]]"]
)
def test_a_hundred_levels_and_any_number_side_by_side_are_taken(client: APIClient, body: bytes) -> None:
    assert post(client, body).status_code == 200


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", '"utf-8"'])
def test_utf_8_may_be_named(client: APIClient, charset: str) -> None:
    assert post(client, b"{}", f"application/json; charset={charset}").status_code == 200


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "", '"no such thing"'])
def test_another_charset_is_refused(client: APIClient, charset: str) -> None:
    answer = post(client, b"{}", f"application/json; x=y; charset={charset or 'ascii'}")

    assert_problem(answer, 400, "parse_error")


def test_integers_of_any_length_are_read_as_numbers(client: APIClient) -> None:
    assert post(client, b"9" * 5_000).json() > 2**63
    assert post(client, b"-" + b"9" * 5_000).json() < -(2**63)


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=20)
def test_a_body_of_exactly_the_limit_is_read(client: APIClient) -> None:
    assert post(client, b"{}".ljust(20)).status_code == 200


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=20)
def test_a_body_over_the_limit_is_too_large(client: APIClient) -> None:
    assert_problem(post(client, b"{}".ljust(21)), 413, "request_too_large")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=20)
def test_a_body_that_announces_more_than_the_limit_is_not_even_read(client: APIClient) -> None:
    assert_problem(post(client, b"{}", CONTENT_LENGTH="10000000"), 413, "request_too_large")


@pytest.mark.parametrize(
    "content_type", ["*/*", "application/*", "*", "application/json+x", "application/cloudevents+json"]
)
def test_another_media_type_or_a_range_is_refused(client: APIClient, content_type: str) -> None:
    assert_problem(post(client, b"{}", content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["APPLICATION/JSON", "application/json ; charset=UTF-8", "application/json;x=y"]
)
def test_the_media_type_is_read_in_any_case_and_with_parameters(client: APIClient, content_type: str) -> None:
    assert post(client, b"{}", content_type).status_code == 200
