"""The pages of a model for staff: its list, and the form of a row."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DataError, IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, checkbox

from audit import groups
from staff.toolkit.bulk_actions import BulkAction, offered, shown_before
from staff.toolkit.choices import fix
from staff.toolkit.columns import BOX, ChosenColumns
from staff.toolkit.deleted_rows import DeletedRows
from staff.toolkit.exports import KINDS, list_file
from staff.toolkit.forms import StaffFields, StaffForm
from staff.toolkit.links import address, counted, link_to, plural
from staff.toolkit.lists import COUNTED, CappedPaginator, StaffChangeList, ids_of
from staff.toolkit.refusals import refusal_of, settle, way_out
from staff.toolkit.saved_views import VIEW_VAR, SavedViews, UnusableView, open_view, query_of, to_list
from staff.toolkit.scope import ScopedPage
from staff.toolkit.search import MAX_RELATED, among, is_id, is_partial, search

DATES: tuple[str, Any] = ("Dates", {"fields": ["created_at", "updated_at"]})


PARTIAL = f"This search has too many matches: only {MAX_RELATED:,} of them were looked at. Type more of the name."
WHOLE_LIST = "The address asked for a page, an order or a filter that this list does not have. This is the whole list."


class StaffAdmin(ScopedPage, DeletedRows, SavedViews, ChosenColumns, StaffFields, ModelAdmin):
    """The pages of a model. ``identity`` are the fields that an existing row can no longer change."""

    form = StaffForm
    identity: ClassVar[tuple[str, ...]] = ()
    bulk_actions: ClassVar[tuple[BulkAction, ...]] = ()
    on_change_only: ClassVar[tuple[str, ...]] = ("see_also", "created_at", "updated_at")
    """Fields that a row only has once it exists."""
    readonly_fields: ClassVar[tuple[str, ...]] = ("see_also", "created_at", "updated_at")
    ordering = ("-pk",)  # by age, and unlike created_at it has an index
    list_before_template: Any = "staff/saved_views.html"
    delete_selected_confirmation_template = "staff/delete_selected.html"
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # one count of all rows for each choice
    # unfold's templates look for these; see staff.toolkit.rendering.
    conditional_fields: ClassVar[dict[str, str]] = {}
    list_sections = ()

    def label(self, obj: Any) -> str:
        """``obj`` among others of all deployments; it reads nothing beyond ``list_select_related``."""
        return str(obj)

    @admin.display(description=checkbox.render("action_toggle_all", 1, {"aria-label": "Select all"}))
    def action_checkbox(self, obj: Any) -> SafeString:
        """unfold's, with a label for each row."""
        return checkbox.render(ACTION_CHECKBOX_NAME, str(obj.pk), {"aria-label": f"Select {obj}"})

    def get_actions(self, request: HttpRequest) -> Any:
        """Django's, with the ``bulk_actions``, as far as the member of staff may do them."""
        actions = super().get_actions(request)
        added = {} if IS_POPUP_VAR in request.GET else offered(request, self.bulk_actions)
        return actions | added

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), *(self.identity if obj else ())]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        kept = [
            (title, {**options, "fields": [field for field in options["fields"] if field not in self.on_change_only]})
            for title, options in fieldsets
        ]
        return [(title, options) for title, options in kept if options["fields"]]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "refusal", "")
        for field in form.base_fields.values() if obj else ():
            fix(field.widget, id=obj.pk)
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Show the form again, with the reason, if the database refuses what the form's own checks let pass.

        No earlier check can rule that out: others write at the same time, and rows of one form may contradict each
        other.
        """
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (IntegrityError, DataError) as error:
            request.refusal = format_html("{} {}", refusal_of(error), way_out(error))  # type: ignore[attr-defined]  # for the template
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        settle(request)
        groups.name(f"{'Change' if change else 'Add'} {self.opts.verbose_name} “{form.instance}”")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row, or None. An empty parameter ``_to_field`` is as good as none; Django takes it for a field's name."""
        return super().get_object(request, object_id, from_field or None)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Ask again, with the reason, if the database refuses."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except IntegrityError as error:
            refusal = {"refusal": refusal_of(error), "way_out": way_out(error)}
            request.POST = QueryDict()
            return super().delete_view(request, object_id, refusal | (extra_context or {}))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        name = f"Delete {self.opts.verbose_name} “{obj}”"
        super().delete_model(request, obj)
        settle(request)
        groups.name(name)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            name = f"Delete {counted(self.model, queryset.count())}"
            super().delete_queryset(request, queryset)
            settle(request)
            groups.name(name)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The values that a link fills into the form. Raises ``BadRequest`` if a related row's is no id."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        for field in (*self.opts.concrete_fields, *self.opts.many_to_many):
            for value in _as_list(initial.get(field.name)) if field.is_relation else ():
                if not is_id(value):
                    raise BadRequest(f"{field.name} is no id")
        return initial

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Django saves the row itself, not by the form."""
        if isinstance(form, StaffForm) and (note := form.prepare()):
            self.message_user(request, note, messages.INFO)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        for note in filter(None, (row.note for row in formset.forms)):
            self.message_user(request, note, messages.INFO)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export)
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        files = [path(f"export/{kind}/", view, {"kind": kind}, name=f"{name}_{kind}") for kind in KINDS]
        return [*files, *super().get_urls()]

    def export(self, request: HttpRequest, kind: str) -> StreamingHttpResponse:
        """The rows that the list has for the same query, as a file to save."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changes: Any = super().get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise BadRequest(str(error)) from error
        return self.file_of(request, changes, kind)

    def file_of(self, request: HttpRequest, changes: StaffChangeList, kind: str) -> StreamingHttpResponse:
        columns = [str(column) for column in changes.list_display if column not in (BOX, "id")]
        return list_file(self, changes.queryset, columns, kind)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return StaffChangeList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Django shows the whole list in place of an invalid one; this adds a message that says so.

        Raises ``UnusableView`` for a list that a saved view asks for.
        """
        try:
            return super().get_changelist_instance(request)
        except (IncorrectLookupParameters, DisallowedModelAdminLookup) as error:
            view = open_view(request, self.model)
            if view and view.query and view.query == query_of(request.GET):
                raise UnusableView(view) from error
            if isinstance(error, DisallowedModelAdminLookup):
                raise
            if ERROR_FLAG in request.GET:
                raise BadRequest(str(error)) from error
            self.message_user(request, WHOLE_LIST, messages.WARNING)
            raise

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        try:
            response = super().changelist_view(request, extra_context)
        except UnusableView as error:
            self.message_user(request, str(error), messages.WARNING)
            return to_list(self.model, f"{VIEW_VAR}={error.view.pk}")
        if is_partial(request):
            self.message_user(request, PARTIAL, messages.INFO)
        return response

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> Any:
        """Refuse to act on all rows of a list that is not counted to its end, and on ids that are no ids.

        It is about the rows that match the list as it begins, and about those that its page showed as it goes on.
        """
        ids = shown_before(request)
        if not all(is_id(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("a chosen row is no id")
        if ids is None and request.POST.get("select_across") == "1":
            ids = ids_of(queryset)
            if ids is None:
                self.message_user(request, f"These are more than {COUNTED:,}: search or filter first.", messages.ERROR)
                return None
        if ids is not None:
            queryset = queryset.filter(among(ids))
        try:
            return super().response_action(request, queryset, *args)
        except IntegrityError as error:
            self.message_user(request, f"{refusal_of(error)} Nothing was changed.", messages.ERROR)
            return None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the ``search_fields``, which may name relations, and by id; see ``staff.toolkit.search``."""
        return (search(request, self, queryset, search_term) if search_term.strip() else queryset), False

    def exact(self, request: HttpRequest, text: str) -> Q:
        """The rows that ``text`` names, which a search shows before those that it only begins to name.

        An empty condition stands for none.
        """
        return Q(pk=int(text)) if is_id(text) else Q()

    @admin.display(description="see also")
    def see_also(self, obj: Any) -> SafeString:
        """Links to the lists of rows that belong to ``obj``."""
        lists = [
            (relation.related_model, f"?{relation.field.name}__id__exact={obj.pk}")
            for relation in self.opts.related_objects
            if relation.one_to_many and self.admin_site.is_registered(relation.related_model)
        ]
        links = [(link_to(address(model, "changelist") + query, plural(model)),) for model, query in lists]
        return format_html_join(" · ", "{}", links)


def _as_list(value: Any) -> list[str]:
    """The ids in the part of a query that fills in a related field."""
    return value if isinstance(value, list) else [value] if value else []


class ReadOnlyAdmin(StaffAdmin):
    """The pages of rows that staff may look at, and delete, but never write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
