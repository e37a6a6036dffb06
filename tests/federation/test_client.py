"""The door to other servers, against real servers on loopback."""

import asyncio
import gzip
import socket
import ssl
import tempfile
import zlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fedi import guard
from fedi.activitypub.urls import UrlRules
from fedi.errors import NetworkInTransaction, PeerFault, Unreachable
from fedi.remote.addresses import may_connect
from fedi.remote.client import Deadlines, RemoteClient, is_document_type

SHORT = Deadlines(connect_s=0.3, read_s=0.3, total_s=0.6)


def client(**wishes):
    return RemoteClient(**{"public_host": "us.example", "version": "1.2.3", "allow_loopback": True} | wishes)


@asynccontextmanager
async def serving(*routes):
    app = web.Application()
    app.add_routes([web.route("*", path, handler) for path, handler in routes])
    server = TestServer(app, host="127.0.0.1")
    async with server:
        yield f"http://peer.localhost:{server.port}"


class Lying(AbstractResolver):
    """A name server that answers something else every time."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {"hostname": host, "host": a, "port": port, "family": socket.AF_INET6 if ":" in a else socket.AF_INET,
             "proto": socket.IPPROTO_TCP, "flags": socket.AI_NUMERICHOST}
            for a in addresses
        ]  # fmt: skip

    async def close(self):
        pass


class Named(Lying):
    """A name server with one address for each name."""

    def __init__(self, names):
        super().__init__()
        self.names = names

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.answers = [[self.names[host]]]
        return await super().resolve(host, port, family)


@asynccontextmanager
async def counting_connections():
    """A bare TCP server; the list grows with every connection that arrives."""
    arrived = []

    async def on_connect(reader, writer):
        arrived.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], arrived


async def code_of(awaitable) -> str:
    with pytest.raises(PeerFault) as caught:
        await awaitable
    return caught.value.code


async def test_an_answer_of_any_status_comes_back_with_its_final_url():
    async def teapot(request):
        assert request.headers["User-Agent"] == "fedi/1.2.3; +https://us.example/"
        return web.Response(status=418, text="no")

    async with serving(("/t", teapot)) as base, client() as door:
        answer = await door.get(f"{base}/t?x=%7e%c3#fragment")
    assert (answer.status, answer.body, answer.ok) == (418, b"no", False)
    assert answer.final_url == f"{base}/t?x=%7e%c3"


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::ffff:127.0.0.1", "127.0.0.1"], ["10.0.0.1", "127.0.0.1"]])
async def test_a_name_that_points_inside_is_refused_before_a_byte_is_sent(addresses):
    async with counting_connections() as (port, arrived):
        rules = UrlRules(ports=frozenset({port}))
        async with client(allow_loopback=False, rules=rules, resolver=Lying(addresses)) as door:
            assert await code_of(door.get(f"https://rebind.example:{port}/")) == "address-refused"
        assert arrived == []


async def test_the_same_connection_is_made_when_loopback_is_allowed():
    async with counting_connections() as (port, arrived):
        async with client(rules=UrlRules(ports=frozenset({port})), resolver=Lying(["127.0.0.1"])) as door:
            with pytest.raises(Unreachable):
                await door.get(f"https://rebind.example:{port}/", deadlines=SHORT)
        assert len(arrived) == 1


async def test_a_name_that_rebinds_between_look_up_and_connect_gains_nothing():
    async with counting_connections() as (port, arrived):
        resolver = Lying(["192.0.2.1"], ["127.0.0.1"])
        rules = UrlRules(ports=frozenset({port}))
        async with client(allow_loopback=False, rules=rules, resolver=resolver) as door:
            for _ in range(3):
                assert await code_of(door.get(f"https://rebind.example:{port}/")) == "address-refused"
                door._session.connector.clear_dns_cache()
        assert arrived == []
        assert len(resolver.asked) == 3


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "http://a.example/", "https://localhost/"])
async def test_a_url_outside_the_rules_is_refused(url):
    async with client(allow_loopback=False) as door:
        assert await code_of(door.get(url)) == "bad-url"
        assert await code_of(door.post(url, body=b"{}")) == "bad-url"


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:7f00:1]/"])
async def test_an_address_literal_is_judged_like_a_name(url):
    async with client(allow_loopback=False) as door:
        assert await code_of(door.get(url)) == "address-refused"


async def test_a_redirect_to_loopback_is_refused_where_loopback_is_not_allowed():
    async with client(allow_loopback=False) as door:
        for inside in (
            "http://127.0.0.1/",
            "https://127.0.0.1/",
            "https://localhost/",
            "http://a.example/",
            "file:///etc/passwd",
        ):
            with pytest.raises(PeerFault) as caught:
                door._next_hop("https://a.example/x", inside, {"https://a.example/x"})
            assert caught.value.code == "bad-redirect"


@asynccontextmanager
async def a_public_server(monkeypatch, location):
    """An https server on 127.0.0.2, which these tests take for a public address; it sends everybody elsewhere."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "public.example")])
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("public.example")]), critical=False)
        .sign(key, SHA256())
    )
    pem = cert.public_bytes(Encoding.PEM)
    with tempfile.NamedTemporaryFile(suffix=".pem") as chain:
        chain.write(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        chain.flush()
        serving_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving_tls.load_cert_chain(chain.name)

    async def elsewhere(_):
        return web.Response(status=302, headers={"Location": location}) if location else web.Response(text="public")

    app = web.Application()
    app.add_routes([web.get("/", elsewhere)])
    server = TestServer(app, host="127.0.0.2", scheme="https")
    await server.start_server(ssl=serving_tls)
    monkeypatch.setattr(
        "fedi.remote.client.may_connect",
        lambda address, **wishes: address == "127.0.0.2" or may_connect(address, **wishes),
    )
    try:
        yield server.port, ssl.create_default_context(cadata=pem.decode())
    finally:
        await server.close()


async def test_a_redirect_from_a_public_server_to_loopback_is_refused(monkeypatch):
    async with counting_connections() as (inside, arrived):
        for location in (
            f"http://127.0.0.1:{inside}/",
            f"https://127.0.0.1:{inside}/",
            f"https://rebind.example:{inside}/",
        ):
            async with a_public_server(monkeypatch, location) as (port, tls):
                resolver = Named({"public.example": "127.0.0.2", "rebind.example": "127.0.0.1"})
                rules = UrlRules(ports=frozenset({port, inside}))
                async with client(allow_loopback=False, rules=rules, resolver=resolver, tls=tls) as door:
                    assert await code_of(door.get(f"https://public.example:{port}/")) in {
                        "bad-redirect",
                        "address-refused",
                    }
        assert arrived == []


async def test_a_public_server_is_reached_and_its_certificate_counts(monkeypatch):
    async with a_public_server(monkeypatch, None) as (port, tls):
        rules = UrlRules(ports=frozenset({port}))
        names = Named({"public.example": "127.0.0.2", "other.example": "127.0.0.2"})
        async with client(allow_loopback=False, rules=rules, resolver=names, tls=tls) as door:
            assert (await door.get(f"https://Public.example.:{port}/")).body == b"public"
            with pytest.raises(Unreachable):
                await door.get(f"https://other.example:{port}/")
        async with client(allow_loopback=False, rules=rules, resolver=names) as door:
            with pytest.raises(Unreachable):
                await door.get(f"https://public.example:{port}/")


async def test_a_redirect_over_the_wire_to_a_private_address_is_refused():
    async def inward(_):
        return web.Response(status=302, headers={"Location": "https://10.0.0.1/admin"})

    async with serving(("/", inward)) as base, client() as door:
        assert await code_of(door.get(f"{base}/")) == "address-refused"


async def test_every_hop_of_a_redirect_is_signed_anew():
    seen = []

    async def first(request):
        seen.append(request.headers["Signature"])
        return web.Response(status=301, headers={"Location": "/b%7Ec?q=1"})

    async def second(request):
        seen.append(request.headers["Signature"])
        return web.Response(text="here")

    def sign(method, url, body):
        return {"Signature": f"{method} {url.partition('localhost')[2].partition('/')[2]} {len(body)}"}

    async with serving(("/a", first), ("/b~c", second)) as base, client() as door:
        answer = await door.get(f"{base}/a", sign=sign)
    assert answer.body == b"here"
    assert answer.final_url == f"{base}/b%7Ec?q=1"
    assert seen == ["GET a 0", "GET b%7Ec?q=1 0"]


async def test_a_redirect_loop_ends_at_the_first_place_seen_before():
    asked = []

    async def around(request):
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/b" if request.path == "/a" else "/a#other"})

    async with serving(("/a", around), ("/b", around)) as base, client() as door:
        assert await code_of(door.get(f"{base}/a")) == "bad-redirect"
    assert asked == ["/a", "/b"]


async def test_three_redirects_are_followed_and_a_fourth_is_not():
    async def onward(request):
        return web.Response(status=307, headers={"Location": f"/{int(request.path[1:]) - 1}"})

    async def end(_):
        return web.Response(text="end")

    routes = [("/0", end), *((f"/{n}", onward) for n in range(1, 5))]
    async with serving(*routes) as base, client() as door:
        assert (await door.get(f"{base}/3")).body == b"end"
        assert await code_of(door.get(f"{base}/4")) == "bad-redirect"


async def test_a_redirect_to_nowhere_is_a_fault():
    async def nowhere(_):
        return web.Response(status=302)

    async with serving(("/", nowhere)) as base, client() as door:
        assert await code_of(door.get(f"{base}/")) == "bad-redirect"


async def test_a_body_that_trickles_ends_with_the_one_deadline():
    async def trickle(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x")
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        return answer

    async with serving(("/", trickle)) as base, client(deadlines=SHORT) as door:
        start = asyncio.get_running_loop().time()
        with pytest.raises(Unreachable):
            await door.get(f"{base}/")
        with pytest.raises(Unreachable):
            await door.post(f"{base}/", body=b"", timeout_s=0.3)
        assert asyncio.get_running_loop().time() - start < 3


async def test_a_silent_server_is_unreachable():
    async def silent(_):
        await asyncio.sleep(1)
        return web.Response()

    async with serving(("/", silent)) as base, client(deadlines=SHORT) as door:
        with pytest.raises(Unreachable):
            await door.get(f"{base}/")


async def test_nobody_listening_is_unreachable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with client() as door:
        with pytest.raises(Unreachable):
            await door.get(f"http://127.0.0.1:{port}/")


async def test_an_endless_body_stops_at_the_cap():
    async def endless(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 8192)
        except ConnectionError:
            pass
        return answer

    async with serving(("/", endless)) as base, client(cap_bytes=100_000) as door:
        assert await code_of(door.get(f"{base}/")) == "response-too-large"
        kept = bytearray()
        assert await code_of(door.download(f"{base}/", kept.extend, cap_bytes=50_000)) == "response-too-large"
        assert len(kept) <= 50_000
        assert len((await door.post(f"{base}/", body=b"{}")).body) == 64 * 1024


async def test_a_compressed_bomb_stops_at_the_cap_of_decoded_bytes():
    def zeros(count):
        squeeze = zlib.compressobj(9, wbits=31)
        return b"".join(squeeze.compress(bytes(1_000_000)) for _ in range(count)) + squeeze.flush()

    bomb = zeros(50)
    assert len(bomb) < 60_000

    async def explode(_):
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serving(("/", explode)) as base, client() as door:
        assert await code_of(door.get(f"{base}/")) == "response-too-large"


async def test_a_compressed_answer_is_decoded():
    async def squeezed(_):
        return web.Response(body=gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})

    async with serving(("/", squeezed)) as base, client() as door:
        assert (await door.get(f"{base}/")).body == b"hello"


@pytest.mark.parametrize(
    ("content_type", "good"),
    [
        ("application/activity+json", True),
        ("application/activity+json; charset=utf-8", True),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', True),
        ('Application/LD+JSON;charset=utf-8;profile="https://a.example https://www.w3.org/ns/activitystreams"', True),
        ("application/ld+json", False),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreamsX"', False),
        ("application/json", False),
        ("text/html", False),
        ("text/plain; x=application/activity+json", False),
        ("", False),
    ],
)
async def test_a_document_counts_only_with_a_type_of_activitypub(content_type, good):
    assert is_document_type(content_type) is good

    async def document(request):
        assert "application/activity+json" in request.headers["Accept"]
        return web.Response(body=b"{}", headers={"Content-Type": content_type})

    async with serving(("/", document)) as base, client() as door:
        if good:
            assert (await door.get_document(f"{base}/")).body == b"{}"
        else:
            assert await code_of(door.get_document(f"{base}/")) == "not-activitypub"


async def test_a_refusal_needs_no_document_type():
    async def gone(_):
        return web.Response(status=410, text="gone")

    async with serving(("/", gone)) as base, client() as door:
        assert (await door.get_document(f"{base}/")).status == 410


async def test_a_post_carries_its_bytes_its_signature_and_follows_nothing():
    seen = []

    async def inbox(request):
        seen.append((request.method, await request.read(), request.headers["Content-Type"], request.headers["Digest"]))
        return web.Response(status=308, headers={"Location": "/elsewhere"})

    async with serving(("/inbox", inbox)) as base, client() as door:
        answer = await door.post(
            f"{base}/inbox", body=b'{"a":1}', sign=lambda method, url, body: {"Digest": f"{method} {len(body)}"}
        )
    assert answer.status == 308
    assert seen == [("POST", b'{"a":1}', "application/activity+json", "POST 7")]


async def test_a_download_reaches_the_sink_only_when_it_succeeded():
    async def file(_):
        return web.Response(body=b"ab" * 50_000)

    async def missing(_):
        return web.Response(status=404, text="no such file")

    async with serving(("/file", file), ("/missing", missing)) as base, client() as door:
        kept = bytearray()
        done = await door.download(f"{base}/file", kept.extend, cap_bytes=100_000)
        assert (done.status, done.size_bytes, bytes(kept)) == (200, 100_000, b"ab" * 50_000)
        kept.clear()
        assert (await door.download(f"{base}/missing", kept.extend, cap_bytes=100_000)).status == 404
        assert kept == b""
        assert await code_of(door.download(f"{base}/file", kept.extend, cap_bytes=99_999)) == "response-too-large"


async def test_a_full_disk_is_not_blamed_on_the_other_server():
    def full(_):
        raise OSError(28, "No space left on device")

    async def file(_):
        return web.Response(body=b"ab")

    async with serving(("/", file)) as base, client() as door:
        with pytest.raises(OSError, match="No space"):
            await door.download(f"{base}/", full, cap_bytes=100)


async def test_connections_to_a_host_are_used_again():
    ports = []

    async def note(request):
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response(text="x")

    async with serving(("/", note)) as base, client() as door:
        for _ in range(3):
            await door.get(f"{base}/")
    assert len(set(ports)) == 1


async def test_no_network_inside_a_transaction():
    async with client() as door:
        with guard.inside_unit("test"):
            with pytest.raises(NetworkInTransaction):
                await door.get("https://a.example/")
            with pytest.raises(NetworkInTransaction):
                await door.post("https://a.example/", body=b"")
            with pytest.raises(NetworkInTransaction):
                await door.download("https://a.example/", bytearray().extend, cap_bytes=1)
