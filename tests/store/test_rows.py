"""Rows and values are each other's image."""

from dataclasses import fields

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedi.model.accounts import Account, ProfileField
from fedi.model.media import Extent, Media, MediaMeta
from fedi.model.relations import Follow
from fedi.model.statuses import Status
from fedi.store.rows import Shape

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.one_of(st.builds(Account), st.builds(Status), st.builds(Follow), st.builds(Media))


@given(values)
def test_what_is_written_is_what_is_read(value):
    shape = Shape(type(value))
    row = shape.values(value)
    assert list(row) == [field.name for field in fields(value)]
    assert all(column is None or type(column) in (int, float, str) for column in row.values())
    assert shape.make(*row.values()) == value


@given(st.lists(st.builds(ProfileField, name=text, value=text, source=text)).map(tuple))
def test_fields_of_any_text_survive(profile_fields):
    shape = Shape(Account)
    column = shape.names.index("fields")
    row = ["" if name in ("uri", "username") else None for name in shape.names]
    for name in ("emojis", "also_known_as", "attribution_domains"):
        row[shape.names.index(name)] = "[]"
    row[column] = msgspec.json.encode(profile_fields).decode()
    assert shape.make(*row).fields == profile_fields


def test_members_that_a_later_release_adds_are_passed_over():
    shape = Shape(Media)
    row = dict.fromkeys(shape.names) | {"meta": '{"original":{"width":4,"hue":"red"},"colours":["red"]}'}
    assert shape.make(*row.values()).meta == MediaMeta(original=Extent(width=4))


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        Shape(Follow).make(1, 2, 3)
