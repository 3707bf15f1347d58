import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_tenancy"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="deployment",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."allowed_origins" IS DISTINCT FROM (NEW."allowed_origins") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."enforce_mfa_per_org_enabled" IS DISTINCT FROM (NEW."enforce_mfa_per_org_enabled") OR OLD."enforce_mfa_per_workspace_enabled" IS DISTINCT FROM (NEW."enforce_mfa_per_workspace_enabled") OR OLD."host" IS DISTINCT FROM (NEW."host") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."ip_allowlist_per_org_enabled" IS DISTINCT FROM (NEW."ip_allowlist_per_org_enabled") OR OLD."ip_allowlist_per_workspace_enabled" IS DISTINCT FROM (NEW."ip_allowlist_per_workspace_enabled") OR OLD."mode" IS DISTINCT FROM (NEW."mode") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."private_metadata_audience" IS DISTINCT FROM (NEW."private_metadata_audience"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="8dcc269dd1bd4dae887c4fa2386a629d12fa2732",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_100eb",
                    table="accounts_deployment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="deployment",
            trigger=pgtrigger.compiler.Trigger(
                name="host_is_no_alias",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM accounts_deploymentalias WHERE host = NEW.host)) THEN RAISE EXCEPTION 'the host is already an alias of a deployment' USING ERRCODE = '23514', CONSTRAINT = 'host_is_no_alias'; END IF; RETURN NEW;",
                    hash="9d055c9e12da0e87a055b4b77ba604c4c4e51842",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_host_is_no_alias_d117b",
                    table="accounts_deployment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="deploymentalias",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."host" IS DISTINCT FROM (NEW."host") OR OLD."id" IS DISTINCT FROM (NEW."id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="650e15b32753a006a0c645da274f38718ac708ce",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_fdf02",
                    table="accounts_deploymentalias",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="deploymentalias",
            trigger=pgtrigger.compiler.Trigger(
                name="alias_is_no_deployments_host",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="IF NOT EXISTS (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM accounts_deployment WHERE host = NEW.host)) THEN RAISE EXCEPTION 'the host already belongs to a deployment' USING ERRCODE = '23514', CONSTRAINT = 'alias_is_no_deployments_host'; END IF; RETURN NEW;",
                    hash="96e26611954331e0057799b87feb4f5b81de4fb2",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_alias_is_no_deployments_host_f958d",
                    table="accounts_deploymentalias",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."active_sign_in_id" IS DISTINCT FROM (NEW."active_sign_in_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."ended_at" IS DISTINCT FROM (NEW."ended_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."id" IS DISTINCT FROM (NEW."id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="a323950bfdf218a36f6f210f1544bb643bfe7b52",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_7c492",
                    table="accounts_session",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id"))',
                    func="RAISE EXCEPTION 'deployment cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="540868bf07170d73945751591b5044d21084b06b",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_0c0a6",
                    table="accounts_session",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="signingkey",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."kid" IS DISTINCT FROM (NEW."kid") OR OLD."public_key" IS DISTINCT FROM (NEW."public_key"))',
                    func="RAISE EXCEPTION 'deployment, kid, public_key cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="a8d18a2feba159489b3ae63900d5392cce31e50e",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_44794",
                    table="accounts_signingkey",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."disabled" IS DISTINCT FROM (NEW."disabled") OR OLD."email" IS DISTINCT FROM (NEW."email") OR OLD."first_name" IS DISTINCT FROM (NEW."first_name") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."last_name" IS DISTINCT FROM (NEW."last_name") OR OLD."password" IS DISTINCT FROM (NEW."password") OR OLD."private_metadata" IS DISTINCT FROM (NEW."private_metadata") OR OLD."public_metadata" IS DISTINCT FROM (NEW."public_metadata") OR OLD."username" IS DISTINCT FROM (NEW."username"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="46a5d0343131784be82142113ed52a575c522523",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_76bcd",
                    table="accounts_user",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id"))',
                    func="RAISE EXCEPTION 'deployment cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="e6af47dcaa8808cbcb0092d87f5168331409fa1b",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_ccd81",
                    table="accounts_user",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="signin",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."ended_at" IS DISTINCT FROM (NEW."ended_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."session_id" IS DISTINCT FROM (NEW."session_id") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="153b8a28014bb156b8e6a8d8482d8cf720cacae0",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_a6c2b",
                    table="accounts_signin",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="signin",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."deployment_id" IS DISTINCT FROM (NEW."deployment_id") OR OLD."session_id" IS DISTINCT FROM (NEW."session_id") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="RAISE EXCEPTION 'deployment, session, user cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="17a12638175a2a9226ef7411d4c350ff7658de5e",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_3e41c",
                    table="accounts_signin",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="backupcode",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."code_hash" IS DISTINCT FROM (NEW."code_hash") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="RAISE EXCEPTION 'user, code_hash cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="8c24fe9194a199f8383c96e894934f4a0b9c672b",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_32624",
                    table="accounts_backupcode",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="authenticator",
            trigger=pgtrigger.compiler.Trigger(
                name="touch",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."confirmed_at" IS DISTINCT FROM (NEW."confirmed_at") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."secret" IS DISTINCT FROM (NEW."secret") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
                    hash="1918bc7814d80a616da6676da72dce861fe56ac7",
                    operation="UPDATE",
                    pgid="pgtrigger_touch_12096",
                    table="accounts_authenticator",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="authenticator",
            trigger=pgtrigger.compiler.Trigger(
                name="immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func="RAISE EXCEPTION 'user cannot change; delete the row and make a new one' USING ERRCODE = '23514', CONSTRAINT = 'immutable';",
                    hash="2a7ca3f4710b934bf1760ff1ace84fea9b8c9ac9",
                    operation="UPDATE",
                    pgid="pgtrigger_immutable_2fe9c",
                    table="accounts_authenticator",
                    when="BEFORE",
                ),
            ),
        ),
    ]
