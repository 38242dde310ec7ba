"""The API's description for programs, held against the page for people and against what
the gateway really does."""

import re

import pytest

from api import API, check_problem
from gateway import ROOT

PAGE = (ROOT / "docs" / "http-api.md").read_text()
ROUTE = re.compile(r"`(GET|DELETE|POST|PUT) (/[^`]*)`")
PARAMETER = re.compile(r"\{(\w+)\}")


def documented_routes():
    """The table at the page's top."""
    table = PAGE.split("## Rules for all")[0]
    rows = (line for line in table.splitlines() if line.startswith("| `"))
    return {match for row in rows for match in ROUTE.findall(row)}


@pytest.fixture
def described(gateway):
    gateway.start()
    return gateway.api.get(f"{API}/openapi.json")


def operations(description):
    """(method, path) -> operation"""
    return {(method.upper(), path): operation
            for path, item in description["paths"].items()
            for method, operation in item.items() if method in ("get", "delete", "post",
                                                                "put", "patch")}


def test_it_names_the_routes_of_the_page(described):
    assert described["openapi"].startswith("3.1")
    assert set(operations(described)) == documented_routes()


def test_its_references_lead_somewhere(described):
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                at = described
                for step in node["$ref"].removeprefix("#/").split("/"):
                    at = at[step]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
    walk(described)


def parameters(description, path, operation):
    found = description["paths"][path].get("parameters", []) + \
        operation.get("parameters", [])
    for entry in found:
        if "$ref" in entry:
            entry = description["components"]["parameters"][entry["$ref"].split("/")[-1]]
        yield entry


# What a relay terminal is not asked for, and what there is none of.
REFUSED = {
    ("POST", f"{API}/devices/{{id}}/commands"): 409,
    ("GET", f"{API}/devices/{{id}}/commands"): 409,
    ("DELETE", f"{API}/devices/{{id}}/credential"): 404,
    ("GET", f"{API}/tickets/{{ticket}}"): 404,
    ("DELETE", f"{API}/tickets/{{ticket}}"): 404,
    ("GET", "/status/{id}"): 409,
    ("GET", "/turnon/{id}"): 409,
    ("GET", "/restart/{id}"): 409,
}
BODIES = {"application/json": b'{"command": "status"}',
          "application/octet-stream": b"hello"}


def ask(gateway, method, path, operation):
    """With a body, where one is described."""
    kinds = operation.get("requestBody", {}).get("content", {})
    kind = max(kinds, default=None)
    return gateway.api.request(method, PARAMETER.sub("00000001", path),
                               {"Content-Type": kind} if kind else None,
                               BODIES[kind] if kind else None)


def test_every_described_route_is_served(gateway, described):
    gateway.registered(1)
    gateway.api.wait_device("00000001", state="alive")
    for (method, path), operation in operations(described).items():
        named = {entry["name"] for entry in parameters(described, path, operation)
                 if entry["in"] == "path"}
        assert named == set(PARAMETER.findall(path)), path
        gateway.api.wait_device("00000001")
        answer = ask(gateway, method, path, operation)
        assert str(answer.status) in operation["responses"], f"{method} {path}: {answer}"
        wanted = REFUSED.get((method, path))
        assert answer.status == wanted if wanted else answer.status < 400, \
            f"{method} {path}: {answer}"
        if method == "DELETE":
            gateway.registered(1)


def test_each_route_takes_the_parameters_that_are_described(gateway, described):
    """Every one by itself; one that is not described is refused."""
    samples = {"state": "alive", "protocol": "ttms", "listener": "terminals",
               "connected": "true", "prefix": "0", "limit": 5, "after": 0, "wait": "0s",
               "device": "00000001", "type": "presence", "ttl": "10s"}
    gateway.registered(1)
    for (method, path), operation in operations(described).items():
        if method != "GET" or not path.startswith(API):
            continue
        where = PARAMETER.sub("00000001", path)
        queries = {entry["name"] for entry in parameters(described, path, operation)
                   if entry["in"] == "query"}
        for name in queries - {"cursor"}:
            value = "read" if path.endswith("connections") and name == "state" \
                else samples[name]
            answer = gateway.api.ask(where, **{name: value})
            assert answer.status == REFUSED.get((method, path), 200), \
                f"{path}?{name}={value}: {answer}"
        for name in set(samples) - queries:
            answer = gateway.api.ask(where, **{name: samples[name]})
            assert answer.status == 400, f"{path}?{name}: {answer}"
            check_problem(answer, "bad-request")
