from django.db import migrations

from database.operations import DisableFastUpdate


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("accounts", "0019_acronyms_in_labels"),
    ]

    operations = [
        DisableFastUpdate("user", name="accounts_user_words"),
    ]
