"""proto/openapi.yaml is served, names every route, and answers are as it says."""
import pathlib
import re

import jsonschema
import pytest
import yaml

from formulas import HOSTILE
from urllib.parse import quote

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json")


def test_served_as_written(document):
    assert document == yaml.safe_load((ROOT / "proto/openapi.yaml").read_text())


def test_every_route_is_there(document):
    text = (ROOT / "daemon/http/routes.c").read_text()
    routes = set(re.findall(r'\{"([A-Z]+)", "([^"]+)", GUARD_', text))
    described = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert len(routes) > 10
    assert routes == described


def test_parameters_are_the_routes_own(server, document):
    """The parameters described are those that the path takes: a made-up one is refused with their list."""
    for path, item in document["paths"].items():
        if "get" not in item or "{file}" in path:
            continue
        described = {
            name
            for part in item["get"].get("parameters", [])
            for name in [resolve(document, part)]
            if name
        }
        target = path.replace("{run}", "gpt-small").replace("{id}", "1")
        problem = server.problem(target + "?made-up=1")
        assert problem["status"] == 400 and problem["parameter"] == "made-up"
        listed = problem["expected"].partition(": ")[2]
        assert set(listed.split(", ")) - {""} == described, path


def resolve(document, part):
    """The name of a query parameter, through a reference; None for others."""
    if "$ref" in part:
        part = document["components"]["parameters"][part["$ref"].rsplit("/", 1)[1]]
    return part["name"] if part["in"] == "query" else None


def strict(schema):
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    turned = {key: strict(value) for key, value in schema.items()}
    if turned.pop("nullable", False):
        turned["type"] = [turned["type"], "null"]
    return turned


def validate(document, schema, answer):
    jsonschema.Draft4Validator({**strict(schema), "components": strict(document["components"])}).validate(answer)


def schema_of(document, path, method="get", status="200", media="application/json"):
    answer = document["paths"][path][method]["responses"][status]
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return answer["content"][media]["schema"]


@pytest.mark.parametrize(
    "path, target",
    [
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/api/v1/runs", "/api/v1/runs"),
        ("/api/v1/runs/{run}", "/api/v1/runs/gpt-small"),
        ("/api/v1/runs/{run}", "/api/v1/runs/exploded.1"),
        ("/api/v1/runs/{run}/series", "/api/v1/runs/gpt-small/series?metric=*"),
        ("/api/v1/runs/{run}/series", "/api/v1/runs/exploded.1/series?metric=*&points=9"),
        ("/api/v1/runs/{run}/histogram", f"/api/v1/runs/gpt-small/histogram?metric=sa&layer={quote(HOSTILE)}"),
        ("/api/v1/alerts", "/api/v1/alerts"),
        ("/api/v1/silences", "/api/v1/silences"),
    ],
)
def test_answers(server, document, path, target):
    validate(document, schema_of(document, path), server.get(target))


def test_problems(server, document):
    schema = document["components"]["schemas"]["Problem"]
    for target in ("/api/v1/runs/none", "/nothing", "/api/v1/alerts?state=x"):
        validate(document, schema, server.problem(target))


def test_changes(new_server, document):
    server = new_server()
    _, alert = server.change("/api/v1/alerts/2/ack", "POST")
    validate(document, schema_of(document, "/api/v1/alerts/{id}/ack", "post"), alert)
    for body in ({"run": "gpt-*", "layer": "h.*", "for": 60, "reason": "known"}, {"run": "x", "rule": None, "for": 60}):
        status, made = server.post("/api/v1/silences", body)
        assert status == 201
        validate(document, schema_of(document, "/api/v1/silences", "post", "201"), made)
    validate(document, schema_of(document, "/api/v1/silences"), server.get("/api/v1/silences"))
    _, ended = server.change(f"/api/v1/silences/{made['id']}", "DELETE")
    validate(document, schema_of(document, "/api/v1/silences/{id}", "delete"), ended)
    _, deleted = server.change("/api/v1/runs/exploded.1", "DELETE")
    validate(document, schema_of(document, "/api/v1/runs/{run}", "delete"), deleted)


def examples(node):
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield node["schema"], node["example"]
        elif "properties" in node and "example" in node:
            yield node, node["example"]
        for child in node.values():
            yield from examples(child)
    elif isinstance(node, list):
        for child in node:
            yield from examples(child)


def test_examples_fit_their_schemas(document):
    found = list(examples(document))
    assert len(found) >= 6
    for schema, example in found:
        if schema.get("type") != "string":
            validate(document, schema, example)
