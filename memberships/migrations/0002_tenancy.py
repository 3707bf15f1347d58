from django.db import migrations

import config.database.constraints


class Migration(migrations.Migration):
    dependencies = [
        ("memberships", "0001_initial"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="organizationmembershiprole",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("membership",),
                name="memberships_organizationrole_goes_with_membership",
                on_delete="CASCADE",
                to="memberships.OrganizationMembership",
                to_fields=("id",),
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationmembership",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("organization", "deployment"),
                name="memberships_orgmembership_organization_is_of_deployment",
                to="organizations.Organization",
                to_fields=("id", "deployment"),
                violation_error_message="The organization belongs to another deployment.",
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationmembership",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("user", "deployment"),
                name="memberships_orgmembership_user_is_of_deployment",
                to="accounts.User",
                to_fields=("id", "deployment"),
                violation_error_message="The user belongs to another deployment than the organization.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacemembershiprole",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("membership",),
                name="memberships_workspacerole_goes_with_membership",
                on_delete="CASCADE",
                to="memberships.WorkspaceMembership",
                to_fields=("id",),
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacemembership",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("workspace", "organization"),
                name="memberships_wsmembership_organization_is_the_workspaces",
                to="organizations.Workspace",
                to_fields=("id", "organization"),
                violation_error_message="The workspace belongs to another organization.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacemembership",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("organization", "user"),
                name="memberships_wsmembership_user_is_in_organization",
                on_delete="CASCADE",
                to="memberships.OrganizationMembership",
                to_fields=("organization", "user"),
                violation_error_message="The user is no member of the workspace's organization.",
            ),
        ),
    ]
