"""Canonical JSON, Multikey, keys, integrity proofs and the followers digest, each against foreign vectors."""

import copy
import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from fedi.activitypub.followers_sync import (
    FollowersClaim,
    followers_digest,
    parse_followers_claim,
    render_followers_claim,
)
from fedi.activitypub.jcs import canonicalise
from fedi.activitypub.keys import (
    SigningKey,
    generate_ed25519,
    generate_rsa,
    load_signing_key,
    parse_public_multikey,
    parse_public_pem,
)
from fedi.activitypub.multikey import (
    ED25519_PREFIX,
    RSA_PREFIX,
    parse_base58btc,
    parse_multibase,
    parse_multikey,
    render_base58btc,
    render_multibase,
    render_multikey,
)
from fedi.activitypub.proofs import add_proof, check_proof, hash_data, read_proofs
from fedi.activitypub.xsd_dates import find_xsd_date_s
from fedi.errors import PeerFault

DATA = Path(__file__).parents[1] / "data/federation"
W3C = DATA / "vectors/eddsa-jcs-2022"
FEP_8B32 = json.loads((DATA / "vectors/fep-8b32.json").read_text())
FEP_521A = json.loads((DATA / "vectors/fep-521a.json").read_text())
FEP_8FCF = json.loads((DATA / "vectors/fep-8fcf.json").read_text())
MUST_REJECT = json.loads((DATA / "must-reject/proofs.json").read_text())
ALICE = "https://server.example/users/alice"
METHOD = FEP_8B32["actor"]["assertionMethod"][0]
KEY = parse_public_multikey(METHOD["publicKeyMultibase"], id=METHOD["id"], owner=METHOD["controller"])
CREATED_S = find_xsd_date_s(FEP_8B32["created"])
NOW_S = find_xsd_date_s(MUST_REJECT["now"])


def secret_key(text, key_id):
    """The vectors give Ed25519 secrets as multibase with the prefix 0x1300."""
    data = parse_multibase(text)
    assert data[:2] == b"\x80\x26"
    return SigningKey(id=key_id, kind="ed25519", key=Ed25519PrivateKey.from_private_bytes(data[2:]))


SECRET = secret_key(FEP_8B32["secret_key_multibase"], METHOD["id"])


def check(document, key=KEY, actor=ALICE, now_s=NOW_S):
    proofs = read_proofs(document)
    assert proofs
    check_proof(document, proofs[0], key, actor, now_s)


def cause_of_refusal(document, key=KEY, actor=ALICE, now_s=NOW_S):
    with pytest.raises(PeerFault) as caught:
        check(document, key, actor, now_s)
    assert (caught.value.status, caught.value.code) == (401, "proof-invalid")
    return caught.value.internal


# JCS


def w3c(name):
    return (W3C / name).read_text().strip()


def test_the_w3c_vector_is_rebuilt_step_by_step():
    document, options = json.loads(w3c("unsigned.json")), json.loads(w3c("proofConfigJCS.json"))
    assert canonicalise(document).decode() == w3c("canonDocJCS.txt")
    assert canonicalise(options).decode() == w3c("proofCanonJCS.txt")
    assert hashlib.sha256(canonicalise(document)).hexdigest() == w3c("docHashJCS.txt")
    assert hashlib.sha256(canonicalise(options)).hexdigest() == w3c("proofHashJCS.txt")
    assert hash_data(document, options).hex() == w3c("combinedHashJCS.txt")
    pair = json.loads(w3c("keyPair.json"))
    secret = secret_key(pair["privateKeyMultibase"], options["verificationMethod"])
    assert render_multikey(secret.key.public_key()) == pair["publicKeyMultibase"]
    assert secret.sign(hash_data(document, options)).hex() == w3c("sigHexJCS.txt")
    assert render_multibase(bytes.fromhex(w3c("sigHexJCS.txt"))) == w3c("sigBTC58JCS.txt")
    signed = json.loads(w3c("signedJCS.json"))
    check(signed, parse_public_multikey(pair["publicKeyMultibase"], id=secret.id, owner="me"), "me")


numbers = (
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.builds(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0], st.integers(0, 2**64 - 1)).filter(
        lambda number: abs(number) < float("inf")
    )
    | st.builds(lambda digits, power: digits * 10.0**power, st.integers(-999, 999), st.integers(-25, 25))
)
texts = st.text(max_size=9) | st.text(st.sampled_from('aé\x00\x1f\x7f"\\/\b\u2028\ud7ff\ue000\ufb33😂𐀀'), max_size=5)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=20,
)


@given(documents)
def test_canonical_json_equals_that_of_an_independent_library(value):
    assert canonicalise(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("bits", "written"),
    [  # RFC 8785 Appendix B
        ("0000000000000000", "0"), ("8000000000000000", "0"), ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"), ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"), ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"), ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"), ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"), ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"), ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"), ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555557", "333333333.33333343"), ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_ecmascript_does(bits, written):
    assert canonicalise(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == written


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), 10**400, float("nan"), float("inf"), -float("inf"), "\ud800", {"\udfff": 1}]
)
def test_values_without_a_canonical_form_are_the_peers_fault(value):
    with pytest.raises(PeerFault):
        canonicalise([value])


def test_bottomless_nesting_is_the_peers_fault():
    value = []
    for _ in range(10_000):
        value = [value]
    with pytest.raises(PeerFault):
        canonicalise(value)


def test_what_no_json_parser_makes_is_our_own_mistake():
    with pytest.raises(TypeError):
        canonicalise({"a": b"bytes"})


# Keys


@pytest.mark.parametrize("text", ["", "11233QC4", "m11233QC4", "Z11233QC4", "z" + "1" * 1500, "z0", "zé"])
def test_text_that_is_no_multibase_is_the_peers_fault(text):
    with pytest.raises(PeerFault):
        parse_multibase(text)


def test_a_pem_of_any_length_is_not_even_tried():
    pem = rsa_pem(2048)
    assert parse_public_pem(pem + "\n" * (4096 - len(pem)), id="k", owner="o")
    with pytest.raises(PeerFault, match="PEM too long"):
        parse_public_pem(pem + "\n" * (4097 - len(pem)), id="k", owner="o")


@given(st.binary(max_size=80))
def test_base58_comes_back(data):
    assert parse_base58btc(render_base58btc(data)) == data


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"\0\0\x28\x7f\xb4\xcd", "11233QC4"), (b"Hello World!", "2NEpo7TZRRrLZSi2U")],
)
def test_base58_of_the_draft(data, text):
    assert (render_base58btc(data), parse_base58btc(text)) == (text, data)


@pytest.mark.parametrize("case", FEP_521A["cases"], ids=lambda case: case["kind"])
def test_multikeys_of_the_fep(case):
    text = case["multikey"]["publicKeyMultibase"]
    key = parse_multikey(text)
    if case["kind"] == "ed25519":
        assert key.public_bytes_raw().hex() == case["public_key_hex"]
    else:
        assert key.public_bytes(Encoding.DER, PublicFormat.PKCS1).hex() == case["public_key_pkcs1_der_hex"]
    assert render_multikey(key) == text


@given(
    st.text(max_size=40)
    | st.builds(
        lambda prefix, data: render_multibase(prefix + data),
        st.sampled_from([ED25519_PREFIX, RSA_PREFIX, b""]),
        st.binary(max_size=50),
    )
)
def test_any_text_is_a_key_or_the_peers_fault(text):
    for parse in (parse_public_multikey, parse_public_pem):
        try:
            assert parse(text, id="https://a.example/#k", owner="https://a.example/").kind in {"rsa", "ed25519"}
        except PeerFault:
            pass


def rsa_pem(bits, form=PublicFormat.SubjectPublicKeyInfo):
    return RSA_KEYS[bits].public_bytes(Encoding.PEM, form).decode()


RSA_KEYS = {bits: rsa.generate_private_key(65_537, bits).public_key() for bits in (1024, 2048)}
# Only the size is looked at, so the numbers need not be a real key's.
RSA_KEYS[8192] = rsa.RSAPublicNumbers(65_537, 2**8191 + 1).public_key()
RSA_KEYS[8200] = rsa.RSAPublicNumbers(65_537, 2**8199 + 1).public_key()


@pytest.mark.parametrize("form", [PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo])
@pytest.mark.parametrize("bits", [2048, 8192])
def test_rsa_keys_load_from_both_forms_of_pem_and_from_multikey(bits, form):
    key = parse_public_pem(rsa_pem(bits, form), id="k", owner="o")
    assert (key.kind, key.id, key.owner) == ("rsa", "k", "o")
    assert parse_public_multikey(render_multikey(key.key), id="k", owner="o").kind == "rsa"


@pytest.mark.parametrize("bits", [1024, 8200])
def test_rsa_keys_outside_the_sizes_are_refused(bits):
    with pytest.raises(PeerFault):
        parse_public_pem(rsa_pem(bits), id="k", owner="o")
    with pytest.raises(PeerFault):
        parse_public_multikey(render_multikey(RSA_KEYS[bits]), id="k", owner="o")


def test_other_kinds_of_keys_are_refused():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(PeerFault, match="key-unsupported: EC"):
        parse_public_pem(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), id="k", owner="o")


def test_the_rsa_prefix_promises_pkcs1():
    spki = RSA_KEYS[2048].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(PeerFault):
        parse_multikey(render_multibase(RSA_PREFIX + spki))


@pytest.mark.parametrize("generate", [generate_rsa, generate_ed25519])
def test_generated_keys_sign_and_are_found_again_in_every_published_form(generate):
    pair = generate()
    key = load_signing_key(pair.private_pem, id="https://a.example/a#key")
    for public in (
        key.public("https://a.example/a"),
        parse_public_pem(pair.public_pem, id=key.id, owner="https://a.example/a"),
        parse_public_multikey(pair.public_multibase, id=key.id, owner="https://a.example/a"),
    ):
        assert public.kind == key.kind == pair.kind
        assert public.is_signature(key.sign(b"data"), b"data")
        assert not public.is_signature(key.sign(b"data"), b"date")
        assert not public.is_signature(b"", b"data")


def test_a_private_key_of_another_kind_is_our_own_mistake():
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError):
        load_signing_key(pem.decode(), id="k")


# Proofs


def test_the_proof_of_the_fep_verifies_and_leaves_the_document_alone():
    document = copy.deepcopy(FEP_8B32["signed"])
    check(document)
    assert document == FEP_8B32["signed"]


def test_we_make_the_proof_of_the_fep():
    assert add_proof(FEP_8B32["unsigned"], SECRET, CREATED_S) == FEP_8B32["signed"]


@pytest.mark.parametrize("case", MUST_REJECT["cases"], ids=lambda case: case["name"])
def test_broken_proofs_are_refused(case):
    key = KEY if case["name"] != "foreign-key" else replace(KEY, id="https://evil.example/users/m#ed25519-key")
    cause_of_refusal(case["document"], replace(key, owner=key.id.partition("#")[0]))


def signed(document=None, **options):
    """A document with a valid proof that carries further options."""
    document = {"@context": ["https://www.w3.org/ns/activitystreams"], "id": "x", **(document or {})}
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": SECRET.id,
        "proofPurpose": "assertionMethod",
        "created": "2023-02-24T23:36:38Z",
        **options,
    }
    value = render_multibase(SECRET.sign(hash_data(document, proof)))
    return {**document, "proof": {**proof, "proofValue": value}}


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({}, None),
        ({"expires": "2023-02-25T00:00:00Z"}, None),
        ({"expires": "2023-02-25T01:00:00+01:00"}, None),
        ({"expires": "2023-02-24T23:59:59Z"}, "expired"),
        ({"expires": "tomorrow"}, "expires is no date"),
        ({"expires": None}, "expires is no date"),
        ({"cryptosuite": "eddsa-rdfc-2022"}, "other suite"),
        ({"type": "Ed25519Signature2020"}, "other suite"),
        ({"proofPurpose": "authentication"}, "other purpose"),
        ({"previousProof": "urn:x"}, "part of a chain"),
        ({"verificationMethod": 7}, "no verificationMethod or proofValue"),
        ({"@context": "https://www.w3.org/ns/activitystreams"}, "signature does not match"),
        ({"@context": ["https://evil.example/"]}, "context is not the document's"),
    ],
)
def test_each_rule_of_a_proof(options, cause):
    document = signed(**options)
    if cause is None:
        check(document)
    else:
        assert cause_of_refusal(document) == cause


def test_a_context_added_after_signing_is_left_out_of_the_check():
    document = signed(**{"@context": ["https://www.w3.org/ns/activitystreams"]})
    document["@context"] = [*document["@context"], "https://w3id.org/security/v1"]
    check(document)
    document["@context"].reverse()
    assert cause_of_refusal(document) == "context is not the document's"


def test_an_ld_signature_beside_the_proof_is_left_out_of_the_check():
    check({**signed(), "signature": {"type": "RsaSignature2017"}})


def test_the_key_must_be_the_one_named_of_the_actor_and_of_the_kind():
    document = signed()
    assert cause_of_refusal(document, replace(KEY, id="https://server.example/users/eve#k")) == "another key"
    assert cause_of_refusal(document, actor="https://server.example/users/eve") == "key of another actor"
    assert cause_of_refusal(document, replace(KEY, kind="rsa", key=RSA_KEYS[2048])) == "suite contradicts the key"


def test_of_several_proofs_those_that_can_be_checked_are_offered():
    document = signed()
    other = {**document["proof"], "cryptosuite": "bbs-2023"}
    several = {**document, "proof": [other, document["proof"], "junk"]}
    (proof,) = read_proofs(several)
    check_proof(several, proof, KEY, ALICE, NOW_S)
    with pytest.raises(PeerFault, match="other suite"):
        read_proofs({**document, "proof": [other]})
    with pytest.raises(PeerFault):
        read_proofs({**document, "proof": []})
    with pytest.raises(PeerFault, match="too many"):
        read_proofs({**document, "proof": [document["proof"]] * 9})
    assert read_proofs({"id": "x"}) == []


@pytest.mark.parametrize("value", ["z", "z0", "", "é", "z" + "2" * 2000, "m" + "A" * 86])
def test_a_proof_value_that_is_no_signature_is_refused(value):
    document = signed()
    document["proof"]["proofValue"] = value
    assert cause_of_refusal(document)


def test_our_proof_brings_its_context():
    document = add_proof({"@context": "https://www.w3.org/ns/activitystreams", "id": "x"}, SECRET, CREATED_S)
    assert document["@context"] == document["proof"]["@context"]
    assert document["@context"][-1] == "https://w3id.org/security/data-integrity/v2"
    check(document)


@pytest.mark.parametrize("taken", ["proof", "signature"])
def test_a_proof_is_never_put_beside_another_signature(taken):
    with pytest.raises(ValueError, match="without proof or signature"):
        add_proof({"id": "x", taken: {}}, SECRET, CREATED_S)


@given(
    st.dictionaries(
        st.sampled_from(
            ["type", "cryptosuite", "proofPurpose", "verificationMethod", "proofValue", "expires", "@context"]
        ),
        documents | st.sampled_from(list(FEP_8B32["signed"]["proof"].values())),
    )
)
def test_any_proof_gives_a_verdict_or_a_fault_of_the_peer(options):
    document = {**FEP_8B32["signed"], "proof": {**FEP_8B32["signed"]["proof"], **options}}
    try:
        check(document)
    except PeerFault as fault:
        assert fault.code in {"proof-invalid", "json-not-canonical"}
    else:
        assert document == FEP_8B32["signed"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-02-24T23:36:38Z", 1677281798),
        ("2023-02-24T23:36:38.999Z", 1677281798),
        ("2023-02-25T00:36:38+01:00", 1677281798),
        ("2023-02-24T23:36:38", None),
        ("2023-02-30T00:00:00Z", None),
        ("2023-02-24T24:00:01Z", None),
        ("0001-01-01T00:00:00+23:59", -62135596800 - 86340),
        ("2023-02-24T23:36:38+99:99", None),
        ("2023-02-24", None),
        (7, None),
        (None, None),
    ],
)
def test_instants(text, seconds):
    assert find_xsd_date_s(text) == seconds


# Followers synchronisation


def test_the_followers_digest_of_the_fep():
    part = [uri for uri in FEP_8FCF["followers"] if uri.startswith(FEP_8FCF["for_authority"] + "/")]
    assert part == FEP_8FCF["partial"]
    assert followers_digest(part) == followers_digest(reversed(part)) == FEP_8FCF["digest"]
    assert followers_digest([*part, part[0]]) == FEP_8FCF["digest"]
    assert followers_digest([]) == FEP_8FCF["empty_digest"]


def test_the_followers_header_of_the_fep_comes_back():
    claim = parse_followers_claim(FEP_8FCF["header"])
    assert claim == FollowersClaim(
        collection_id=FEP_8FCF["collection"],
        url="https://example.org/users/1/followers_synchronization",
        digest=FEP_8FCF["digest"],
    )
    assert render_followers_claim(claim) == FEP_8FCF["header"]


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(['collectionId="a"', 'url="b"', f'digest="{"0" * 64}"', 'digest="x"', '"'])).map(
        ",".join
    )
)
def test_any_followers_header_is_a_claim_or_the_peers_fault(header):
    try:
        claim = parse_followers_claim(header)
    except PeerFault:
        return
    assert (claim.collection_id, claim.url, claim.digest) == ("a", "b", "0" * 64)
