"""``make bench``: runs the measures several times and prints medians as a table; the same as JSON beside it.

    python -m bench [--runs 5] [--only WORD …] [--out FILE]

Requests are signed before the clock starts. ``cpu_us`` is CPU time of the server per request (all threads): on a
shared machine it repeats where wall time does not. Figures of durability depend on the disk: its fsync time is given.
"""

import argparse
import gc
import json
import platform
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import measures
from bench.instance import fsync_ms

Row = dict[str, Any]

MEASURES: dict[str, Callable[[], Row | list[Row]]] = {
    "start": measures.starting,
    "inbox-many": lambda: measures.inbox(50),
    "inbox-one": lambda: measures.inbox(1),
    "posting-1": lambda: measures.posting(1, 500),
    "posting-8": lambda: measures.posting(8),
    "reading": measures.reading,
    "reading-beside-inbox": measures.reading_beside_inbox,
    "delivering": measures.delivering,
    "weight": measures.weight,
}


def median_row(rows: list[Row]) -> Row:
    """Medians of numbers; of the rest the first run's."""
    merged: Row = {}
    for key, value in rows[0].items():
        values = [row[key] for row in rows]
        merged[key] = statistics.median(values) if isinstance(value, int | float) else value
    return merged


def run(names: list[str], runs: int) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        taken: dict[str, list[Row]] = {}
        for number in range(runs):
            print(f"  {name} {number + 1}/{runs} …", flush=True)
            found = MEASURES[name]()
            for row in found if isinstance(found, list) else [found]:
                taken.setdefault(row["what"], []).append(row)
            gc.collect()
        rows += [median_row(group) for group in taken.values()]
    return rows


def table(rows: list[Row]) -> str:
    names = [
        "what",
        "per_s",
        "processed_per_s",
        "inbox_per_s",
        "cpu_us",
        "p50_ms",
        "p99_ms",
        "bytes",
        "start_s",
        "idle_mib",
        "rss_mib",
    ]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="names, or parts of names, of measures")
    parser.add_argument("--out", type=Path, default=Path("bench/results/latest.json"))
    arguments = parser.parse_args()
    names = [name for name in MEASURES if not arguments.only or any(word in name for word in arguments.only)]
    with tempfile.TemporaryDirectory() as folder:
        disk_ms = fsync_ms(Path(folder))
    rows = run(names, arguments.runs)
    print(f"\nfsync of 4 KiB: {disk_ms:.2f} ms; Python {platform.python_version()}; {arguments.runs} runs, medians\n")
    print(table(rows))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(
        json.dumps({"at": datetime.now(UTC).isoformat(), "fsync_ms": disk_ms, "rows": rows}, indent=2)
    )


if __name__ == "__main__":
    main()
