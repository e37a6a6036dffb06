"""Moves the fragments of changes/ into CHANGELOG.md, under the version of the package and the given day.

python tools/changelog.py [YYYY-MM-DD]
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from fedi.config import VERSION

ROOT = Path(__file__).parents[1]
KINDS = {"security": "Security", "added": "Added", "changed": "Changed", "fixed": "Fixed", "removed": "Removed"}
TITLE = "# Changelog\n"


def fragments(folder: Path) -> dict[str, list[Path]]:
    """Fragments by kind; raises ValueError for a file that is none."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*")):
        if path.name == "README.md":
            continue
        parts = path.name.split(".")
        if len(parts) != 3 or parts[1] not in KINDS or parts[2] != "md":
            raise ValueError(f"{path.name}: expected NAME.KIND.md, KIND one of {', '.join(KINDS)}")
        if not path.read_text(encoding="utf-8").strip():
            raise ValueError(f"{path.name} is empty")
        found[parts[1]].append(path)
    return found


def render_section(found: dict[str, list[Path]], version: str, day: str) -> str:
    lines = [f"## {version} ({day})", ""]
    for kind, title in KINDS.items():
        if found[kind]:
            lines += [f"### {title}", ""]
            lines += ["- " + path.read_text(encoding="utf-8").strip().replace("\n", "\n  ") for path in found[kind]]
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    found = fragments(ROOT / "changes")
    if not any(found.values()):
        sys.exit("There are no fragments in changes/.")
    day = sys.argv[1] if len(sys.argv) > 1 else f"{datetime.now(UTC):%Y-%m-%d}"
    path = ROOT / "CHANGELOG.md"
    before = path.read_text(encoding="utf-8").removeprefix(TITLE).lstrip("\n") if path.exists() else ""
    path.write_text(f"{TITLE}\n{render_section(found, VERSION, day)}\n{before}".rstrip("\n") + "\n", encoding="utf-8")
    for paths in found.values():
        for fragment in paths:
            fragment.unlink()


if __name__ == "__main__":
    main()
