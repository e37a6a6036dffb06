"""What apps call is there: every operation a mainstream client cannot do without, asked for with a real token."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from fedi.activitypub.uris import LocalUris
from fedi.app import Instance, build_web, open_instance
from fedi.config import DatabaseConfig, MetricsConfig
from fedi.store import oauth
from tests.api.test_media import picture
from tests.support.clocks import FakeClock
from tests.support.web import add_person, make_config

DATA = Path(__file__).parents[1] / "data" / "client_api"
OPERATIONS: list[dict[str, Any]] = json.loads((DATA / "endpoints.json").read_text())
OWED: dict[str, list[str]] = json.loads((DATA / "owed.json").read_text())
FIRST_CLIENTS = {"toot", "elk", "semaphore"}
NEEDED = [one for one in OPERATIONS if one["tier"] == "P0" and FIRST_CLIENTS & set(one["clients"])]


def name(operation: dict[str, Any]) -> str:
    return f"{operation['method']} {operation['path']}"


@pytest.fixture
async def instance(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Instance]:
    config = make_config(tmp_path, database=DatabaseConfig(url="sqlite:parity.db"), metrics=MetricsConfig(port=0))
    async with open_instance(config, clock) as found:
        yield found


@pytest.fixture
async def client(instance: Instance) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(build_web(instance))) as found:
        yield found


async def is_routed(app: web.Application, operation: dict[str, Any]) -> bool:
    path = "/".join("1" if part.startswith(":") else part for part in operation["path"].split("/"))
    match = await app.router.resolve(make_mocked_request(operation["method"], path))
    # A literal part must not be taken for an id: /notifications/policy is not /notifications/{id}.
    return match.http_exception is None and set(match.values()) <= {"1", "2.0"}


def test_the_three_first_clients_need_51_operations():
    assert len(NEEDED) == 51


async def test_what_is_owed_is_exactly_what_is_not_there(instance: Instance):
    app = build_web(instance)
    missing: dict[str, list[str]] = {"P0": [], "P1": []}
    for operation in OPERATIONS:
        if operation["tier"] in missing and not await is_routed(app, operation):
            missing[operation["tier"]].append(name(operation))
    assert {tier: sorted(names) for tier, names in missing.items()} == OWED, json.dumps(missing, indent=1)


async def test_none_of_what_the_first_clients_need_is_owed():
    assert not {name(one) for one in NEEDED} & set(OWED["P0"])


class Someone:
    """A person with an app, and something of everything that paths may name."""

    def __init__(self, client: TestClient[Any, Any], token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}
        self.ids: dict[str, str] = {}

    async def ask(self, method: str, path: str, **how: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, headers=self.headers, allow_redirects=False, **how) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if answer.content_type == "application/json" else body.decode()

    async def make(self, path: str, **values: Any) -> str:
        status, body = await self.ask("POST", path, json=values)
        assert status == 200, (path, body)
        return str(body["id"])


@pytest.fixture
async def ann(instance: Instance, client: TestClient[Any, Any], clock: FakeClock) -> Someone:
    uris: LocalUris = instance.uris
    account = await add_person(instance.database, uris, clock, "ann")
    other = await add_person(instance.database, uris, clock, "bob")

    async def unit(tx: Any) -> str:
        await oauth.put_app(
            tx, app_id=7, client_id="c", secret_hash="x", name="An app", website=None, redirect_uris=["urn:x"],
            scopes="read write follow push", now_ms=clock.ms(),
        )  # fmt: skip
        return await instance.tokens.issue(
            tx, app=7, account=account.id, scopes=frozenset({"read", "write", "follow", "push"})
        )

    someone = Someone(client, await instance.database.write("token", unit))
    clock.advance(s=5)
    status, body = await someone.ask("POST", "/api/v1/media", data={"file": io.BytesIO(picture())})
    assert status == 200
    someone.ids = {
        "accounts": str(other.id),
        "media": body["id"],
        "statuses": await someone.make("/api/v1/statuses", status="Hello #fedi"),
        "polls": "",
        "list_id": await someone.make("/api/v1/lists", title="Friends"),
    }
    clock.advance(s=5)
    poll = {"options": ["a", "b"], "expires_in": 3600}
    status, body = await someone.ask("POST", "/api/v1/statuses", json={"status": "?", "poll": poll})
    assert status == 200, body
    someone.ids["polls"] = str(body["poll"]["id"])
    return someone


# What an operation is sent; others are sent nothing.
SENT: dict[str, dict[str, Any]] = {
    "POST /api/v1/apps": {"json": {"client_name": "x", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob"}},
    "GET /api/v1/accounts/lookup": {"params": {"acct": "bob"}},
    "GET /api/v1/accounts/relationships": {"params": {"id[]": "1"}},
    "PATCH /api/v1/accounts/update_credentials": {"json": {"display_name": "Ann"}},
    "POST /api/v1/polls/:id/votes": {"json": {"choices": [0]}},
    "POST /api/v1/statuses": {"json": {"status": "Another"}},
    "PUT /api/v1/statuses/:id": {"json": {"status": "Better"}},
    "PUT /api/v1/media/:id": {"json": {"description": "A view"}},
    "GET /api/v1/markers": {"params": {"timeline[]": "home"}},
    "POST /api/v1/markers": {"json": {"home": {"last_read_id": "1"}}},
    "GET /api/v2/search": {"params": {"q": "bob"}},
}
# What is refused on purpose, and with which status.
REFUSED = {
    "POST /api/v1/accounts": 403,  # nobody may join by app yet
    "POST /oauth/token": {400, 401},  # no such client
    "POST /oauth/revoke": {400, 401, 403},
    "GET /oauth/authorize": {200, 303, 400},  # a page
    "POST /api/v1/polls/:id/votes": 422,  # one's own poll
}


@pytest.mark.parametrize("operation", NEEDED, ids=name)
async def test_what_toot_elk_and_semaphore_need_is_answered(ann: Someone, operation: dict[str, Any]):
    parts = operation["path"].split("/")
    path = "/".join(
        ann.ids.get(part[1:]) or ann.ids.get(parts[at - 1]) or "fedi" if part.startswith(":") else part
        for at, part in enumerate(parts)
    )
    how = SENT.get(name(operation), {})
    if name(operation) in {"POST /api/v1/media", "POST /api/v2/media"}:
        how = {"data": {"file": io.BytesIO(picture())}}
    status, body = await ann.ask(operation["method"], path, **how)
    wanted = REFUSED.get(name(operation), 200)
    assert status in (wanted if isinstance(wanted, set) else {wanted}), (status, body)
    if path.startswith("/api/"):
        assert body is not None and (status < 400 or isinstance(body["error"], str))
