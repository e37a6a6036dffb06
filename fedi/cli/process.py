"""Making an instance, running it, and running one operation on it."""

import asyncio
import gc
import importlib
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import structlog
from aiohttp import web

from fedi.app import build_web, open_instance
from fedi.cli.control import Refused, control_server
from fedi.cli.logs import set_up_logs
from fedi.cli.operations import OPERATIONS
from fedi.config import Config, example_with, load_config
from fedi.store.database import DatabaseBusy
from fedi.web import front

STOP_WITHIN_S = 10.0

log = structlog.get_logger(__name__)


async def init_instance(folder: Path, *, domain: str, handle_domain: str | None, http: bool) -> str:
    """Writes the folder of a new instance and says what to do next. Raises Refused when there is one already."""
    path = folder / "config.toml"
    if path.exists():
        raise Refused(f"{path} is there already; nothing was changed", code="exists")
    values: dict[str, str | int | bool | list[str]] = {
        "instance.domain": domain,
        "instance.handle_domain": handle_domain or "",
        "instance.http": http,
        "server.secret_file": "secret",
    }
    if http:
        values["metrics.port"] = 0  # several test instances may share one machine
        _, colon, port = domain.rpartition(":")
        if colon and port.isdigit():
            values["server.port"] = int(port)
    text = example_with(values)
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    _write_private(folder / "secret", secrets.token_urlsafe(32) + "\n")
    _write_private(path, text)
    try:
        config = load_config(path, {})
        async with open_instance(config) as instance:
            actor = instance.actor
    except BaseException:
        path.unlink()  # what was written cannot be run; the next init starts afresh
        raise
    return (
        f"Instance actor {actor.uri} is ready.\n"
        f"Next: fedi -c {path} account create NAME --role owner --password-stdin\n"
        f"Then: fedi -c {path} serve"
    )


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


async def run_operation(config: Config, operation: str, arguments: dict[str, Any]) -> Any:
    """Here, where no server runs that could do it."""
    try:
        async with open_instance(config) as instance:
            return await OPERATIONS[operation](instance, **arguments)
    except DatabaseBusy:
        raise Refused("another process holds the database but does not answer; is it starting?", code="busy") from None


def serve_instance(config: Config) -> int:
    """Runs until SIGTERM or SIGINT. Returns the exit code."""
    set_up_logs(config.log.level, config.log.format)
    try:
        with asyncio.Runner(loop_factory=_faster_loop()) as runner:
            runner.run(_serve(config))
    except DatabaseBusy:
        raise Refused("another process runs this instance", code="busy") from None
    return 0


def _faster_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """That of uvloop, where the extra ``fast`` is installed; None is asyncio's own."""
    try:
        return cast("Callable[[], asyncio.AbstractEventLoop]", importlib.import_module("uvloop").new_event_loop)
    except ImportError:
        return None


def _settle_memory() -> None:
    """What is here now stays: looking through it for garbage again and again is a tenth of the processor time."""
    gc.collect()
    gc.freeze()
    # With nothing old left to compare with, Python would look through all that came since ever so often.
    gc.set_threshold(5_000, 20, 20)


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    # Not the loop's own handlers: those end with it, and a second signal would then kill a server that is leaving.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    async with open_instance(config) as instance:
        runner = front.Runner(
            build_web(instance), access_log=None, handle_signals=False, shutdown_timeout=STOP_WITHIN_S
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, config.server.listen, config.server.port, backlog=1024)
            await site.start()

            async def run(operation: str, arguments: dict[str, Any]) -> Any:
                return await OPERATIONS[operation](instance, **arguments)

            async with control_server(config.state_dir, run), instance.working():
                _settle_memory()
                log.info("serving", origin=config.origin, port=config.server.port)
                await stop.wait()
                log.info("stopping")
        finally:
            await runner.cleanup()
