from django.db import migrations, models

import database.operations


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_erasure"),
    ]

    operations = [
        database.operations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["action", "-id"], name="audit_auditentry_of_action"),
        ),
        database.operations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["actor_kind", "-id"], name="audit_auditentry_of_actors"),
        ),
    ]
