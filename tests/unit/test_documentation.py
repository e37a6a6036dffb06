"""Nothing is undocumented, and nothing is documented that is not there."""

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fedi.app import build_web, open_instance
from fedi.cli.commands import main as fedi_command
from fedi.config import example_with, load_config
from fedi.inbox import outcome
from fedi.jobs.kinds import KINDS
from fedi.policies.registry import GROUP
from tests.support.clocks import FakeClock

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
AT_THE_ROOT = ("README.md", "FEDERATION.md", "THREAT_MODEL.md", "CONTRIBUTING.md", "changes/README.md")
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in AT_THE_ROOT)])


@pytest.fixture(scope="module")
def reference():
    """``tools/reference.py``, which makes some of the pages."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        spec = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def codes(reference):
    return sys.modules["problem_codes"]


def rows(page: Path) -> dict[str, str]:
    """Of all tables of a page: the first cell, if it is one word of code, and the rest of the line."""
    found = re.findall(r"^\| `([^`|]+)` \|(.*)\|$", page.read_text(), re.MULTILINE)
    names = [name for name, _ in found]
    assert len(names) == len(set(names)), f"{page.name} has a line twice"
    return dict(found)


# Pages made from the code


@pytest.mark.parametrize("name", ["configuration.md", "command-line.md", "error-codes.md"])
def test_a_page_that_is_made_from_the_code_is_up_to_date(reference, name):
    made = reference.PAGES[name]()
    assert (REFERENCE / name).read_text() == made, "run python tools/reference.py"


def commands(path: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from commands(f"{path} {name}", one)
    else:
        yield path


def test_every_command_that_a_page_shows_exists():
    known = set(commands("fedi", fedi_command))
    groups = {name.rsplit(" ", 1)[0] for name in known}
    shown = set()
    for page in (ROOT / "README.md", *DOCS.glob("tutorials/*.md"), *DOCS.glob("how-to/*.md")):
        for line in re.findall(r"^ {4}(.*)$", page.read_text(), re.MULTILINE):
            if call := re.search(r"(?:^|/|\s)fedi(?: -c \S+)? ([a-z].*)", line):
                words = call[1].split()
                two = f"fedi {' '.join(words[:2])}"
                shown.add(two if f"fedi {words[0]}" in groups else f"fedi {words[0]}")
    assert len(shown) > 5
    assert shown - {"fedi fedi"} <= known


# Codes


def test_every_fault_of_another_server_is_explained(codes):
    page = (REFERENCE / "error-codes.md").read_text().partition("## To blame: an app")[0]
    told = {
        code: statuses
        for code, statuses, _ in re.findall(r"^\| `([^`]+)` \| ([\d, ]+) \| (.+) \|$", page, re.MULTILINE)
    }
    raised = {
        code: ", ".join(str(status) for status in sorted(found.statuses))
        for code, found in codes.problem_codes()["peer"].items()
    }
    assert told == raised


def test_every_fault_of_an_app_or_a_person_has_a_sentence(codes):
    for code, found in codes.problem_codes()["client"].items():
        assert found.sentences, code


def test_no_two_codes_say_the_same_in_another_order(codes):
    known = {code for found in codes.problem_codes().values() for code in found}
    assert len({frozenset(code.split("-")) for code in known}) == len(known)


def test_every_outcome_is_explained(codes):
    page = REFERENCE / "outcomes.md"
    names = {name for name in vars(outcome) if isinstance(getattr(outcome, name), type)} - {"TypeAlias"}
    for name in names:
        assert re.search(rf"\b{name}\b", page.read_text()), name
    found = codes.outcome_codes()
    by_name = {"Ignored": set(), "Retry": set()}
    section = ""
    for line in page.read_text().splitlines():
        section = line.removeprefix("## Codes of ") if line.startswith("## ") else section
        if section and (row := re.match(r"\| `([^`]+)` \|", line)):
            by_name.setdefault(section, set()).add(row[1])
    assert by_name["Ignored"] == found["Ignored"]
    assert not found["Retry"], "explain them"


# Jobs, tables, policies


def test_every_job_kind_has_its_line():
    told = rows(REFERENCE / "job-kinds.md")
    assert set(told) == set(KINDS)
    for name, kind in KINDS.items():
        _, at_once, delays = [cell.strip() for cell in told[name].split("|")]
        assert int(at_once) == kind.concurrency
        units = {"s": 1, "min": 60, "h": 3600}
        waits = [int(number) * units[unit] * 1000 for number, unit in re.findall(r"(\d+) (s|min|h)\b", delays)]
        assert tuple(waits) == kind.delays_ms


def test_every_table_is_named():
    made = set()
    for path in (ROOT / "fedi/store").rglob("*"):
        if path.suffix in {".sql", ".py"}:
            made |= set(re.findall(r"CREATE (?:TABLE|VIEW)(?: IF NOT EXISTS)? (\w+)", path.read_text()))
    page = (REFERENCE / "storage.md").read_text().partition("| group | tables |")[2]
    assert set(re.findall(r"`([a-z_]+)`", page.partition("**Durability.**")[0])) == made


def test_every_policy_has_a_page():
    project = (ROOT / "pyproject.toml").read_text()
    listed = project.partition(f'[project.entry-points."{GROUP}"]')[2].partition("\n[")[0]
    ids = set(re.findall(r"^(\w+) = ", listed, re.MULTILINE))
    assert ids
    assert {path.stem for path in DOCS.glob("policies/*.md")} == ids


# Routes


@pytest.fixture
async def routes(tmp_path) -> set[tuple[str, str]]:
    """Method and path of everything an instance answers."""
    config = tmp_path / "config.toml"
    config.write_text(
        example_with({"instance.domain": "localhost:8080", "instance.http": True, "server.secret_file": "secret"})
    )
    (tmp_path / "secret").write_text("s" * 40)
    async with open_instance(load_config(config), FakeClock()) as instance:
        app = build_web(instance)
        return {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }


OF_APPS = ("/api/", "/oauth/")


async def test_every_route_of_the_client_api_is_documented(routes):
    page = (REFERENCE / "client-api.md").read_text()
    told = set()
    for methods, path in re.findall(r"`([A-Z, ]+) (/[^`\s]*)`", page):
        told |= {(method, path) for method in methods.split(", ")}
    served = {(method, path) for method, path in routes if path.startswith(OF_APPS)}
    assert {route for route in told if route[1].startswith(OF_APPS)} == served
    assert told <= routes


# Promises


PATH = re.compile(r"`((?:fedi|tests|tools|bench|docs|contrib)/[\w./-]+?)(?:::(\w+))?`")


def defined(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("name", ["THREAT_MODEL.md", "docs/roadmap.md", "FEDERATION.md", "CONTRIBUTING.md"])
def test_files_and_tests_that_a_page_names_exist(name):
    missing = []
    for path, test in PATH.findall((ROOT / name).read_text()):
        found = ROOT / path
        if not found.exists() or (test and test not in defined(found)):
            missing.append(f"{path}::{test}" if test else path)
    assert not missing


def test_every_row_of_the_security_table_has_a_check_and_a_test_or_its_part():
    table = (ROOT / "THREAT_MODEL.md").read_text().partition("## What is checked")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (\d+[b]?) \| (.+) \|$", table, re.MULTILINE)
    assert [number for number, _ in lines] == [*map(str, range(1, 20)), "19b", "20", "21"]
    for number, line in lines:
        _, check, tests, advisories = line.split(" | ")
        assert "`fedi/" in check or "part" in check, number
        assert "`tests/" in tests or "part" in tests, number
        assert advisories


def test_every_line_of_the_roadmap_is_built_with_its_test_or_owed():
    text = (DOCS / "roadmap.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ") and "| --- |" not in line]
    states = [line.split(" | ")[1].strip() for line in lines]
    assert len(lines) > 80
    for line, state in zip(lines, states, strict=True):
        assert state in {"state", "**built**", "**partly**", "owed"}, line
        if state == "**built**":
            assert "`tests/" in line or "`bench/" in line, f"built, but by which test? {line}"


# Links


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title)).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert not broken


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            found = (page.parent / target.partition("#")[0]).resolve()
            if "://" not in target and found.is_dir():
                waiting += sorted(found.glob("*.md"))
            elif "://" not in target and found.exists():
                waiting.append(found)
    assert {page for page in PAGES if DOCS in page.parents} <= reached
