"""Serve a baseline service, traced as in OpenTelemetry's Django example."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.baseline.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_ = settings.DATABASES  # load them here, as the instrumentation hides invalid settings
provider = TracerProvider(resource=Resource.create({"service.name": f"baseline-{os.environ['BASELINE']}"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ["JAEGER_ENDPOINT"])))
trace.set_tracer_provider(provider)
DjangoInstrumentor().instrument()
RequestsInstrumentor().instrument()
PsycopgInstrumentor().instrument()
SQLite3Instrumentor().instrument()

application = get_wsgi_application()
