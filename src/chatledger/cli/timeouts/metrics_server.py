"""Figures of a running command, for Prometheus to fetch."""

from __future__ import annotations

from chatledger.errors import InvalidInput, MissingExtra
from chatledger.ledger.ledger import Ledger
from chatledger.telemetry import prometheus

# Nobody but this machine: the figures have no secrets, and no password either.
_HOST = "127.0.0.1"


def serve_figures(ledger: Ledger, port: int) -> None:
    """Serve the figures of a ledger until the process ends.

    Raises:
        MissingExtra: the client library is not installed.
        InvalidInput: the port is taken, or not ours to take.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("prometheus", "reporting to Prometheus") from None
    registry = CollectorRegistry()
    prometheus.instrument(ledger, registry=registry)
    try:
        start_http_server(port, addr=_HOST, registry=registry)
    except OSError as error:
        raise InvalidInput("--prometheus", f"port {port} cannot be used: {error.strerror}") from None
