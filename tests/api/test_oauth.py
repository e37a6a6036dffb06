"""Letting apps in: registering, consent, codes, tokens, and ending them, over HTTP."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from fedi.auth import grants
from fedi.store import oauth as store
from fedi.web import keys
from fedi.web.callers import require, require_app
from fedi.web.params import read_params
from tests.support.web import add_person, fields_of, make_app, make_config, sign_in_as

REDIRECT = "com.example.app:/callback?x=%2F"  # one slash, an escape: nothing may change in it
OOB = "urn:ietf:wg:oauth:2.0:oob"
ALL = "read write follow push"
VERIFIER = "a-verifier-of-forty-three-characters-or-more-._~"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
async def client(sqlite_db, clock, tmp_path, aiohttp_client) -> TestClient:
    app = make_app(sqlite_db, clock, make_config(tmp_path))

    async def whoami(request):
        caller = await require(request, "read:statuses")
        return web.json_response({"account": str(caller.account_id), "may_write": caller.may("write:statuses")})

    async def post_something(request):
        await require(request, "write:statuses")
        return web.json_response({})

    async def any_app(request):
        return web.json_response({"app": (await require_app(request)).app_id})

    async def echo(request):
        return web.json_response({"sent": dict(await read_params(request))})

    app.router.add_get("/api/v1/whoami", whoami)
    app.router.add_post("/api/v1/post", post_something)
    app.router.add_get("/api/v1/any_app", any_app)
    app.router.add_route("*", "/api/v1/echo", echo)
    await add_person(sqlite_db, app[keys.URIS], clock)
    return await aiohttp_client(app)


async def register(client, *, redirect_uris=REDIRECT, scopes=ALL, **more):
    answer = await client.post(
        "/api/v1/apps", data={"client_name": "Walker", "redirect_uris": redirect_uris, "scopes": scopes} | more
    )
    assert answer.status == 200, await answer.text()
    return await answer.json()


def request_of(app, **more):
    return {"response_type": "code", "client_id": app["client_id"], "redirect_uri": REDIRECT, "scope": ALL} | more


async def consent(client, app, *, decision="allow", **more):
    """Signs in, reads the page, sends its form. Returns the redirect."""
    await sign_in_as(client)
    page = await client.get("/oauth/authorize", params=request_of(app, **more))
    text = await page.text()
    assert page.status == 200, text
    answer = await client.post("/oauth/authorize", data=fields_of(text) | {"decision": decision}, allow_redirects=False)
    assert answer.status == 303, await answer.text()
    return answer.headers["Location"]


async def code_for(client, app, **more):
    return parse_qs(urlsplit(await consent(client, app, **more)).query)["code"][0]


async def exchange(client, app, code, **more):
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": REDIRECT,
    } | more
    return await client.post("/oauth/token", data={name: value for name, value in body.items() if value is not None})


async def token_for(client, app, **more):
    answer = await exchange(client, app, await code_for(client, app, **more))
    assert answer.status == 200, await answer.text()
    return (await answer.json())["access_token"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# Apps


async def test_an_app_is_registered_with_everything_clients_read(client):
    app = await register(client, redirect_uris=f"{REDIRECT}\n{OOB}", website="https://walker.example")
    assert app["name"] == "Walker"
    assert app["website"] == "https://walker.example"
    assert app["redirect_uris"] == [REDIRECT, OOB]
    assert app["redirect_uri"] == f"{REDIRECT}\n{OOB}"
    assert app["scopes"] == ["read", "write", "follow", "push"]
    assert app["client_secret_expires_at"] == 0
    assert app["id"].isdecimal()
    assert app["vapid_key"] == ""
    assert len(app["client_id"]) >= 43
    assert len(app["client_secret"]) >= 43


async def test_an_app_may_send_json_with_a_list_of_addresses(client):
    answer = await client.post(
        "/api/v1/apps", json={"client_name": "J", "redirect_uris": [REDIRECT, "https://j.example/a?b=%20"]}
    )
    app = await answer.json()
    assert app["redirect_uris"] == [REDIRECT, "https://j.example/a?b=%20"]
    assert app["scopes"] == ["read"]


async def test_an_app_may_send_everything_in_the_query(client):
    answer = await client.post("/api/v1/apps", params={"client_name": "Q", "redirect_uris": OOB, "scopes": "read"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "no-scheme", "//host/path", "",
        "https://x.example/#fragment", "app:/a\x00b", "x:" + "y" * 3000,
    ],
)  # fmt: skip
async def test_an_address_a_browser_must_not_open_is_refused(client, uri):
    answer = await client.post("/api/v1/apps", json={"client_name": "Bad", "redirect_uris": [uri]})
    assert answer.status == 422
    assert set(await answer.json()) == {"error"}


async def test_an_app_needs_a_name_and_known_scopes(client):
    nameless = await client.post("/api/v1/apps", data={"redirect_uris": OOB})
    assert nameless.status == 422
    unknown = await client.post("/api/v1/apps", data={"client_name": "S", "redirect_uris": OOB, "scopes": "read fly"})
    assert unknown.status == 422
    assert "fly" in (await unknown.json())["error"]


async def test_trap_16_many_apps_from_one_address_are_registered(sqlite_db, clock, tmp_path, aiohttp_client):
    """A web client registers for all its users from the address of its server."""
    public = await aiohttp_client(make_app(sqlite_db, clock, make_config(tmp_path, http=False, domain="s.example")))
    for _ in range(320):
        answer = await public.post("/api/v1/apps", json={"client_name": "Elk", "redirect_uris": [OOB]})
        assert answer.status == 200
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert (await public.get("/api/v1/instance")).status == 429


async def test_verify_credentials_shows_the_app_of_a_token_without_its_secret(client):
    app = await register(client)
    token = await client.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]},
    )
    answer = await client.get("/api/v1/apps/verify_credentials", headers=bearer((await token.json())["access_token"]))
    shown = await answer.json()
    assert shown["name"] == "Walker"
    assert "client_secret" not in shown
    assert (await client.get("/api/v1/apps/verify_credentials")).status == 401


# The walk


async def test_the_walk_from_registering_to_a_token_that_works(client):
    app = await register(client)
    location = await consent(client, app, state="s t/ä", code_challenge=CHALLENGE, code_challenge_method="S256")
    assert location.startswith(f"{REDIRECT}&code="), "the address is kept byte for byte"
    answered = parse_qs(urlsplit(location).query)
    assert answered["state"] == ["s t/ä"]
    answer = await exchange(client, app, answered["code"][0], code_verifier=VERIFIER)
    token = await answer.json()
    assert answer.status == 200
    assert token["token_type"] == "Bearer"
    assert token["scope"] == ALL
    assert isinstance(token["created_at"], int)
    assert token["created_at"] == client.app[keys.CLOCK].ms() // 1000
    assert "expires_in" not in token
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await client.get("/api/v1/whoami", headers=bearer(token["access_token"]))).status == 200


async def test_trap_14_a_token_works_after_ten_years(client, clock):
    token = await token_for(client, await register(client))
    clock.advance(days=3650)
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 200


async def test_trap_15_the_consent_page_answers_with_a_trailing_slash(client):
    app = await register(client)
    await sign_in_as(client)
    answer = await client.get("/oauth/authorize/", params=request_of(app))
    assert answer.status == 200
    assert "Walker" in await answer.text()


async def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_the_question(client):
    app = await register(client)
    answer = await client.get("/oauth/authorize", params=request_of(app, state="x"), allow_redirects=False)
    assert answer.status == 303
    target = urlsplit(answer.headers["Location"])
    assert target.path == "/auth/sign-in"
    following = parse_qs(target.query)["next"][0]
    signed_in = await sign_in_as(client, goto=following)
    assert signed_in.headers["Location"] == following
    page = await client.get(following)
    assert page.status == 200
    assert "Walker" in await page.text()


async def test_force_login_asks_for_the_password_of_one_who_is_signed_in(client):
    app = await register(client)
    await sign_in_as(client)
    answer = await client.get("/oauth/authorize", params=request_of(app, force_login="true"), allow_redirects=False)
    assert answer.headers["Location"].startswith("/auth/sign-in?")
    assert "force_login" not in answer.headers["Location"], "else it would ask for ever"


async def test_lang_chooses_the_language_of_the_consent_page(client):
    app = await register(client)
    await sign_in_as(client)
    text = await (await client.get("/oauth/authorize", params=request_of(app, lang="ar"))).text()
    assert '<html lang="ar" dir="rtl"' in text


async def test_an_app_without_an_address_gets_its_code_on_a_page(client):
    app = await register(client, redirect_uris=OOB)
    location = await consent(client, app, redirect_uri=OOB)
    assert location.startswith("/oauth/authorize/native?code=")
    code = parse_qs(urlsplit(location).query)["code"][0]
    assert code in await (await client.get(location)).text()
    answer = await exchange(client, app, code, redirect_uri=OOB)
    assert answer.status == 200


async def test_denying_goes_back_with_access_denied_and_no_code(client):
    app = await register(client)
    location = await consent(client, app, decision="deny", state="7")
    assert location == f"{REDIRECT}&error=access_denied&state=7"


async def test_the_app_may_name_itself_by_basic_authentication(client):
    app = await register(client)
    code = await code_for(client, app)
    basic = base64.b64encode(f"{app['client_id']}:{app['client_secret']}".encode()).decode()
    answer = await client.post(
        "/oauth/token",
        json={"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert answer.status == 200


async def test_client_credentials_give_a_token_without_a_person(client):
    app = await register(client)
    answer = await client.post(
        "/oauth/token",
        data={
            "grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"],
            "scope": "read write",
        },
    )  # fmt: skip
    token = await answer.json()
    assert token["scope"] == "read write"
    assert (await client.get("/api/v1/any_app", headers=bearer(token["access_token"]))).status == 200
    as_person = await client.get("/api/v1/whoami", headers=bearer(token["access_token"]))
    assert as_person.status == 422
    assert "error" in await as_person.json()


# What is refused


async def test_a_wrong_or_missing_verifier_is_refused_and_the_code_is_used_up(client):
    app = await register(client)
    challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for verifier in ("x" * 50, None, "short"):
        code = await code_for(client, app, **challenge)
        answer = await exchange(client, app, code, code_verifier=verifier)
        assert answer.status == 400
        assert (await answer.json())["error"] == "invalid_grant"
        again = await exchange(client, app, code, code_verifier=VERIFIER)
        assert again.status == 400


async def test_a_verifier_for_a_code_without_challenge_is_refused(client):
    app = await register(client)
    answer = await exchange(client, app, await code_for(client, app), code_verifier=VERIFIER)
    assert answer.status == 400


@pytest.mark.parametrize(
    "asked",
    [
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE},
        {"code_challenge": "too-short", "code_challenge_method": "S256"},
        {"code_challenge_method": "S256"},
        {"response_type": "token"},
        {"scope": "admin:read"},
        {"scope": "read fly"},
        {"redirect_uri": "com.example.app:/callback?x=/"},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": OOB},
        {"client_id": "nobody"},
    ],
)
async def test_a_wrong_question_is_explained_here_and_forwarded_nowhere(client, asked):
    app = await register(client)
    await sign_in_as(client)
    answer = await client.get("/oauth/authorize", params=request_of(app, **asked), allow_redirects=False)
    assert answer.status == 400
    assert answer.content_type == "text/html"
    assert "Location" not in answer.headers


async def test_narrower_scopes_than_registered_may_be_asked_and_are_all_that_is_granted(client):
    app = await register(client)
    token = await token_for(client, app, scope="read:statuses")
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 200
    refused = await client.post("/api/v1/post", headers=bearer(token))
    assert refused.status == 403
    assert "write:statuses" in (await refused.json())["error"]


async def test_a_code_works_once_and_its_second_use_ends_what_the_first_one_got(client):
    app = await register(client)
    code = await code_for(client, app)
    token = (await (await exchange(client, app, code)).json())["access_token"]
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 200
    assert (await exchange(client, app, code)).status == 400
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 401


async def test_a_code_is_worth_nothing_after_ten_minutes(client, clock):
    app = await register(client)
    code = await code_for(client, app)
    clock.advance(ms=grants.CODE_LIFE_MS)
    assert (await exchange(client, app, code)).status == 400


async def test_a_code_is_bound_to_its_app_and_its_address(client):
    app, other = await register(client), await register(client)
    code = await code_for(client, app)
    assert (await exchange(client, other, code)).status == 400
    assert (await exchange(client, app, code, redirect_uri=OOB)).status == 400


async def test_a_wrong_secret_is_an_invalid_client(client):
    app = await register(client)
    answer = await exchange(client, app, "x", client_secret="wrong")
    assert answer.status == 401
    assert (await answer.json())["error"] == "invalid_client"
    assert "WWW-Authenticate" in answer.headers


async def test_the_password_grant_is_not_offered(client):
    app = await register(client)
    answer = await exchange(client, app, "x", grant_type="password", username="alice", password="x")
    assert answer.status == 400
    body = await answer.json()
    assert body["error"] == "unsupported_grant_type"
    assert body["error_description"]


async def test_a_form_from_elsewhere_is_refused(client):
    app = await register(client)
    await sign_in_as(client)
    page = await (await client.get("/oauth/authorize", params=request_of(app))).text()
    good = fields_of(page) | {"decision": "allow"}
    for bad in (
        {name: value for name, value in good.items() if name != "form_token"},
        good | {"form_token": "0" * 64},
        good | {"form_token": "ü"},
    ):
        answer = await client.post("/oauth/authorize", data=bad, allow_redirects=False)
        assert answer.status == 403
        assert "Location" not in answer.headers
    foreign = await client.post(
        "/oauth/authorize", data=good, headers={"Origin": "https://evil.example"}, allow_redirects=False
    )
    assert foreign.status == 403


async def test_a_form_with_another_address_than_the_page_showed_is_checked_again(client):
    app = await register(client)
    await sign_in_as(client)
    page = await (await client.get("/oauth/authorize", params=request_of(app))).text()
    changed = fields_of(page) | {"decision": "allow", "redirect_uri": "https://evil.example/"}
    answer = await client.post("/oauth/authorize", data=changed, allow_redirects=False)
    assert answer.status == 400


# Ending


async def test_a_revoked_token_is_refused_at_once(client):
    app = await register(client)
    token = await token_for(client, app)
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 200
    answer = await client.post(
        "/oauth/revoke",
        data={"client_id": app["client_id"], "client_secret": app["client_secret"], "token": token},
    )
    assert answer.status == 200
    assert await answer.json() == {}
    refused = await client.get("/api/v1/whoami", headers=bearer(token))
    assert refused.status == 401
    assert "invalid_token" in refused.headers["WWW-Authenticate"]


async def test_revoking_what_nobody_knows_is_answered_like_success(client):
    app = await register(client)
    credentials = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    answer = await client.post("/oauth/revoke", data=credentials | {"token": "nothing"})
    assert answer.status == 200
    assert await answer.json() == {}


async def test_an_app_cannot_revoke_the_token_of_another(client):
    app, other = await register(client), await register(client)
    token = await token_for(client, app)
    answer = await client.post(
        "/oauth/revoke",
        data={"client_id": other["client_id"], "client_secret": other["client_secret"], "token": token},
    )
    assert answer.status == 403
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 200


async def test_one_whose_address_is_not_confirmed_gets_403(client, sqlite_db, clock):
    await add_person(sqlite_db, client.app[keys.URIS], clock, "carol", confirmed=False)
    app = await register(client)
    await sign_in_as(client, "carol")
    page = await (await client.get("/oauth/authorize", params=request_of(app))).text()
    answer = await client.post("/oauth/authorize", data=fields_of(page) | {"decision": "allow"}, allow_redirects=False)
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    token = (await (await exchange(client, app, code)).json())["access_token"]
    assert (await client.get("/api/v1/whoami", headers=bearer(token))).status == 403


# Documents


async def test_the_metadata_names_every_endpoint_and_s256(client):
    answer = await client.get("/.well-known/oauth-authorization-server")
    document = await answer.json()
    origin = "http://localhost:8080"
    assert document["issuer"] == f"{origin}/"
    assert document["authorization_endpoint"] == f"{origin}/oauth/authorize"
    assert document["token_endpoint"] == f"{origin}/oauth/token"
    assert document["revocation_endpoint"] == f"{origin}/oauth/revoke"
    assert document["userinfo_endpoint"] == f"{origin}/oauth/userinfo"
    assert document["app_registration_endpoint"] == f"{origin}/api/v1/apps"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["grant_types_supported"] == ["authorization_code", "client_credentials"]
    assert {"client_secret_basic", "client_secret_post"} == set(document["token_endpoint_auth_methods_supported"])
    assert {"read", "write", "follow", "push", "profile"} <= set(document["scopes_supported"])
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_userinfo_tells_who_a_profile_token_speaks_for(client):
    app = await register(client, scopes="profile")
    token = await token_for(client, app, scope="profile")
    for method in ("GET", "POST"):
        answer = await client.request(method, "/oauth/userinfo", headers=bearer(token))
        body = await answer.json()
        assert body["sub"] == "http://localhost:8080/users/alice"
        assert body["preferred_username"] == "alice"
        assert body["iss"] == "http://localhost:8080/"
    assert (await client.get("/oauth/userinfo")).status == 401


async def test_secrets_are_stored_as_hashes_only(client, sqlite_db):
    app = await register(client)
    token = await token_for(client, app)
    rows = await sqlite_db.read(lambda tx: tx.all("SELECT token_hash FROM token"))
    assert rows == [(hashlib.sha256(token.encode()).hexdigest(),)]
    stored = await sqlite_db.read(lambda tx: store.find_app(tx, app["client_id"]))
    assert stored.secret_hash == hashlib.sha256(app["client_secret"].encode()).hexdigest()
