"""The e-mail addresses of users."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models.functions import Lower

from accounts.values.names import AddressField, DomainOf, is_normal
from audit.triggers import audited, restored_by_undo
from database.fields import TimeStamped
from database.triggers import after_statement, immutable, invalidates, refuse, touch

IS_HELD = models.Q(is_primary=True) | models.Q(verified_at__isnull=False)
"""In a deployment such an address is one user's; anybody may have it unverified besides."""


class EmailAddress(TimeStamped):
    """An address of a user. The primary one is ``User.email``: the triggers of that table keep its row here.

    It counts as verified once a code sent to it came back, whoever typed it. The database itself sets the deployment
    and ``is_primary`` from the user's row. A foreign key would be checked by a look-up for each row of an import.
    """

    deployment_path = "deployment"

    deployment = models.ForeignKey("accounts.Deployment", models.CASCADE, related_name="+", editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="email_addresses")
    email = AddressField(max_length=254)
    is_primary = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="The database sets it: whether it is User.email."
    )
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "e-mail address"
        verbose_name_plural = "e-mail addresses"
        constraints = [
            models.UniqueConstraint("user", Lower("email"), name="accounts_emailaddress_once_a_user"),
            models.UniqueConstraint(
                "deployment",
                Lower("email"),
                condition=IS_HELD,
                name="accounts_emailaddress_is_one_users",
                violation_error_message="Another user of this deployment has this e-mail address.",
            ),
            models.CheckConstraint(name="accounts_emailaddress_is_given", condition=~models.Q(email="")),
            *is_normal("email"),
        ]
        indexes = [
            models.Index(
                "deployment",
                DomainOf("email"),
                condition=models.Q(verified_at__isnull=False),
                name="accounts_emailaddress_domain",
            )
        ]
        triggers = [
            touch(),
            immutable("deployment", "user"),
            *restored_by_undo(
                pgtrigger.Trigger(
                    name="follows_the_user",
                    operation=pgtrigger.Insert | pgtrigger.Update,
                    when=pgtrigger.Before,
                    condition=pgtrigger.Condition("pg_trigger_depth() = 0"),  # the triggers of users set both
                    func="""
                    SELECT deployment_id, lower(email) = lower(NEW.email) INTO NEW.deployment_id, NEW.is_primary
                        FROM accounts_user WHERE id = NEW.user_id;
                    RETURN NEW;
                """,
                )
            ),
            pgtrigger.Trigger(
                name="primary_one_stays",
                operation=pgtrigger.Delete,
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,  # Django deletes a user after their addresses
                func=f"""
                    IF EXISTS (
                        SELECT 1 FROM accounts_user WHERE id = OLD.user_id AND lower(email) = lower(OLD.email)
                    ) AND NOT EXISTS (
                        SELECT 1 FROM accounts_emailaddress
                        WHERE user_id = OLD.user_id AND lower(email) = lower(OLD.email)
                    ) THEN {refuse("primary_one_stays", "the primary e-mail address cannot be deleted")} END IF;
                    RETURN NULL;
                """,
            ),
            *audited(naming=["email"]),
            *invalidates("user", "user_id", deployment="changed.deployment_id"),
        ]

    def __str__(self) -> str:
        return self.email


def keeps_primary_address() -> list[pgtrigger.Trigger]:
    """For the table of users: keep the row of the address in ``email``, as unverified if it is new there.

    An address that is typed in the place of another replaces it. One that the user had already becomes the primary one,
    and the other stays.
    """
    return restored_by_undo(
        after_statement(
            "primary_address_on_insert",
            pgtrigger.Insert,
            """
                INSERT INTO accounts_emailaddress (deployment_id, user_id, email, is_primary)
                    SELECT deployment_id, id, email, true FROM new_rows WHERE email <> '' ORDER BY id;
                RETURN NULL;
            """,
            referencing={"new": "new_rows"},
        ),
        pgtrigger.Trigger(
            name="primary_address_on_update",
            operation=pgtrigger.Update,
            when=pgtrigger.After,
            condition=pgtrigger.AnyChange("email"),
            func="""
                IF lower(OLD.email) = lower(NEW.email) THEN
                    UPDATE accounts_emailaddress SET email = NEW.email
                        WHERE user_id = NEW.id AND lower(email) = lower(NEW.email);
                    RETURN NULL;
                END IF;
                IF EXISTS (
                    SELECT 1 FROM accounts_emailaddress WHERE user_id = NEW.id AND lower(email) = lower(NEW.email)
                ) THEN
                    UPDATE accounts_emailaddress SET is_primary = false WHERE user_id = NEW.id AND is_primary;
                    UPDATE accounts_emailaddress SET is_primary = true, email = NEW.email
                        WHERE user_id = NEW.id AND lower(email) = lower(NEW.email);
                ELSE
                    DELETE FROM accounts_emailaddress WHERE user_id = NEW.id AND is_primary;
                    INSERT INTO accounts_emailaddress (deployment_id, user_id, email, is_primary)
                        SELECT NEW.deployment_id, NEW.id, NEW.email, true WHERE NEW.email <> '';
                END IF;
                RETURN NULL;
            """,
        ),
    )
