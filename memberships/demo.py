"""The demo data: two deployments in which every answer of the endpoint can be seen from 127.0.0.1."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User as Staff
from django.db import transaction
from django.utils import timezone

from accounts.keys import signing_key
from accounts.models import Authenticator, Deployment, DeploymentAlias, User
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
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105
"""The authenticator of fumiko@demo.example, so that anybody can try a second factor."""


@transaction.atomic
def load() -> None:
    """Make what is missing of the demo data; what is there stays as it is."""
    if not Staff.objects.filter(username="admin").exists():
        Staff.objects.create_superuser("admin", "admin@demo.example", settings.DEMO_PASSWORD)
    _Tenant("Demo", "127.0.0.1", Deployment.Mode.PRODUCTION, alias="localhost").load_production()
    _Tenant("Demo (staging)", "staging.localhost", Deployment.Mode.STAGING).load_staging()


class _Tenant:
    """Makes the rows of one deployment, each once, whatever was made before."""

    def __init__(self, name: str, host: str, mode: str, *, alias: str | None = None) -> None:
        self.deployment, _ = Deployment.objects.get_or_create(host=host, defaults={"name": name, "mode": mode})
        if alias:
            DeploymentAlias.objects.get_or_create(host=alias, defaults={"deployment": self.deployment})
        signing_key(self.deployment)
        create_default_roles(self.deployment)
        self.organization_admin = self.deployment.organization_roles.get(organization=None, name=ADMIN)
        self.organization_member = self.deployment.organization_roles.get(organization=None, name=MEMBER)
        self.workspace_admin = self.deployment.workspace_roles.get(organization=None, name=ADMIN)
        self.workspace_member = self.deployment.workspace_roles.get(organization=None, name=MEMBER)

    def load_production(self) -> None:
        ada = self.user("ada", "Ada", "Lindqvist")
        self.user("bo", "Bo", "Nguyễn")
        chioma = self.user("chioma", "Chioma", "Okafor")
        dmitri = self.user("dmitri", "Дмитрий", "Соколов")
        elodie = self.user("elodie", "Élodie", "Šimůnková")
        fumiko = self.user("fumiko", "史子", "田中")
        gus = self.user("gus", "Gus", "Ødegård", disabled=True)
        self.authenticator(fumiko)

        nordlys = self.organization(
            "Nordlys Logistikk",
            description="Freight by rail and sea",
            image_url="https://img.demo.example/nordlys.png",
            public_metadata={"plan": "enterprise", "regions": ["no", "se"]},
            private_metadata={"account_manager": "Ingrid"},
        )
        dispatcher = self._workspace_role("Dispatcher", ["shift:read", "shift:write"], organization=nordlys)
        auditor = self._organization_role("Auditor", ["audit:read"], organization=nordlys)
        havn = self.workspace(nordlys, "Havn · Harbour", description="Quays and cranes", public_metadata={"berths": 12})
        crane = self._workspace_role("Crane operator", ["crane:drive"], organization=nordlys, workspace=havn)
        tog = self.workspace(nordlys, "Tog · Trains")
        if nordlys.auto_assigned_workspace_id is None:
            nordlys.auto_assigned_workspace = havn
            nordlys.save(update_fields=["auto_assigned_workspace"])
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
        for house in range(1, 7):
            kontor = self.organization(f"Контора {house}", public_metadata={"house": house})
            for room in range(1, 11):
                office = self.workspace(kontor, f"Кабинет {house}·{room}")
                self.member(dmitri, office, roles=[self.workspace_admin if room == 1 else self.workspace_member])

    def load_staging(self) -> None:
        sam = self.user("sam", "Sam", "Stager", domain="staging.example")
        acme = self.organization("Acme (staging)")
        self.member(sam, self.workspace(acme, "Sandbox"), roles=[self.workspace_member])
        vault = self.workspace(acme, "Vault", enforce_2fa=True)
        self.member(sam, vault, roles=[self.workspace_member])

    def user(
        self, username: str, first_name: str, last_name: str, *, domain: str = "demo.example", **more: Any
    ) -> User:
        email = f"{username}@{domain}"
        user = User.objects.filter(deployment=self.deployment, email=email).first()
        if user is None:
            user = User(
                deployment=self.deployment,
                email=email,
                username=username,
                first_name=first_name,
                last_name=last_name,
                **more,
            )
            user.set_password(settings.DEMO_PASSWORD)
            user.save()
        return user

    def authenticator(self, user: User) -> None:
        if not user.authenticators.exists():
            authenticator = Authenticator(user=user, confirmed_at=timezone.now())
            authenticator.set_secret(TOTP_SECRET)
            authenticator.save()

    def organization(self, name: str, **defaults: Any) -> Organization:
        return Organization.objects.get_or_create(deployment=self.deployment, name=name, defaults=defaults)[0]

    def workspace(self, organization: Organization, name: str, **defaults: Any) -> Workspace:
        return Workspace.objects.get_or_create(organization=organization, name=name, defaults=defaults)[0]

    def _organization_role(
        self, name: str, permissions: list[str], organization: Organization | None = None
    ) -> OrganizationRole:
        return OrganizationRole.objects.get_or_create(
            deployment=self.deployment, organization=organization, name=name, defaults={"permissions": permissions}
        )[0]

    def _workspace_role(
        self,
        name: str,
        permissions: list[str],
        organization: Organization | None = None,
        workspace: Workspace | None = None,
    ) -> WorkspaceRole:
        return WorkspaceRole.objects.get_or_create(
            deployment=self.deployment,
            organization=organization,
            workspace=workspace,
            name=name,
            defaults={"permissions": permissions},
        )[0]

    def segment(self, name: str, type_: Segment.Type, members: list[Any]) -> None:
        segment, _ = Segment.objects.get_or_create(deployment=self.deployment, name=name, type=type_)
        links: Any = {
            Segment.Type.USER: (UserSegment, "user"),
            Segment.Type.ORGANIZATION: (OrganizationSegment, "organization"),
            Segment.Type.WORKSPACE: (WorkspaceSegment, "workspace"),
        }
        link, field = links[type_]
        for member in members:
            link.objects.get_or_create(segment=segment, **{field: member})

    def member(
        self,
        user: User,
        workspace: Workspace,
        *,
        roles: list[WorkspaceRole],
        organization_roles: list[OrganizationRole] | None = None,
    ) -> None:
        """``user`` is a member of ``workspace``, and so of its organization, with these roles besides those held."""
        joined = timezone.now()
        organization_membership, is_new = OrganizationMembership.objects.get_or_create(
            organization=workspace.organization, user=user, defaults={"created_at": joined}
        )
        if is_new and not organization_roles:
            organization_roles = [self.organization_member]
        for organization_role in organization_roles or []:
            OrganizationMembershipRole.objects.get_or_create(membership=organization_membership, role=organization_role)
        membership, _ = WorkspaceMembership.objects.get_or_create(
            workspace=workspace, user=user, defaults={"created_at": joined}
        )
        for role in roles:
            WorkspaceMembershipRole.objects.get_or_create(membership=membership, role=role)
