"""HTTP signatures: foreign vectors, our own forms, an independent implementation as judge, and hostile headers."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import http_message_signatures as oracle
import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from fedi.activitypub import httpsig, message_signatures, signatures
from fedi.activitypub.http_dates import find_http_date_s, render_http_date
from fedi.activitypub.httpsig import SignedRequest
from fedi.activitypub.keys import load_signing_key, parse_public_pem
from fedi.errors import PeerFault

VECTORS = Path(__file__).parents[1] / "data/federation/vectors"
CAVAGE = json.loads((VECTORS / "http-signatures-cavage.json").read_text())
MESSAGE = json.loads((VECTORS / "http-message-signatures.json").read_text())
ORIGIN = "https://b.example"
NOW_S = 1_772_366_460
ALICE = "https://a.example/users/alice"
KEY_ID = f"{ALICE}#main-key"
INBOX = f"{ORIGIN}/users/bob/inbox"
BODY = b'{"type":"Like"}'

RSA_KEY = load_signing_key(CAVAGE["key"]["private_pem"], id=KEY_ID)
ED_KEY = load_signing_key(MESSAGE["keys"]["private_pem"]["test-key-ed25519"], id=f"{ALICE}#ed25519-key")
KEYS = {"rsa": RSA_KEY, "ed25519": ED_KEY}
SCHEMES = ("cavage", "rfc9421")


def cavage_request(case):
    wire = case["request"]
    return SignedRequest(
        method=wire["method"],
        raw_path=wire["path"],
        headers=list(wire["headers"].items()),
        body=(wire.get("body") or "").encode(),
        origin=ORIGIN,
    )


def message_request(case, wire=None, origin=ORIGIN):
    wire = wire or case["request"]
    headers = [*wire["headers"].items(), ("Signature-Input", case["signature_input"]), ("Signature", case["signature"])]
    raw_path = wire["target_uri"].removeprefix(origin)
    return SignedRequest(
        method=wire["method"], raw_path=raw_path, headers=headers, body=(wire.get("body") or "").encode(), origin=origin
    )


def verify(request, key, now_s=NOW_S):
    claim = httpsig.read_signature(request)
    httpsig.check(claim, request, key, now_s)
    return claim


def refusal(request, key=None, now_s=NOW_S):
    with pytest.raises(PeerFault) as caught:
        verify(request, key or RSA_KEY.public(ALICE), now_s)
    return caught.value


def signed(scheme="cavage", *, key=RSA_KEY, method="POST", url=INBOX, body=BODY, now_s=NOW_S, **options):
    headers = httpsig.sign_request(scheme, method, url, body=body, key=key, now_s=now_s, **options)
    return SignedRequest(
        method=method,
        raw_path=url.removeprefix(ORIGIN),
        headers=list(headers.items()),
        body=body or b"",
        origin=ORIGIN,
    )


def with_header(request, name, value):
    headers = [(old, was) for old, was in request.headers if old.lower() != name.lower()]
    return replace(request, headers=headers if value is None else [*headers, (name, value)])


def hand_signed(covered, *, parameters="", request=None, key=RSA_KEY, signing_string=None):
    """A cavage request that covers exactly ``covered``, validly signed whatever the rules say about it."""
    request = request or signed()
    header = f'keyId="{key.id}",{parameters}headers="{covered}",signature="AAAA"'
    request = with_header(request, "Signature", header)
    claim = signatures.parse_signature(request)
    text = signing_string or signatures.signing_string(claim, request, request.raw_path)
    return with_header(request, "Signature", header.replace("AAAA", base64.b64encode(key.sign(text)).decode()))


def hand_message(components, parameters, *, request=None, key=RSA_KEY):
    """An RFC 9421 request with these components and parameters, validly signed whatever the rules say about it."""
    request = request or signed("rfc9421")
    header = f"sig1=({components}){parameters}"
    request = with_header(with_header(request, "Signature-Input", header), "Signature", "sig1=:AAAA:")
    claim = httpsig.read_signature(request)
    value = base64.b64encode(key.sign(message_signatures.signature_base(claim, request))).decode()
    return with_header(request, "Signature", f"sig1=:{value}:")


# Vectors


def named(cases):
    return [pytest.param(case, id=case["name"]) for case in cases]


# Decided from the body's headers before any signature is looked at, by the inbox.
NOT_OF_THE_SIGNATURE = {"content-encoding", "text-content-type"}


@pytest.mark.parametrize("case", named(c for c in CAVAGE["cases"] if c["expect"] == "valid"))
def test_valid_cavage_vectors_verify(case):
    request = cavage_request(case)
    key = parse_public_pem(CAVAGE["key"]["public_pem"], id=KEY_ID, owner=ALICE)
    claim = verify(request, key, case["now"])
    path = request.raw_path
    if case["name"] == "get-query-omitted":
        path = path.partition("?")[0]
    assert signatures.signing_string(claim, request, path).decode() == case["signing_string"]


@pytest.mark.parametrize(
    "case",
    named(c for c in CAVAGE["cases"] if c["expect"] == "refused" and c["name"] not in NOT_OF_THE_SIGNATURE),
)
def test_refused_cavage_vectors_get_their_status(case):
    fault = refusal(cavage_request(case), now_s=case["now"])
    assert fault.status == case["status"]


@pytest.mark.parametrize("case", named(c for c in MESSAGE["profile"] if c["expect"] == "valid"))
def test_valid_message_signature_vectors_verify(case):
    request = message_request(case)
    pem = MESSAGE["keys"]["public_pem"][case["key"]]
    key = parse_public_pem(pem, id=f"{ALICE}#{case['key']}", owner=ALICE)
    claim = verify(request, key, case["now"])
    assert message_signatures.signature_base(claim, request).decode() == case["signature_base"]


@pytest.mark.parametrize(
    "case",
    named(c for c in MESSAGE["profile"] if c["expect"] == "refused" and c["name"] not in NOT_OF_THE_SIGNATURE),
)
def test_refused_message_signature_vectors_are_refused(case):
    key = parse_public_pem(MESSAGE["keys"]["public_pem"][case["key"]], id=f"{ALICE}#{case['key']}", owner=ALICE)
    fault = refusal(message_request(case), key, case["now"])
    assert fault.status == (400 if case["name"] == "malformed-input" else 401)


@pytest.mark.parametrize("case", named(c for c in MESSAGE["rfc"]["cases"] if c["message"] == "request"))
def test_signature_bases_of_the_rfc_are_rebuilt(case):
    request = message_request(case, MESSAGE["rfc"]["request"], "https://example.com")
    claim = message_signatures.parse_signature(with_https_keyid(request, case["keyid"]))
    base = message_signatures.signature_base(
        replace(claim, parameters=claim.parameters.replace("https://a.example/", "")), request
    )
    assert base.decode() == case["signature_base"]
    if case["alg"] == "rsa-pss-sha512":  # not in the profile, but the signature proves the base
        key = load_pem_public_key(MESSAGE["keys"]["public_pem"][case["keyid"]].encode())
        key.verify(claim.signature, base, padding.PSS(padding.MGF1(SHA512()), salt_length=64), SHA512())
    elif case["alg"] == "ed25519":
        key = parse_public_pem(MESSAGE["keys"]["public_pem"][case["keyid"]], id="", owner="")
        assert key.is_signature(claim.signature, base)


def with_https_keyid(request, keyid):
    """The RFC's key ids are plain names; ours must be URLs."""
    header = request.field_value("signature-input").replace(f'"{keyid}"', f'"https://a.example/{keyid}"')
    return with_header(request, "Signature-Input", header)


def test_a_signature_made_for_a_response_is_refused():
    case = next(c for c in MESSAGE["rfc"]["cases"] if c["message"] == "response")
    request = with_https_keyid(message_request(case, MESSAGE["rfc"]["request"], "https://example.com"), case["keyid"])
    claim = message_signatures.parse_signature(request)
    with pytest.raises(PeerFault, match="@status"):
        message_signatures.signature_base(claim, request)


# What we send


def test_the_cavage_post_has_exactly_the_documented_form():
    headers = httpsig.sign_request("cavage", "POST", INBOX, body=BODY, key=RSA_KEY, now_s=NOW_S)
    assert list(headers) == ["Host", "Date", "Digest", "Content-Type", "Signature"]
    assert headers["Host"] == "b.example"
    assert headers["Date"] == "Sun, 01 Mar 2026 12:01:00 GMT"
    assert headers["Content-Type"] == "application/activity+json"
    assert headers["Signature"].startswith(
        f'keyId="{KEY_ID}",algorithm="rsa-sha256",headers="(request-target) host date digest content-type",signature="'
    )


def test_the_cavage_get_covers_target_host_and_date():
    headers = httpsig.sign_request(
        "cavage", "GET", f"{ORIGIN}/users/bob?page=1", body=None, key=RSA_KEY, now_s=NOW_S, headers={"Accept": "x/y"}
    )
    assert list(headers) == ["Accept", "Host", "Date", "Signature"]
    assert 'headers="(request-target) host date"' in headers["Signature"]


def test_our_cavage_post_equals_the_vector_made_by_openssl():
    case = CAVAGE["cases"][0]
    headers = httpsig.sign_request(
        "cavage", "POST", INBOX, body=case["request"]["body"].encode(), key=RSA_KEY, now_s=case["now"] - 60
    )
    assert headers == case["request"]["headers"]


def test_the_empty_body_has_the_known_digest():
    assert signatures.render_digest(b"") == "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("name", ["post-rsa-v1_5-sha256", "post-ed25519", "get-rsa-v1_5-sha256", "get-ed25519"])
def test_our_message_signatures_equal_the_vectors_made_by_another_library(name):
    case = next(c for c in MESSAGE["profile"] if c["name"] == name)
    key = load_signing_key(MESSAGE["keys"]["private_pem"][case["key"]], id=f"{ALICE}#{case['key']}")
    wire = case["request"]
    body = wire["body"].encode() if wire["method"] == "POST" else None
    headers = httpsig.sign_request("rfc9421", wire["method"], wire["target_uri"], body=body, key=key, now_s=1772366400)
    expected = {
        **wire["headers"],
        "Signature-Input": case["signature_input"],
        "Signature": case["signature"],
    }
    assert headers == expected


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(("method", "body"), [("POST", BODY), ("POST", b""), ("GET", None)])
def test_what_we_sign_we_verify(scheme, kind, method, body):
    request = signed(scheme, key=KEYS[kind], method=method, body=body, url=f"{ORIGIN}/users/bob%2Fx?q=a%20b")
    claim = verify(request, KEYS[kind].public(ALICE))
    assert claim.scheme == scheme
    assert claim.key_id == KEYS[kind].id
    assert claim.created_s == NOW_S
    assert claim.good_until_s == NOW_S + 300 + 3600


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_followers_digest_is_covered_when_sent(scheme):
    request = signed(scheme, headers={"Collection-Synchronization": 'digest="00"'})
    assert any("collection-synchronization" in name for name in verify(request, RSA_KEY.public(ALICE)).covered)
    changed = with_header(request, "Collection-Synchronization", 'digest="11"')
    assert refusal(changed).status == 401


def test_a_get_can_be_signed_by_its_path_alone():
    url = f"{ORIGIN}/users/bob/followers?page=2"
    request = signed(method="GET", url=url, body=None, sign_query=False)
    assert request.headers == list(
        httpsig.sign_request("cavage", "GET", url.partition("?")[0], body=None, key=RSA_KEY, now_s=NOW_S).items()
    )
    verify(request, RSA_KEY.public(ALICE))


def test_a_post_with_a_query_must_cover_it():
    headers = httpsig.sign_request("cavage", "POST", INBOX, body=BODY, key=RSA_KEY, now_s=NOW_S)
    request = replace(signed(), raw_path="/users/bob/inbox?as=admin", headers=list(headers.items()))
    assert refusal(request).internal == "signature does not match"


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://B.example", "b.example", "/"),
        ("https://b.example?x=1", "b.example", "/?x=1"),
        ("https://b.example:443/a#part", "b.example", "/a"),
        ("http://127.0.0.1:8080/%7Ea", "127.0.0.1:8080", "/%7Ea"),
    ],
)
def test_target_and_host_are_cut_from_the_url_without_rewriting(url, host, target):
    headers = httpsig.sign_request("cavage", "GET", url, body=None, key=RSA_KEY, now_s=NOW_S)
    origin = f"{url.partition('://')[0]}://{host}"
    verify(
        SignedRequest(method="GET", raw_path=target, headers=list(headers.items()), body=b"", origin=origin),
        RSA_KEY.public(ALICE),
    )


class Keyring(oracle.HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id):
        return self.resolve_private_key(key_id).public_key()

    def resolve_private_key(self, key_id):
        return next(key.key for key in KEYS.values() if key.id == key_id)


ORACLE_ALGORITHM = {"rsa": oracle.algorithms.RSA_V1_5_SHA256, "ed25519": oracle.algorithms.ED25519}


def message_of(url, headers, method="POST"):
    return SimpleNamespace(method=method, url=url, headers=oracle.structures.CaseInsensitiveDict(headers))


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    "extra",
    ["@authority", '"@path" "@query" "host"', '"@query-param";name="q" "@request-target"', '"@scheme" "x-two";bs'],
)
def test_what_another_library_signs_we_verify(kind, extra):
    url = f"{ORIGIN}/users/bob/inbox?q=a%20b%C3%A9&r=1"
    digest = message_signatures.render_content_digest(BODY)
    message = message_of(url, {"Host": "b.example", "Content-Digest": digest, "X-Two": "one, two"})
    components = ["@method", "@target-uri", "content-digest", *extra.split(" ")]
    signer = oracle.HTTPMessageSigner(signature_algorithm=ORACLE_ALGORITHM[kind], key_resolver=Keyring())
    signer.sign(
        message,
        key_id=KEYS[kind].id,
        created=datetime.fromtimestamp(NOW_S, UTC),
        expires=datetime.fromtimestamp(NOW_S + 600, UTC),
        nonce='a "quoted" one',
        covered_component_ids=components,
        use_existing_digest=True,
    )
    request = SignedRequest(
        method="POST",
        raw_path=url.removeprefix(ORIGIN),
        headers=list(message.headers.items()),
        body=BODY,
        origin=ORIGIN,
    )
    claim = verify(request, KEYS[kind].public(ALICE))
    assert claim.good_until_s == NOW_S + 600 + 3600


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(("method", "body"), [("POST", BODY), ("GET", None)])
def test_what_we_sign_another_library_verifies(kind, method, body):
    url = f"{ORIGIN}/users/bob/inbox?q=a%20b"
    headers = httpsig.sign_request("rfc9421", method, url, body=body, key=KEYS[kind], now_s=NOW_S)
    verifier = oracle.HTTPMessageVerifier(signature_algorithm=ORACLE_ALGORITHM[kind], key_resolver=Keyring())
    (result,) = verifier.verify(message_of(url, headers, method), max_age=None, body=body)
    assert result.label == "sig1"


@pytest.mark.parametrize("url", ["b.example/inbox", "ftp://b.example/", "//b.example/", ""])
def test_only_http_urls_can_be_signed(url):
    with pytest.raises(ValueError, match="not an http URL"):
        httpsig.sign_request("cavage", "GET", url, body=None, key=RSA_KEY, now_s=NOW_S)


# One test per rule: each signature below is valid, only the rule is broken.


@pytest.mark.parametrize(
    ("covered", "cause"),
    [
        ("host date digest", "(request-target) is not covered"),
        ("(request-target) date digest", "host is not covered"),
        ("(request-target) host digest", "no time is covered"),
        ("(request-target) host date", "digest is not covered"),
        ("(request-target) host date digest content-type", None),
        ("(Request-Target) Host Date Digest", None),
    ],
)
def test_a_cavage_post_binds_target_host_time_and_body(covered, cause):
    request = hand_signed(covered)
    if cause is None:
        verify(request, RSA_KEY.public(ALICE))
    else:
        assert refusal(request).internal == cause


@pytest.mark.parametrize(
    ("parameters", "covered", "cause"),
    [
        (f'algorithm="hs2019",created={NOW_S},', "(created)", None),
        (f'algorithm="HS2019",created="{NOW_S}",', "(created)", None),
        (f"created={NOW_S},", "(created)", None),
        (f'algorithm="rsa-sha256",created={NOW_S},', "(created)", "(created) and (expires) belong to hs2019"),
        (f'algorithm="rsa-sha256",expires={NOW_S},', "date (expires)", "(created) and (expires) belong to hs2019"),
        (f"created={NOW_S},expires={NOW_S + 60},", "(created) (expires)", None),
        (f"created={NOW_S},expires={NOW_S - 3601},", "(created) (expires)", "too old"),
        (f"created={NOW_S},expires={NOW_S - 3601},", "(created)", None),  # not covered: anybody may have written it
        ('algorithm="rsa-sha512",', "date", "algorithm rsa-sha512"),
        ('algorithm="ed25519",', "date", "algorithm ed25519"),
    ],
)
def test_cavage_times_and_algorithms(parameters, covered, cause):
    request = hand_signed(f"(request-target) host digest {covered}", parameters=parameters)
    if cause is None:
        verify(request, RSA_KEY.public(ALICE))
    else:
        assert refusal(request).internal == cause


def test_covered_expires_needs_its_parameter():
    text = signatures.signing_string(signatures.parse_signature(signed()), signed(), "/users/bob/inbox")
    request = hand_signed("(request-target) host date digest (expires)", signing_string=text)
    assert refusal(request).internal == "(expires) has no value"


def test_rsa_sha256_is_refused_for_another_kind_of_key():
    request = hand_signed("(request-target) host date digest", parameters='algorithm="rsa-sha256",', key=ED_KEY)
    assert refusal(request, ED_KEY.public(ALICE)).internal == "algorithm contradicts the key"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("offset_s", "cause"),
    [(-3600, None), (-3601, "from the future"), (3900, None), (3901, "too old"), (0, None)],
)
def test_the_window_is_exactly_mastodons(scheme, offset_s, cause):
    request = signed(scheme)
    if cause is None:
        verify(request, RSA_KEY.public(ALICE), NOW_S + offset_s)
    else:
        assert refusal(request, now_s=NOW_S + offset_s).internal == cause


def test_no_expiry_reaches_beyond_twelve_hours():
    request = hand_signed(
        "(request-target) host digest (created) (expires)", parameters=f"created={NOW_S},expires={NOW_S + 10**6},"
    )
    claim = verify(request, RSA_KEY.public(ALICE), NOW_S + 13 * 3600)
    assert claim.good_until_s == NOW_S + 13 * 3600
    assert refusal(request, now_s=NOW_S + 13 * 3600 + 1).internal == "too old"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_changed_body_is_refused(scheme):
    assert refusal(replace(signed(scheme), body=BODY + b" ")).internal == "digest differs from the body"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_changed_path_or_method_is_refused(scheme):
    assert refusal(replace(signed(scheme), raw_path="/users/eve/inbox")).internal == "signature does not match"
    assert refusal(replace(signed(scheme), method="PUT")).internal == "signature does not match"


def test_a_covered_digest_is_checked_on_get_too():
    request = signed(method="GET", url=f"{ORIGIN}/users/bob", body=b"")
    verify(request, RSA_KEY.public(ALICE))
    assert refusal(replace(request, body=b"x")).internal == "digest differs from the body"


@pytest.mark.parametrize(
    "digest",
    ["", "sha-512=AAAA", "SHA-256=", "SHA-256=@", "SHA-256", "SHA-256=é"],
)
def test_a_digest_that_can_not_be_checked_is_refused(digest):
    request = hand_signed("(request-target) host date digest", request=with_header(signed(), "Digest", digest))
    assert "digest" in refusal(request).internal


def test_two_sha256_digests_in_one_line_are_refused():
    digest = signatures.render_digest(BODY)
    request = with_header(signed(), "Digest", f"{digest},{signatures.render_digest(b'other')}")
    assert (
        refusal(hand_signed("(request-target) host date digest", request=request)).internal
        == "no single sha-256 digest"
    )


def test_the_host_must_be_ours_even_if_signed():
    request = hand_signed("(request-target) host date digest", request=with_header(signed(), "Host", "evil.example"))
    assert refusal(request).internal == "signed for another host"
    verify(
        hand_signed("(request-target) host date digest", request=with_header(signed(), "Host", "B.Example")),
        RSA_KEY.public(ALICE),
    )


@pytest.mark.parametrize("name", ["Signature", "Digest", "Date", "Host", "Content-Digest", "Signature-Input"])
def test_a_second_line_of_a_deciding_header_is_malformed(name):
    request = signed("rfc9421" if name in {"Content-Digest", "Signature-Input"} else "cavage")
    line = next(line for line in request.headers if line[0] == name)
    fault = refusal(replace(request, headers=[*request.headers, (name.upper(), line[1])]))
    assert (fault.status, fault.code) == (400, "signature-malformed")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_line_break_in_a_signed_value_is_refused(scheme):
    evil = with_header(signed(scheme), "X-Extra", "one\nhost: evil.example")
    if scheme == "cavage":
        with pytest.raises(PeerFault, match="line break"):
            hand_signed("(request-target) host date digest x-extra", request=evil)
    else:
        with pytest.raises(PeerFault, match="line break"):
            hand_message(
                '"@method" "@target-uri" "content-digest" "x-extra"', f';created={NOW_S};keyid="{KEY_ID}"', request=evil
            )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_absent_covered_header_is_refused(scheme):
    request = with_header(
        signed(scheme, headers={"Collection-Synchronization": "x"}), "Collection-Synchronization", None
    )
    assert "absent" in refusal(request).internal


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_key_must_be_the_one_named(scheme):
    other = replace(RSA_KEY.public(ALICE), id="https://a.example/users/eve#main-key")
    assert refusal(signed(scheme), other).internal == "another key"


@pytest.mark.parametrize(
    "key_id",
    ["file:///etc/passwd#main-key", "http://a.example/a#k", "acct:a@a.example", "https://u:p@a.example/a#k",
     "https:///a#k", "https://a.example/" + "a" * 2048, "https://a.example/a b", "https://[/a"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_id_we_would_not_fetch_is_refused_at_once(scheme, key_id):
    request = signed(scheme, key=replace(RSA_KEY, id=key_id))
    with pytest.raises(PeerFault) as caught:
        httpsig.read_signature(request)
    assert caught.value.status == 401


def test_a_test_instance_on_http_takes_keys_on_http():
    key = replace(RSA_KEY, id="http://127.0.0.1:9000/users/alice#main-key")
    headers = httpsig.sign_request("cavage", "GET", "http://127.0.0.1:8000/a", body=None, key=key, now_s=NOW_S)
    request = SignedRequest(
        method="GET", raw_path="/a", headers=list(headers.items()), body=b"", origin="http://127.0.0.1:8000"
    )
    verify(request, key.public(ALICE))


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        "keyId",
        'keyId="https://a.example/a"',
        'signature="AAAA"',
        'keyId="https://a.example/a",signature=""',
        'keyId="https://a.example/a",signature="A"',
        'keyId="https://a.example/a",signature="AA=A"',
        'keyId="https://a.example/a",headers="date date",signature="AAAA"',
        'keyId="https://a.example/a",created=1,created=2,signature="AAAA"',
        'keyId="https://a.example/a",created=-1,headers="(created)",signature="AAAA"',
        'keyId="https://a.example/a",created=01,headers="(created)",signature="AAAA"',
        'keyId="https://a.example/a" signature="AAAA"',
        'keyId="https://a.example/\\"a",signature="AAAA"',
        "Signature " * 5,
    ],
)
def test_malformed_cavage_headers_answer_400(header):
    assert refusal(with_header(signed(), "Signature", header)).status == 400


@pytest.mark.parametrize(
    ("components", "parameters", "cause"),
    [
        ('"@method" "@target-uri" "content-digest"', f';created={NOW_S};keyid="{KEY_ID}"', None),
        ('"@method"  "@target-uri" "content-digest" ', f'; created={NOW_S};  keyid="{KEY_ID}";flag', None),
        ('"@method" "@target-uri" "content-digest"', f';created={NOW_S};keyid="{KEY_ID}";alg="rsa-v1_5-sha256"', None),
        ('"@target-uri" "content-digest"', f';created={NOW_S};keyid="{KEY_ID}"', "@method is not covered"),
        ('"@method" "content-digest"', f';created={NOW_S};keyid="{KEY_ID}"', "@target-uri is not covered"),
        ('"@method" "@target-uri"', f';created={NOW_S};keyid="{KEY_ID}"', "content-digest is not covered"),
        ('"@method" "@target-uri" "content-digest"', f';keyid="{KEY_ID}"', "no signed time"),
        (
            '"@method" "@target-uri" "content-digest"',
            f';created={NOW_S};expires={NOW_S - 3601};keyid="{KEY_ID}"',
            "too old",
        ),
        (
            '"@method" "@target-uri" "content-digest"',
            f';created={NOW_S};keyid="{KEY_ID}";alg="ed25519"',
            "alg contradicts the key",
        ),
        (
            '"@method" "@target-uri" "content-digest"',
            f';created={NOW_S};keyid="{KEY_ID}";alg="hmac-sha256"',
            "algorithm hmac-sha256",
        ),
    ],
)
def test_the_rules_of_the_message_signature_profile(components, parameters, cause):
    request = hand_message(components, parameters)
    if cause is None:
        verify(request, RSA_KEY.public(ALICE))
    else:
        assert refusal(request).internal == cause


@pytest.mark.parametrize(
    "component",
    ['"@status"', '"@other"', '"host";sf', '"host";key="a"', '"host";req', '"host";tr', '"Host"', '"x-absent"',
     '"@method";req', '"@query-param"', '"@query-param";name="absent"', '"@query-param";name="q"'],
)  # fmt: skip
def test_components_we_can_not_compute_are_refused(component):
    request = replace(signed("rfc9421"), raw_path="/users/bob/inbox?q=1&q=2")
    header = f'sig1=("@method" "@target-uri" "content-digest" {component});created={NOW_S};keyid="{KEY_ID}"'
    fault = refusal(with_header(request, "Signature-Input", header))
    assert fault.status == 401
    assert fault.internal != "signature does not match"


@pytest.mark.parametrize(
    "header",
    ["", "sig1", "sig1=", "sig1=()", 'sig1=("@method"', 'sig1=("@method""@path")', "sig1=(@method)", "SIG=()",
     'sig1=x"a");created=1;keyid="https://a.example/a"', 'sig1=("a");', 'sig1=("a";=1);created=1', 'sig1=("a");created=1;',
     'sig1=("a" "a");created=1;keyid="https://a.example/a"', 'sig1=("a");created=1;created=2', "sig1=1",
     'sig1=("a");created="1";keyid="https://a.example/a"', 'sig1=("a");created=1;keyid=token',
     'sig1=("a");created=-1;keyid="https://a.example/a"', 'sig1=("a");keyid="x", 7', 'sig1=("a");keyid="é"',
     'sig1=("a");created=1;keyid="https://a.example/a" x'],
)  # fmt: skip
def test_malformed_signature_inputs_are_refused(header):
    fault = refusal(with_header(signed("rfc9421"), "Signature-Input", header))
    assert fault.status == (401 if header == "sig1=()" else 400)


@pytest.mark.parametrize("header", ["", "sig1=:A:", "sig1=::", "sig2=:AAAA:", "sig1=AAAA", "sig1=:AAAA:, b=:AAAA:"])
def test_malformed_signatures_answer_400(header):
    assert refusal(with_header(signed("rfc9421"), "Signature", header)).status == 400


def test_both_halves_of_a_message_signature_must_be_there():
    assert refusal(with_header(signed("rfc9421"), "Signature", None)).status == 400


def test_the_target_is_built_from_our_origin_never_from_the_request():
    request = with_header(signed("rfc9421"), "Host", "evil.example")
    verify(with_header(request, "X-Forwarded-Host", "evil.example"), RSA_KEY.public(ALICE))
    assert refusal(replace(request, origin="https://c.example")).status == 401


@pytest.mark.parametrize("digest", ["", "sha-512=:AAAA:", "sha-256=AAAA", "sha-256=:AAAA:, sha-256=:AAAA:", "junk"])
@pytest.mark.parametrize("kind", KEYS)
def test_a_content_digest_that_can_not_be_checked_is_refused(kind, digest):
    request = hand_message(
        '"@method" "@target-uri" "content-digest"',
        f';created={NOW_S};keyid="{KEYS[kind].id}"',
        request=with_header(signed("rfc9421"), "Content-Digest", digest),
        key=KEYS[kind],
    )
    assert refusal(request, KEYS[kind].public(ALICE)).status == 401


def test_a_content_digest_may_offer_several_algorithms():
    digest = f"sha-512=:AAAA:, {message_signatures.render_content_digest(BODY)}"
    request = hand_message(
        '"@method" "@target-uri" "content-digest"',
        f';created={NOW_S};keyid="{KEY_ID}"',
        request=with_header(signed("rfc9421"), "Content-Digest", digest),
    )
    verify(request, RSA_KEY.public(ALICE))


def test_every_cause_reads_the_same():
    faults = [
        refusal(replace(signed(), body=b"other")),
        refusal(signed(), now_s=NOW_S + 10**6),
        refusal(hand_signed("host date digest")),
        refusal(replace(signed("rfc9421"), raw_path="/other")),
        refusal(signed(), ED_KEY.public(ALICE)),
    ]
    assert {(fault.status, fault.code, fault.safe) for fault in faults} == {
        (401, "signature-invalid", "The HTTP signature does not hold.")
    }
    assert len({fault.internal for fault in faults}) > 3


def test_an_unsigned_request_answers_401():
    fault = refusal(with_header(signed(), "Signature", None))
    assert (fault.status, fault.code) == (401, "signature-missing")


def test_an_absolute_request_target_is_malformed():
    assert refusal(replace(signed(), raw_path=INBOX)).status == 400


def test_the_form_is_judged_without_the_key():
    claim = httpsig.read_signature(signed())
    httpsig.check_form(claim, signed(), NOW_S)
    with pytest.raises(PeerFault, match="too old"):
        httpsig.check_form(claim, signed(), NOW_S + 10**5)


def test_header_bytes_outside_utf8_are_signed_as_they_came():
    request = with_header(signed(), "X-Name", b"caf\xe9".decode("utf-8", "surrogateescape"))
    claim = signatures.parse_signature(hand_signed("(request-target) x-name", request=request))
    assert signatures.signing_string(claim, request, "/a").endswith(b"x-name: caf\xe9")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", 1772366400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 31 Dec 2015 23:59:60 GMT", 1451606399),
        ("Mon, 31 Feb 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 0000 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +0000", None),
        ("Sun, 1 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar ٢٠٢٦ 12:00:00 GMT", None),
        ("2026-03-01T12:00:00Z", None),
    ],
)
def test_http_dates(text, seconds):
    assert find_http_date_s(text) == seconds
    if seconds and not text.endswith(":60 GMT"):
        assert render_http_date(seconds) == text


# Any header bytes → a value or PeerFault.

header_text = st.text(st.characters(), max_size=60) | st.sampled_from(
    ['keyId="https://a.example/a",headers="date",signature="AAAA"', 'sig1=("@method");created=1', "sig1=:AAAA:"]
)
cavage_parts = st.lists(
    st.sampled_from(
        ['keyId="https://a.example/a"', 'headers="(created) date"', "created=5", 'signature="AAAA"', 'x="\ud800"', " = ",
         '"', ",", "expires=", 'algorithm="hs2019"', 'headers="(request-target) host date digest"', "\n"]
    ),
    max_size=8,
).map(",".join)  # fmt: skip
message_parts = st.lists(
    st.sampled_from(
        ["sig1=", "(", '"@method"', ' "@target-uri"', ' "content-digest"', ' "@query-param";name="%"', ")", ";created=5",
         ';keyid="https://a.example/a"', ";alg=", '"ed25519"', ";x=?1", ";y=:AA==:", '"x-a";bs', " ", "\\"]
    ),
    max_size=12,
).map("".join)  # fmt: skip
names = st.sampled_from(
    ["Signature", "Signature-Input", "Digest", "Content-Digest", "Date", "Host", "X-A", "Content-Type"]
)
headers = st.lists(st.tuples(names, header_text | cavage_parts | message_parts), max_size=9)


@given(
    lines=headers,
    method=st.sampled_from(["GET", "POST", "get", "\n"]),
    path=header_text.map(lambda text: "/" + text) | header_text,
    body=st.binary(max_size=9),
    now_s=st.integers(0, 2**40),
)
def test_any_request_gives_a_verdict_or_a_fault_of_the_peer(lines, method, path, body, now_s):
    request = SignedRequest(method=method, raw_path=path, headers=lines, body=body, origin=ORIGIN)
    try:
        claim = httpsig.read_signature(request)
        for key in KEYS.values():
            httpsig.check_key(claim, request, replace(key.public(ALICE), id=claim.key_id))
        httpsig.check_form(claim, request, now_s)
    except PeerFault as fault:
        assert fault.status in {400, 401}


@given(
    covered=st.lists(
        st.sampled_from(["(request-target)", "host", "date", "digest", "x-a", "(created)"]), min_size=1, unique=True
    )
)
def test_only_full_cover_verifies(covered):
    request = with_header(signed(), "X-A", "1")
    request = hand_signed(" ".join(covered), parameters=f"created={NOW_S},", request=request)
    full = {"(request-target)", "host", "digest"} <= set(covered) and {"date", "(created)"} & set(covered)
    if full:
        verify(request, RSA_KEY.public(ALICE))
    else:
        assert refusal(request).status == 401
