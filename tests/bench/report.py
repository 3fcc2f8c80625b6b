"""The table of results."""

import dataclasses
import json


@dataclasses.dataclass
class Row:
    """One figure of ours beside one of a peer's.

    `goal` is on the ratio: how many times better ours must be (at least), or,
    with `at_most`, how many times the peer's it may be. Without a goal the row
    only informs.
    """
    measure: str
    what: str
    ours: float
    peer_name: str
    peer: float
    unit: str
    goal: float | None = None
    at_most: bool = False
    faster_is_more: bool = False

    @property
    def ratio(self):
        if self.at_most or self.faster_is_more:
            return self.ours / self.peer
        return self.peer / self.ours

    @property
    def met(self):
        if self.goal is None:
            return None
        return (self.ratio <= self.goal if self.at_most
                else self.ratio >= self.goal)


def limit(measure, what, ours, unit, highest):
    """A row for a figure with a limit of its own and no peer."""
    return Row(measure, what, ours, "limit", highest, unit, goal=1.0,
               at_most=True)


def _number(value):
    if value >= 10000:
        return f"{value / 1000:.1f}k"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _cells(row):
    goal = ""
    if row.goal is not None:
        goal = ("<= " if row.at_most else ">= ") + f"{row.goal:g}"
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    return [row.measure, row.what, f"{_number(row.ours)} {row.unit}",
            row.peer_name, f"{_number(row.peer)} {row.unit}",
            f"{row.ratio:.2f}", goal, verdict]


def table(rows):
    head = ["measure", "of", "backstitch", "beside", "", "ratio", "goal", ""]
    cells = [head] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths))
        .rstrip() for line in cells)


def as_json(rows, facts):
    listed = [dict(dataclasses.asdict(row), ratio=round(row.ratio, 4),
                   met=row.met) for row in rows]
    return json.dumps({"facts": facts, "rows": listed}, indent=2)
