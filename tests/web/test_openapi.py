"""What the application says of itself, and whether it does what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Make

ROUTES = {
    ("/chat/sessions", "post"),
    ("/chat/sessions", "get"),
    ("/chat/sessions/{session_id}", "get"),
    ("/chat/sessions/{session_id}", "patch"),
    ("/chat/sessions/{session_id}", "delete"),
    ("/chat/sessions/{session_id}/archive", "post"),
    ("/chat/sessions/{session_id}/reopen", "post"),
    ("/chat/sessions/{session_id}/fork", "post"),
    ("/chat/sessions/{session_id}/messages", "get"),
    ("/chat/sessions/{session_id}/messages", "post"),
    ("/chat/sessions/{session_id}/export", "get"),
    ("/chat/sessions/{session_id}/answer", "post"),
    ("/chat/search", "get"),
    ("/chat/search/sessions", "get"),
}


def test_every_route_is_described_with_its_problems(sqlite_client: Any) -> None:
    paths = sqlite_client.get("http://test/openapi.json").json()["paths"]
    assert ROUTES == {(path, method) for path, methods in paths.items() for method in methods}
    for methods in paths.values():
        for operation in methods.values():
            assert operation["description"]
            for kind in ("4XX", "5XX"):
                assert ["application/problem+json"] == list(operation["responses"][kind]["content"])


def test_without_an_answer_there_is_no_route_for_one(client_of: Make) -> None:
    client = client_of(answer=None)
    client.post("sessions", json={"session_id": "s"})
    assert 404 == client.post("sessions/s/answer", json={"content": "x"}).status_code
    assert not [path for path in client.get("http://test/openapi.json").json()["paths"] if "answer" in path]


@pytest.mark.parametrize("examples", [15, pytest.param(200, marks=pytest.mark.soak)])
def test_requests_of_any_shape_are_answered_as_described(sqlite_client: Any, examples: int) -> None:
    schemathesis: Any = pytest.importorskip("schemathesis")
    import hypothesis

    sqlite_client.post("sessions", json={"session_id": "0"})
    schema = schemathesis.openapi.from_asgi("/openapi.json", sqlite_client.app)
    conformance = pytest.importorskip("schemathesis.specs.openapi.checks")
    checks = [
        schemathesis.checks.not_a_server_error,
        conformance.status_code_conformance,
        conformance.content_type_conformance,
        conformance.response_schema_conformance,
    ]
    for path, method in sorted(ROUTES):
        operation = schema[path][method.upper()]

        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def answered(case: Any) -> None:
            response = case.call(headers={"x-user": "ada"})
            case.validate_response(response, checks=checks)

        answered()
