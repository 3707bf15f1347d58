"""The domains of an organization: claimed by administrators, verified by a TXT record in the DNS."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.values.names import typed_domain, validate_domain
from api.answers import timestamp
from api.errors import ApiError, Problem
from api.exceptions import violated_by
from api.requests import text_field
from memberships.self_service.places import locked_organization
from memberships.standing import Standing
from organizations.dns_records import require_text
from organizations.models import OrganizationDomain

MAX_DOMAINS = 100
MAX_LENGTH = 253
INTERVAL = timedelta(seconds=5)
"""From one attempt to verify a domain to the next."""


def domains(standing: Standing) -> list[dict[str, Any]]:
    """The organization's domains as the API shows them, the oldest first."""
    return [
        shown(domain)
        for domain in OrganizationDomain.objects.filter(organization=standing.organization_id).order_by("pk")
    ]


def create(standing: Standing, body: Mapping[str, Any]) -> OrganizationDomain:
    """A new domain, still to be verified, whoever else has it. Raises ``ApiError``: 400, 409 if there are too many."""
    fqdn = typed_domain(text_field(body, "domain", max_length=MAX_LENGTH))
    try:
        validate_domain(fqdn)
    except ValidationError as error:
        raise ApiError(Problem.INVALID_FIELD, "domain must be a domain such as example.com.") from error
    with transaction.atomic():
        organization = locked_organization(standing)
        if organization.domains.filter(fqdn=fqdn).exists():
            raise ApiError(Problem.INVALID_FIELD, f"{fqdn} is among the organization's domains already.")
        if organization.domains.count() >= MAX_DOMAINS:
            raise ApiError(Problem.LIMIT_REACHED, f"There are {MAX_DOMAINS} domains already; remove one first.")
        domain = OrganizationDomain.objects.create(organization=organization, fqdn=fqdn)
    domain.refresh_from_db()
    return domain


def verify(standing: Standing, domain_id: int) -> OrganizationDomain:
    """The domain, verified by its TXT record; one that is verified already stays so, unasked.

    The users with verified addresses of it become members in the same transaction. Raises ``ApiError``: 404; 400 if the
    record is not there; 409 if the domain is another organization's; 429 for attempts that follow too soon; 503.
    """
    domain = domain_of(standing, domain_id)
    if domain.verified_at is not None:
        return domain
    now = timezone.now()
    is_due = Q(last_attempt_at=None) | Q(last_attempt_at__lte=now - INTERVAL)
    counted = OrganizationDomain.objects.filter(is_due, pk=domain.pk).update(
        verification_attempts=F("verification_attempts") + 1, last_attempt_at=now
    )
    if not counted:
        raise ApiError(Problem.TOO_MANY_REQUESTS, headers={"Retry-After": str(int(INTERVAL.total_seconds()))})
    require_text(domain.record_name, domain.record_data)  # outside of any transaction: it may take seconds
    try:
        with transaction.atomic():
            locked_organization(standing)  # before the domain, in the order in which a deletion locks the two
            OrganizationDomain.objects.filter(pk=domain.pk, verified_at=None).update(verified_at=timezone.now())
    except IntegrityError as error:
        if violated_by(error) != "organizations_domain_is_one_organizations":
            raise
        raise ApiError(Problem.DOMAIN_TAKEN) from error
    return domain_of(standing, domain_id)


def delete(standing: Standing, domain_id: int) -> OrganizationDomain:
    """Remove the domain; users who joined by it stay members. Raises ``ApiError`` (404)."""
    domain = domain_of(standing, domain_id)
    OrganizationDomain.objects.filter(pk=domain.pk).delete()
    return domain


def sweep(*, before: datetime) -> int:
    """Delete the domains that were not verified, and not tried to be since ``before``; gives their number."""
    return OrganizationDomain.objects.filter(verified_at=None, updated_at__lt=before).delete()[0]


def domain_of(standing: Standing, domain_id: int) -> OrganizationDomain:
    """The domain of this organization with that id; raises ``ApiError`` (404)."""
    found = OrganizationDomain.objects.filter(organization=standing.organization_id, pk=domain_id).first()
    if found is None:
        raise ApiError(Problem.NOT_FOUND, "There is no such domain here.")
    return found


def shown(domain: OrganizationDomain) -> dict[str, Any]:
    """The ``OrganizationDomain``."""
    return {
        "id": str(domain.pk),
        "organization_id": str(domain.organization_id),
        "fqdn": domain.fqdn,
        "verified": domain.verified_at is not None,
        "verification_dns_record_type": "TXT",
        "verification_dns_record_name": domain.record_name,
        "verification_dns_record_data": domain.record_data,
        "verification_attempts": domain.verification_attempts,
        "created_at": timestamp(domain.created_at),
        "updated_at": timestamp(domain.updated_at),
    }
