"""Which addresses may be connected to, and which URLs never get that far."""

import ipaddress
import json
from pathlib import Path

import pytest

from fedi.activitypub.urls import UrlRules, is_loopback_host, is_url, normal_host, parent_domains, parse_url
from fedi.errors import PeerFault
from fedi.remote.addresses import may_connect

CASES = json.loads((Path(__file__).parents[1] / "data/hostile/addresses.json").read_text())
LOOPBACK = {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"}


@pytest.mark.parametrize("case", CASES["addresses"], ids=lambda case: case["address"])
def test_an_address_is_judged_as_the_vector_says(case):
    assert may_connect(case["address"]) is case["connect"], case["why"]
    assert may_connect(ipaddress.ip_address(case["address"])) is case["connect"], case["why"]


@pytest.mark.parametrize("case", CASES["addresses"], ids=lambda case: case["address"])
def test_a_test_instance_may_reach_loopback_and_nothing_else_that_is_private(case):
    expected = case["connect"] or case["address"] in LOOPBACK
    assert may_connect(case["address"], allow_loopback=True) is expected, case["why"]


@pytest.mark.parametrize("text", ["", "a.example", "127.1", "fe80::1%eth0", "2606:4700::1111%eth0", "1.1.1.1/8"])
def test_what_is_no_plain_public_address_may_not_be_connected_to(text):
    assert not may_connect(text)


def test_nat64_of_a_public_address_is_public():
    assert may_connect("64:ff9b::808:808")
    assert may_connect("::ffff:8.8.8.8")


@pytest.mark.parametrize("case", CASES["urls"], ids=lambda case: case["url"])
def test_a_url_that_must_not_lead_to_a_connection_is_refused_before_look_up(case):
    assert not is_url(case["url"]), case["why"]


def test_a_test_instance_takes_http_and_any_port_on_loopback_only():
    rules = UrlRules(allow_http_loopback=True)
    for url in ("http://localhost:3000/x", "http://b.localhost/", "http://127.0.0.1:8080/", "http://[::1]:80/"):
        assert is_url(url, rules)
        assert not is_url(url)
    for url in (
        "http://a.example/",
        "https://a.example:8443/",
        "http://10.0.0.1/",
        "http://127.1/",
        "http://1localhost/",
    ):
        assert not is_url(url, rules)


def test_a_domain_starting_with_127_is_not_loopback():
    assert not is_loopback_host("127.example")
    assert not is_loopback_host("notlocalhost")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BLOCKED.example.", "blocked.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        ("[::0:1]", "[::1]"),
    ],
)
def test_two_spellings_of_a_host_fold_to_one(one, other):
    assert normal_host(one) == normal_host(other) == other


def test_a_look_alike_in_another_script_stays_another_host():
    assert normal_host("еxample.org") != "example.org"  # Cyrillic е


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a.example", "xn--.example", "a b.example", "a/b", "0x7f.1", "[::1", "a" * 300]
)
def test_what_is_no_host_is_a_fault(text):
    with pytest.raises(PeerFault):
        normal_host(text)


def test_parsing_folds_for_comparison_and_keeps_path_and_query_as_written():
    url = parse_url("HTTPS://A.Example.:443/~Ünï%7e?q=%c3#Frag")
    assert (url.scheme, url.host, url.port, url.target, url.fragment) == (
        "https", "a.example", 443, "/~Ünï%7e?q=%c3", "#Frag",
    )  # fmt: skip


def test_a_block_may_be_written_on_any_parent():
    assert list(parent_domains("a.b.example")) == ["a.b.example", "b.example", "example"]
