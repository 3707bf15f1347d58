"""The roles that every deployment was created with become its default roles."""

from django.db import migrations

CHOOSE = """
    UPDATE accounts_deployment deployment SET
        default_org_creator_role_id = (SELECT id FROM organizations_organizationrole role
            WHERE role.deployment_id = deployment.id AND organization_id IS NULL AND name = 'Admin'),
        default_org_member_role_id = (SELECT id FROM organizations_organizationrole role
            WHERE role.deployment_id = deployment.id AND organization_id IS NULL AND name = 'Member'),
        default_workspace_creator_role_id = (SELECT id FROM organizations_workspacerole role
            WHERE role.deployment_id = deployment.id AND organization_id IS NULL AND name = 'Admin'),
        default_workspace_member_role_id = (SELECT id FROM organizations_workspacerole role
            WHERE role.deployment_id = deployment.id AND organization_id IS NULL AND name = 'Member')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_default_roles"),
        ("organizations", "0003_roles_with_deployment"),
    ]

    operations = [migrations.RunSQL(CHOOSE, migrations.RunSQL.noop)]
