import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import config.database.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("organizations", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrganizationMembership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("public_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                (
                    "deployment",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.deployment",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="organizations.organization",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organization_memberships",
                        to="accounts.user",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OrganizationMembershipRole",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "membership",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given_roles",
                        to="memberships.organizationmembership",
                    ),
                ),
                (
                    "role",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given_roles",
                        to="organizations.organizationrole",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="organizationmembership",
            name="roles",
            field=models.ManyToManyField(
                related_name="memberships",
                through="memberships.OrganizationMembershipRole",
                to="organizations.organizationrole",
            ),
        ),
        migrations.CreateModel(
            name="WorkspaceMembership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("public_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                (
                    "organization",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="organizations.organization",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workspace_memberships",
                        to="accounts.user",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="organizations.workspace",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WorkspaceMembershipRole",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "membership",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given_roles",
                        to="memberships.workspacemembership",
                    ),
                ),
                (
                    "role",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given_roles",
                        to="organizations.workspacerole",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="workspacemembership",
            name="roles",
            field=models.ManyToManyField(
                related_name="memberships",
                through="memberships.WorkspaceMembershipRole",
                to="organizations.workspacerole",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationmembershiprole",
            constraint=models.UniqueConstraint(fields=("membership", "role"), name="memberships_organizationrole_once"),
        ),
        migrations.AddIndex(
            model_name="organizationmembership",
            index=models.Index(fields=["user", "created_at", "id"], name="memberships_org_by_user"),
        ),
        migrations.AddConstraint(
            model_name="organizationmembership",
            constraint=models.UniqueConstraint(fields=("organization", "user"), name="memberships_orgmembership_once"),
        ),
        migrations.AddConstraint(
            model_name="organizationmembership",
            constraint=models.CheckConstraint(
                condition=models.Q(("public_metadata__kind", "object")),
                name="memberships_organizationmembership_public_metadata_is_object",
                violation_error_message="public_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacemembershiprole",
            constraint=models.UniqueConstraint(fields=("membership", "role"), name="memberships_workspacerole_once"),
        ),
        migrations.AddIndex(
            model_name="workspacemembership",
            index=models.Index(fields=["user", "created_at", "id"], name="memberships_workspace_by_user"),
        ),
        migrations.AddConstraint(
            model_name="workspacemembership",
            constraint=models.UniqueConstraint(fields=("workspace", "user"), name="memberships_wsmembership_once"),
        ),
        migrations.AddConstraint(
            model_name="workspacemembership",
            constraint=models.CheckConstraint(
                condition=models.Q(("public_metadata__kind", "object")),
                name="memberships_workspacemembership_public_metadata_is_object",
                violation_error_message="public_metadata must be a JSON object.",
            ),
        ),
    ]
