"""Imports go down the floors of the house, and only the named rooms touch the outside world."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "fedi"

FLOORS = {
    0: {"errors", "ids", "clock", "guard", "text", "config", "i18n"},
    1: {"model"},
    2: {"activitypub", "policies"},
    3: {"store", "remote"},
    4: {"ledger", "jobs", "streaming", "media", "notify", "auth"},
    5: {"inbox", "outbox", "feeds"},
    6: {"web"},
    7: {"app", "cli", "__main__"},
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}

PURE = ["model", "activitypub", "policies", "inbox/handlers", "ledger/merkle.py", "ledger/notes.py"]
IMPURE_MODULES = {
    "asyncio", "socket", "ssl", "http", "urllib.request", "aiohttp", "sqlite3", "aiosqlite", "asyncpg",
    "random", "secrets", "time", "subprocess",
}  # fmt: skip
# Where a rule of purity has a reasoned exception.
PURE_EXCEPT = {
    "policies/host.py",  # runs policies, so it owns a pool
    "activitypub/rdf_worker.py",  # owns the subprocess that bounds the CPU of JSON-LD
}

SQL_WORDS = ("SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM")
LEDGER_TABLES = ("slot", "surface_head", "decision", "restriction", "log_entry", "intake")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def room(relative: str) -> str:
    return relative.split("/")[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import at line {node.lineno}"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def test_every_room_has_a_floor():
    rooms = {room(relative) for relative, _ in modules()} - {"__init__", "verify"}
    assert rooms <= set(FLOOR_OF)


def test_imports_go_down():
    faults = []
    for relative, tree in modules():
        here = room(relative)
        if here == "__init__":
            continue
        for name, line in imported(tree):
            parts = name.split(".")
            if parts[0] != "fedi" or len(parts) < 2 or parts[1] == here:
                continue
            there = parts[1]
            if there not in FLOOR_OF:
                faults.append(f"{relative}:{line} imports unknown {name}")
            elif FLOOR_OF[there] > FLOOR_OF[here] or (
                FLOOR_OF[there] == FLOOR_OF[here] and FLOOR_OF[here] not in {0, 7}
            ):
                faults.append(f"{relative}:{line} (floor {FLOOR_OF[here]}) imports {name} (floor {FLOOR_OF[there]})")
    assert not faults, "\n".join(faults)


def test_pure_rooms_touch_nothing_outside():
    faults = []
    for relative, tree in modules():
        if relative in PURE_EXCEPT or not any(relative == p or relative.startswith(p + "/") for p in PURE):
            continue
        for name, line in imported(tree):
            if (
                any(name == bad or name.startswith(bad + ".") for bad in IMPURE_MODULES)
                or name == "fedi.clock.SystemClock"
            ):
                faults.append(f"{relative}:{line} imports {name}")
    assert not faults, "\n".join(faults)


def test_only_the_clock_asks_for_the_time():
    faults = []
    for relative, tree in modules():
        if relative == "clock.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                if called in {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}:
                    faults.append(f"{relative}:{node.lineno} uses {called}")
    assert not faults, "\n".join(faults)


def _strings(tree: ast.Module) -> Iterator[tuple[str, int]]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value, node.lineno


def test_sql_lives_in_the_store():
    faults = [
        f"{relative}:{line}"
        for relative, tree in modules()
        if room(relative) != "store"
        for text, line in _strings(tree)
        if any(text.lstrip().startswith(word) for word in SQL_WORDS)
    ]
    assert not faults, "\n".join(faults)


def test_outgoing_http_lives_in_the_remote_client():
    faults = [
        f"{relative}:{line} imports {name}"
        for relative, tree in modules()
        if relative != "remote/client.py"
        for name, line in imported(tree)
        if name in {"aiohttp.ClientSession", "aiohttp.TCPConnector", "urllib.request.urlopen", "requests"}
    ]
    assert not faults, "\n".join(faults)
