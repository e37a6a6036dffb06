"""Password hashes: their parameters, their answers, and that they never run in crowds."""

import asyncio
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from fedi.auth import passwords
from fedi.auth.passwords import Passwords, hash_password, is_password


def test_a_hash_names_argon2id_with_nineteen_mebibytes_two_passes_one_lane():
    assert hash_password("open sesame").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_two_hashes_of_one_password_differ_and_both_match():
    one, other = hash_password("open sesame"), hash_password("open sesame")
    assert one != other
    assert is_password(one, "open sesame")
    assert is_password(other, "open sesame")


def test_another_password_does_not_match():
    assert not is_password(hash_password("open sesame"), "open sesamE")


def test_a_very_long_password_is_refused_without_hashing():
    stored = hash_password("x" * 2000)
    assert not is_password(stored, "x" * 2000)


@settings(max_examples=50)
@given(stored=st.text(max_size=200))
def test_what_is_no_hash_matches_nothing(stored):
    assert not is_password(stored, "open sesame")


@settings(max_examples=5, deadline=None)
@given(password=st.text(max_size=50))
def test_any_text_is_a_password_that_raises_nothing(password):
    assert not is_password(_STORED, password)


_STORED = hash_password("not what hypothesis finds")


async def test_nobody_matches_when_there_is_no_such_person():
    pool = Passwords()
    try:
        assert not await pool.is_right(None, "")
        assert not await pool.is_right(None, "open sesame")
    finally:
        pool.close()


async def test_a_missing_person_costs_a_hash_too(monkeypatch):
    """Else the time of the answer would tell which names exist."""
    asked = []
    monkeypatch.setattr(passwords, "is_password", lambda stored, _password: asked.append(stored) or False)
    pool = Passwords()
    try:
        await pool.is_right(None, "open sesame")
    finally:
        pool.close()
    assert len(asked) == 1
    assert asked[0].startswith("$argon2id$")


async def test_no_more_than_two_hashes_run_at_once(monkeypatch):
    running, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(2)

    def count(_stored, _password):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(5)  # holds each until a second one runs beside it
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(passwords, "is_password", count)
    pool = Passwords()
    try:
        answers = await asyncio.gather(*(pool.is_right("stored", "x") for _ in range(8)))
    finally:
        pool.close()
    assert answers == [True] * 8
    assert most == 2
