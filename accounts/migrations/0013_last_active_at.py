import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_staff_second_factors"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="signin",
            name="audit_changed",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="signin",
            name="audit_deleted",
        ),
        migrations.AddField(
            model_name="signin",
            name="last_active_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When the session's token was last renewed with this as the active sign-in.",
                null=True,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="signin",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_changed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."ended_at" IS DISTINCT FROM (NEW."ended_at"))',
                    func="\n            INSERT INTO accounts_auditentry (action, model, object_id, name, subjects, deployment_id,\n                actor_kind, actor_id, actor_name, address, before, after)\n            SELECT 'changed', 'accounts.signin', n.id, coalesce(''),\n                array_remove(ARRAY['accounts.signin:' || n.id, 'accounts.session:' || n.session_id, 'accounts.user:' || n.user_id], NULL), n.deployment_id,\n                actor.kind, actor.id, actor.name, actor.address, audit_difference(document.o, document.n), audit_difference(document.n, document.o)\n            FROM audit_actor() actor, (SELECT OLD.*) o, (SELECT NEW.*) n, LATERAL (SELECT (to_jsonb(o) - '{updated_at,member_count,last_active_at}'::text[]) AS o, (to_jsonb(n) - '{updated_at,member_count,last_active_at}'::text[]) AS n OFFSET 0) document WHERE document.o <> document.n;\n            RETURN NULL;\n        ",
                    hash="0c8ba8ab42625ecd30d819345d35943efdd0d8fe",
                    operation="UPDATE",
                    pgid="pgtrigger_audit_changed_0dabc",
                    table="accounts_signin",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="signin",
            trigger=pgtrigger.compiler.Trigger(
                name="audit_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.ended_at IS NULL AND OLD.expires_at > statement_timestamp())",
                    func="\n            INSERT INTO accounts_auditentry (action, model, object_id, name, subjects, deployment_id,\n                actor_kind, actor_id, actor_name, address, before, after)\n            SELECT 'deleted', 'accounts.signin', o.id, coalesce(''),\n                array_remove(ARRAY['accounts.signin:' || o.id, 'accounts.session:' || o.session_id, 'accounts.user:' || o.user_id], NULL), o.deployment_id,\n                actor.kind, actor.id, actor.name, actor.address, (to_jsonb(o) - '{updated_at,member_count,last_active_at}'::text[]), NULL\n            FROM audit_actor() actor, (SELECT OLD.*) o;\n            RETURN NULL;\n        ",
                    hash="dd4f42b23ac7ac8f30c8a3775e4234d38c4e77b0",
                    operation="DELETE",
                    pgid="pgtrigger_audit_deleted_c74ad",
                    table="accounts_signin",
                    when="AFTER",
                ),
            ),
        ),
    ]
