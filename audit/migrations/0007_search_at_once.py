from django.db import migrations

from database.operations import DisableFastUpdate


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("audit", "0006_names"),
    ]

    operations = [
        DisableFastUpdate("auditentry", name="audit_auditentry_by_subject"),
    ]
