"""Somebody leaves: what ends with the account, and what must go on."""

import http.cookies

import pytest

from fedi.activitypub.keys import parse_public_pem
from fedi.cli.operations import OPERATIONS
from fedi.errors import ClientFault
from fedi.outbox.draft import Draft
from fedi.store import accounts, relations
from tests.support.node import open_node
from tests.support.peers import client_session
from tests.support.web import PASSWORD, fields_of

EMAIL = "lena@mail.example"
PRIVATE = (
    "local_user", "token", "web_session", "oauth_code", "list", "bookmark", "thread_mute", "marker", "notification",
    "idempotency",
)  # fmt: skip


@pytest.fixture
async def node(tmp_path, database_url):
    url = database_url if database_url.startswith("postgres") else f"sqlite:{database_url}"
    async with open_node(tmp_path / "node", database=url) as running:
        yield running


async def command(node, operation, **arguments):
    return await OPERATIONS[operation](node.instance, **arguments)


async def add_person(node, name, email=None):
    """With a password, and an app that has a token."""
    await command(node, "account create", name=name, role="user", email=email, password=PASSWORD)
    token = (await command(node, "token create", name=name, scopes="read write"))["token"]
    return await find(node, name), token


async def find(node, name):
    return await node.instance.database.read(lambda tx: accounts.find_by_handle(tx, name, ""))


async def sign_in(session, node, login):
    async with session.get(f"{node.origin}/auth/sign-in") as answer:
        fields, cookie = fields_of(await answer.text()), cookie_of(answer)
    data = {**fields, "login": login, "password": PASSWORD}
    async with session.post(f"{node.origin}/auth/sign-in", data=data, headers=cookie, allow_redirects=False) as answer:
        return answer.status, cookie_of(answer)


def cookie_of(answer):
    jar = http.cookies.SimpleCookie()
    for line in answer.headers.getall("Set-Cookie", []):
        jar.load(line)
    return {"Cookie": "; ".join(f"{name}={one.value}" for name, one in jar.items() if one.value)}


async def test_with_an_account_go_its_sessions_tokens_address_and_password_at_once(node):
    lena, token = await add_person(node, "lena", EMAIL)
    mia, other_token = await add_person(node, "mia")
    outbox = node.instance.outbox
    post = await outbox.post(mia.id, Draft(text="@lena hello"))
    async with client_session() as session:

        async def ask(method, path, token, **how):
            headers = {"Authorization": f"Bearer {token}"}
            async with session.request(method, node.origin + path, headers=headers, **how) as answer:
                return answer.status

        async def is_signed_in(cookie):
            async with session.get(node.origin + "/", headers=cookie) as answer:
                return "/auth/sign-out" in await answer.text()

        for path in (f"/api/v1/statuses/{post}/bookmark", f"/api/v1/statuses/{post}/mute"):
            assert await ask("POST", path, token) == 200
        assert await ask("POST", "/api/v1/lists", token, json={"title": "Private"}) == 200
        assert await ask("POST", "/api/v1/markers", token, json={"home": {"last_read_id": str(post)}}) == 200
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        async with session.post(f"{node.origin}/api/v1/statuses", json={"status": "x"}, headers=headers) as answer:
            assert answer.status == 200
        status, cookie = await sign_in(session, node, "lena")
        assert (status, await is_signed_in(cookie)) == (303, True)
        _, other_cookie = await sign_in(session, node, "mia")

        await outbox.delete_account(lena.id)

        assert await ask("GET", "/api/v1/accounts/verify_credentials", token) == 401, "although it was just in use"
        assert not await is_signed_in(cookie)
        for login in ("lena", EMAIL):
            assert (await sign_in(session, node, login))[0] == 422
        assert await ask("GET", "/api/v1/accounts/verify_credentials", other_token) == 200
        assert await is_signed_in(other_cookie)
    for table in PRIVATE:
        assert await node.rows(f"SELECT * FROM {table} WHERE account = :id", id=lena.id) == [], table
    assert EMAIL not in repr([await node.rows(f"SELECT * FROM {table}") for table in ("account", "local_user")])
    assert [one["name"] for one in await command(node, "account list")] == ["mia"]


async def test_access_ends_with_the_first_step_even_if_no_other_follows(node, monkeypatch):
    lena, _ = await add_person(node, "lena", EMAIL)

    class Crash(Exception):
        pass

    async def crash(*_args):
        raise Crash

    monkeypatch.setattr(node.instance.outbox, "_remove_some", crash)
    with pytest.raises(Crash):
        await node.instance.outbox.delete_account(lena.id)
    assert await node.rows("SELECT account FROM local_user") == []
    assert await node.rows("SELECT account FROM token WHERE account = :id", id=lena.id) == []


async def test_keys_of_others_are_still_changed_and_those_of_the_deleted_sign_their_farewell(node, peer):
    lena, _ = await add_person(node, "lena")
    mia, _ = await add_person(node, "mia")
    fay = peer.add_actor("fay")
    for target in (lena, mia):
        assert (await peer.post(node.inbox, peer.activity("Follow", fay, target.uri), fay))[0] == 202
        await node.settle()
        peer.documents["/another"] = {}  # so that the next Follow has another id
    await node.settle("deliver")
    before = await keys_of(node, lena)
    peer.received.clear()
    await node.instance.outbox.delete_account(lena.id)
    with pytest.raises(ClientFault) as caught:
        await command(node, "key rotate", name="lena")
    assert caught.value.code == "account-gone"
    with pytest.raises(ClientFault):
        await command(node, "token create", name="lena", scopes="read")
    await node.settle("deliver")
    (farewell,) = peer.received
    assert (farewell.activity["type"], farewell.activity["object"]) == ("Delete", lena.uri)
    farewell.check_signature(before)
    old = await keys_of(node, mia)
    await command(node, "key rotate", name="mia")
    await node.instance.outbox.post(mia.id, Draft(text="With new keys"))
    await node.settle("deliver")
    new = await keys_of(node, mia)
    assert new != old
    assert [got.activity["type"] for got in peer.received[1:]] == ["Update", "Create"]
    for got in peer.received[1:]:
        got.check_signature(new)
    followers = await node.instance.database.read(lambda tx: relations.list_follower_inboxes(tx, lena.id))
    assert followers == []


async def keys_of(node, account):
    key_id = f"{account.uri}#main-key"
    pem = await node.value("SELECT public_key FROM actor_key WHERE id = :id", id=key_id)
    return parse_public_pem(pem, id=key_id, owner=account.uri)
