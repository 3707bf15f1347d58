"""A new person signs up with the token of the mail and is a member then."""

from __future__ import annotations

import pytest

from accounts.models import Deployment, User
from audit.models import AuditEntry
from tests.support.api import ApiClient, data_of, error_code
from tests.support.invitations import (
    ADDRESS,
    INVITATION_REQUIRED,
    VALIDATE,
    accept,
    begin_sign_up,
    in_organization,
    invitations_of,
    invite,
    mailed_token,
    role_names,
    sign_up,
)
from tests.support.self_service import Firm, admin_role
from tests.support.sign_in import mailed_code
from tests.support.sign_up import attempt_of, prepare, verify

SIGN_UP_ATTEMPT_OVER = 40116


def test_a_new_person_signs_up_from_the_mail_into_both_places(firm: Firm, admin: ApiClient) -> None:
    """Only the invited may sign up here: the token counts as an invitation to that, too."""
    role = {"role_id": admin_role(firm.deployment).pk}
    invite(firm, admin, workspace_id=firm.workspace.pk, workspace_role_id=firm.workspace_role.pk, **role)
    token = mailed_token()
    browser = ApiClient(firm.deployment)
    assert accept(browser, token) == {
        "requires_signin": True,
        "error_code": "INVITATION_REQUIRES_SIGNUP",
        "message": f"This invitation is for {ADDRESS}; sign up with that address.",
        "invited_email": ADDRESS,
    }
    assert data_of(browser.get(VALIDATE, f"token={token}")) == {
        "valid": True,
        "first_name": "",
        "last_name": "",
        "email": ADDRESS,
    }
    data = data_of(sign_up(browser, token))
    user = User.objects.get(email=ADDRESS)
    assert data["active_signin"]["user_id"] == str(user.pk)
    assert role_names(firm.membership(user)) == ["Admin"]
    assert role_names(firm.in_workspace(user)) == [firm.workspace_role.name]
    (place,) = data_of(browser.get())
    assert place["workspace"]["id"] == str(firm.workspace.pk)
    entry = AuditEntry.objects.filter(model="memberships.organizationmembership", action="added").latest("pk")
    assert (entry.actor_kind, entry.actor_id) == ("user", user.pk)
    # The sign-up form goes back to the page of the invitation then.
    assert accept(browser, token)["already_member"] is True


def test_a_sign_up_with_the_token_takes_the_invited_address(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    token = mailed_token()
    response = begin_sign_up(ApiClient(firm.deployment), token, email="mallory@example.com")
    assert error_code(response) == INVITATION_REQUIRED
    Deployment.objects.update(sign_up_mode="open")
    sign_up(ApiClient(firm.deployment), token, email="mallory@example.com")
    assert in_organization(firm, User.objects.get(email="mallory@example.com")) is None


@pytest.mark.parametrize("mode", ["invitation", "open"])
def test_an_invitation_that_is_withdrawn_during_the_sign_up_gives_nothing(
    firm: Firm, admin: ApiClient, mode: str
) -> None:
    Deployment.objects.update(sign_up_mode=mode)
    id_ = data_of(invite(firm, admin))["id"]
    browser = ApiClient(firm.deployment)
    attempt = attempt_of(begin_sign_up(browser, mailed_token()))
    prepare(browser, attempt)
    data_of(admin.post(f"{invitations_of(firm)}/{id_}/discard"))
    response = verify(browser, attempt, mailed_code())
    if mode == "invitation":
        assert error_code(response) == SIGN_UP_ATTEMPT_OVER
        assert not User.objects.filter(email=ADDRESS).exists()
    else:
        assert in_organization(firm, User.objects.get(pk=data_of(response)["active_signin"]["user_id"])) is None
