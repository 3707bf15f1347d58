from django.db import migrations, models

import database.operations


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0004_filters"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="auditentry",
            name="audit_auditentry_of_object",
        ),
        database.operations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["object_id", "model", "id"], name="audit_auditentry_of_object"),
        ),
    ]
