"""Numbers of things, in words."""

from __future__ import annotations


def number_of(number: int, noun: str, plural: str = "") -> str:
    """Such as "1 code" or "1,000 codes"; ``plural`` is for a noun that takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
