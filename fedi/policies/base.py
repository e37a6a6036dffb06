"""What a policy is: a pure function from a snapshot to a proposal.

It proposes and nothing more. What becomes of a proposal is decided elsewhere, logged, and ends by itself.
"Drop" cannot be expressed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, Protocol, runtime_checkable

Hook = Literal["incoming", "outgoing", "draft"]
Category = Literal["spam-campaign", "malware", "csam", "court-order"]

LANGUAGES = ("en", "fr", "ar")
MAX_EXPLAIN_CHARS = 160
HOUR_MS = 3600 * 1000
MACHINE_LONGEST_MS = 72 * HOUR_MS  # what a policy may ask for without a human decision behind it
API = 1


class Verdict(IntEnum):
    """By severity: of several, the highest wins."""

    ALLOW = 0
    LABEL = 1
    NUDGE = 2
    LIMIT = 3
    HOLD = 4
    REJECT = 5


class MalformedProposal(ValueError):  # noqa: N818 - it says what the policy handed over
    """The proposal is outside what policies may ask for; counts as a crash of its policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A word on the post. A covering label hides it behind a click and therefore needs a mandate."""

    name: str
    covering: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where in the input the cause stands, in code points."""

    field: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """``explain`` holds one line in each of :data:`LANGUAGES`; ``ends_at`` is mandatory for whatever restricts."""

    verdict: Verdict
    reason: str
    explain: Mapping[str, str]
    evidence: tuple[Span, ...] = ()
    labels: tuple[Label, ...] = ()
    part: str = "whole"
    surfaces: frozenset[str] = frozenset({"*"})
    ends_at: int | None = None
    category: Category | None = None
    mandate: str | None = None

    def __post_init__(self) -> None:
        covering = any(label.covering for label in self.labels)
        restricts = covering or self.verdict >= Verdict.LIMIT
        for language in LANGUAGES:
            line = self.explain.get(language, "")
            if not line or "\n" in line or len(line) > MAX_EXPLAIN_CHARS:
                raise MalformedProposal(f"one line of at most {MAX_EXPLAIN_CHARS} characters is missing in {language}")
        if not self.reason:
            raise MalformedProposal("a reason code is missing")
        if restricts and self.ends_at is None:
            raise MalformedProposal("whatever restricts has an end date")
        if self.mandate is None:
            if covering or self.verdict == Verdict.REJECT:
                raise MalformedProposal("only a human decision may cover or reject a post")
            if self.verdict == Verdict.LIMIT and self.category not in {"spam-campaign", "malware"}:
                raise MalformedProposal("a limit needs a mandate, or is for spam-campaign or malware")
        if self.verdict == Verdict.LABEL and not self.labels:
            raise MalformedProposal("a label without its word")


def check_against(proposal: Proposal, snapshot: "Snapshot") -> None:
    """The rules that need the hour and the hook. Raises :class:`MalformedProposal`."""
    if proposal.verdict == Verdict.NUDGE and snapshot.hook == "incoming":
        raise MalformedProposal("nobody is there to nudge")
    if proposal.ends_at is not None:
        if proposal.ends_at <= snapshot.now_ms:
            raise MalformedProposal("the end lies in the past")
        machine_made = proposal.mandate is None or proposal.verdict == Verdict.HOLD
        if machine_made and proposal.ends_at - snapshot.now_ms > MACHINE_LONGEST_MS:
            raise MalformedProposal("a machine restricts for 72 hours at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a policy sees: where in the walk, and the capabilities it declared. Undeclared ones are absent."""

    hook: Hook
    activity: str  # its type
    now_ms: int
    seed: int = 0
    capabilities: Mapping[str, Any]

    def narrowed_to(self, declared: frozenset[str]) -> "Snapshot":
        return Snapshot(
            hook=self.hook,
            activity=self.activity,
            now_ms=self.now_ms,
            seed=self.seed,
            capabilities={name: self.capabilities[name] for name in sorted(declared & self.capabilities.keys())},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMeta:
    """``describe`` says in one plain sentence per language what the policy does."""

    id: str
    version: str
    hooks: frozenset[Hook]
    capabilities: frozenset[str]
    describe: Mapping[str, str]
    api: int = API
    budget_ms: int = 50
    doc: str = ""


@runtime_checkable
class Policy(Protocol):
    """``Config`` is a frozen struct whose unknown keys are refused; ``decide`` is pure and synchronous."""

    meta: PolicyMeta
    Config: type

    def decide(self, snapshot: Snapshot, config: Any) -> Proposal | None:
        """None means: nothing to say."""
        ...
