"""Foreign HTML: what stays, what goes, and how long it takes."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedi.text import clean_content, clean_html, find_links, html_to_text
from tests.support.timing import assert_linear

CASES = json.loads((Path(__file__).parents[1] / "data/hostile/hostile-html.json").read_text())["cases"]
ALLOWED = {
    "p", "br", "span", "a", "abbr", "del", "s", "pre", "blockquote", "code", "b", "strong", "u", "sub", "sup", "i",
    "em", "h1", "h2", "h3", "h4", "h5", "ul", "ol", "li", "ruby", "rt", "rp",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "href",
    "class",
    "rel",
    "target",
    "translate",
    "lang",
    "dir",
    "title",
    "start",
    "reversed",
    "value",
}
SCHEMES = (
    "http:",
    "https:",
    "dat:",
    "dweb:",
    "ipfs:",
    "ipns:",
    "ssb:",
    "gopher:",
    "xmpp:",
    "magnet:",
    "gemini:",
    "mailto:",
)
MORE_UNITS = [
    "<p><b>", "<a href=x><p>", "<b><i><u>", "<li>", "<ul>", "<ol><li>", "<table><tr><td>", "<", "&", "</p>", "<script>",
    "<svg></svg>", '<img src="https://a/">', '<a href="https://x/">', "<select><b>", "<ruby><rt>", "<pre><p>", "<b></i>",
    '<a href="https://x/"><img src="https://a/b">', '<span class="mention ', "<h1><h2>", "<code><p>", "<div></div>",
]  # fmt: skip


class Judge(HTMLParser):
    """Reads clean HTML strictly and notes everything that is not on the list."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.deepest, self.faults = [], 0, []

    def handle_starttag(self, tag, attrs):
        if tag not in ALLOWED:
            self.faults.append(tag)
        for name, value in attrs:
            if name not in ALLOWED_ATTRIBUTES or name.startswith("on"):
                self.faults.append((tag, name))
            if name == "href" and not value.lower().startswith(SCHEMES):
                self.faults.append((tag, value))
            if name == "class" and not all(
                re.fullmatch(r"(?:h|p|u|dt|e)-[\w-]+|mention|hashtag|ellipsis|invisible|quote-inline", word)
                for word in value.split()
            ):
                self.faults.append((tag, value))
        if tag == "a" and not {"noopener", "nofollow"} <= set(dict(attrs)["rel"].split()):
            self.faults.append((tag, "rel"))
        if tag != "br":
            self.open.append(tag)
            self.deepest = max(self.deepest, len(self.open))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"/{tag}")

    def handle_comment(self, data):
        self.faults.append("comment")

    handle_decl = handle_pi = unknown_decl = handle_comment


def judged(markup) -> Judge:
    judge = Judge()
    judge.feed(clean_html(markup))
    judge.close()
    return judge


def filled(unit, chars):
    return (unit * (chars // len(unit) + 1))[:chars]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_hostile_text_leaves_only_what_is_allowed(case):
    judge = judged(filled(case["unit"], case["chars"]))
    assert judge.faults == []
    assert judge.open == []
    assert judge.deepest <= 64  # 32 of ours, and what the parser adds to repair them


@pytest.mark.parametrize("unit", [*(case["unit"] for case in CASES), *MORE_UNITS])
@pytest.mark.parametrize("work", [clean_html, html_to_text])
def test_a_text_eight_times_as_long_takes_about_eight_times_as_long(unit, work):
    assert_linear(work, lambda chars: filled(unit, chars), size=80_000)


@pytest.mark.parametrize(
    ("foreign", "clean"),
    [
        ("<script>alert(1)</script>x<style>p{}</style>", "x"),
        ("<scr<script></script>ipt>alert(1)</script>", "ipt&gt;alert(1)"),
        ("<p onclick=alert(1) style='color:red'>x</p>", "<p>x</p>"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="java&#10;script:alert(1)">x</a>', "x"),
        ('<a href="data:text/html,x">x</a>', "x"),
        ('<a href="/relative">x</a>', "x"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<svg><a xlink:href='javascript:x'>y</a></svg>z", "z"),
        ("<math><mtext></table><img src=x>", ""),
        ("<iframe srcdoc='<script>'>no</iframe>yes", "yes"),
        ("<!-- hidden --><p>shown</p>", "<p>shown</p>"),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<div>one</div><div>two</div>", "one<br>two"),
        ("<h6>title</h6><p>text", "title<br><p>text</p>"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2 <br>3"),
        ("<ol start=3 reversed><li value=2>x</ol>", '<ol start="3" reversed=""><li value="2">x</li></ol>'),
        ('<p class="position-fixed u-url evil;}*{x">t</p>', '<p class="u-url">t</p>'),
        ('plain "quoted" it\'s', 'plain "quoted" it\'s'),
        ('<p lang="ar" dir="rtl">مرحبا</p>', '<p lang="ar" dir="rtl">مرحبا</p>'),
        ("\x00<p>\ud800</p>", "<p>\ufffd</p>"),
    ],
)
def test_foreign_html_becomes_clean(foreign, clean):
    assert clean_html(foreign).replace('dir="rtl" lang="ar"', 'lang="ar" dir="rtl"') == clean


def test_links_open_elsewhere_and_give_no_rank():
    assert clean_html('<a href="https://a.example/?x=1&amp;y" rel="me" target=_top>x</a>') == (
        '<a href="https://a.example/?x=1&amp;y" rel="nofollow noopener" target="_blank">x</a>'
    )


def test_a_hashtag_and_a_mention_keep_what_apps_look_for():
    assert clean_html(
        '<span class="h-card" translate="no"><a href="https://a.example/@b" class="u-url mention">@<span>b</span></a></span> '
        '<a href="https://a.example/tags/x" class="mention hashtag" rel="tag">#<span>x</span></a>'
    ) == (
        '<span class="h-card" translate="no"><a href="https://a.example/@b" class="u-url mention"'
        ' rel="nofollow noopener" target="_blank">@<span>b</span></a></span> '
        '<a href="https://a.example/tags/x" class="mention hashtag" rel="tag nofollow noopener"'
        ' target="_blank">#<span>x</span></a>'
    )


def test_a_picture_becomes_a_link_with_its_description():
    assert clean_html('<img src="https://a.example/cat.png" alt="A <cat>">') == (
        '<a href="https://a.example/cat.png" rel="nofollow noopener" target="_blank">A &lt;cat&gt;</a>'
    )


def test_a_picture_inside_a_link_leaves_its_description():
    assert clean_html('<a href="https://a.example/"><img src="https://a.example/c.png" alt="cat"></a>').endswith(
        ">cat</a>"
    )


def test_depth_is_bounded_and_the_words_survive():
    clean = clean_html("<blockquote>" * 500 + "deep" + "</blockquote>" * 500)
    assert clean.count("<blockquote>") == 32
    assert "deep" in clean


def test_paragraphs_that_were_never_closed_are_not_taken_for_depth():
    assert clean_html("<p>x" * 100).count("<p>x</p>") == 100


def test_cleaning_twice_changes_nothing_more():
    once = clean_html('<div>a<p><a href="https://x.example/">b<img src="https://y.example/p" alt="q&quot;r"></a>')
    assert clean_html(once) == once


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["<", ">", "</", '"', "'", "&", "&#", "<!--", "-->", "<a href=", "<img src=", " alt=", "https://a/",
                 "javascript:", "<p>", "</p>", "<b>", "<script>", "</script>", "<svg>", "<style>", "<math>", "class=",
                 "<abbr title='", "<a>", "</a>", "/>", "<ul>", "<li>", "<textarea>", "</textarea>", "<table>", "\x00"]
            ),
            st.text(max_size=8),
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
def test_any_text_becomes_clean_and_never_raises(markup):
    judge = judged(markup)
    assert judge.faults == []
    assert judge.open == []
    html_to_text(markup)


def test_plain_text_keeps_paragraphs_and_hidden_parts_of_links():
    assert (
        html_to_text(
            '<p>Hello&nbsp;<b>you</b>,<br>see <a href="https://a.example/long"><span class="invisible">https://</span>'
            '<span class="ellipsis">a.example/l</span><span class="invisible">ong</span></a></p><p>a &lt; b</p>'
            "<ul><li>1</li><li>2</li></ul><script>no</script>"
        )
        == "Hello\xa0you,\nsee https://a.example/long\n\na < b\n\n1\n2"
    )


def test_markdown_of_a_film_becomes_paragraphs_with_links():
    assert clean_content("Some *text* <b>\n\nhttps://a.example/", "text/markdown") == (
        '<p>Some *text* &lt;b&gt;</p><p><a href="https://a.example/" target="_blank" rel="nofollow noopener"'
        ' translate="no"><span class="invisible">https://</span><span class="">a.example/</span>'
        '<span class="invisible"></span></a></p>'
    )
    assert clean_content("<b>x</b>") == "<b>x</b>"


def test_links_for_previews_are_neither_mentions_nor_hashtags():
    clean = clean_html(
        '<a href="https://a.example/@b" class="u-url mention">@b</a> <a href="https://a.example/tags/x" class="hashtag">#x</a>'
        ' <a href="https://news.example/?a=1&amp;b=2">n</a> <a href="https://news.example/?a=1&amp;b=2">again</a>'
        ' <a href="xmpp:me@a.example">chat</a>'
    )
    assert find_links(clean) == ["https://news.example/?a=1&b=2"]


_PIECES = (
    "<p>",
    "</p>",
    "<br>",
    "<br/>",
    "<",
    ">",
    "&amp;",
    '"',
    "'",
    "a b",
    " ",
    "é",
    "🦜",
    "\u00a0",
    "\u200d",
    "\n",
    "\x00",
    "<b>",
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=8))
def test_paragraphs_of_plain_words_are_what_the_whole_way_would_make_of_them(pieces):
    inside = "".join(pieces)
    for written in (f"<p>{inside}</p>", f"<p>{inside}</p><p>words</p>"):
        # The comment is dropped, but what holds one is not plain.
        assert clean_html(written) == clean_html(f"<!-- -->{written}")
