"""The kinds of mail that the service sends: their texts, and what stands in for each placeholder.

A text is plain: paragraphs with empty lines between them, and placeholders such as ``{code}``. Staff may replace it for
a deployment (``accounts.models.MailText``); the HTML part is made from the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import models
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_EVERYWHERE = ("app_name",)


class Template(models.TextChoices):
    """The kinds of mail."""

    VERIFY_ADDRESS = "verify_address", "Verify an e-mail address"
    ADDRESS_TAKEN = "address_taken", "Sign-up with an address that has an account"
    SIGN_IN_CODE = "sign_in_code", "Sign in with a code"
    RESET_PASSWORD = "reset_password", "Reset a password"
    PASSWORD_CHANGED = "password_changed", "Password was changed"
    MFA_CHANGED = "mfa_changed", "MFA was changed"
    ADDRESS_CHANGED = "address_changed", "E-mail addresses were changed"
    ACCOUNT_DELETED = "account_deleted", "Account was deleted"
    INVITATION = "invitation", "Invitation"
    SIGN_UP_INVITATION = "sign_up_invitation", "Invitation to sign up"

    @property
    def needed(self) -> tuple[str, ...]:
        """The placeholders without which the text would be useless."""
        return tuple(name for name in ("code", "link", "change") if name in _VALUES[self])

    @property
    def placeholders(self) -> tuple[str, ...]:
        """All placeholders that the text may have."""
        return (*_VALUES[self], *_EVERYWHERE)

    @property
    def own_values(self) -> frozenset[str]:
        """The values that whoever sends such a mail must give."""
        return frozenset(_VALUES[self])

    @property
    def default(self) -> Text:
        """The text that is sent unless staff have written another."""
        subject, _, text = _TEXTS[self].partition("\n\n")
        return Text(subject, text)


@dataclass(frozen=True, slots=True)
class Text:
    """The subject, one line, and the plain text of a mail, with placeholders."""

    subject: str
    text: str

    def subject_with(self, values: Mapping[str, str]) -> str:
        """One line, whatever the values are."""
        return _one_line(_filled_in(self.subject, values, str))

    def text_with(self, values: Mapping[str, str]) -> str:
        return _filled_in(self.text, values, str)

    def paragraphs_with(self, values: Mapping[str, str]) -> list[SafeString]:
        """The paragraphs of the text as HTML. A code stands out, and a link can be clicked."""
        return [
            mark_safe("<br>".join(_filled_in(line, values, escape, _MARKUP) for line in paragraph.splitlines()))  # noqa: S308 - _filled_in escapes text and values
            for paragraph in re.split(r"\n\s*\n", self.text.strip())
        ]


def _filled_in(
    text: str,
    values: Mapping[str, str],
    written: Callable[[str], str],
    markup: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """``text`` with each value on one line in its place. What looks like a placeholder in a value stays as it is."""
    parts = []
    for number, part in enumerate(_PLACEHOLDER.split(text)):
        if number % 2 == 0:
            parts.append(written(part))
        elif part in values:
            parts.append(markup.get(part, "{0}").format(written(_one_line(values[part]))))
        else:
            parts.append(written(f"{{{part}}}"))
    return "".join(parts)


def _one_line(text: str) -> str:
    return " ".join(text.split())


_MARKUP = {
    "code": '<strong style="font-size: 28px; letter-spacing: 4px">{0}</strong>',
    "link": '<a href="{0}">{0}</a>',
}


def problems_of(template: Template, text: str, *, is_subject: bool) -> list[str]:
    """The errors in the placeholders of a subject or text for ``template``, in sentences for staff."""
    named = _PLACEHOLDER.findall(text)
    problems = [
        f"There is no placeholder {{{name}}} in this mail. There are {listed(template.placeholders)}."
        for name in dict.fromkeys(named)
        if name not in template.placeholders
    ]
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        problems.append("A brace { or } is part of no placeholder.")
    if is_subject:
        # Subjects are shown on locked screens, and kept in the logs of mail servers.
        problems += [f"Leave {{{name}}} out of the subject." for name in ("code", "link") if name in named]
    else:
        problems += [
            f"The placeholder {{{name}}} is missing; the mail is useless without it."
            for name in template.needed
            if name not in named
        ]
    return problems


def listed(names: tuple[str, ...]) -> str:
    """The placeholders ``names`` as staff write them, with commas between."""
    return ", ".join(f"{{{name}}}" for name in names)


_WHEN = ("when", "address")
_VALUES: dict[Template, tuple[str, ...]] = {
    Template.VERIFY_ADDRESS: ("code", "minutes"),
    Template.ADDRESS_TAKEN: (),
    Template.SIGN_IN_CODE: ("code", "minutes"),
    Template.RESET_PASSWORD: ("code", "minutes"),
    Template.PASSWORD_CHANGED: _WHEN,
    Template.MFA_CHANGED: ("change", *_WHEN),
    Template.ADDRESS_CHANGED: ("change", *_WHEN),
    Template.ACCOUNT_DELETED: ("when",),
    Template.INVITATION: ("inviter", "place", "link", "days"),
    Template.SIGN_UP_INVITATION: ("link", "days"),
}

_NOT_YOU = "If this was not you, reset your password and tell us at once."
_IGNORE = "If you did not ask for this, ignore this mail: nothing happens without the code. Give the code to nobody."

_TEXTS: dict[Template, str] = {
    Template.VERIFY_ADDRESS: f"""\
Your code for {{app_name}}

Enter this code to verify your e-mail address for {{app_name}}:

{{code}}

The code is good for {{minutes}} minutes.

{_IGNORE}""",
    Template.ADDRESS_TAKEN: """\
You have an account at {app_name}

Somebody, perhaps you, wanted to sign up at {app_name} with this e-mail address. You have an account there already.

Sign in with it. If you have forgotten your password, the page for signing in lets you reset it.

If it was not you, ignore this mail: nothing was changed.""",
    Template.SIGN_IN_CODE: f"""\
Sign in to {{app_name}}

Enter this code to sign in to {{app_name}}:

{{code}}

The code is good for {{minutes}} minutes.

{_IGNORE}""",
    Template.RESET_PASSWORD: f"""\
Reset your password for {{app_name}}

Enter this code to set a new password for {{app_name}}:

{{code}}

The code is good for {{minutes}} minutes.

{_IGNORE}""",
    Template.PASSWORD_CHANGED: f"""\
Your password for {{app_name}} was changed

Your password for {{app_name}} was changed at {{when}}, from {{address}}.

{_NOT_YOU}""",
    Template.MFA_CHANGED: f"""\
Your two-step sign-in for {{app_name}} was changed

{{change}}

This happened at {{when}}, from {{address}}.

{_NOT_YOU}""",
    Template.ADDRESS_CHANGED: f"""\
Your e-mail addresses for {{app_name}} were changed

{{change}}

This happened at {{when}}, from {{address}}.

{_NOT_YOU}""",
    Template.ACCOUNT_DELETED: """\
Your account at {app_name} was deleted

Your account at {app_name} and all that belongs to it were deleted at {when}.

If this was not you, tell us at once.""",
    Template.INVITATION: """\
{inviter} invites you to {place}

{inviter} invites you to join {place} at {app_name}.

Follow this link to accept; it is good for {days} days:

{link}

If you do not know {inviter}, ignore this mail.""",
    Template.SIGN_UP_INVITATION: """\
You are invited to {app_name}

You are invited to sign up at {app_name} with this e-mail address.

Follow this link to accept; it is good for {days} days:

{link}

If you did not expect this, ignore this mail.""",
}
