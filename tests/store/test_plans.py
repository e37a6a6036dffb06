"""No statement that runs often reads a whole table: SQLite's planner says so of every constant of the store."""

import importlib
import re
import sqlite3

import pytest

from fedi.store.dialect import for_sqlite
from fedi.store.paging import Paged

MODULES = [
    "accounts", "details", "emojis", "interactions", "keys", "lists", "markers", "media", "notifications", "polls", "relations",
    "reports", "statuses", "users",
]  # fmt: skip

WHOLE_TABLE = {  # and why they may
    "accounts.SEARCH",  # a part of a display name is in no index
    "accounts.COUNT_HOSTS",  # an index alone, for a page that is cached
    "accounts.LOCAL_TOTALS",  # the people here, for a page that is cached
    "accounts.COUNT_ACTIVE",
    "users.LIST_BY_ROLES",  # the people here
    "keys.ALL_OWN_KEYS",  # once, at the start
    "relations.DROP_EXPIRED_MUTES",  # the mutes of the people here, now and then
    "relations.DROP_RELATIONS",  # the same, when an account goes
    "statuses.MOVE_THREAD_MUTES",  # the threads that people here muted, when a late parent arrives
    "media.LIST_LOOSE",  # an index that holds loose ones only
}
# json_each is a list that was handed in; up, down and unread are derived.
READS_A_TABLE = re.compile(r"SCAN (?!json_each|up\b|down\b|unread|known|ours|CONSTANT|\()\w+")


def statements(module):
    for name, value in vars(importlib.import_module(f"fedi.store.{module}")).items():
        if not name.isupper() or name.startswith("_"):
            continue
        if isinstance(value, Paged):
            yield name, value._newest
            yield name, value._next_above
        elif isinstance(value, str):
            yield name, value
        elif isinstance(value, tuple) and all(isinstance(part, str) and " FROM " in part for part in value):
            yield from ((name, part) for part in value)


@pytest.mark.parametrize("module", MODULES)
def test_every_statement_finds_its_rows_by_an_index(module, sqlite_path):
    connection = sqlite3.connect(sqlite_path)
    seen = 0
    scans = set()
    for name, sql in statements(module):
        statement = for_sqlite(sql)
        values = ["[]" if name in statement.lists else 1 for name in statement.names]
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", values).fetchall()
        seen += 1
        if any(READS_A_TABLE.match(step[3]) for step in plan):
            scans.add(f"{module}.{name}")
    connection.close()
    assert seen > 1
    assert scans == {name for name in WHOLE_TABLE if name.startswith(f"{module}.")}
