import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import config.database.models
import organizations.allow_lists


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Organization",
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
                ("name", models.CharField(max_length=200)),
                ("image_url", models.URLField(blank=True, db_default="", max_length=2000)),
                ("description", models.TextField(blank=True, db_default="")),
                (
                    "member_count",
                    models.PositiveIntegerField(
                        db_default=0, default=0, editable=False, help_text="The database counts."
                    ),
                ),
                ("public_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                ("private_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                ("enable_ip_restriction", models.BooleanField(db_default=False, default=False)),
                (
                    "whitelisted_ips",
                    organizations.allow_lists.AllowListField(
                        base_field=models.CharField(
                            max_length=64, validators=[organizations.allow_lists.validate_network]
                        ),
                        blank=True,
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                ("enforce_mfa", models.BooleanField(db_default=False, default=False, verbose_name="enforce MFA")),
                (
                    "deployment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organizations",
                        to="accounts.deployment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Segment",
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
                ("name", models.CharField(max_length=200)),
                (
                    "type",
                    models.CharField(
                        choices=[("user", "User"), ("organization", "Organization"), ("workspace", "Workspace")],
                        max_length=20,
                    ),
                ),
                (
                    "deployment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="segments", to="accounts.deployment"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OrganizationSegment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organization_segments",
                        to="organizations.organization",
                    ),
                ),
                (
                    "segment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organization_segments",
                        to="organizations.segment",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="organization",
            name="segments",
            field=models.ManyToManyField(
                related_name="organizations", through="organizations.OrganizationSegment", to="organizations.segment"
            ),
        ),
        migrations.CreateModel(
            name="UserSegment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "segment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="user_segments",
                        to="organizations.segment",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="user_segments", to="accounts.user"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Workspace",
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
                ("name", models.CharField(max_length=200)),
                ("image_url", models.URLField(blank=True, db_default="", max_length=2000)),
                ("description", models.TextField(blank=True, db_default="")),
                (
                    "member_count",
                    models.PositiveIntegerField(
                        db_default=0, default=0, editable=False, help_text="The database counts."
                    ),
                ),
                ("public_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                ("private_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                ("enable_ip_restriction", models.BooleanField(db_default=False, default=False)),
                (
                    "whitelisted_ips",
                    organizations.allow_lists.AllowListField(
                        base_field=models.CharField(
                            max_length=64, validators=[organizations.allow_lists.validate_network]
                        ),
                        blank=True,
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                ("enforce_2fa", models.BooleanField(db_default=False, default=False, verbose_name="enforce 2FA")),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workspaces",
                        to="organizations.organization",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="organization",
            name="auto_assigned_workspace",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="organizations.workspace",
            ),
        ),
        migrations.CreateModel(
            name="WorkspaceRole",
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
                ("name", models.CharField(max_length=200)),
                (
                    "permissions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                (
                    "deployment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workspace_roles",
                        to="accounts.deployment",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workspace_roles",
                        to="organizations.organization",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="roles",
                        to="organizations.workspace",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WorkspaceSegment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "segment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workspace_segments",
                        to="organizations.segment",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workspace_segments",
                        to="organizations.workspace",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="workspace",
            name="segments",
            field=models.ManyToManyField(
                related_name="workspaces", through="organizations.WorkspaceSegment", to="organizations.segment"
            ),
        ),
        migrations.CreateModel(
            name="OrganizationRole",
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
                ("name", models.CharField(max_length=200)),
                (
                    "permissions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                (
                    "deployment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organization_roles",
                        to="accounts.deployment",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="roles",
                        to="organizations.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment", "organization", "name"),
                        name="organizations_organizationrole_name_is_unique",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(
                fields=("deployment", "type", "name"), name="organizations_segment_name_is_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.CheckConstraint(
                condition=models.Q(("type__in", ["user", "organization", "workspace"])),
                name="organizations_segment_type_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationsegment",
            constraint=models.UniqueConstraint(
                fields=("organization", "segment"), name="organizations_organizationsegment_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="usersegment",
            constraint=models.UniqueConstraint(fields=("user", "segment"), name="organizations_usersegment_once"),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(("public_metadata__kind", "object")),
                name="organizations_organization_public_metadata_is_object",
                violation_error_message="public_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(("private_metadata__kind", "object")),
                name="organizations_organization_private_metadata_is_object",
                violation_error_message="private_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(organizations.allow_lists._IsAllowList("whitelisted_ips")),
                name="organizations_organization_whitelisted_ips_are_networks",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.UniqueConstraint(
                fields=("id", "deployment"), name="organizations_organization_with_deployment"
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacerole",
            constraint=models.UniqueConstraint(
                fields=("deployment", "organization", "workspace", "name"),
                name="organizations_workspacerole_name_is_unique",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacerole",
            constraint=models.CheckConstraint(
                condition=models.Q(("workspace__isnull", True), ("organization__isnull", False), _connector="OR"),
                name="organizations_workspacerole_names_its_organization",
                violation_error_message="A role of a workspace must name the workspace's organization too.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacesegment",
            constraint=models.UniqueConstraint(
                fields=("workspace", "segment"), name="organizations_workspacesegment_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(("public_metadata__kind", "object")),
                name="organizations_workspace_public_metadata_is_object",
                violation_error_message="public_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(("private_metadata__kind", "object")),
                name="organizations_workspace_private_metadata_is_object",
                violation_error_message="private_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(organizations.allow_lists._IsAllowList("whitelisted_ips")),
                name="organizations_workspace_whitelisted_ips_are_networks",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.UniqueConstraint(
                fields=("id", "organization"), name="organizations_workspace_with_organization"
            ),
        ),
    ]
