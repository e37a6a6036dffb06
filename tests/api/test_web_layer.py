"""The layer around every handler: answers to faults, limits, CORS, addresses, decoding."""

import io
import ipaddress
import json
from collections import Counter

import pytest
import structlog
from aiohttp import FormData, web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedi.config import LimitsConfig, Rate, Secret, ServerConfig
from fedi.errors import ClientFault, PeerFault, Unreachable
from fedi.web.addresses import find_client_address, limit_key
from fedi.web.params import Params, nest, read_params
from tests.support.web import make_app, make_config

SENTENCES = {"en": "Nothing is here.", "fr": "Il n’y a rien ici.", "ar": "لا شيء هنا."}


async def fail(request: web.Request) -> web.Response:
    match request.match_info["how"]:
        case "client":
            raise ClientFault("too-late", "Too many requests. Try again later.", status=429, retry_after_s=7)
        case "peer":
            raise PeerFault("bad-digest", "Nothing is here.", internal="a secret of ours", extra={"decision": "u"})
        case "unreachable":
            raise Unreachable("far.example", "connection refused by 10.0.0.7")
        case "bug":
            raise ZeroDivisionError("a secret of ours")
        case "redirect":
            raise web.HTTPFound("/elsewhere")
        case _:
            raise web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2)


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"sent": dict(await read_params(request))})


async def stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"x")
    return answer


async def make_client(sqlite_db, clock, tmp_path, aiohttp_client, **config):
    app = make_app(sqlite_db, clock, make_config(tmp_path, **config))
    for prefix in ("/api/v1", "/fedi", "/pages"):
        app.router.add_get(f"{prefix}/fail/{{how}}", fail)
    app.router.add_route("*", "/api/v1/echo", echo)
    app.router.add_get("/api/v1/streaming", stream)
    return await aiohttp_client(app)


@pytest.fixture
async def client(sqlite_db, clock, tmp_path, aiohttp_client):
    return await make_client(sqlite_db, clock, tmp_path, aiohttp_client)


# One fault, four forms


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1/nothing", "/api/v9/instance", "/api/v1/../v1/x", "/api/%00"]
)
async def test_trap_10_an_unknown_endpoint_is_a_404_in_json(client, path):
    answer = await client.get(path)
    assert answer.status == 404
    assert answer.content_type == "application/json"
    assert await answer.json() == {"error": SENTENCES["en"]}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_a_wrong_method_of_the_api_is_a_404_too(client, method):
    answer = await client.request(method, "/api/v1/apps")
    assert answer.status == 404
    assert set(await answer.json()) == {"error"}


@pytest.mark.parametrize("how", ["client", "peer", "unreachable", "bug", "large"])
async def test_trap_9_every_fault_of_the_api_is_one_sentence_in_json(client, how):
    answer = await client.get(f"/api/v1/fail/{how}")
    assert answer.content_type == "application/json"
    body = await answer.json()
    assert body["error"]
    assert "secret" not in json.dumps(body)
    assert "10.0.0.7" not in json.dumps(body)


async def test_a_fault_between_servers_is_problem_json(client):
    answer = await client.get("/fedi/fail/peer")
    assert answer.status == 400
    assert answer.content_type == "application/problem+json"
    body = await answer.json(content_type=None)
    assert body["code"] == "bad-digest"
    assert body["status"] == 400
    assert body["detail"] == SENTENCES["en"]
    assert body["decision"] == "u"
    assert body["instance"].endswith(answer.headers["X-Request-Id"])
    assert "secret" not in json.dumps(body)


async def test_a_fault_on_a_page_is_a_page_that_runs_no_script(client):
    answer = await client.get("/pages/fail/client")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.content_type == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_our_own_bug_is_a_500_with_a_number_and_one_line_in_the_log(client):
    with structlog.testing.capture_logs() as lines:
        answer = await client.get("/pages/fail/bug")
    assert answer.status == 500
    text = await answer.text()
    assert answer.headers["X-Request-Id"] in text
    assert "secret" not in text
    errors = [line for line in lines if line["log_level"] == "error"]
    assert len(errors) == 1
    assert errors[0]["request_id"] == answer.headers["X-Request-Id"]


async def test_a_redirect_stays_a_redirect(client):
    answer = await client.get("/pages/fail/redirect", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")


@pytest.mark.parametrize("lang", ["en", "fr", "ar"])
async def test_the_sentence_is_in_the_language_that_was_asked_for(client, lang):
    for path in ("/api/v1/nothing", "/users/nobody/nothing"):
        answer = await client.get(path, headers={"Accept-Language": f"{lang}, en;q=0.5"})
        assert SENTENCES[lang] in await answer.text()


async def test_another_server_gets_a_document_and_a_browser_a_page(client):
    document = await client.get("/users/nobody/nothing", headers={"Accept": "application/activity+json"})
    assert document.content_type == "application/problem+json"
    page = await client.get("/users/nobody/nothing", headers={"Accept": "text/html,application/xhtml+xml"})
    assert page.content_type == "text/html"


# CORS


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/fail/bug", "/oauth/token", "/.well-known/nothing", "/nodeinfo/2.0", "/fedi/x"]
)
async def test_web_clients_of_any_origin_may_read_answers_and_faults(client, path):
    answer = await client.get(path, headers={"Origin": "https://elk.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"Link", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id", "Fedi-View"} <= exposed


@pytest.mark.parametrize("path", ["/api/v1/statuses", "/oauth/token", "/api/v1/whatever", "/oauth/revoke"])
async def test_a_preflight_needs_no_token_and_allows_every_method_and_header(client, path):
    answer = await client.options(
        path,
        headers={
            "Origin": "https://elk.example", "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, idempotency-key",
        },
    )  # fmt: skip
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(
        answer.headers["Access-Control-Allow-Methods"].replace(",", "").split()
    )
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, idempotency-key"
    assert (await answer.read()) != b""


@pytest.mark.parametrize("path", ["/", "/oauth/authorize", "/auth/sign-in"])
async def test_pages_are_closed_to_other_origins(client, path):
    answer = await client.get(path, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_stream_has_the_headers_too(client):
    answer = await client.get("/api/v1/streaming")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-RateLimit-Limit"] == "300"


# Limits


def public(**sections):
    return {"http": False, "domain": "social.example", **sections}


async def test_every_answer_of_the_api_counts_and_says_so(client):
    first = await client.get("/api/v1/echo")
    second = await client.get("/api/v1/nothing")
    assert first.headers["X-RateLimit-Limit"] == "300"
    assert first.headers["X-RateLimit-Remaining"] == "299"
    assert second.headers["X-RateLimit-Remaining"] == "298"
    assert first.headers["X-RateLimit-Reset"] == "2026-01-01T00:00:01.000Z"


async def test_too_many_requests_are_refused_until_time_has_passed(sqlite_db, clock, tmp_path, aiohttp_client):
    limits = LimitsConfig(client_requests=Rate(3, 60))
    client = await make_client(sqlite_db, clock, tmp_path, aiohttp_client, **public(limits=limits))
    codes = [(await client.get("/api/v1/echo")).status for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = await client.get("/api/v1/echo")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["Retry-After"]) in range(1, 22)
    assert set(await refused.json()) == {"error"}
    clock.advance(s=20)
    assert (await client.get("/api/v1/echo")).status == 200
    assert (await client.get("/api/v1/echo")).status == 429


async def test_a_test_instance_counts_but_refuses_nobody(sqlite_db, clock, tmp_path, aiohttp_client):
    limits = LimitsConfig(client_requests=Rate(3, 60))
    client = await make_client(sqlite_db, clock, tmp_path, aiohttp_client, limits=limits)
    answers = [await client.get("/api/v1/echo") for _ in range(6)]
    assert {answer.status for answer in answers} == {200}
    assert answers[-1].headers["X-RateLimit-Remaining"] == "0"


async def test_an_invented_token_does_not_open_a_fresh_bucket(sqlite_db, clock, tmp_path, aiohttp_client):
    limits = LimitsConfig(client_requests=Rate(3, 60))
    client = await make_client(sqlite_db, clock, tmp_path, aiohttp_client, **public(limits=limits))
    codes = Counter()
    for number in range(6):
        answer = await client.get("/api/v1/echo", headers={"Authorization": f"Bearer made-up-{number}"})
        codes[answer.status] += 1
    assert codes == {200: 3, 429: 3}


async def test_a_forged_forwarded_address_does_not_change_who_is_counted(sqlite_db, clock, tmp_path, aiohttp_client):
    """CVE-2023-49952, CVE-2025-66482, CVE-2026-54738: the header counts from configured proxies alone."""
    server = ServerConfig(trusted_proxies=("192.0.2.1",), secret=Secret("x"))
    limits = LimitsConfig(client_requests=Rate(3, 60))
    client = await make_client(sqlite_db, clock, tmp_path, aiohttp_client, **public(limits=limits, server=server))
    codes = Counter()
    for number in range(6):
        answer = await client.get("/api/v1/echo", headers={"X-Forwarded-For": f"203.0.113.{number}"})
        codes[answer.status] += 1
    assert codes == {200: 3, 429: 3}


async def test_behind_a_configured_proxy_each_client_is_counted_alone(sqlite_db, clock, tmp_path, aiohttp_client):
    limits = LimitsConfig(client_requests=Rate(1, 60))
    client = await make_client(sqlite_db, clock, tmp_path, aiohttp_client, **public(limits=limits))
    for number in range(4):
        answer = await client.get("/api/v1/echo", headers={"X-Forwarded-For": f"198.51.100.9, 203.0.113.{number}"})
        assert answer.status == 200
    # what the client wrote in front changes nothing
    answer = await client.get("/api/v1/echo", headers={"X-Forwarded-For": "192.0.2.77, 203.0.113.0"})
    assert answer.status == 429


PROXIES = (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1"), ipaddress.ip_network("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["192.0.2.1", "198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1, nonsense"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        (None, ["198.51.100.1"], "0.0.0.0"),
    ],
)
def test_the_client_is_the_first_address_from_the_end_that_is_no_proxy_of_ours(peer, header, address):
    assert find_client_address(peer, header, PROXIES) == address


@given(peer=st.text(max_size=40) | st.none(), header=st.lists(st.text(max_size=60), max_size=4))
def test_any_header_gives_an_address(peer, header):
    ipaddress.ip_address(find_client_address(peer, header, PROXIES))


def test_the_addresses_of_one_ipv6_customer_count_as_one():
    assert limit_key("2001:db8::1") == limit_key("2001:db8::ffff:1")
    assert limit_key("2001:db8::1") != limit_key("2001:db8:0:1::1")
    assert limit_key("203.0.113.5") == "203.0.113.5"


# Decoding

POLL = {"status": "x", "poll": {"options": ["a", "b"], "multiple": "true"}, "media_ids": ["1", "2"]}
FORM = "status=x&poll[options][]=a&poll[options][]=b&poll[multiple]=true&media_ids[]=1&media_ids[]=2"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_trap_17_parameters_arrive_the_same_by_every_way(client, method):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        await client.request(method, "/api/v1/echo", json=POLL),
        await client.request(method, "/api/v1/echo", data=FORM, headers=form),
        await client.request(method, f"/api/v1/echo?{FORM}"),
        await client.request(method, "/api/v1/echo?status=x", data=FORM.partition("&")[2], headers=form),
        await client.request(method, "/api/v1/echo", data=json.dumps(POLL)),  # as text/plain
    ]
    for answer in answers:
        assert (await answer.json())["sent"] == POLL


async def test_a_multipart_body_is_read_too(client):
    form = FormData(quote_fields=False, default_to_multipart=True)
    for name, value in (
        ("status", "x"),
        ("poll[options][]", "a"),
        ("poll[options][]", "b"),
        ("poll[multiple]", "true"),
    ):
        form.add_field(name, value)
    form.add_field("media_ids[]", "1")
    form.add_field("media_ids[]", "2")
    assert (await (await client.post("/api/v1/echo", data=form)).json())["sent"] == POLL


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b'"x"', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"a[b=1&a=2&a[c]=3", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(2000)), "application/x-www-form-urlencoded"),
        (b"a[b][c][d][e][f][g][h]=1", "application/x-www-form-urlencoded"),
        (b"x", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"<x/>", "application/xml"),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_4xx_in_json(client, body, content_type):
    answer = await client.post("/api/v1/echo", data=body, headers={"Content-Type": content_type})
    assert 400 <= answer.status < 500, await answer.text()
    assert set(await answer.json()) == {"error"}


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_a_body_of_two_megabytes_is_refused_also_when_it_does_not_say_its_length(client, kind):
    async def pieces():
        for _ in range(32):
            yield b" " * 65_536

    for body in (io.BytesIO(b" " * 2_097_152), pieces()):
        answer = await client.post("/api/v1/echo", data=body, headers={"Content-Type": kind})
        assert answer.status == 413
        assert set(await answer.json()) == {"error"}


@given(st.lists(st.tuples(st.text(alphabet="a[]b01", max_size=12), st.text(max_size=3)), max_size=12))
def test_any_names_nest_or_are_refused(pairs):
    try:
        found = nest(pairs)
    except ClientFault:
        return
    assert isinstance(found, dict)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=80),
    kind=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", "x"]
    ),
)
async def test_any_bytes_are_decoded_or_refused(client, body, kind):
    answer = await client.post("/api/v1/echo", data=body, headers={"Content-Type": kind})
    assert answer.status == 200 or 400 <= answer.status < 500


def test_numbered_names_are_a_mapping_in_the_order_of_their_numbers():
    params = Params(nest([("fields_attributes[10][name]", "b"), ("fields_attributes[2][name]", "a")]))
    assert [group.text("name") for group in params.groups("fields_attributes") or []] == ["a", "b"]


def test_unnumbered_groups_begin_anew_when_a_name_repeats():
    assert nest([("m[][id]", "1"), ("m[][text]", "x"), ("m[][id]", "2")]) == {
        "m": [{"id": "1", "text": "x"}, {"id": "2"}]
    }
