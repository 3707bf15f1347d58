import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("memberships", "0002_tenancy"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="organizationmembershiprole",
            trigger=pgtrigger.compiler.Trigger(
                name="role_fits",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (\n                SELECT 1 FROM memberships_organizationmembership membership\n                JOIN organizations_organizationrole role ON role.deployment_id = membership.deployment_id\n                    AND coalesce(role.organization_id, membership.organization_id) = membership.organization_id\n                WHERE membership.id = NEW.membership_id AND role.id = NEW.role_id\n                ) THEN RAISE EXCEPTION 'the role must be one of this organization or of its deployment' USING ERRCODE = '23514', CONSTRAINT = 'role_fits'; END IF; RETURN NEW;",
                    hash="813725bd279ee297d71d102d0f70e845f728eddd",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_role_fits_590c2",
                    table="memberships_organizationmembershiprole",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."public_metadata" IS DISTINCT FROM (NEW."public_metadata") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="d42813c1a564548a0a1650b42adb176ff97f5fbd",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_ee1d1",
                    table="memberships_organizationmembership",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="RAISE EXCEPTION 'deployment, organization, user cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="06c264157259367e0c830f9ca0c6a9dd207ae3fa",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_d8c14",
                    table="memberships_organizationmembership",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="count_inserted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            PERFORM 1 FROM organizations_organization WHERE id IN (SELECT organization_id FROM inserted)\n                ORDER BY id FOR NO KEY UPDATE;\n            UPDATE organizations_organization parent SET member_count = parent.member_count + changed.number\n                FROM (SELECT organization_id AS id, count(*) AS number FROM inserted GROUP BY 1) changed\n                WHERE parent.id = changed.id;\n            RETURN NULL;\n        ",
                    hash="7cb529cfdd6218a2c20aaa199aa6d82857f43c3c",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_count_inserted_ac8ae",
                    referencing="REFERENCING NEW TABLE AS inserted ",
                    table="memberships_organizationmembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="count_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            PERFORM 1 FROM organizations_organization WHERE id IN (SELECT organization_id FROM deleted)\n                ORDER BY id FOR NO KEY UPDATE;\n            UPDATE organizations_organization parent SET member_count = parent.member_count - changed.number\n                FROM (SELECT organization_id AS id, count(*) AS number FROM deleted GROUP BY 1) changed\n                WHERE parent.id = changed.id;\n            RETURN NULL;\n        ",
                    hash="76ca6e475a054f34d9775edf6121c497009aa4d2",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_count_deleted_7df60",
                    referencing="REFERENCING OLD TABLE AS deleted ",
                    table="memberships_organizationmembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="count_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="UPDATE organizations_organization SET member_count = 0 WHERE member_count <> 0; RETURN NULL;",
                    hash="4dab4a7b1744f57a8e4da8fa394a0d1091264dad",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_count_truncated_6b301",
                    table="memberships_organizationmembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacemembershiprole",
            trigger=pgtrigger.compiler.Trigger(
                name="role_fits",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (\n                SELECT 1 FROM memberships_workspacemembership membership\n                JOIN organizations_organization organization ON organization.id = membership.organization_id\n                JOIN organizations_workspacerole role ON role.deployment_id = organization.deployment_id\n                    AND coalesce(role.organization_id, membership.organization_id) = membership.organization_id\n                    AND coalesce(role.workspace_id, membership.workspace_id) = membership.workspace_id\n                WHERE membership.id = NEW.membership_id AND role.id = NEW.role_id\n                ) THEN RAISE EXCEPTION 'the role must be one of this workspace, its organization or its deployment' USING ERRCODE = '23514', CONSTRAINT = 'role_fits'; END IF; RETURN NEW;",
                    hash="66fa96327cf5ead9f64b56e82ed80842f3e3e286",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_role_fits_a7d81",
                    table="memberships_workspacemembershiprole",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacemembership",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."public_metadata" IS DISTINCT FROM (NEW."public_metadata") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id") OR OLD."workspace_id" IS DISTINCT FROM (NEW."workspace_id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="d2284975c5e428feea15f7f7d3e3f3f1f9edd5d8",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_d739d",
                    table="memberships_workspacemembership",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacemembership",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id") OR OLD."workspace_id" IS DISTINCT FROM (NEW."workspace_id"))',
                    func="RAISE EXCEPTION 'organization, workspace, user cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="1ddaed631db9dc51216f8d7d6f305fceb5ae64c3",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_58418",
                    table="memberships_workspacemembership",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacemembership",
            trigger=pgtrigger.compiler.Trigger(
                name="count_inserted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            PERFORM 1 FROM organizations_workspace WHERE id IN (SELECT workspace_id FROM inserted)\n                ORDER BY id FOR NO KEY UPDATE;\n            UPDATE organizations_workspace parent SET member_count = parent.member_count + changed.number\n                FROM (SELECT workspace_id AS id, count(*) AS number FROM inserted GROUP BY 1) changed\n                WHERE parent.id = changed.id;\n            RETURN NULL;\n        ",
                    hash="35a438f1208910993b30eecb3b9eadeaca862390",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_count_inserted_b6293",
                    referencing="REFERENCING NEW TABLE AS inserted ",
                    table="memberships_workspacemembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacemembership",
            trigger=pgtrigger.compiler.Trigger(
                name="count_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            PERFORM 1 FROM organizations_workspace WHERE id IN (SELECT workspace_id FROM deleted)\n                ORDER BY id FOR NO KEY UPDATE;\n            UPDATE organizations_workspace parent SET member_count = parent.member_count - changed.number\n                FROM (SELECT workspace_id AS id, count(*) AS number FROM deleted GROUP BY 1) changed\n                WHERE parent.id = changed.id;\n            RETURN NULL;\n        ",
                    hash="31a826e75c845747a2ffd9a0c026d1b7480e546a",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_count_deleted_7411c",
                    referencing="REFERENCING OLD TABLE AS deleted ",
                    table="memberships_workspacemembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacemembership",
            trigger=pgtrigger.compiler.Trigger(
                name="count_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="UPDATE organizations_workspace SET member_count = 0 WHERE member_count <> 0; RETURN NULL;",
                    hash="e407d891dbdc3106dab313ec499640999e2be5bc",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_count_truncated_0c734",
                    table="memberships_workspacemembership",
                    when="AFTER",
                ),
            ),
        ),
    ]
