"""Pages for staff: the mails that were sent or are to be, and the texts that a deployment has written for them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts.models import Deployment, Mail, MailText
from accounts.values.mail_texts import Template, listed
from staff.pages.bulk_actions import MAIL_ACTIONS
from staff.toolkit.filters import RelatedFilter
from staff.toolkit.links import address, link_to
from staff.toolkit.pages import DATES, ReadOnlyAdmin, StaffAdmin


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    """The content is not shown: it may be a code."""

    list_display = ("to", "template", "deployment", "state", "tries", "last_error", "created_at", "sent_at")
    more_columns = ("id", "next_try_at", "good_until")
    list_filter = ("state", "template", ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("to",)
    search_help_text = "Email address or id"
    autocomplete_fields = ("deployment",)
    readonly_fields = ("created_at",)
    fields = (
        *("deployment", "to", "template", "state", "tries", "last_error"),
        *("created_at", "next_try_at", "good_until", "sent_at"),
    )
    bulk_actions = MAIL_ACTIONS


@admin.register(MailText)
class MailTextAdmin(StaffAdmin):
    """The add page begins with the default text of the template that its address names."""

    identity = ("deployment", "template")
    list_display = ("__str__", "deployment", "subject", "updated_at")
    more_columns = ("id", "template", "created_at")
    list_filter = ("template", ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("subject", "deployment")
    search_help_text = "Subject, deployment or id"
    autocomplete_fields = ("deployment",)
    readonly_fields = (*StaffAdmin.readonly_fields, "placeholders")
    on_change_only = (*StaffAdmin.on_change_only, "placeholders")
    fieldsets = (
        (None, {"fields": ["deployment", "template", "subject", "text", "placeholders"]}),
        DATES,
    )

    @admin.display(description="placeholders")
    def placeholders(self, obj: MailText) -> str:
        return listed(Template(obj.template).placeholders)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        if initial.get("template") in Template.values:
            text = Template(initial["template"]).default
            initial = {"subject": text.subject, "text": text.text} | initial
        return initial


def links_to_texts(deployment: Deployment) -> SafeString:
    """For each kind of mail a link to the deployment's own text, or to the page that begins one with the default."""
    prefetch_related_objects([deployment], "mail_texts")  # unfold asks several times a page
    own = {text.template: text for text in deployment.mail_texts.all()}
    add = address(MailText, "add")
    links = [
        (
            link_to(address(own[template], "change"), template.label)
            if template in own
            else link_to(
                f"{add}?{urlencode({'deployment': str(deployment.pk), 'template': str(template)})}", template.label
            ),
            "own text" if template in own else "default",
        )
        for template in Template
    ]
    return format_html_join(" · ", "{} ({})", links)
