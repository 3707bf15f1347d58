"""A segment holds rows of its own type and deployment, each of them once."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import models

from organizations.models import OrganizationSegment, UserSegment, WorkspaceSegment
from tests.support.cases import each
from tests.support.database import Insert, Update, each_insert, each_update, refused
from tests.support.factories import SegmentFactory, World

LINKS: list[tuple[type[models.Model], str]] = [
    (UserSegment, "user"),
    (OrganizationSegment, "organization"),
    (WorkspaceSegment, "workspace"),
]


@each_insert
@each(("model", "kind"), LINKS)
def test_a_segment_holds_rows_of_its_type_in_its_own_deployment(
    world: World, insert: Insert, model: type[models.Model], kind: str
) -> None:
    segment = SegmentFactory.create(deployment=world.own.deployment, type=kind)
    insert(
        model,
        world.columns({kind: f"own.{kind}", "segment_id": segment.pk}),
        world.columns({kind: f"sibling.{kind}", "segment_id": segment.pk}),
    )
    assert model._base_manager.count() == 2


@each_insert
@each(("model", "kind"), LINKS)
def test_a_segment_holds_nothing_of_another_type_or_deployment(
    world: World, insert: Insert, model: type[models.Model], kind: str
) -> None:
    unfit = [
        *(SegmentFactory.create(deployment=world.own.deployment, type=other) for _, other in LINKS if other != kind),
        SegmentFactory.create(deployment=world.foreign.deployment, type=kind),
    ]
    for segment in unfit:
        with refused("segment_fits"):
            insert(model, world.columns({kind: f"own.{kind}", "segment_id": segment.pk}))


@each(("model", "kind"), LINKS)
def test_a_form_refuses_an_unfit_segment_before_the_database_does(
    world: World, model: type[models.Model], kind: str
) -> None:
    for deployment, type_, fits in (
        (world.own.deployment, kind, True),
        (world.own.deployment, "user" if kind != "user" else "workspace", False),
        (world.foreign.deployment, kind, False),
    ):
        link = model(
            **world.columns({kind: f"own.{kind}"}), segment=SegmentFactory.create(deployment=deployment, type=type_)
        )
        if fits:
            link.full_clean()
        else:
            with pytest.raises(ValidationError):
                link.full_clean()


@each_update
@each(("model", "kind"), LINKS)
def test_nothing_is_moved_into_a_segment_that_does_not_fit_it(
    world: World, update: Update, model: type[models.Model], kind: str
) -> None:
    fit, other_fit = SegmentFactory.create_batch(2, deployment=world.own.deployment, type=kind)
    foreign = SegmentFactory.create(deployment=world.foreign.deployment, type=kind)
    link = model._base_manager.create(**world.columns({kind: f"own.{kind}"}), segment=fit)
    update(link, segment_id=other_fit.pk)
    with refused("segment_fits"):
        update(link, segment_id=foreign.pk)
    with refused("segment_fits"):
        update(link, **world.columns({kind: f"foreign.{kind}"}))


@each_insert
@each(("model", "kind"), LINKS)
def test_a_segment_holds_a_row_once(world: World, insert: Insert, model: type[models.Model], kind: str) -> None:
    segment = SegmentFactory.create(deployment=world.own.deployment, type=kind)
    row = world.columns({kind: f"own.{kind}", "segment_id": segment.pk})
    with refused(f"organizations_{kind}segment_once"):
        insert(model, row, row)
