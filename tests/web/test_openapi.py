"""The description of the API is the API."""

import pytest

from escalatord.web.app import all_routes
from escalatord.web.auth import ACCESS
from escalatord.web.openapi import OPERATIONS, document
from tests.fakes.web_engine import EXTERNAL_URL, Night


@pytest.mark.asyncio
async def test_it_lists_exactly_the_routes_of_the_api(world: Night):
    """Every API route is described, and nothing else is."""
    routes = {
        (route.method, route.path)
        for route in all_routes(world.parts)
        if route.path.startswith("/api/") and route.method != "HEAD"
    }
    assert routes == set(OPERATIONS)


@pytest.mark.asyncio
async def test_it_is_served(world: Night):
    """The document is there as JSON, version 3.1, with our address."""
    content = await (await world.client.get("/api/v1/openapi.json")).json()
    assert content["openapi"] == "3.1.0"
    assert content["servers"] == [{"url": EXTERNAL_URL}]


def test_every_reference_leads_somewhere_and_every_operation_has_an_id():
    """No dangling schema, no id twice, the role of each operation as in the table."""
    described = document(EXTERNAL_URL)
    schemas = described["components"]["schemas"]
    ids = []
    for (method, path), operation in OPERATIONS.items():
        found = described["paths"][path][method.lower()]
        ids.append(found["operationId"])
        assert found["summary"] == operation.say
        assert found["x-role"] == ACCESS[method, path]
        for response in found["responses"].values():
            name = response["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            assert name in schemas
        places = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert places == {each["name"] for each in found.get("parameters", []) if each["in"] == "path"}
    assert len(ids) == len(set(ids))


@pytest.mark.asyncio
async def test_an_incident_has_the_keys_that_are_described(world: Night):
    """What the description requires of an incident is there."""
    await world.incident("disk", service="search")
    incident = (await (await world.client.get("/api/v1/incidents")).json())["incidents"][0]
    required = document(EXTERNAL_URL)["components"]["schemas"]["Incident"]["required"]
    assert set(required) <= set(incident)
