"""What changes of many rows at once tell: which row changes how, or why none does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import models


class Change(NamedTuple):
    """What happens to ``row``; ``text`` is "" if nothing does, because it is so already."""

    row: models.Model
    text: str


class Refused(Exception):  # noqa: N818
    """The change cannot be made, of any row: ``reasons`` name the rows that stand in the way, and why."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = list(reasons)
        super().__init__("\n".join(self.reasons))
