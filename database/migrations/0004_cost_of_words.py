from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("database", "0003_delete_old_rows_at_once"),
    ]

    operations = [
        # See database.words.Words.
        migrations.RunSQL(
            "ALTER FUNCTION words(text) COST 20000 PARALLEL RESTRICTED",
            reverse_sql="ALTER FUNCTION words(text) COST 1000 PARALLEL SAFE",
        ),
    ]
