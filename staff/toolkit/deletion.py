"""Deletes rows that own many others, after staff type the name."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, QueryDict

from audit import groups, retention
from staff.toolkit.pages import StaffAdmin

TYPED_NAME = "typed_name"
ERASES = "erases"


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

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        pk, name = obj.pk, f"Delete {self.opts.verbose_name} “{obj}”"
        super().delete_model(request, obj)
        if ERASES in request.POST:
            obj.pk = pk
            retention.erase(obj)
            groups.name(f"{name}, erased at once")
