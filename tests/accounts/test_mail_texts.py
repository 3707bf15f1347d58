"""The texts of mails: their placeholders, the deployment's own ones, and values that try to be more than text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.exceptions import ValidationError

from accounts.mail import outbox
from accounts.models import Deployment, MailText
from accounts.values.mail_texts import Template, Text, problems_of
from config.environment import BASE_DIR
from tests.support.cases import each
from tests.support.factories import DeploymentFactory

VALUES = {
    "code": "492039",
    "minutes": "10",
    "when": "2 March 2026, 09:30 UTC",
    "address": "192.0.2.7",
    "change": "A new authenticator was set up.",
    "inviter": "Ada Lindqvist",
    "place": "Nordlys Logistikk",
    "link": "https://app.example.com/invitation?token=a&b",
    "days": "10",
}


def values_of(template: Template, **changes: str) -> dict[str, str]:
    return {name: value for name, value in (VALUES | changes).items() if name in template.own_values}


def sent(deployment: Deployment, template: Template, **changes: str) -> Any:
    """The message, as Django hands it to the mail server."""
    outbox.send(deployment, to="ada@example.com", template=template, values=values_of(template, **changes))
    assert outbox.deliver_due() == 1
    return django_mail.outbox[-1]


def html_of(message: Any) -> str:
    (alternative,) = message.alternatives
    assert alternative.mimetype == "text/html"
    return str(alternative.content)


each_template = each("template", Template)


@each_template
def test_each_default_text_keeps_the_rules_for_texts(template: Template) -> None:
    text = template.default
    assert "\n" not in text.subject
    assert problems_of(template, text.subject, is_subject=True) == []
    assert problems_of(template, text.text, is_subject=False) == []


@each_template
def test_each_mail_names_the_product_and_leaves_no_placeholder(deployment: Deployment, template: Template) -> None:
    message = sent(deployment, template)
    for text in (message.subject + message.body, html_of(message)):
        assert deployment.name in text
        assert "{" not in text
    for value in values_of(template).values():
        assert value in message.body + message.subject


def test_a_link_can_be_clicked_and_a_code_stands_out(deployment: Deployment) -> None:
    link = html_of(sent(deployment, Template.INVITATION))
    assert '<a href="https://app.example.com/invitation?token=a&amp;b">' in link
    assert ">492039</strong>" in html_of(sent(deployment, Template.VERIFY_ADDRESS))


def test_a_deployments_own_text_is_sent_in_place_of_the_default(deployment: Deployment) -> None:
    MailText.objects.create(
        deployment=deployment,
        template=Template.SIGN_IN_CODE,
        subject="Ihr Code für {app_name}",
        text="Guten Tag,\n\n{code}\n\ngilt {minutes} Minuten <b>.\nGruß",
    )
    message = sent(deployment, Template.SIGN_IN_CODE)
    assert message.subject == f"Ihr Code für {deployment.name}"
    assert message.body == "Guten Tag,\n\n492039\n\ngilt 10 Minuten <b>.\nGruß"
    assert "gilt 10 Minuten &lt;b&gt;.<br>Gruß" in html_of(message)
    other = sent(DeploymentFactory.create(), Template.SIGN_IN_CODE)
    assert other.subject.startswith("Sign in to ")


HOSTILE = '{link}</p><script>alert(1)</script>"\r\nBcc: eve@example.net\n\nhttps://evil.example'


def test_a_value_is_text_and_nothing_else(deployment: Deployment) -> None:
    message = sent(deployment, Template.INVITATION, inviter=HOSTILE, place=HOSTILE)
    assert "\n" not in message.subject
    assert "Bcc" not in message.message()
    html = html_of(message)
    assert "<script" not in html
    assert html.count("<a ") == 1
    assert html.count(VALUES["link"].replace("&", "&amp;")) == 2  # of the one link, none of the hostile {link}
    assert "\n\nhttps://evil.example" not in message.body


def test_a_link_cannot_leave_its_attribute(deployment: Deployment) -> None:
    html = html_of(sent(deployment, Template.INVITATION, link='https://a.example/"onclick="alert(1)'))
    assert 'onclick="' not in html


@each(
    ("field", "text", "problem"),
    [
        ("text", "Your code is {cod}: {code}", "There is no placeholder {cod} in this mail."),
        ("text", "{code} {link}", "There is no placeholder {link} in this mail."),
        ("text", "{code.__class__}", "There is no placeholder {code.__class__}"),
        ("text", "{code} {}", "There is no placeholder {}"),
        ("text", "{code} {code", "A brace { or } is part of no placeholder."),
        ("text", "Hello", "The placeholder {code} is missing"),
        ("subject", "{code} is your code", "Leave {code} out of the subject."),
        ("subject", "For {user}", "There is no placeholder {user}"),
    ],
)
def test_a_text_whose_placeholders_are_wrong_is_refused(
    deployment: Deployment, field: str, text: str, problem: str
) -> None:
    good = {"subject": "Code", "text": "{code}"}
    row = MailText(deployment=deployment, template=Template.SIGN_IN_CODE, **(good | {field: text}))
    with pytest.raises(ValidationError) as caught:
        row.full_clean()
    assert problem in "\n".join(caught.value.message_dict[field])


def test_a_text_that_went_past_the_check_is_sent_as_it_stands(deployment: Deployment) -> None:
    text = "{code} {nothing} {0} { {code!r}"
    MailText.objects.create(deployment=deployment, template=Template.SIGN_IN_CODE, subject="{", text=text)
    assert sent(deployment, Template.SIGN_IN_CODE).body == "492039 {nothing} {0} { {code!r}"


def test_values_are_not_searched_for_placeholders() -> None:
    assert Text("s", "{a} {b}").text_with({"a": "{b}", "b": "{a}"}) == "{b} {a}"


@each_template
def test_the_page_about_mail_lists_the_placeholders(template: Template) -> None:
    (row,) = re.findall(
        rf"(?m)^\| {re.escape(template.label)} \| (.*) \|$", (BASE_DIR / "docs" / "mail.md").read_text()
    )
    listed = set(re.findall(r"{([a-z]+)}", row))
    needed = set(re.findall(r"{([a-z]+)}` \(needed\)", row))
    assert (listed, needed) == (set(template.own_values), set(template.needed))
