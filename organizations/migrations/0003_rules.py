import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0002_tenancy"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="organizationrole",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."permissions" IS DISTINCT FROM (NEW."permissions"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="dbca0ca4c0e4590e88303a0cceacccbd9eefc6e2",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_f7ed9",
                    table="organizations_organizationrole",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationrole",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                    func="RAISE EXCEPTION 'deployment, organization cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="c98bc60979defc32b0429b23f3a667ab5bd4bde3",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_ef34c",
                    table="organizations_organizationrole",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="segment",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."type" IS DISTINCT FROM (NEW."type"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="a83c0c951576b9e390c57368a615ef2fecb92747",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_5d9bf",
                    table="organizations_segment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="segment",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."type" IS DISTINCT FROM (NEW."type"))',
                    func="RAISE EXCEPTION 'deployment, type cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="8d8df633e3e29abbe3f2353557fe38a26fe7a6cb",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_9e2ad",
                    table="organizations_segment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationsegment",
            trigger=pgtrigger.compiler.Trigger(
                name="segment_fits",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (\n        SELECT 1 FROM organizations_segment segment\n        WHERE segment.id = NEW.segment_id AND segment.type = 'organization'\n            AND segment.deployment_id = (SELECT deployment_id FROM organizations_organization WHERE id = NEW.organization_id)\n        ) THEN RAISE EXCEPTION 'the segment must be of type organization and of the same deployment' USING ERRCODE = '23514', CONSTRAINT = 'segment_fits'; END IF; RETURN NEW;",
                    hash="3b29dc5c4754c09961198aee8dc67d7ae6adcef2",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_segment_fits_0478b",
                    table="organizations_organizationsegment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="usersegment",
            trigger=pgtrigger.compiler.Trigger(
                name="segment_fits",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (\n        SELECT 1 FROM organizations_segment segment\n        WHERE segment.id = NEW.segment_id AND segment.type = 'user'\n            AND segment.deployment_id = (SELECT deployment_id FROM accounts_user WHERE id = NEW.user_id)\n        ) THEN RAISE EXCEPTION 'the segment must be of type user and of the same deployment' USING ERRCODE = '23514', CONSTRAINT = 'segment_fits'; END IF; RETURN NEW;",
                    hash="4c41f2e469b30af90c543d78be8eabe55f429c51",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_segment_fits_414f7",
                    table="organizations_usersegment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."auto_assigned_workspace_id" IS DISTINCT FROM (NEW."auto_assigned_workspace_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."enable_ip_restriction" IS DISTINCT FROM (NEW."enable_ip_restriction") OR OLD."enforce_mfa" IS DISTINCT FROM (NEW."enforce_mfa") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."image_url" IS DISTINCT FROM (NEW."image_url") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."private_metadata" IS DISTINCT FROM (NEW."private_metadata") OR OLD."public_metadata" IS DISTINCT FROM (NEW."public_metadata") OR OLD."whitelisted_ips" IS DISTINCT FROM (NEW."whitelisted_ips"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="b047e8125ea7ce70285275ebe46af6cb12c52f04",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_de721",
                    table="organizations_organization",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id"))',
                    func="RAISE EXCEPTION 'deployment cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="5b29c8c3580405bb1c2227affd4fc18e7dd740a4",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_95a4a",
                    table="organizations_organization",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="member_count_starts_at_zero",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="NEW.member_count := 0; RETURN NEW;",
                    hash="0fec9228f099a3650a1c1948746991a283964ffa",
                    operation="INSERT",
                    pgid="pgtrigger_member_count_starts_at_zero_654f7",
                    table="organizations_organization",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="member_count_is_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF pg_trigger_depth() = 1 THEN NEW.member_count := OLD.member_count; END IF;\n                RETURN NEW;\n            ",
                    hash="c01fbb49a32ecef9d1980a2b2a6642e3ce63f7d3",
                    operation="UPDATE",
                    pgid="pgtrigger_member_count_is_kept_1b421",
                    table="organizations_organization",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacerole",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."permissions" IS DISTINCT FROM (NEW."permissions") OR OLD."workspace_id" IS DISTINCT FROM (NEW."workspace_id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="d9e81ca838cc36ee074d5982f2d3b7a180661e57",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_99ac6",
                    table="organizations_workspacerole",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacerole",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."workspace_id" IS DISTINCT FROM (NEW."workspace_id"))',
                    func="RAISE EXCEPTION 'deployment, organization, workspace cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="3d850a1a5db60bca34435dc899df345cd63a0acd",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_39976",
                    table="organizations_workspacerole",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspacesegment",
            trigger=pgtrigger.compiler.Trigger(
                name="segment_fits",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (\n        SELECT 1 FROM organizations_segment segment\n        WHERE segment.id = NEW.segment_id AND segment.type = 'workspace'\n            AND segment.deployment_id = (SELECT organization.deployment_id FROM organizations_workspace workspace JOIN organizations_organization organization ON organization.id = workspace.organization_id WHERE workspace.id = NEW.workspace_id)\n        ) THEN RAISE EXCEPTION 'the segment must be of type workspace and of the same deployment' USING ERRCODE = '23514', CONSTRAINT = 'segment_fits'; END IF; RETURN NEW;",
                    hash="14435d036c59bb442c1628186719b69062e2a32c",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_segment_fits_42a74",
                    table="organizations_workspacesegment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspace",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."enable_ip_restriction" IS DISTINCT FROM (NEW."enable_ip_restriction") OR OLD."enforce_2fa" IS DISTINCT FROM (NEW."enforce_2fa") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."image_url" IS DISTINCT FROM (NEW."image_url") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."private_metadata" IS DISTINCT FROM (NEW."private_metadata") OR OLD."public_metadata" IS DISTINCT FROM (NEW."public_metadata") OR OLD."whitelisted_ips" IS DISTINCT FROM (NEW."whitelisted_ips"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="a7260dfdcd48d0183049af21a07b679e1573bd3c",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_94f51",
                    table="organizations_workspace",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspace",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                    func="RAISE EXCEPTION 'organization cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="9fc24e74f5877fc3159cd5d557ec7858f79e9e1a",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_e834e",
                    table="organizations_workspace",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspace",
            trigger=pgtrigger.compiler.Trigger(
                name="member_count_starts_at_zero",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="NEW.member_count := 0; RETURN NEW;",
                    hash="fb4c78c7adb714f41632733c419260d349c5640e",
                    operation="INSERT",
                    pgid="pgtrigger_member_count_starts_at_zero_8c9dc",
                    table="organizations_workspace",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="workspace",
            trigger=pgtrigger.compiler.Trigger(
                name="member_count_is_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF pg_trigger_depth() = 1 THEN NEW.member_count := OLD.member_count; END IF;\n                RETURN NEW;\n            ",
                    hash="35e1729a547cda5330c31fc28be0fb8d67cf0231",
                    operation="UPDATE",
                    pgid="pgtrigger_member_count_is_kept_fffba",
                    table="organizations_workspace",
                    when="BEFORE",
                ),
            ),
        ),
    ]
