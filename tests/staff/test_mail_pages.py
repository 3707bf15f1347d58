"""Mails and their texts in the admin."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.mail import outbox
from accounts.models import Deployment, Mail, MailText
from accounts.values.mail_texts import Template
from tests.support.admin import choose, errors, go_on, saved, send, url
from tests.support.factories import staff
from tests.support.mail import mail_server


@pytest.fixture
def row(deployment: Deployment) -> Mail:
    values = {"code": "492039", "minutes": "10"}
    return outbox.send(deployment, to="ada@example.com", template=Template.SIGN_IN_CODE, values=values)


def test_staff_see_what_became_of_a_mail_but_not_its_code(admin_client: Client, row: Mail) -> None:
    Mail.objects.update(state="refused", tries=3, last_error="550 There is no such mailbox")
    for address in (url(Mail, "changelist"), url(row, "change")):
        page = admin_client.get(address).content.decode()
        for shown in ("ada@example.com", "Sign in with a code", "Refused", "550 There is no such mailbox"):
            assert shown in page
        assert "492039" not in page
    assert 'href="/admin/accounts/mail/?state__in=waiting,refused"' in admin_client.get("/admin/").content.decode()
    assert admin_client.get(f"{url(Mail, 'changelist')}?state__in=waiting,refused").context["cl"].result_count == 1


def test_a_refused_mail_is_sent_again_from_its_list(admin_client: Client, row: Mail, settings: object) -> None:
    with mail_server(settings) as server:
        server.refusals = {"ada@example.com": "550 Full"}
        outbox.deliver_due()
        preview = choose(admin_client, "send_again", row)
        assert "is tried again at once" in preview.content.decode()
        assert Mail.objects.get().state == "refused"
        go_on(admin_client, "send_again", row)
        server.refusals = {}
        assert outbox.deliver_due() == 1


def test_a_mail_that_was_given_up_cannot_be_sent_again(admin_client: Client, row: Mail) -> None:
    Mail.objects.update(state="expired", content=None)
    assert "have the user ask for a new one" in choose(admin_client, "send_again", row).content.decode()


def test_support_may_look_at_mails_but_not_send_them(client: Client, row: Mail, deployment: Deployment) -> None:
    client.force_login(staff(deployment, role="support"))
    page = client.get(url(Mail, "changelist")).content.decode()
    assert "ada@example.com" in page
    assert "send_again" not in page


def test_a_deployments_page_leads_to_each_text_with_the_default(admin_client: Client, deployment: Deployment) -> None:
    page = admin_client.get(url(deployment, "change")).content.decode()
    link = f"/admin/accounts/mailtext/add/?deployment={deployment.pk}&amp;template=sign_in_code"
    assert link in page
    form = admin_client.get(link.replace("&amp;", "&"))
    assert form.context["adminform"].form.initial["subject"] == "Sign in to {app_name}"
    assert saved(send(admin_client, link.replace("&amp;", "&"), subject="Come in"))
    text = MailText.objects.get()
    assert (text.deployment, text.template, text.subject) == (deployment, "sign_in_code", "Come in")
    assert text.text.replace("\r\n", "\n") == Template.SIGN_IN_CODE.default.text
    page = admin_client.get(url(deployment, "change")).content.decode()
    assert f'href="{url(text, "change")}"' in page
    assert link not in page


def test_a_wrong_placeholder_is_told_beside_the_text(admin_client: Client, deployment: Deployment) -> None:
    add = f"{reverse('admin:accounts_mailtext_add')}?deployment={deployment.pk}&template=reset_password"
    refusal = errors(send(admin_client, add, text="Your code: {cod}"))
    assert "There is no placeholder {cod} in this mail. There are {code}, {minutes}, {app_name}." in refusal
    assert "The placeholder {code} is missing" in refusal


def test_what_is_no_template_begins_with_an_empty_text(admin_client: Client) -> None:
    page = admin_client.get(f"{reverse('admin:accounts_mailtext_add')}?template=nonsense")
    assert page.status_code == 200
