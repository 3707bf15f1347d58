from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_erasure"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["action", "-id"], name="audit_auditentry_of_action"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["actor_kind", "-id"], name="audit_auditentry_of_actors"),
        ),
    ]
