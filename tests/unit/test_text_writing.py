"""What our authors write: links, mentions and hashtags in it, its length, and its HTML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedi.text import (
    Mention,
    MentionLink,
    clean_html,
    count_characters,
    find_hashtags,
    find_mentions,
    find_tokens,
    find_urls,
    html_to_text,
    normal_tag,
    render_text,
    text_to_html,
)
from tests.support.timing import assert_linear


def tag_url(tag):
    return f"https://us.example/tags/{tag}"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("see https://a.example/x.", ["https://a.example/x"]),
        ("(https://en.wikipedia.org/wiki/A_(b))", ["https://en.wikipedia.org/wiki/A_(b)"]),
        ("HTTPS://A.example/?q=1&r=é#f!", ["HTTPS://A.example/?q=1&r=é#f"]),
        ("看https://a.example/。", ["https://a.example/"]),
        ("هنا https://a.example/؟", ["https://a.example/"]),
        ("<https://a.example/>", ["https://a.example/"]),
        ("xhttps://a.example http:// https://. ftp://a.example a.example", []),
        ("https://a.example/#tag/@user", ["https://a.example/#tag/@user"]),
    ],
)
def test_links_are_found_without_the_punctuation_around_them(text, urls):
    assert find_urls(text) == urls


@pytest.mark.parametrize(
    ("text", "accts"),
    [
        ("@alice and @Bob@B.example.", ["alice", "bob@b.example"]),
        ("(@a_b.c-d@x.example): hi", ["a_b.c-d@x.example"]),
        ("me@mail.example @@x /@y .@z", []),
        ("@b@localhost:3000 @b@bücher.example", ["b@localhost:3000", "b@bücher.example"]),
        ("@alice @ALICE @alice@us.example", ["alice", "alice@us.example"]),
        ("@alice@ @bob.", ["alice", "bob"]),
        ("https://a.example/@nobody", []),
    ],
)
def test_mentions_are_found_once_each(text, accts):
    assert [mention.acct for mention in find_mentions(text)] == accts


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#Été #forêt, #2026 #2026a", ["Été", "forêt", "2026a"]),
        ("#مرحبا_بكم #السَّلام", ["مرحبا_بكم", "السَّلام"]),
        ("#नमस्ते #日本語・", ["नमस्ते", "日本語"]),
        ("#e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("a#b ##c /#d &#39; #", []),
        ("#One #one #ONE", ["One"]),
        ("#a-b #c.d", ["a", "c"]),
    ],
)
def test_hashtags_are_found_in_every_script(text, tags):
    assert find_hashtags(text) == tags


def test_one_tag_may_be_written_in_several_ways():
    assert normal_tag("Été") == normal_tag("e\u0301te") == normal_tag("ETE") == normal_tag("ＥＴＥ") == "ete"
    assert normal_tag("السَّلام") != normal_tag("السلام")
    assert normal_tag("Ｆｏｏ") == "foo"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("hello", 5),
        ("héllo e\u0301", 7),
        ("👨‍👩‍👧 🇫🇷🇩🇪 👍🏽", 6),
        ("https://a.example/" + "x" * 200, 23),
        ("see https://a.example, ok", 31),
        ("@bob@a-very-long-domain.example hi", 7),
        ("السَّلام", 6),
    ],
)
def test_length_is_counted_as_apps_count_it(text, length):
    assert count_characters(text) == length


def test_a_post_is_rendered_in_the_shape_that_apps_look_for():
    mentions = {
        "bob": MentionLink(url="https://us.example/@bob", username="bob"),
        "alice@b.example": MentionLink(url="https://b.example/@Alice?a=1&b", username="Alice"),
    }
    assert render_text(
        "Hi @Bob & @Alice@B.example,\r\nnot @carol: #Été\n\n\nhttps://www.a.example/a/very/long/path/that/goes/on/and/on <b>",
        mentions=mentions,
        tag_url=tag_url,
    ) == (
        '<p>Hi <span class="h-card"><a href="https://us.example/@bob" class="u-url mention">@<span>bob</span></a></span>'
        ' &amp; <span class="h-card"><a href="https://b.example/@Alice?a=1&amp;b" class="u-url mention">'
        "@<span>Alice</span></a></span>,<br>not @carol: "
        '<a href="https://us.example/tags/Été" class="mention hashtag" rel="tag">#<span>Été</span></a></p>'
        '<p><a href="https://www.a.example/a/very/long/path/that/goes/on/and/on" target="_blank" rel="nofollow noopener"'
        ' translate="no"><span class="invisible">https://www.</span><span class="ellipsis">a.example/a/very/long/path/tha'
        '</span><span class="invisible">t/goes/on/and/on</span></a> &lt;b&gt;</p>'
    )


def test_an_empty_post_is_empty():
    assert render_text(" \r\n ", mentions={}, tag_url=tag_url) == ""


def test_what_we_write_reads_back_as_written():
    text = "One https://a.example/long/long/long/long/long/long?x=1&y=2 two\nthree\n\nfour <five> & @six #seven"
    html = render_text(text, mentions={"six": MentionLink(url="https://a/", username="six")}, tag_url=tag_url)
    assert html_to_text(html) == text


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1@#./:?&<>\"' \n()_-é؟\u0301\u200dhtps🇫")) | st.text())
def test_any_text_renders_to_html_that_needs_no_cleaning(text):
    html = render_text(text, mentions={}, tag_url=tag_url)
    assert html_to_text(clean_html(html)).split() == html_to_text(html).split()
    count_characters(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab@#./:(https)é ")))
def test_tokens_never_overlap(text):
    at = 0
    for token in find_tokens(text):
        assert at <= token.start < token.end <= len(text)
        at = token.end
        if isinstance(token, Mention):
            assert text[token.start : token.end].startswith("@")


@pytest.mark.parametrize(
    "unit",
    [
        "<a ",
        "https://a",
        "@a.",
        "@a@",
        "@a-",
        "#a#",
        "#",
        "https://)",
        "https://a) ",
        "@",
        "@aaaaaaaa@",
        "a@",
        "@a@b.",
        "\n\n",
    ],
)
@pytest.mark.parametrize("work", [text_to_html, count_characters, find_hashtags])
def test_finding_links_takes_linear_time(unit, work):
    assert_linear(work, lambda chars: (unit * chars)[:chars], size=40_000)
