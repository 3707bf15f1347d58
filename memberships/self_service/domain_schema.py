"""Describes the endpoints of domains for the OpenAPI document."""

from __future__ import annotations

from rest_framework import serializers

from accounts.answers.serializers import TextField
from api.errors import Problem
from api.openapi import envelope, id_in_path
from memberships.schema import ORGANIZATION_EXAMPLE
from memberships.self_service.domains import INTERVAL, MAX_LENGTH
from memberships.self_service.schema import ORGANIZATION_ID, TO_ADMINISTRATORS, in_organization


class OrganizationDomainSerializer(serializers.Serializer):
    """A domain of an organization."""

    id = serializers.CharField()
    organization_id = serializers.CharField()
    fqdn = serializers.CharField(help_text="In lower case and in Unicode.")
    verified = serializers.BooleanField()
    verification_dns_record_type = serializers.ChoiceField(["TXT"])
    verification_dns_record_name = serializers.CharField(help_text="Where the record must stand.")
    verification_dns_record_data = serializers.CharField(help_text="What the record must hold.")
    verification_attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewDomainSerializer(serializers.Serializer):
    domain = TextField(max_length=MAX_LENGTH)


_DOMAIN_ID = id_in_path("The id of the domain.", "domain_id")
_DOMAIN = envelope("OrganizationDomainResponse", OrganizationDomainSerializer())
_NEW = {
    "id": "15",
    "organization_id": ORGANIZATION_EXAMPLE["id"],
    "fqdn": "nordlys.example",
    "verified": False,
    "verification_dns_record_type": "TXT",
    "verification_dns_record_name": "_rollcall-challenge.nordlys.example",
    "verification_dns_record_data": "rollcall-verification=3f1f0c4e-6b0d-4c2f-9a55-0f5b9f6f9d21",
    "verification_attempts": 0,
    "created_at": ORGANIZATION_EXAMPLE["created_at"],
    "updated_at": ORGANIZATION_EXAMPLE["created_at"],
}
_VERIFIED = _NEW | {"verified": True, "verification_attempts": 1}

domains = in_organization(
    "GetOrganizationDomains",
    "List the domains of an organization",
    description=TO_ADMINISTRATORS,
    parameters=[ORGANIZATION_ID],
    answers=envelope("OrganizationDomainsResponse", OrganizationDomainSerializer(many=True)),
    message="The domains.",
    data=[_VERIFIED],
)
create_domain = in_organization(
    "CreateOrganizationDomain",
    "Claim a domain",
    description=f"It counts once it is verified by the record that the answer states. {TO_ADMINISTRATORS}",
    method="POST",
    parameters=[ORGANIZATION_ID],
    request=NewDomainSerializer,
    requests={"a domain": {"domain": "nordlys.example"}},
    answers=_DOMAIN,
    message="Add the TXT record to the domain, and verify it then.",
    data=_NEW,
    fails_with=[Problem.INVALID_FIELD, Problem.LIMIT_REACHED],
)
verify_domain = in_organization(
    "VerifyOrganizationDomain",
    "Verify a domain by its TXT record",
    description=(
        "Asks the DNS. From then on users with a verified e-mail address of the domain are members. "
        f"One attempt every {INTERVAL.seconds} seconds. {TO_ADMINISTRATORS}"
    ),
    method="POST",
    parameters=[ORGANIZATION_ID, _DOMAIN_ID],
    answers=_DOMAIN,
    message="The domain is verified.",
    data=_VERIFIED,
    fails_with=[Problem.DOMAIN_NOT_VERIFIED, Problem.NOT_FOUND, Problem.DOMAIN_TAKEN],
)
delete_domain = in_organization(
    "DeleteOrganizationDomain",
    "Remove a domain",
    description=f"Members stay. {TO_ADMINISTRATORS}",
    method="POST",
    parameters=[ORGANIZATION_ID, _DOMAIN_ID],
    answers=_DOMAIN,
    message="The domain is removed.",
    data=_VERIFIED,
    fails_with=[Problem.NOT_FOUND],
)
