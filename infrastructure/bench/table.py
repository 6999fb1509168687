"""A table of plain text."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "   "
NOTHING = "-"

Row = tuple[str, Sequence[object]]
"""A label and a cell per column. None is nothing."""


def lay_out(rows: Sequence[Row]) -> str:
    """Align labels to the left and figures to the right; a row without cells stands alone."""
    written = [(label, [write(cell) for cell in cells]) for label, cells in rows]
    label_width = max((len(label) for label, cells in written if cells), default=0)
    columns = max((len(cells) for _, cells in written), default=0)
    widths = [
        max((len(cells[place]) for _, cells in written if len(cells) > place), default=0) for place in range(columns)
    ]
    return "\n".join(
        GAP.join([label.ljust(label_width), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=False))])
        if cells
        else label
        for label, cells in written
    )


def write(cell: object) -> str:
    """Write one figure: as many digits as say something."""
    if cell is None:
        return NOTHING
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return str(cell)
