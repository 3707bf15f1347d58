"""Converters of the parts of paths."""

from __future__ import annotations

from api.requests import MAX_ID


class IdConverter:
    """An id: decimal digits that fit into 64 bits. Nothing is at an address with another."""

    regex = "[0-9]+"

    def to_python(self, value: str) -> int:
        digits = value.lstrip("0") or "0"
        if len(digits) > 19 or int(digits) > MAX_ID:
            raise ValueError
        return int(digits)

    def to_url(self, value: int) -> str:
        return str(value)
