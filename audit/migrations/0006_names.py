from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models.functions import Lower

import database.operations


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_objects"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="auditentry",
            name="audit_auditentry_by_name",
        ),
        database.operations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                OpClass(Lower("name"), name="text_pattern_ops"),
                *("model", "object_id", "id"),
                name="audit_auditentry_by_name",
                include=["name"],
                condition=~models.Q(name=""),
            ),
        ),
    ]
