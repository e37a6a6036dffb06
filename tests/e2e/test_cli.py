"""The command line as scripts use it: on an instance that runs, on one that does not, and on wrong input."""

import asyncio
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import unused_port

from tests.support.instances import PASSWORD, Instance, Person, eventually, run_fedi
from tests.support.peers import FakePeer

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

REASONED = ("--rule", "rules/1", "--reason", "Spam, for weeks", "--until", "30d")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["running", "stopped"])
async def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Instance]:
    """The same commands must do the same whether the server runs or not."""
    made = await Instance.create(tmp_path_factory.mktemp("cli") / "home", serve=request.param == "running")
    await made.cli("account", "create", "alice", "--role", "owner", "--password-stdin", stdin=PASSWORD + "\n")
    yield made
    await made.close()


async def refused(instance: Instance, *arguments: str, code: int = 1, stdin: str = "") -> str:
    """The one line in which a command says why not."""
    done = await instance.cli(*arguments, code=code, stdin=stdin)
    assert done.out == ""
    assert "Traceback" not in done.err
    if code == 1:
        assert done.err.startswith("fedi: ")
        assert len(done.err.strip().splitlines()) == 1, done.err
    return done.err


# Making an instance ------------------------------------------------------------------------------------------


async def test_init_writes_an_instance_that_only_its_owner_may_read(tmp_path):
    home = tmp_path / "home"

    done = run_fedi("init", home, "--domain", "social.example", "--handle-domain", "example.com")

    assert done.code == 0, done.err
    assert str(home / "config.toml") in done.out
    text = (home / "config.toml").read_text()
    assert 'domain = "social.example"' in text
    assert 'handle_domain = "example.com"' in text
    for name in ("config.toml", "secret", "fedi.db"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    with sqlite3.connect(home / "fedi.db") as db:
        (uri,) = db.execute("SELECT uri FROM account").fetchone()
        assert uri == "https://social.example/actor"
        assert db.execute("SELECT count(*) FROM actor_key").fetchone() == (2,)
    db.close()


async def test_init_overwrites_nothing(tmp_path):
    home = tmp_path / "home"
    assert run_fedi("init", home, "--domain", "social.example").code == 0
    before = {path.name: path.read_bytes() for path in home.iterdir()}

    again = run_fedi("init", home, "--domain", "other.example")

    assert again.code == 1
    assert "already" in again.err
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


@pytest.mark.parametrize("domain", ["social.example", "localhost.example:8080"])
async def test_http_is_refused_for_names_beyond_this_machine(tmp_path, domain):
    done = run_fedi("init", tmp_path / "home", "--domain", domain, "--http")

    assert done.code == 1
    assert "loopback" in done.err or "this machine" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "home" / "config.toml").exists()


@pytest.mark.parametrize("domain", ["a.localhost:8099", "[::1]:8099"])
async def test_http_is_taken_for_names_of_this_machine(tmp_path, domain):
    assert run_fedi("init", tmp_path / "home", "--domain", domain, "--http").code == 0


async def test_serve_refuses_http_on_another_name_that_was_written_in_later(tmp_path):
    home = tmp_path / "home"
    run_fedi("init", home, "--domain", "localhost:8099", "--http")
    config = home / "config.toml"
    config.write_text(config.read_text().replace('domain = "localhost:8099"', 'domain = "social.example"', 1))

    done = run_fedi("-c", config, "serve")

    assert done.code == 1
    assert "instance.domain" in done.err


async def test_an_unknown_key_is_refused_with_file_and_line(tmp_path):
    home = tmp_path / "home"
    run_fedi("init", home, "--domain", "localhost:8099", "--http")
    config = home / "config.toml"
    config.write_text("[server]\nprot = 8080\n" + config.read_text().replace("[server]", "[server2]", 1))

    done = run_fedi("-c", config, "account", "list")

    assert done.code == 1
    assert f"{config}:2" in done.err
    assert "server.port" in done.err or "port" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["init"],
        ["account", "list"],  # neither -c nor FEDI_CONFIG
        ["-c", "x.toml", "account", "create", "alice"],  # no --password-stdin
        ["-c", "x.toml", "account", "suspend", "alice"],  # no reason
        ["-c", "x.toml", "domain", "refuse", "h.example", "--rule", "1", "--reason", "x", "--until", "soon"],
        ["-c", "x.toml", "serve", "--port", "0"],
    ],
)
async def test_wrong_usage_ends_with_2(arguments):
    done = run_fedi(*arguments)

    assert done.code == 2, done
    assert done.out == ""


async def test_a_configuration_that_is_missing_ends_with_1_and_one_line(tmp_path):
    done = run_fedi("-c", tmp_path / "none.toml", "account", "list")

    assert done.code == 1
    assert "none.toml" in done.err
    assert "Traceback" not in done.err


# Accounts and tokens -----------------------------------------------------------------------------------------


async def test_accounts_are_created_listed_and_shown(instance):
    made = await instance.cli(
        "account", "create", "mod", "--role", "moderator", "--email", "mod@mail.example", "--password-stdin", "--json",
        stdin=PASSWORD + "\n",
    )  # fmt: skip

    assert made.json["uri"] == f"{instance.origin}/users/mod"
    people = {person["name"]: person for person in (await instance.cli("account", "list", "--json")).json}
    assert people["alice"]["role"] == "owner"
    assert (people["mod"]["role"], people["mod"]["email"]) == ("moderator", "mod@mail.example")
    lines = (await instance.cli("account", "list")).out.splitlines()
    assert any(line.startswith("mod  moderator") for line in lines)
    await refused(instance, "account", "show", "nobody")
    for name in (f"@mod@{instance.domain}", f"{instance.origin}/users/mod"):
        shown = (await instance.cli("account", "show", name, "--json")).json
        assert shown["uri"] == made.json["uri"]
    assert "uri: " in (await instance.cli("account", "show", "mod")).out


async def test_accounts_that_cannot_be_are_refused_in_one_line(instance):
    create = ("account", "create")
    secret = PASSWORD + "\n"
    assert "taken" in await refused(instance, *create, "Alice", "--password-stdin", stdin=secret)
    if instance.process is not None:  # the same code runs either way
        assert "taken" in await refused(instance, *create, "ALICE", "--password-stdin", stdin=secret)
        await refused(instance, *create, "empty", "--password-stdin", stdin="")
    await refused(instance, *create, "no spaces", "--password-stdin", stdin=secret)
    await refused(instance, *create, "shorty", "--password-stdin", stdin="short\n")
    await refused(instance, *create, "x", "--role", "king", "--password-stdin", code=2, stdin=secret)


async def test_a_token_is_printed_alone(instance):
    done = await instance.cli("token", "create", "alice", "--scopes", "read write")

    assert done.out == done.out.strip() + "\n"
    assert len(done.out.split()) == 1
    assert done.err == ""
    if instance.process is not None:
        me = await Person(instance, "alice", done.out.strip()).get("/api/v1/accounts/verify_credentials")
        assert me["username"] == "alice"
    await refused(instance, "token", "create", "nobody")
    await refused(instance, "token", "create", "alice", "--scopes", "everything")


async def test_a_suspension_names_rule_reason_and_end_and_is_lifted(instance):
    await instance.cli("account", "create", "spammer", "--password-stdin", stdin=PASSWORD + "\n")
    token = (await instance.cli("token", "create", "spammer")).out.strip()

    decision = (await instance.cli("account", "suspend", "spammer", *REASONED, "--json")).json

    assert (decision["rule"], decision["reason"]) == ("rules/1", "Spam, for weeks")
    shown = (await instance.cli("account", "show", "spammer", "--json")).json
    assert shown["decision"]["decision"] == decision["decision"]
    if instance.process is not None:
        said = await Person(instance, "spammer", token).call("POST", "/api/v1/statuses", json={"status": "Buy"})
        assert said.status == 403
        assert "Spam, for weeks" in said.json["error"]
    await instance.cli("account", "lift", "spammer")
    assert (await instance.cli("account", "show", "spammer", "--json")).json["decision"] is None
    if instance.process is not None:
        assert (await Person(instance, "spammer", token).post("/api/v1/statuses", status="Hello"))["id"]
    await refused(instance, "account", "lift", "spammer")
    await refused(instance, "account", "suspend", "spammer", "--rule", "rules/1", "--reason", "x", "--until", "300d")


# Domains, jobs, deliveries, keys -----------------------------------------------------------------------------


async def test_a_refused_domain_is_listed_and_lifted(instance):
    decision = (await instance.cli("domain", "refuse", "bad.example", *REASONED, "--json")).json

    assert decision["subject"] == "bad.example"
    listed = (await instance.cli("domain", "list", "--json")).json
    assert [one["decision"] for one in listed] == [decision["decision"]]
    await instance.cli("domain", "lift", "bad.example")
    assert (await instance.cli("domain", "list", "--json")).json == []
    await refused(instance, "domain", "lift", "bad.example")
    await refused(instance, "domain", "refuse", "localhost", *REASONED)
    assert "bad.example:80" in await refused(instance, "domain", "refuse", "bad.example:80", *REASONED)
    await refused(instance, "domain", "refuse", "bad.example", "--rule", "r", "--reason", "", "--until", "30d")


async def test_jobs_are_listed_and_tried_again(instance):
    assert isinstance((await instance.cli("jobs", "list", "--json")).json, list)
    assert (await instance.cli("jobs", "list", "--state", "dead", "--kind", "deliver", "--limit", "5")).out == ""
    assert (await instance.cli("jobs", "retry", "--json")).json == {"retried": 0}
    await refused(instance, "jobs", "retry", "123456789")


async def test_deliveries_of_what_is_not_ours_are_refused(instance):
    await refused(instance, "post", "deliveries", "https://elsewhere.example/@a/1")
    await refused(instance, "post", "deliveries", f"{instance.origin}/@alice/1")


async def test_keys_are_rotated_under_the_same_names(instance):
    def stored() -> list[tuple[str, str]]:
        with sqlite3.connect(f"file:{instance.folder / 'fedi.db'}?mode=ro", uri=True) as db:
            rows = db.execute("SELECT id, public_key FROM actor_key WHERE id LIKE '%/alice#%' ORDER BY id").fetchall()
        db.close()
        return rows

    before = stored()

    done = (await instance.cli("key", "rotate", "alice", "--json")).json

    after = stored()
    assert [key for key, _ in before] == [key for key, _ in after] == sorted(done["keys"])
    assert {key for _, key in before}.isdisjoint(key for _, key in after)
    await refused(instance, "key", "rotate", "nobody")


async def test_the_configuration_may_come_from_a_variable(instance):
    done = await asyncio.to_thread(
        run_fedi, "account", "list", "--json", variables={"FEDI_CONFIG": str(instance.config)}
    )

    assert done.code == 0, done.err
    assert "alice" in {person["name"] for person in done.json}


# Only with a server that runs --------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Instance, Person]]:
    made = await Instance.create(tmp_path_factory.mktemp("cli") / "running")
    person = await made.add_person("alice", "owner")
    yield made, person
    await made.close()


async def test_a_refused_server_is_told_by_which_decision(running):
    instance, alice = running
    peer = await FakePeer.start("bad")
    actor = peer.add_actor("spam")
    note = peer.note(actor, "Buy this", to=[alice.uri], cc=[], tag=[{"type": "Mention", "href": alice.uri}])
    decision = (await instance.cli("domain", "refuse", "bad.localhost", *REASONED, "--json")).json

    status, headers, body = await peer.post(f"{instance.origin}/inbox", peer.activity("Create", actor, note), actor)

    assert status == 403
    assert headers["Content-Type"].startswith("application/problem+json")
    told = json.loads(body)
    assert (told["rule"], told["reason"]) == ("rules/1", "Spam, for weeks")
    assert decision["decision"] in told["decision"]
    await instance.cli("domain", "lift", "bad.localhost")
    assert (await peer.post(f"{instance.origin}/inbox", peer.activity("Create", actor, note), actor))[0] == 202
    await eventually(lambda: alice.find_notification("mention"))
    await peer.stop()


async def test_the_deliveries_of_a_post_are_shown_and_dead_ones_tried_again(running):
    instance, alice = running
    peer = await FakePeer.start("reader")
    actor = peer.add_actor("reader")
    assert (await peer.post(f"{instance.origin}/inbox", peer.activity("Follow", actor, alice.uri), actor))[0] == 202
    await peer.until_received(1)
    peer.answer("/inbox", status=503)
    posted = await alice.post("/api/v1/statuses", status="Anybody there?")

    async def row(state: str) -> bool:
        rows = (await instance.cli("post", "deliveries", posted["url"], "--json")).json
        return [(one["host"], one["state"]) for one in rows] == [(peer.host, state)]

    await eventually(lambda: row("retrying"))
    waiting = (await instance.cli("jobs", "list", "--kind", "deliver", "--json")).json
    assert [(job["state"], job["lane"]) for job in waiting] == [("waiting", peer.host)]
    assert "503" in waiting[0]["error"]
    assert peer.host in (await instance.cli("jobs", "list")).out

    peer.answer_as_usual("/inbox")
    await instance.cli("jobs", "retry", str(waiting[0]["id"]))

    await eventually(lambda: row("sent"))
    assert (await instance.cli("jobs", "list", "--kind", "deliver", "--json")).json == []
    await peer.stop()


async def test_a_second_server_on_the_same_instance_does_not_start(running):
    instance, _alice = running

    done = await instance.cli("serve", "--port", str(unused_port()), code=None)

    assert done.code in {1, 3}
    assert "another process" in done.err
    assert "Traceback" not in done.err


async def test_a_port_that_is_taken_is_told_in_one_line(tmp_path):
    instance = await Instance.create(tmp_path / "home", serve=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", instance.port))
        taken.listen()

        done = await instance.cli("serve", code=None)

    assert done.code in {1, 3}
    assert str(instance.port) in done.err
    assert "Traceback" not in done.err


async def test_serve_port_changes_the_listening_port_alone(tmp_path):
    instance = await Instance.create(tmp_path / "home", serve=False)
    other = unused_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fedi", "-c", instance.config, "serve", "--port", str(other)],
            stdout=log,
            stderr=log,
            env={key: value for key, value in os.environ.items() if not key.startswith("FEDI_")},
        )
    try:

        async def answers() -> bool:
            try:
                return (await instance.request("GET", f"http://127.0.0.1:{other}/readyz")).status == 200
            except OSError:
                return False

        await eventually(answers, what=lambda: Path(tmp_path / "log").read_text())
        actor = await instance.document(f"http://127.0.0.1:{other}/actor")
        assert actor["id"] == f"{instance.origin}/actor"
    finally:
        process.terminate()
        assert process.wait(20) == 0
        await instance.close()


async def test_a_database_that_does_not_answer_ends_with_3(tmp_path):
    instance = await Instance.create(tmp_path / "home", serve=False)
    instance.variables["FEDI_DATABASE__URL"] = f"postgresql://nobody@/none?host={tmp_path}"

    done = await instance.cli("account", "list", code=None)

    assert done.code == 3
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1
