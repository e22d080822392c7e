"""/dev shows what was recorded, and nothing of it becomes HTML; a recording never grows and never disturbs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import StatusCode, Tracer, format_trace_id
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from ops.api.urls import urlpatterns as shared
from ops.development import store
from ops.development.recorder import LONGEST, MOST_WAITING, Recorder
from ops.development.urls import urlpatterns as development
from ops.telemetry.spans import LeanTracerProvider
from ops.tests.contract_urls import urlpatterns as contract

HOSTILE = '<script>alert("x")</script>'
LINE = {
    "timestamp": "2026-11-28T14:00:00.000Z",
    "level": "info",
    "event": "request.finished",
    "service": "plain-service",
}
urlpatterns = [*contract, *shared, *development]


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "recording.sqlite3")
    config = settings.CONFIG.model_copy(
        update={"development_recording": path, "development_links": ("http://jaeger.example:16686",)}
    )
    with override_settings(CONFIG=config, ROOT_URLCONF=__name__):
        yield path


@pytest.fixture
def recorder(recording: str) -> Iterator[Recorder]:
    recorder = Recorder(settings.CONFIG)
    yield recorder
    recorder.shutdown()


def tracer_of(recorder: Recorder) -> Tracer:
    provider = LeanTracerProvider(resource=Resource({"service.name": "plain-service"}), shutdown_on_exit=False)
    provider.add_span_processor(recorder)
    return provider.get_tracer("tests")


def record(recorder: Recorder, name: str = "GET /echo", **attributes: Any) -> str:
    """Record a request with a failed statement, and its log line; return the trace id."""
    tracer = tracer_of(recorder)
    with tracer.start_as_current_span(name, attributes=attributes) as root:
        statement = tracer.start_span("SELECT")
        statement.record_exception(ValueError(HOSTILE))
        statement.set_status(StatusCode.ERROR, HOSTILE)
        statement.end()
    trace_id = format_trace_id(root.get_span_context().trace_id)
    line = {"trace_id": trace_id, "request_id": "request-1", "order_id": 17, "method": "GET", "path": HOSTILE}
    recorder.on_line(None, "info", {**LINE, **line, "status": 500, "exception": HOSTILE})
    recorder.shutdown()
    return trace_id


def test_a_trace_shows_its_request_its_spans_and_its_log_line_and_none_of_it_becomes_html(
    client: APIClient, recorder: Recorder
) -> None:
    trace_id = record(recorder, HOSTILE, **{"url.path": f"/echo/{HOSTILE}", HOSTILE: HOSTILE})

    pages = [client.get(path).content.decode() for path in ("/dev", f"/dev/traces/{trace_id}")]

    assert f'href="/dev/traces/{trace_id}"' in pages[0]
    for words in (
        "SELECT (failed)",
        "ValueError",
        "url.path",
        f"GET {HOSTILE} → 500",
        "request id request-1",
        "order_id=17",
    ):
        assert words in unescape(pages[1])
    for page in pages:
        assert HOSTILE in unescape(page)
        assert "<script" not in page


@pytest.mark.parametrize("wanted", ["request-1", "17", "the trace's own"])
def test_an_id_leads_to_its_trace(client: APIClient, recorder: Recorder, wanted: str) -> None:
    trace_id = record(recorder)

    answer = client.get("/dev", {"search": trace_id if wanted == "the trace's own" else f" {wanted} "})

    assert (answer.status_code, answer["Location"]) == (302, f"/dev/traces/{trace_id}")


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("127.0.9.1", 200), ("::1", 200), ("192.0.2.1", 404), ("2001:db8::1", 404)],
)
def test_only_a_client_of_this_machine_sees_the_page(
    client: APIClient, recorder: Recorder, address: str, status: int
) -> None:
    trace_id = record(recorder)

    answers = [client.get(path, REMOTE_ADDR=address) for path in ("/dev", f"/dev/traces/{trace_id}")]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert [b"request-1" in answer.content for answer in answers] == [status == 200] * 2


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_request_that_a_proxy_has_passed_on_is_not_of_this_machine(client: APIClient, header: str) -> None:
    assert client.get("/dev", headers={header: "unknown"}).status_code == 404


def test_an_id_is_found_in_traces_that_are_too_old_for_the_page(client: APIClient, recording: str) -> None:
    names = ["old", "old too", *["new"] * store.MOST_TRACES]
    spans = [store.Span(f"{n}", "1", "", "plain-service", name, "server", n, n, "") for n, name in enumerate(names)]
    store.write(recording, spans, [(f"{n}", json.dumps({**LINE, "order_id": 1700})) for n in range(2)])

    page = client.get("/dev", {"search": "1700"}).content.decode()

    assert page.count('<a href="/dev/traces/') == 2
    assert "old too</a>" in page


def test_an_unknown_id_is_said_to_be_unknown(client: APIClient, recorder: Recorder) -> None:
    record(recorder)

    searched, missing = client.get("/dev", {"search": HOSTILE}), client.get(f"/dev/traces/{'0' * 32}")

    assert "<script" not in searched.content.decode()
    assert "None yet" in searched.content.decode()
    assert missing.status_code == 404
    assert "has not arrived yet" in missing.content.decode()


def test_the_page_links_configured_tools_and_says_which_service_is_down(client: APIClient, recorder: Recorder) -> None:
    record(recorder)
    store.add_service(str(settings.CONFIG.development_recording), "lost-service", 1)

    page = client.get("/dev").content.decode()

    assert 'href="/dev"' in client.get("/", headers={"accept": "text/html"}).content.decode()
    assert 'href="http://jaeger.example:16686"' in page
    assert 'lost-service</b> <span class="failed">does not answer' in page


@pytest.mark.django_db
def test_the_browsable_api_links_the_trace_of_a_problem(client: APIClient, recording: str) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"accept": "text/html", "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}

    page = client.get("/raise/domain", headers=headers).content.decode()

    assert f'"traceId": "<a href="/dev/traces/{trace_id}" style="text-decoration: underline">{trace_id}</a>"' in page
    assert "&quot;code&quot;: &quot;out_of_stock&quot;" in page


def test_neither_the_page_itself_nor_static_files_are_recorded(recorder: Recorder, recording: str) -> None:
    for path in ("/dev", "/static/rest_framework/js/csrf.js"):
        tracer_of(recorder).start_span("GET unmatched", attributes={"url.path": path}).end()
    recorder.on_line(None, "info", {**LINE, "path": "/dev/traces/1"})
    record(recorder)

    assert [span.name for spans in store.traces(recording) for span in spans] == ["GET /echo", "SELECT"]
    assert len(store.lines(recording)) == 1


def test_a_recording_keeps_the_last_and_long_values_are_cut(recorder: Recorder, recording: str) -> None:
    span = store.Span("1", "1", "", "plain-service", "GET", "server", 1, 2, "")
    store.write(recording, [span] * (store.MOST_SPANS + 10), [("1", json.dumps(LINE))] * (store.MOST_LINES + 10))

    record(recorder, long="x" * 10 * LONGEST)

    with closing(sqlite3.connect(recording)) as connection:
        (spans,) = connection.execute("SELECT count(*) FROM spans").fetchone()
    assert (spans, len(store.lines(recording))) == (store.MOST_SPANS, store.MOST_LINES)
    last = store.traces(recording)[0][0]
    assert len(store.spans_of(recording, last.trace_id)[0].attributes["long"]) == LONGEST + 1


@pytest.mark.parametrize("damage", ["not a database", "a damaged page"])
def test_a_new_file_replaces_a_damaged_one_with_one_warning(
    client: APIClient, recorder: Recorder, recording: str, damage: str
) -> None:
    store.write(recording, [], [("1", json.dumps(LINE))] * 500)
    content = bytearray(Path(recording).read_bytes())
    content[0 if damage == "not a database" else 100 :] = b"x" * len(content)
    Path(recording).write_bytes(content)

    with capture_logs() as lines:
        pages = [client.get("/dev") for _ in range(2)]
    trace_id = record(recorder)

    assert [page.status_code for page in pages] == [200, 200]
    assert [line["file"] for line in lines if line["event"] == "development.recording_damaged"] == [recording]
    assert client.get(f"/dev/traces/{trace_id}").status_code == 200


def test_the_last_lines_remain_while_the_file_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "recording.sqlite3"
    recorder = Recorder(settings.CONFIG.model_copy(update={"development_recording": str(path)}))
    recorder._stopping.set()  # the test writes, not the thread

    for number in range(MOST_WAITING + 2):
        if number == MOST_WAITING:
            recorder._write()
        recorder.on_line(None, "info", {**LINE, "number": number})
    recorder._write()
    path.parent.mkdir()
    recorder.shutdown()

    assert [line["number"] for line in store.lines(str(path))] == list(range(2, MOST_WAITING + 2))
