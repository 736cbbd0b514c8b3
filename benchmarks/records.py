"""The record in benchmarks/results: name.json, and made from it name.md and name.png; written after each row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import plot, report
from benchmarks.measure import Note, measurable
from benchmarks.rows import EVERY, Row
from benchmarks.worker import AbsentError, versions

Results = dict[str, Any]


class Record:
    """Results that grow row by row.

    What a file already has stays, if it was measured on the same machine with the same number of threads; a peer's
    numbers from other versions of its libraries go.
    """

    def __init__(self, folder: Path, name: str, head: Results, note: Note = lambda text: None) -> None:
        self._folder, self._name, self._note = folder, name, note
        self.results: Results = {**head, "rows": self._kept(head)}

    def _kept(self, head: Results) -> dict[str, Any]:
        path = self._folder / f"{self._name}.json"
        old = json.loads(path.read_text()) if path.is_file() else {"rows": {}}
        if old["rows"] and any(old.get(key) != head[key] for key in ("machine", "threads")):
            self._note(f"{path}: measured on another machine or with other threads; begun anew")
            return {}
        return {name: self._with_these_versions(row) for name, row in old["rows"].items() if name in EVERY}

    def _with_these_versions(self, row: dict[str, Any]) -> dict[str, Any]:
        kept = {peer: result for peer, result in row["peers"].items() if not outdated(peer, result)}
        if gone := sorted(set(row["peers"]) - set(kept)):
            self._note(f"dropped, measured with other versions: {', '.join(gone)}")
        return row | {"peers": kept}

    def has(self, row: Row, peers: list[str]) -> bool:
        """Whether all these peers' answers are here."""
        found = self.results["rows"].get(row.name, {"peers": {}})["peers"]
        return all(peer in found and "error" not in found[peer] for peer in peers)

    def put(self, row: Row, entry: dict[str, Any]) -> None:
        """Take a measured row; peers that it lacks keep what they had if it was the same task on the same data."""
        rows = self.results["rows"]
        old = rows.get(row.name, {})
        if all(old.get(key) == entry[key] for key in ("data", "shape", "steps", "unit")):
            entry = entry | {"peers": old["peers"] | entry["peers"]}
        self.results["rows"] = {name: (rows | {row.name: entry})[name] for name in EVERY if name in {*rows, row.name}}
        self.write()

    def write(self) -> str:
        """Write the three files; gives the report."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = report.markdown(self.results, f"{self._name}.png")
        (self._folder / f"{self._name}.json").write_text(json.dumps(self.results, indent=1) + "\n")
        (self._folder / f"{self._name}.md").write_text(text)
        plot.figure(self.results).savefig(self._folder / f"{self._name}.png")
        return text


def outdated(peer: str, result: dict[str, Any]) -> bool:
    if not measurable(result):
        return False
    try:
        return result["versions"] != versions(peer)
    except (AbsentError, KeyError):  # not installed now, or no peer now
        return True
