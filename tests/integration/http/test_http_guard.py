"""The rules against browsers and other local users."""
import http.client

import pytest

ADMIN = {"Authorization": "Bearer admin-secret", "Content-Type": "application/json"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "0.0.0.0"])
def test_foreign_host(server, host):
    for path in ("/", "/healthz", "/api/v1/runs", "/nothing"):
        problem = server.problem(path, headers={"Host": host})
        assert problem["status"] == 421 and problem["parameter"] == "Host" and problem["value"] == host


@pytest.mark.parametrize("host", ["localhost:9", "LOCALHOST", "[::1]:5", "monitor.example:443", "127.0.0.1"])
def test_own_host(server, host):
    assert server.ask("/healthz", headers={"Host": host})[0] == 200


def test_no_host(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("GET", "/healthz", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status in (400, 421)
    connection.close()


def test_token(new_server):
    server = new_server(token="reader-secret")
    assert server.ask("/healthz")[0] == 200
    for path in ("/readyz", "/metrics", "/openapi.json", "/api/v1/runs", "/api/v1/events", "/nothing"):
        status, headers, _ = server.ask(path)
        assert status == 401 and headers["www-authenticate"].startswith("Bearer")
    for token in ("reader-secret", "admin-secret"):
        assert server.ask("/api/v1/runs", headers={"Authorization": f"Bearer {token}"})[0] == 200
    assert server.ask("/api/v1/runs", headers={"Authorization": "Bearer reader-secre"})[0] == 401
    status, headers, body = server.ask("/")
    assert status == 401 and headers["content-type"].startswith("text/html") and b"gpt-small" not in body
    reader = {"Authorization": "Bearer reader-secret", "Content-Type": "application/json"}
    assert server.ask("/api/v1/alerts/1/ack", "POST", reader, b"")[0] == 403


def test_changes_without_rights(server):
    path = "/api/v1/alerts/1/ack"
    assert server.problem(path, "POST", headers={"Content-Type": "application/json"}, body=b"")["status"] == 401
    wrong = {**ADMIN, "Authorization": "Bearer x"}
    assert server.problem(path, "POST", headers=wrong, body=b"")["status"] == 401
    plain = {**ADMIN, "Content-Type": "text/plain"}
    assert server.problem(path, "POST", headers=plain, body=b"{}")["status"] == 415
    form = {**ADMIN, "Content-Type": "application/x-www-form-urlencoded"}
    assert server.problem(path, "POST", headers=form, body=b"a=1")["status"] == 415
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        problem = server.problem(path, "POST", headers={**ADMIN, "Origin": origin}, body=b"{}")
        assert problem["status"] == 403 and problem["parameter"] == "Origin"
    assert server.ask("/api/v1/runs/gpt-small", "DELETE")[0] == 401


def test_headers(server):
    for path in ("/", "/page/app.js", "/api/v1/runs", "/nothing"):
        _, headers, _ = server.ask(path, headers={"Origin": "http://evil.example"})
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert not [name for name in headers if name.startswith("access-control-")]
