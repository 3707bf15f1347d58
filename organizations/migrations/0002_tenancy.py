from django.db import migrations

import config.database.constraints


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0001_initial"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="organizationrole",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("organization", "deployment"),
                name="organizations_organizationrole_is_of_deployment",
                on_delete="CASCADE",
                to="organizations.Organization",
                to_fields=("id", "deployment"),
                violation_error_message="The organization belongs to another deployment.",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("auto_assigned_workspace", "id"),
                name="organizations_organization_auto_workspace_is_its_own",
                on_delete="SET NULL",
                to="organizations.Workspace",
                to_fields=("id", "organization"),
                violation_error_message="The auto-assigned workspace must be one of this organization.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacerole",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("organization", "deployment"),
                name="organizations_workspacerole_is_of_deployment",
                on_delete="CASCADE",
                to="organizations.Organization",
                to_fields=("id", "deployment"),
                violation_error_message="The organization belongs to another deployment.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacerole",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("workspace", "organization"),
                name="organizations_workspacerole_is_of_organization",
                on_delete="CASCADE",
                to="organizations.Workspace",
                to_fields=("id", "organization"),
                violation_error_message="The workspace belongs to another organization.",
            ),
        ),
    ]
