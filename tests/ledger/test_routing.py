"""The routing rule, row by row."""

from dataclasses import replace

import pytest

from fedi.ledger.routing import NEWS_AGE_MS, Routed, kind_of, surfaces_of, tag_surface

A = "https://a.example/users/ann"
PARENT = "https://b.example/notes/1"
NOTE = Routed(author=A, audience="public", local=False, delivered=True, age_ms=0)


@pytest.mark.parametrize(
    ("change", "surfaces"),
    [
        ({}, {"public", f"author:{A}"}),
        ({"local": True}, {"public", "local", f"author:{A}"}),
        ({"tags": ("Cats", "cats", "Vögel")}, {"public", f"author:{A}", "tag:cats", "tag:v%C3%B6gel"}),
        ({"age_ms": NEWS_AGE_MS}, {"public", f"author:{A}"}),
        ({"age_ms": NEWS_AGE_MS + 1, "tags": ("cats",)}, {f"author:{A}"}),
        ({"in_reply_to": PARENT}, {f"replies:{PARENT}", f"author:{A}"}),
        ({"in_reply_to": PARENT, "local": True, "tags": ("x",)}, {f"replies:{PARENT}", f"author:{A}", "tag:x"}),
        ({"in_reply_to": PARENT, "age_ms": NEWS_AGE_MS + 1}, {f"replies:{PARENT}", f"author:{A}"}),
        ({"audience": "unlisted", "tags": ("cats",)}, {f"author:{A}"}),
        ({"audience": "unlisted", "in_reply_to": PARENT}, {f"author:{A}", f"replies:{PARENT}"}),
        ({"boost": True, "local": True, "tags": ("cats",)}, {f"author:{A}"}),
        ({"boost": True, "audience": "private"}, {f"author-f:{A}"}),
        ({"delivered": False, "tags": ("cats",)}, {f"archive:{A}"}),
        ({"delivered": False, "in_reply_to": PARENT}, {f"archive:{A}", f"replies:{PARENT}"}),
        ({"delivered": False, "audience": "private"}, set()),
        ({"audience": "private", "tags": ("cats",)}, {f"author-f:{A}"}),
        ({"audience": "private", "in_reply_to": PARENT, "local": True}, {f"author-f:{A}"}),
        ({"audience": "direct", "in_reply_to": PARENT, "tags": ("cats",)}, set()),
        ({"audience": "direct", "boost": True}, set()),
    ],
)
def test_a_post_gets_exactly_the_surfaces_of_its_row(change, surfaces):
    routed = surfaces_of(replace(NOTE, **change))
    assert set(routed) == surfaces
    assert list(routed) == sorted(routed)


def test_a_tag_is_one_surface_however_it_is_written():
    assert tag_surface("Café") == tag_surface("café") == tag_surface("CAFÉ") == tag_surface("Cafe\u0301")
    assert " " not in tag_surface("a b")


def test_the_kind_of_a_surface_is_what_stands_before_its_colon():
    assert [kind_of(name) for name in ("public", "tag:x", f"author:{A}")] == ["public", "tag", "author"]
