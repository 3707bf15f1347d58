import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_staff_access"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="deployment",
            name="host_is_no_alias",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="deploymentalias",
            name="alias_is_no_deployments_host",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="deployment",
            trigger=pgtrigger.compiler.Trigger(
                name="host_is_no_alias",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_advisory_xact_lock(hashtextextended(NEW.host, 0)); IF NOT EXISTS (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM accounts_deploymentalias WHERE host = NEW.host)) THEN RAISE EXCEPTION 'the host is already an alias of a deployment' USING ERRCODE = '23514', CONSTRAINT = 'host_is_no_alias'; END IF; RETURN NEW;",
                    hash="68467edb5b8feb07a2c661d1f35aebd70c63da0c",
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
                name="alias_is_no_deployments_host",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_advisory_xact_lock(hashtextextended(NEW.host, 0)); IF NOT EXISTS (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM accounts_deployment WHERE host = NEW.host)) THEN RAISE EXCEPTION 'the host already belongs to a deployment' USING ERRCODE = '23514', CONSTRAINT = 'alias_is_no_deployments_host'; END IF; RETURN NEW;",
                    hash="ff42f1965a5bdbdf74571ba37871778af9a29290",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_alias_is_no_deployments_host_f958d",
                    table="accounts_deploymentalias",
                    when="BEFORE",
                ),
            ),
        ),
    ]
