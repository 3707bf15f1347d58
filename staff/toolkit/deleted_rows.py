"""The rows that a deletion takes with it, before staff confirm it."""

from __future__ import annotations

from typing import Any

from django.db.models import CASCADE, ForeignObjectRel, QuerySet
from django.http import HttpRequest

from staff.toolkit.links import named, plural
from staff.toolkit.lists import capped, counts

LISTED = 200
"""Up to so many rows are named one by one, at two or three statements each; of more, each kind is counted."""


class DeletedRows:
    """The part of a page that says which rows are deleted with those that are chosen."""

    def deleted_by_the_database(self, chosen: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows that PostgreSQL deletes with those that are ``chosen``, unseen by Django."""
        return None

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Django's, which names each row that goes too; of very many rows the numbers, up to COUNTED of a kind."""
        page: Any = self
        pages = page.admin_site._registry
        chosen = (
            objs if isinstance(objs, QuerySet) else page.model._base_manager.filter(pk__in=[row.pk for row in objs])
        )
        unseen = self.deleted_by_the_database(chosen)
        owned = _owned(chosen) | ({} if unseen is None else {unseen.model: unseen})
        numbers = {model: number for model, number in zip(owned, counts([*owned.values()]), strict=True) if number}
        lacking = {
            pages[model].opts.verbose_name
            for model in numbers
            if model in pages and not pages[model].has_delete_permission(request)
        }
        if sum(numbers.values()) <= LISTED:
            rows, shown, more_lacking, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc]  # the admin class beside it has it
            those = [] if unseen is None else list(unseen)
            if those:
                shown |= {plural(type(those[0])): len(those)}
            return [*rows, *map(named, those)], shown, lacking | more_lacking, protected
        first = named(objs[0]) if numbers[page.model] == 1 else f"{plural(page.model)}: {capped(numbers[page.model])}"
        beside = {relation.related_model for relation in page.opts.get_fields(include_hidden=True)}
        shown = {plural(model): capped(numbers[model]) for model in numbers if model in pages or model in beside}
        return [f"{first}, and all of the above"], shown, lacking, []


def _owned(chosen: QuerySet[Any]) -> dict[Any, QuerySet[Any]]:
    """The rows of each model that are deleted with ``chosen``, as far as references lead to them.

    If they lead to a model in several ways, the shortest counts. All lead to the same rows of a model that has pages.
    """
    found: dict[Any, QuerySet[Any]] = {chosen.model: chosen}
    for model in (reached := [chosen.model]):
        for relation in model._meta.get_fields(include_hidden=True):
            if isinstance(relation, ForeignObjectRel) and relation.on_delete is CASCADE:
                other: Any = relation.related_model
                if other not in found:
                    above = {f"{relation.field.name}__in": found[model].order_by().values("pk")}
                    found[other] = other._base_manager.filter(**above)
                    reached.append(other)
    return found
