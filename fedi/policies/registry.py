"""Finds policies by entry point, built-ins by the same door as everybody's: group ``fedi.policies``."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from fedi.policies.base import API, LANGUAGES, Policy

GROUP = "fedi.policies"


class PolicyRefused(Exception):  # noqa: N818 - the state of the policy
    """A configured policy cannot be used; the text says why."""


def load_policies(ids: Iterable[str], found: Iterable[EntryPoint] | None = None) -> list[Policy]:
    """The named policies, in that order. An installed but unnamed one does nothing.

    Raises :class:`PolicyRefused`: not installed, installed twice, or not a policy of this contract.
    """
    by_name: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP) if found is None else found:
        if point.name in by_name and by_name[point.name].value != point.value:
            raise PolicyRefused(f"two packages bring a policy called {point.name!r}")
        by_name[point.name] = point
    policies: list[Policy] = []
    for name in ids:
        point = by_name.get(name) or _missing(name, by_name)
        policies.append(_made(name, point))
    return policies


def _made(name: str, point: EntryPoint) -> Policy:
    policy = point.load()()
    if not isinstance(policy, Policy):
        raise PolicyRefused(f"{name}: {point.value} is not a policy")
    meta = policy.meta
    if meta.id != name or meta.api != API:
        raise PolicyRefused(f"{name}: says it is {meta.id!r} of api {meta.api}")
    missing = [language for language in LANGUAGES if not meta.describe.get(language)]
    if missing:
        raise PolicyRefused(f"{name}: does not describe itself in {', '.join(missing)}")
    return policy


def _missing(name: str, known: dict[str, EntryPoint]) -> EntryPoint:
    raise PolicyRefused(f"no policy called {name!r} is installed (there are: {', '.join(sorted(known)) or 'none'})")
