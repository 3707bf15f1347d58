"""Deletes rows that own many others, after staff type the name."""

from __future__ import annotations

from typing import Any

from django.db.models import CASCADE, ForeignObjectRel, Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.text import capfirst

from audit import groups, retention
from staff.toolkit.lists import COUNTED, counts
from staff.toolkit.pages import StaffAdmin

TYPED_NAME = "typed_name"
ERASES = "erases"
LISTED = 500
"""The rows that go with one that are named one by one; of more, each kind is counted."""


class DeletedByName(StaffAdmin):
    """The pages of a model whose rows are deleted one at a time, by their name.

    What was deleted can be restored from the audit log, unless it is erased there.
    """

    def get_actions(self, request: HttpRequest) -> Any:
        """Without the action that deletes several at once."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Ask again, with the reason, unless the name is typed as it is."""
        obj = self.get_object(request, object_id)
        context = {
            "name_to_type": str(obj),
            "days": retention.RESTORABLE.days,
            "erases": ERASES in request.POST,
            **(extra_context or {}),
        }
        if request.POST and obj is not None and request.POST.get(TYPED_NAME, "").strip() != str(obj).strip():
            request.POST = QueryDict()
            context["refusal"] = (
                f"Nothing was deleted. Type the name of the {self.opts.verbose_name} as it stands above."
            )
        return super().delete_view(request, object_id, context)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Django's, which names each row that goes too; of very many rows the numbers, up to COUNTED of a kind."""
        (obj,) = objs
        owned = _owned(obj)
        numbers = dict(zip(owned, counts(list(owned.values())), strict=True))
        if sum(numbers.values()) <= LISTED:
            return super().get_deleted_objects(objs, request)
        found = {model: number for model, number in numbers.items() if number}
        pages = {
            model: self.admin_site.get_model_admin(model) for model in found if self.admin_site.is_registered(model)
        }
        lacking = {page.opts.verbose_name for page in pages.values() if not page.has_delete_permission(request)}
        shown = {
            str(model._meta.verbose_name_plural): f"more than {COUNTED:,}" if number > COUNTED else f"{number:,}"
            for model, number in found.items()
        }
        return [f"{capfirst(self.opts.verbose_name)}: {obj}, and all of the above"], shown, lacking, []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        pk, name = obj.pk, f"Delete {self.opts.verbose_name} “{obj}”"
        super().delete_model(request, obj)
        if ERASES in request.POST:
            obj.pk = pk
            retention.erase(obj)
            groups.name(f"{name}, erased at once")


def _owned(obj: Model) -> dict[type[Model], QuerySet[Any]]:
    """The rows of each model that are deleted with ``obj``, as far as the shortest way of references leads to them."""
    found: dict[type[Model], QuerySet[Any]] = {type(obj): type(obj)._base_manager.filter(pk=obj.pk)}
    for model in (reached := [type(obj)]):
        for relation in model._meta.get_fields(include_hidden=True):
            if isinstance(relation, ForeignObjectRel) and relation.on_delete is CASCADE:
                other: Any = relation.related_model
                if other not in found:
                    above = {f"{relation.field.name}__in": found[model].values("pk")}
                    found[other] = other._base_manager.filter(**above)
                    reached.append(other)
    return found
