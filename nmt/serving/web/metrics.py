"""What the server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from nmt.serving.registry import Registry

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LINES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counts of one server; each has its own, so that two in a process do not add up."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self.requests = Counter("nmt_requests", "Requests answered", ("route", "status"), registry=self._all)
        self.seconds = Histogram(
            "nmt_request_seconds", "Seconds from request to answer", ("route",), buckets=_SECONDS, registry=self._all
        )
        self.sentences = Counter("nmt_sentences", "Lines translated", ("model",), registry=self._all)
        self._in_flight = Gauge("nmt_requests_in_flight", "Requests being answered", registry=self._all)
        self._batches = Histogram(
            "nmt_batch_lines", "Lines translated together", ("model",), buckets=_LINES, registry=self._all
        )
        self._queued = Gauge(
            "nmt_queue_lines", "Lines that wait or are being translated", ("model",), registry=self._all
        )

    def watch(self, registry: Registry, in_flight: Callable[[], float]) -> None:
        """Show what the models do, and how many requests are being answered."""
        self._in_flight.set_function(in_flight)
        for name, engine in registry.engines.items():
            engine.on_batch = self._batches.labels(name).observe
            self._queued.labels(name).set_function(partial(getattr, engine, "lines"))

    def text(self) -> bytes:
        """All counts, in the format of Prometheus."""
        return generate_latest(self._all)
