"""The nouns and verbs, and how their results are printed. What they do is in :mod:`fedi.cli.operations`."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from fedi.cli.control import Refused, call_server
from fedi.clock import Clock, SystemClock, to_ms
from fedi.config import Config, ConfigError, load_config
from fedi.errors import Problem, Unreachable
from fedi.store.database import DatabaseFault, DatabaseTooNew

DONE, FAILED, USAGE, UNFINISHED = 0, 1, 2, 3
F = TypeVar("F", bound=Callable[..., Any])

_SPAN = re.compile(r"(\d+)\s*([dhw])")
_TRY_AGAIN = frozenset({"busy", "no-answer"})
_HOURS = {"h": 1, "d": 24, "w": 168}


class House(click.Group):
    """Turns our faults into one line and an exit code, wherever they come from."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, DatabaseTooNew) as refused:
            _fail(str(refused))
        except Refused as refused:
            _fail(str(refused), UNFINISHED if refused.code in _TRY_AGAIN else FAILED)
        except Problem as problem:
            _fail(problem.safe % problem.params)
        except (DatabaseFault, Unreachable, OSError) as fault:
            _fail(f"could not finish: {fault}", UNFINISHED)


def _fail(text: str, code: int = FAILED) -> None:
    click.echo(f"fedi: {text}", err=True)
    sys.exit(code)


@click.group(cls=House, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="FEDI_CONFIG",
    help="The instance's config.toml (else the variable FEDI_CONFIG).",
)
@click.version_option(package_name="fedi")
@click.pass_context
def main(ctx: click.Context, config_path: Path | None) -> None:
    """Runs a fedi instance and looks after it."""
    ctx.obj = config_path


def read_config(ctx: click.Context, overrides: Mapping[str, object] | None = None) -> Config:
    path = ctx.find_root().obj
    if path is None:
        raise click.UsageError("name the configuration with -c, or in the variable FEDI_CONFIG")
    return load_config(path, os.environ, overrides)


def ask(ctx: click.Context, operation: str, **arguments: Any) -> Any:
    """Runs an operation where the instance is: in its server, or here when none runs."""
    config = read_config(ctx)
    try:
        return asyncio.run(call_server(config.state_dir, operation, arguments))  # it keeps decisions and keys in mind
    except ConnectionError:
        pass
    from fedi.cli.process import run_operation  # noqa: PLC0415 - the server's imports cost half a second

    return asyncio.run(run_operation(config, operation, arguments))


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show(result: Any, *, as_json: bool) -> None:
    """Lists as one line per row, single things as ``key: value``."""
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    elif isinstance(result, list):
        for row in result:
            click.echo("  ".join("-" if value is None else str(value) for value in row.values()))
    else:
        for key, value in result.items():
            click.echo(f"{key}: {'-' if value is None else value}")


# Process -----------------------------------------------------------------------------------------------------


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--domain", required=True, help="Public host of the instance, HOST or HOST:PORT.")
@click.option("--handle-domain", help="What follows the second @ of handles, if not the host.")
@click.option("--http", is_flag=True, help="A test instance on loopback, without TLS.")
def init(folder: Path, domain: str, handle_domain: str | None, *, http: bool) -> None:
    """Writes FOLDER/config.toml, keys and database. Overwrites nothing."""
    from fedi.cli.process import init_instance  # noqa: PLC0415

    click.echo(asyncio.run(init_instance(folder, domain=domain, handle_domain=handle_domain, http=http)))


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Listen here instead of at server.port.")
@click.pass_context
def serve(ctx: click.Context, port: int | None) -> None:
    """Runs the instance until it is told to stop."""
    from fedi.cli.process import serve_instance  # noqa: PLC0415

    sys.exit(serve_instance(read_config(ctx, {"server.port": port} if port else None)))


# Nouns -------------------------------------------------------------------------------------------------------


@main.group()
def account() -> None:
    """People with an account here, and what is known of others."""


@account.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(["owner", "admin", "moderator", "user"]), default="user")
@click.option("--email")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@as_json
@click.pass_context
def account_create(
    ctx: click.Context, name: str, role: str, email: str | None, *, password_stdin: bool, as_json: bool
) -> None:
    """Creates a confirmed account."""
    assert password_stdin
    password = sys.stdin.readline().rstrip("\r\n")
    show(ask(ctx, "account create", name=name, role=role, email=email, password=password), as_json=as_json)


@account.command("list")
@as_json
@click.pass_context
def account_list(ctx: click.Context, *, as_json: bool) -> None:
    """Lists the people of this instance."""
    show(ask(ctx, "account list"), as_json=as_json)


@account.command("show")
@click.argument("name")
@as_json
@click.pass_context
def account_show(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """Shows one account: a local name, NAME@DOMAIN, or an actor URI."""
    show(ask(ctx, "account show", name=name), as_json=as_json)


def _deadline(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """A date (``2027-01-31``), or a span from now (``30d``, ``12h``, ``2w``), as milliseconds since 1970."""
    clock: Clock = SystemClock()
    if span := _SPAN.fullmatch(value):
        return clock.ms() + int(span[1]) * _HOURS[span[2]] * 3_600_000
    try:
        return to_ms(datetime.fromisoformat(value).replace(tzinfo=UTC))
    except ValueError:
        raise click.BadParameter("write a date such as 2027-01-31, or a span such as 30d") from None


def reasoned(command: F) -> F:
    """Whatever makes anybody less visible names its rule, its reason and its end."""
    command = click.option("--until", "until_ms", required=True, callback=_deadline, help="Date, or span such as 30d.")(
        command
    )
    command = click.option("--reason", required=True, help="Why, in a sentence that is shown.")(command)
    return click.option("--rule", required=True, help="The rule it rests on, such as rules/2.")(command)


@account.command("suspend")
@click.argument("name")
@reasoned
@as_json
@click.pass_context
def account_suspend(ctx: click.Context, name: str, rule: str, reason: str, until_ms: int, *, as_json: bool) -> None:
    """Freezes an account until a date."""
    show(ask(ctx, "account suspend", name=name, rule=rule, reason=reason, until_ms=until_ms), as_json=as_json)


@account.command("lift")
@click.argument("name")
@as_json
@click.pass_context
def account_lift(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """Ends a suspension now."""
    show(ask(ctx, "account lift", name=name), as_json=as_json)


@main.group()
def domain() -> None:
    """Other servers."""


@domain.command("refuse")
@click.argument("host")
@reasoned
@as_json
@click.pass_context
def domain_refuse(ctx: click.Context, host: str, rule: str, reason: str, until_ms: int, *, as_json: bool) -> None:
    """Refuses all requests of a server, with a 403 that names this decision, until a date."""
    show(ask(ctx, "domain refuse", host=host, rule=rule, reason=reason, until_ms=until_ms), as_json=as_json)


@domain.command("lift")
@click.argument("host")
@as_json
@click.pass_context
def domain_lift(ctx: click.Context, host: str, *, as_json: bool) -> None:
    """Ends a refusal now."""
    show(ask(ctx, "domain lift", host=host), as_json=as_json)


@domain.command("list")
@as_json
@click.pass_context
def domain_list(ctx: click.Context, *, as_json: bool) -> None:
    """Lists the refusals in force."""
    show(ask(ctx, "domain list"), as_json=as_json)


@main.group()
def token() -> None:
    """Access tokens for apps and scripts."""


@token.command("create")
@click.argument("name")
@click.option("--scopes", default="read write follow push", show_default=True)
@click.pass_context
def token_create(ctx: click.Context, name: str, scopes: str) -> None:
    """Prints a new token of an account, and nothing else."""
    click.echo(ask(ctx, "token create", name=name, scopes=scopes)["token"])


@main.group()
def jobs() -> None:
    """Work the instance has still to do."""


@jobs.command("list")
@click.option("--state", type=click.Choice(["waiting", "leased", "dead"]))
@click.option("--kind")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json
@click.pass_context
def jobs_list(ctx: click.Context, state: str | None, kind: str | None, limit: int, *, as_json: bool) -> None:
    """Lists jobs, oldest first."""
    show(ask(ctx, "jobs list", state=state, kind=kind, limit=limit), as_json=as_json)


@jobs.command("retry")
@click.argument("job_id", type=int, required=False)
@click.option("--kind", help="Only dead jobs of this kind.")
@as_json
@click.pass_context
def jobs_retry(ctx: click.Context, job_id: int | None, kind: str | None, *, as_json: bool) -> None:
    """Makes one job due now, or starts all dead ones again."""
    show(ask(ctx, "jobs retry", job_id=job_id, kind=kind), as_json=as_json)


@main.group()
def post() -> None:
    """Single posts."""


@post.command("deliveries")
@click.argument("status_url")
@as_json
@click.pass_context
def post_deliveries(ctx: click.Context, status_url: str, *, as_json: bool) -> None:
    """Shows which servers have a post, which are pending, refused or gone."""
    show(ask(ctx, "post deliveries", url=status_url), as_json=as_json)


@main.group()
def key() -> None:
    """The keys our actors sign with."""


@key.command("rotate")
@click.argument("name")
@as_json
@click.pass_context
def key_rotate(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """Gives an account new keys and tells its followers' servers."""
    show(ask(ctx, "key rotate", name=name), as_json=as_json)
