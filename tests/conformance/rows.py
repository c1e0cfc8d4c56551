"""All rows of the table, group by group."""

from __future__ import annotations

from tests.conformance.clips import ROWS as USUAL
from tests.conformance.formats import FORMATS

GROUPS = tuple(dict.fromkeys(row.group for row in USUAL))
ROWS = tuple(sorted((*USUAL, *FORMATS), key=lambda row: GROUPS.index(row.group)))
