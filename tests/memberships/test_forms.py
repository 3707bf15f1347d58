"""Forms make memberships, and say why they cannot."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import models
from django.forms import modelform_factory

from memberships.models import OrganizationMembership, WorkspaceMembership
from tests.support.cases import each
from tests.support.database import Row
from tests.support.factories import World, join_organization


@each(
    ("model", "row", "error"),
    [
        (
            OrganizationMembership,
            {"organization": "own.organization", "user": "foreign.user"},
            "The user belongs to another deployment than the organization.",
        ),
        (
            WorkspaceMembership,
            {"workspace": "sibling.workspace", "user": "own.user"},
            "The user is no member of the workspace's organization.",
        ),
        (
            WorkspaceMembership,
            {"workspace": "foreign.workspace", "user": "own.user"},
            "The user is no member of the workspace's organization.",
        ),
    ],
)
def test_a_form_says_why_a_user_cannot_join(world: World, model: type[models.Model], row: Row, error: str) -> None:
    join_organization(world.own.user, world.own.organization)
    columns = world.columns(row)
    form = modelform_factory(model, fields=list(row))({name: columns[f"{name}_id"] for name in row})
    assert error in form.errors["__all__"]
    with pytest.raises(ValidationError) as caught:
        model(**columns).full_clean()
    assert error in caught.value.message_dict["__all__"]


def test_a_form_makes_a_membership(world: World) -> None:
    for model, place in ((OrganizationMembership, "organization"), (WorkspaceMembership, "workspace")):
        form = modelform_factory(model, fields=[place, "user"])(
            {place: getattr(world.own, place).pk, "user": world.own.user.pk}
        )
        assert form.errors == {}
        form.save()
    assert world.own.workspace.memberships.get().user == world.own.user


@each("missing", ["organization", "workspace", "user"])
def test_a_form_asks_for_missing_fields(world: World, missing: str) -> None:
    model = OrganizationMembership if missing == "organization" else WorkspaceMembership
    fields = ["organization" if missing == "organization" else "workspace", "user"]
    data = {name: getattr(world.own, name).pk for name in fields if name != missing}
    form = modelform_factory(model, fields=fields)(data)
    assert form.errors == {missing: ["This field is required."]}
