"""The demo data: two deployments in which every answer of the endpoint can be seen from 127.0.0.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import User as Staff
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from accounts.deployments.hosts import find_deployment
from accounts.models import Authenticator, Deployment, DeploymentAlias, User
from accounts.tokens.keys import signing_key
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.default_roles import ADMIN, MEMBER, create_default_roles
from organizations.models import (
    Organization,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    UserSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)

ELSEWHERE = ["203.0.113.0/24", "2001:db8:77::/48"]
HERE = ["127.0.0.0/8", "::1"]
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - printed for whoever tries the demo
"""The authenticator of fumiko@demo.example, so that anybody can try MFA."""
FRONT_ENDS = ("http://localhost:5173", "http://127.0.0.1:5173")
"""The pages of a front-end in development, by Vite's defaults, that may call the service at the same host."""
HOUSES, ROOMS = 6, 10
"""The organizations of dmitri@demo.example, and the workspaces in each."""


Row = TypeVar("Row", bound=models.Model)


@transaction.atomic
def load() -> list[str]:
    """Make the missing parts of the demo data; existing rows stay as they are.

    Returns, in a few words each, the parts that staff's changes have made impossible.
    """
    left_out: list[str] = []
    if not Staff.objects.filter(username="admin").exists():
        Staff.objects.create_superuser("admin", "admin@demo.example", settings.DEMO_PASSWORD)
    for host, name, mode, alias in (
        ("127.0.0.1", "Demo", Deployment.Mode.PRODUCTION, "localhost"),
        ("staging.localhost", "Demo (staging)", Deployment.Mode.STAGING, ""),
    ):
        try:
            with transaction.atomic():
                deployment = find_deployment(host) or Deployment.objects.create(
                    host=host,
                    name=name,
                    mode=mode,
                    allowed_origins=list(FRONT_ENDS),
                    sign_up_mode=Deployment.SignUpMode.OPEN,
                    allow_users_to_create_orgs=True,
                    workspaces_per_org_count=20,
                    allow_org_deletion=True,
                    allow_workspace_deletion=True,
                    custom_org_role_enabled=True,
                    custom_workspace_role_enabled=True,
                )
                signing_key(deployment)
                create_default_roles(deployment)
        except IntegrityError:
            left_out.append(f"deployment {host}")
            continue
        loader = _DeploymentLoader(deployment, left_out)
        if alias:
            loader.alias(alias)
        if mode == Deployment.Mode.PRODUCTION:
            loader.load_production()
        else:
            loader.load_staging()
    return left_out


class _DeploymentLoader:
    """Makes the rows of one deployment, each once, whichever were made before.

    A row that cannot be made is None, and so are all that would belong to it.
    """

    def __init__(self, deployment: Deployment, left_out: list[str]) -> None:
        self.deployment = deployment
        self._left_out = left_out
        organization_roles = deployment.organization_roles.filter(organization=None)
        workspace_roles = deployment.workspace_roles.filter(organization=None)
        self.organization_admin = organization_roles.filter(name=ADMIN).first()
        self.organization_member = organization_roles.filter(name=MEMBER).first()
        self.workspace_admin = workspace_roles.filter(name=ADMIN).first()
        self.workspace_member = workspace_roles.filter(name=MEMBER).first()

    def _row(self, model: type[Row], identity: dict[str, Any], **defaults: Any) -> Row | None:
        """The row with ``identity``, made with ``defaults`` if there is none.

        None if the database refuses it, or if a row that it would belong to is missing.
        """
        if None in identity.values():
            return None
        row = model._base_manager.filter(**identity).first()
        return row or self._made(model(**identity, **defaults))

    def _made(self, row: Row) -> Row | None:
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            self._left_out.append(f"{row._meta.verbose_name} {row}")
            return None
        return row

    def alias(self, host: str) -> None:
        if find_deployment(host) is None:
            self._row(DeploymentAlias, {"host": host}, deployment=self.deployment)

    def load_production(self) -> None:
        ada = self.user("ada", "Ada", "Lindqvist")
        self.user("bo", "Bo", "Nguyễn")
        chioma = self.user("chioma", "Chioma", "Okafor")
        dmitri = self.user("dmitri", "Дмитрий", "Соколов")
        elodie = self.user("elodie", "Élodie", "Šimůnková")
        fumiko = self.user("fumiko", "史子", "田中")
        gus = self.user("gus", "Gus", "Ødegård", disabled=True)
        self.authenticator(fumiko)

        is_new = not self.deployment.organizations.filter(name="Nordlys Logistikk").exists()
        nordlys = self.organization(
            "Nordlys Logistikk",
            description="Freight by rail and sea",
            image_url="https://img.demo.example/nordlys.png",
            public_metadata={"plan": "enterprise", "regions": ["no", "se"]},
            private_metadata={"account_manager": "Ingrid"},
        )
        of_nordlys = {"deployment": self.deployment, "organization": nordlys}
        auditor = self._row(OrganizationRole, {**of_nordlys, "name": "Auditor"}, permissions=["audit:read"])
        dispatcher = self._row(
            WorkspaceRole, {**of_nordlys, "name": "Dispatcher"}, permissions=["shift:read", "shift:write"]
        )
        havn = self.workspace(nordlys, "Havn · Harbour", description="Quays and cranes", public_metadata={"berths": 12})
        in_havn = {**of_nordlys, "workspace": havn}
        crane = self._row(WorkspaceRole, {**in_havn, "name": "Crane operator"}, permissions=["crane:drive"])
        tog = self.workspace(nordlys, "Tog · Trains")
        cafe = self.organization(
            "Café Übergröße", enable_ip_restriction=True, whitelisted_ips=ELSEWHERE, description="Only from the shops"
        )
        kasse = self.workspace(cafe, "Kasse")
        seisakusho = self.organization("日本橋製作所", enforce_mfa=True)
        koujou = self.workspace(seisakusho, "第一工場", private_metadata={"floor": 3})
        forteresse = self.organization(
            "Forteresse Sécurité", enforce_mfa=True, enable_ip_restriction=True, whitelisted_ips=ELSEWHERE
        )
        coffre = self.workspace(forteresse, "Coffre-fort", enforce_2fa=True)
        loopback = self.organization("Loopback Labs", enable_ip_restriction=True, whitelisted_ips=HERE)
        bench = self.workspace(loopback, "Bench", enable_ip_restriction=True, whitelisted_ips=HERE)
        clean = self.workspace(loopback, "Clean room", enable_ip_restriction=True, whitelisted_ips=ELSEWHERE)

        self.segment("Pilot customers", Segment.Type.ORGANIZATION, [nordlys, seisakusho])
        self.segment("Håndterer farlig gods", Segment.Type.WORKSPACE, [havn, coffre])
        self.segment("Early access", Segment.Type.USER, [ada, elodie])

        self.member(chioma, havn, roles=[self.workspace_member, crane])
        for workspace in (havn, tog, kasse, koujou, coffre, bench, clean):
            self.member(ada, workspace, roles=[self.workspace_member])
        self.member(ada, tog, roles=[dispatcher], organization_roles=[auditor])
        self.member(gus, tog, roles=[self.workspace_admin])
        for workspace in (havn, kasse, koujou, coffre):
            self.member(elodie, workspace, roles=[self.workspace_member], organization_roles=[self.organization_admin])
        self.member(elodie, clean, roles=[self.workspace_admin])
        for workspace in (koujou, coffre, bench):
            self.member(fumiko, workspace, roles=[self.workspace_member])
        for house in range(1, HOUSES + 1):
            kontor = self.organization(f"Контора {house}", public_metadata={"house": house})
            for room in range(1, ROOMS + 1):
                office = self.workspace(kontor, f"Кабинет {house}·{room}")
                self.member(dmitri, office, roles=[self.workspace_admin if room == 1 else self.workspace_member])
        if is_new and nordlys and havn:  # last: those who join join it too
            nordlys.auto_assigned_workspace = havn
            nordlys.save(update_fields=["auto_assigned_workspace"])

    def load_staging(self) -> None:
        sam = self.user("sam", "Sam", "Stager", domain="staging.example")
        acme = self.organization("Acme (staging)")
        self.member(sam, self.workspace(acme, "Sandbox"), roles=[self.workspace_member])
        vault = self.workspace(acme, "Vault", enforce_2fa=True)
        self.member(sam, vault, roles=[self.workspace_member])

    def user(
        self, username: str, first_name: str, last_name: str, *, domain: str = "demo.example", **more: Any
    ) -> User | None:
        """The user of this e-mail address, else of this username, since staff may have changed either."""
        email = f"{username}@{domain}"
        users = self.deployment.users
        user = users.filter(email__iexact=email).first() or users.filter(username__iexact=username).first()
        if user is not None:
            return user
        user = User(
            deployment=self.deployment,
            email=email,
            username=username,
            first_name=first_name,
            last_name=last_name,
            **more,
        )
        user.set_password(settings.DEMO_PASSWORD)
        return self._made(user)

    def authenticator(self, user: User | None) -> None:
        if user and not user.authenticators.exists():
            authenticator = Authenticator(user=user, confirmed_at=timezone.now())
            authenticator.set_secret(TOTP_SECRET)
            self._made(authenticator)

    def organization(self, name: str, **defaults: Any) -> Organization | None:
        return self._row(Organization, {"deployment": self.deployment, "name": name}, **defaults)

    def workspace(self, organization: Organization | None, name: str, **defaults: Any) -> Workspace | None:
        workspace = self._row(Workspace, {"organization": organization, "name": name}, **defaults)
        if workspace and organization:
            workspace.organization = organization  # which is here, and need not be read for each member
        return workspace

    def segment(self, name: str, type_: Segment.Type, members: Sequence[models.Model | None]) -> None:
        segment = self._row(Segment, {"deployment": self.deployment, "name": name, "type": type_})
        links: Any = {
            Segment.Type.USER: (UserSegment, "user"),
            Segment.Type.ORGANIZATION: (OrganizationSegment, "organization"),
            Segment.Type.WORKSPACE: (WorkspaceSegment, "workspace"),
        }
        link, field = links[type_]
        for member in members:
            self._row(link, {"segment": segment, field: member})

    def member(
        self,
        user: User | None,
        workspace: Workspace | None,
        *,
        roles: Sequence[WorkspaceRole | None],
        organization_roles: Sequence[OrganizationRole | None] = (),
    ) -> None:
        """``user`` is a member of ``workspace``, and so of its organization, with these roles besides those held."""
        if not (user and workspace):
            return
        joined = timezone.now()
        in_organization = self._row(
            OrganizationMembership, {"organization": workspace.organization, "user": user}, created_at=joined
        )
        if in_organization and in_organization.created_at == joined and not organization_roles:  # it is new
            organization_roles = [self.organization_member]
        for organization_role in organization_roles:
            self._row(OrganizationMembershipRole, {"membership": in_organization, "role": organization_role})
        in_workspace = self._row(WorkspaceMembership, {"workspace": workspace, "user": user}, created_at=joined)
        for role in roles:
            self._row(WorkspaceMembershipRole, {"membership": in_workspace, "role": role})
