"""Finding rows by the beginnings of the words in their texts, with one index for all searches.

PostgreSQL alone can do this, without the extension pg_trgm that not every server has: the words of a row are the
lexemes of a ``tsvector``, and a GIN index finds those that begin with something.
"""

from __future__ import annotations

import re

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Func, Value
from django.utils.deconstruct import deconstructible

_BETWEEN_WORDS = r"[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u2000-\u206F\u3000-\u303F]+"
"""Spaces and punctuation, as PostgreSQL's and Python's regular expressions both write it; in no locale else."""


_MAX_WORD = 500
"""Characters: no text that is searched has so many, and PostgreSQL takes a lexeme of at most 2,046 bytes."""


@deconstructible
class Words(Func):
    """The words of the text fields named, in lower case, as a tsvector; for ``words_index`` and for ``words_begin``.

    The database's function costs far less than its definition says. The planner estimates that each beginning of a word
    fits 2 % of the rows, so it would expect to find a few rows soon by reading the table; the high cost makes it read
    the index. No parallel worker may call the function: to start workers takes longer than a search.
    """

    function = "words"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()


def words_index(*fields: str, name: str) -> GinIndex:
    """An index of the words in ``fields``, up to date at once: no search reads what writers have left to be added."""
    return GinIndex(Words(*fields), name=name, fastupdate=False)


class _Match(Func):
    arg_joiner = " @@ "
    template = "%(expressions)s"
    output_field = BooleanField()


class _LowerQuery(Func):
    """Lower case by the database's rules, as ``Words`` are."""

    template = "lower(%(expressions)s)::tsquery"


def words_begin(fields: tuple[str, ...], text: str) -> _Match | None:
    """Whether each part of ``text`` begins one of the words in ``fields``; None if ``text`` has nothing to search for,
    or a word that is too long to be found.

    A part that punctuation joins to a next one ("ada" in "ada@demo") must be a whole word.
    """
    terms = []
    for part in text.replace("\0", "").split():
        *whole, beginning = [word for word in re.split(_BETWEEN_WORDS, part) if word] or [""]
        if any(len(word) > _MAX_WORD for word in (*whole, beginning)):
            return None
        terms += [f"'{word}'" for word in whole]
        terms += [f"'{beginning}':*"] if beginning else []
    return _Match(Words(*fields), _LowerQuery(Value(" & ".join(terms)))) if terms else None
