"""How the command line reaches a running server: one JSON line each way over a socket that only the owner may open.

On SQLite one process holds the file, so a command either goes to that process, or takes the lock and opens the file
itself. The operations are the same functions both ways.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fedi.errors import Problem

SOCKET_NAME = "control.sock"
LONGEST_LINE = 1 << 20
LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes

Run = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Refused(Exception):  # noqa: N818 - an answer
    """The operation was refused or failed; the text is one line for a person."""

    def __init__(self, text: str, *, code: str = "failed") -> None:
        super().__init__(text)
        self.code = code


@asynccontextmanager
async def _socket_path(state_dir: Path) -> AsyncIterator[str]:
    """A path the kernel accepts, however deep the folder lies."""
    path = str(state_dir / SOCKET_NAME)
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield path
        return
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


@asynccontextmanager
async def control_server(state_dir: Path, run: Run) -> AsyncIterator[None]:
    """Serves operations while the context lasts. The caller holds the instance's lock, so an old socket is stale."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            writer.write(json.dumps(await _answer(line, run)).encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()

    async with _socket_path(state_dir) as path:
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - a name in a folder we hold open, gone in microseconds
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)  # the socket is born with mode 0600
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        server = await asyncio.start_unix_server(serve, sock=listener, limit=LONGEST_LINE)
        try:
            yield
        finally:
            server.close()
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - a name in a folder we hold open, gone in microseconds


async def _answer(line: bytes, run: Run) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"result": await run(request["operation"], request["arguments"])}
    except Problem as problem:
        return {"refused": problem.safe % problem.params, "code": problem.code}
    except (ValueError, KeyError, TypeError) as error:
        return {"refused": f"not understood: {error!r}", "code": "control-malformed"}


async def call_server(state_dir: Path, operation: str, arguments: dict[str, Any]) -> Any:
    """The result of an operation of the running server. Raises Refused, or ConnectionError when nobody listens."""
    async with _socket_path(state_dir) as path:
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=64 * LONGEST_LINE)
        except FileNotFoundError:
            raise ConnectionRefusedError(path) from None
        try:
            writer.write(json.dumps({"operation": operation, "arguments": arguments}).encode() + b"\n")
            line = await reader.readline()
        except ConnectionError:
            line = b""
        finally:
            writer.close()
    if not line:  # it may have been done, so it is not done again here
        raise Refused("the server ended before it answered", code="no-answer")
    answer = json.loads(line)
    if "refused" in answer:
        raise Refused(answer["refused"], code=answer["code"])
    return answer["result"]
