"""Finds in the source, without running it, the codes that other servers, apps and operators read."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CODE = Path(__file__).parents[1] / "fedi"
# What raises them: who is to blame, and the status if none is given.
RAISED_BY = {
    "PeerFault": ("peer", 400),
    "refused": ("peer", 403),
    "ClientFault": ("client", 422),
    "_fault": ("client", 400),
    "Problem": ("client", 500),
}
OUTCOMES = ("Ignored", "Retry", "Faulty")


@dataclass(frozen=True)
class Found:
    """``sentences`` and ``statuses`` are all that the code is raised with."""

    sentences: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)


def problem_codes() -> dict[str, dict[str, Found]]:
    """``{"peer": …, "client": …}``: who is to blame, then the code."""
    codes: dict[str, dict[str, Found]] = {"peer": {}, "client": {}}
    for module, tree in _modules():
        names = _sentences_of(tree)
        for call, name in _calls(tree):
            if name in RAISED_BY:
                blamed, default = RAISED_BY[name]
                for code in _codes(module, name, call):
                    found = codes[blamed].setdefault(code, Found())
                    found.statuses.add(_status(call, default))
                    text = _text(call.args[1], names) if len(call.args) > 1 else None
                    if text and text not in found.sentences:
                        found.sentences.append(text)
            elif name == "required_uri" and isinstance(call.args[0], ast.Constant):
                codes["peer"].setdefault(f"bad-{str(call.args[0].value).lower()}", Found()).statuses.add(400)
        for status, code, text in _by_status(tree, names):
            found = codes["client"].setdefault(code, Found())
            found.statuses.add(status)
            if text not in found.sentences:
                found.sentences.append(text)
    return codes


def outcome_codes() -> dict[str, set[str]]:
    """Of each outcome with a code, the codes written in the source."""
    codes: dict[str, set[str]] = {name: set() for name in OUTCOMES}
    for _, tree in _modules():
        for call, name in _calls(tree):
            if name in OUTCOMES:
                given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "code")]
                codes[name].update(code for value in given for code in _constants(value))
    return codes


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(CODE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (node.args or node.keywords):
            function = node.func
            yield node, function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _codes(module: Path, name: str, call: ast.Call) -> list[str]:
    if name == "_fault":  # only OAuth's own words; another module has a helper of that name
        return [code.replace("_", "-") for code in _constants(call.args[0])] if module.name == "oauth.py" else []
    if not call.args:
        return []
    return [code for code in _constants(call.args[0]) if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)]


def _constants(node: ast.expr) -> list[str]:
    """The texts an expression may be: a constant, or either branch of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return _constants(node.body) + _constants(node.orelse)
    return []


def _status(call: ast.Call, default: int) -> int:
    given = (word.value for word in call.keywords if word.arg == "status")
    return next((value.value for value in given if isinstance(value, ast.Constant)), default)


def _text(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
        node = node.args[0]
    if isinstance(node, ast.Name):
        return names.get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _sentences_of(tree: ast.Module) -> dict[str, str]:
    """Module constants that hold a sentence."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = _text(node.value, {})
            if text is not None:
                found[node.targets[0].id] = text
    return found


def _by_status(tree: ast.Module, names: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """The table by which answers of the framework become ours."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_BY_STATUS":
            assert isinstance(node.value, ast.Dict)
            for status, pair in zip(node.value.keys, node.value.values, strict=True):
                assert isinstance(status, ast.Constant)
                assert isinstance(pair, ast.Tuple)
                yield status.value, _constants(pair.elts[0])[0], _text(pair.elts[1], names) or ""
