"""Data at scale, written by COPY: one deployment with as many users as wanted, the same for the same seed.

For each of ``EXACTLY`` there are users with that number of memberships: exactly-50-03@scale.example is the fourth of
those with 50. The others, user-000000@scale.example and so on, have one to nine, five on average.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from accounts.models import Authenticator, Deployment, User
from accounts.tokens.keys import signing_key
from audit import triggers
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.default_roles import ADMIN, MEMBER
from organizations.models import (
    Organization,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)

HOST = "scale.localhost"
EXACTLY = {1: 20, 10: 20, 50: 20, 200: 20, 1000: 5}
"""The number of users by their exact number of memberships."""
WORKSPACES_PER_ORGANIZATION = 4
_MIN_ORGANIZATIONS = 300  # a member of exactly 1,000 workspaces needs as many
_BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
_PLACES = ["Hafen", "Kärnten", "Łódź", "Nørrebro", "São Paulo", "Zürich", "大阪", "Київ", "Leeds", "Porto"]
_TRADES = ["Logistik", "Papeterie", "Foundry", "Orchards", "Freight", "Clinic", "Bindery", "Brewery", "Optics"]
_ROOMS = ["Billing", "Design", "Dispatch", "Field work", "Lager", "Research", "Support", "Versand"]

Report = Callable[[str, int], None]
"""Called with the kind of rows written and how many were added."""


def load(*, users: int, seed: int, host: str, report: Report) -> Deployment:
    """Write ``users`` ordinary users and those of ``EXACTLY``, with all their memberships.

    All or nothing, in one transaction; the planner's statistics and the visibility map are up to date afterwards.
    """
    with transaction.atomic():
        deployment = Deployment.objects.create(name=f"Scale ({users} users, seed {seed})", host=host)
        signing_key(deployment)
        _Loader(deployment, users, random.Random(seed), report).load()  # noqa: S311 - the same data from the same seed
    vacuum()
    return deployment


def vacuum(*tables: str) -> None:
    """Vacuum and analyze ``tables``, or all, as autovacuum does in time; wait for it where it is at work."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        cursor.execute(f"VACUUM ANALYZE {', '.join(tables)}")
        cursor.execute("RESET statement_timeout; RESET lock_timeout")


def total_rows(users: int) -> int:
    """About how many rows ``load`` writes: for a progress bar."""
    return users * 20 + sum(number * of_them * 4 for number, of_them in EXACTLY.items()) + 12_000


class _Loader:
    """Writes one table after the other, parents first. Ids come from the tables' sequences."""

    def __init__(self, deployment: Deployment, users: int, rng: random.Random, report: Report) -> None:
        self.deployment = deployment
        self.rng = rng
        self.report = report
        self.user_emails = [f"user-{index:06}@scale.example" for index in range(users)]
        self.memberships_wanted = [index % 9 + 1 for index in range(users)]
        rng.shuffle(self.memberships_wanted)
        for number, of_them in EXACTLY.items():
            self.user_emails += [f"exactly-{number}-{index:02}@scale.example" for index in range(of_them)]
            self.memberships_wanted += [number] * of_them
        self.organization_count = max(users // 10, _MIN_ORGANIZATIONS)

    def load(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            # The triggers' plans are made while the tables are small, and kept while they grow.
            cursor.execute("SET LOCAL enable_seqscan = off")
            # Nobody needs a log of made-up data, and it would be larger than the data.
            cursor.execute(triggers.PAUSE_AUDIT)
        self.load_roles_and_segments()
        self.load_organizations()
        self.load_workspaces()
        self.load_users()
        self.load_memberships()

    def load_roles_and_segments(self) -> None:
        self.organization_admin, self.organization_member = (
            OrganizationRole.objects.get(deployment=self.deployment, organization=None, name=name).pk
            for name in (ADMIN, MEMBER)
        )
        names = ["Accountant", "Auditor", "Dispatcher", "Editor", "Planner", "Reviewer"]
        roles = [
            WorkspaceRole(
                deployment=self.deployment,
                name=name,
                permissions=[f"{name.lower()}:{verb}" for verb in ("read", "write", "approve", "export")],
            )
            for name in names
        ]
        WorkspaceRole.objects.bulk_create(roles)
        self.workspace_admin, self.workspace_member = (
            WorkspaceRole.objects.get(deployment=self.deployment, organization=None, workspace=None, name=name).pk
            for name in (ADMIN, MEMBER)
        )
        self.other_workspace_roles = [role.pk for role in roles]
        self.segments = {
            type_: [
                row.pk
                for row in Segment.objects.bulk_create(
                    Segment(deployment=self.deployment, name=f"{name} ({type_})", type=type_)
                    for name in ("Beta", "Education", "Enterprise", "EU", "Long-standing", "Pilot", "Public sector")
                )
            ]
            for type_ in (Segment.Type.ORGANIZATION, Segment.Type.WORKSPACE)
        }

    def load_organizations(self) -> None:
        self.organizations = self.ids_for(Organization, self.organization_count)
        self.copy(
            Organization,
            [*_PLACE_COLUMNS, "deployment_id", "enforce_mfa"],
            (
                (
                    *self.place(id_, f"{self.rng.choice(_TRADES)} {self.rng.choice(_PLACES)} {index}"),
                    self.deployment.pk,
                    self.chance(0.05),
                )
                for index, id_ in enumerate(self.organizations)
            ),
        )
        self.copy(
            OrganizationSegment,
            ["organization_id", "segment_id"],
            self.in_segments(self.organizations, Segment.Type.ORGANIZATION),
        )

    def load_workspaces(self) -> None:
        self.workspaces = self.ids_for(Workspace, self.organization_count * WORKSPACES_PER_ORGANIZATION)
        self.copy(
            Workspace,
            [*_PLACE_COLUMNS, "organization_id", "enforce_2fa"],
            (
                (
                    *self.place(id_, f"{self.rng.choice(_ROOMS)} · {self.rng.choice(_PLACES)} {index}"),
                    self.organizations[index // WORKSPACES_PER_ORGANIZATION],
                    self.chance(0.05),
                )
                for index, id_ in enumerate(self.workspaces)
            ),
        )
        self.copy(
            WorkspaceSegment,
            ["workspace_id", "segment_id"],
            self.in_segments(self.workspaces, Segment.Type.WORKSPACE),
        )
        indexes = range(0, len(self.workspaces), 10)
        own_roles = self.ids_for(WorkspaceRole, len(indexes))
        self.own_role_of = dict(zip(indexes, own_roles, strict=True))
        self.copy(
            WorkspaceRole,
            ["id", "deployment_id", "organization_id", "workspace_id", "name", "permissions"],
            (
                (
                    role,
                    self.deployment.pk,
                    self.organizations[index // WORKSPACES_PER_ORGANIZATION],
                    self.workspaces[index],
                    "Own",
                    ["own:read", "own:write"],
                )
                for index, role in self.own_role_of.items()
            ),
        )

    def load_users(self) -> None:
        self.users = self.ids_for(User, len(self.user_emails))
        self.copy(
            User,
            ["id", "deployment_id", "email", "first_name", "last_name", "public_metadata", "created_at", "updated_at"],
            (
                (
                    id_,
                    self.deployment.pk,
                    email,
                    self.rng.choice(["Ada", "Bo", "Chioma", "Dmitri", "Élodie", "芙美子"]),
                    self.rng.choice(_PLACES),
                    json.dumps({"seat": index}),
                    *[self.moment()] * 2,
                )
                for index, (id_, email) in enumerate(zip(self.users, self.user_emails, strict=True))
            ),
        )
        secret = Authenticator()
        secret.set_secret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
        confirmed_at = timezone.now()
        self.copy(
            Authenticator,
            ["user_id", "secret", "confirmed_at"],
            ((user, secret.secret, confirmed_at) for user in self.users if self.chance(0.2)),
        )

    def load_memberships(self) -> None:
        organization_memberships: list[tuple[int, int]] = []
        workspace_memberships: list[tuple[int, int]] = []  # user, index of the workspace
        for user, wanted in zip(self.users, self.memberships_wanted, strict=True):
            indexes = self.some_workspaces(wanted)
            parents = dict.fromkeys(index // WORKSPACES_PER_ORGANIZATION for index in indexes)
            organization_memberships += [(user, self.organizations[parent]) for parent in parents]
            workspace_memberships += [(user, index) for index in indexes]
        ids = self.ids_for(OrganizationMembership, len(organization_memberships))
        self.copy(
            OrganizationMembership,
            ["id", "deployment_id", "organization_id", "user_id", "created_at", "updated_at"],
            (
                (id_, self.deployment.pk, organization, user, *[self.moment()] * 2)
                for id_, (user, organization) in zip(ids, organization_memberships, strict=True)
            ),
        )
        self.copy(
            OrganizationMembershipRole,
            ["membership_id", "role_id"],
            ((id_, self.organization_admin if self.chance(0.05) else self.organization_member) for id_ in ids),
        )
        ids = self.ids_for(WorkspaceMembership, len(workspace_memberships))
        self.copy(
            WorkspaceMembership,
            [
                *("id", "organization_id", "workspace_id", "user_id"),
                *("public_metadata", "created_at", "updated_at"),
            ],
            (
                (
                    id_,
                    self.organizations[index // WORKSPACES_PER_ORGANIZATION],
                    self.workspaces[index],
                    user,
                    json.dumps({"desk": self.rng.randrange(500), "shift": self.rng.choice(["early", "late"])}),
                    *[self.moment()] * 2,
                )
                for id_, (user, index) in zip(ids, workspace_memberships, strict=True)
            ),
        )
        self.copy(
            WorkspaceMembershipRole,
            ["membership_id", "role_id"],
            (
                (id_, role)
                for id_, (_, index) in zip(ids, workspace_memberships, strict=True)
                for role in self.some_roles(index)
            ),
        )

    def some_workspaces(self, number: int) -> list[int]:
        """The indexes of ``number`` workspaces, some of them of the same organization, in their order."""
        chosen: set[int] = set()
        while len(chosen) < number:
            first = self.rng.randrange(self.organization_count) * WORKSPACES_PER_ORGANIZATION
            chosen.update(range(first, first + min(self.rng.randint(1, 4), number - len(chosen))))
        return sorted(chosen)

    def some_roles(self, workspace_index: int) -> list[int]:
        roles = [self.workspace_admin if self.chance(0.05) else self.workspace_member]
        if self.chance(0.4):
            roles.append(self.rng.choice(self.other_workspace_roles))
        if workspace_index in self.own_role_of and self.chance(0.5):
            roles.append(self.own_role_of[workspace_index])
        return roles

    def place(self, id_: int, name: str) -> Sequence[Any]:
        """The values of ``_PLACE_COLUMNS``."""
        moment = self.moment()
        return (
            id_,
            name,
            f"https://img.scale.example/{id_}.png" if self.chance(0.7) else "",
            f"{name}: what happens here, in a sentence or two, as people write it." if self.chance(0.7) else "",
            json.dumps({"plan": self.rng.choice(["free", "team", "enterprise"]), "regions": ["eu", "us"]}),
            json.dumps({"account": self.rng.randrange(10**6), "risk": "low"}) if self.chance(0.5) else "{}",
            self.chance(0.05),
            ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"] if self.chance(0.1) else [],
            moment,
            moment,
        )

    def in_segments(self, owners: Sequence[int], type_: Segment.Type) -> Iterator[tuple[int, int]]:
        for owner in owners:
            for segment in self.rng.sample(self.segments[type_], self.rng.choice([0, 0, 1, 1, 2])):
                yield owner, segment

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def moment(self) -> datetime:
        return _BEGINNING + timedelta(microseconds=self.rng.randrange(80_000_000_000_000))

    def ids_for(self, model: type[models.Model], number: int) -> list[int]:
        """``number`` new ids of the table's sequence, which nobody else gets."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [model._meta.db_table, number],
            )
            return [row[0] for row in cursor]

    def copy(self, model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write ``rows``, reporting every thousand."""
        what = str(model._meta.verbose_name_plural)
        number = 0
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {model._meta.db_table} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for number, row in enumerate(rows, start=1):
                copy.write_row(row)
                if number % 1000 == 0:
                    self.report(what, 1000)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {model._meta.db_table}")  # the triggers of the next table look into this one
        self.report(what, number % 1000)


_PLACE_COLUMNS = [
    *("id", "name", "image_url", "description", "public_metadata", "private_metadata"),
    *("enable_ip_restriction", "whitelisted_ips", "created_at", "updated_at"),
]
