from django.db import migrations, models

import config.database.models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_sign_in"),
        ("organizations", "0003_rules"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="organizationrole",
            constraint=models.CheckConstraint(
                condition=models.Q(config.database.models._IsListOfTexts("permissions")),
                name="organizations_organizationrole_permissions_are_texts",
                violation_error_message="permissions must be texts.",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacerole",
            constraint=models.CheckConstraint(
                condition=models.Q(config.database.models._IsListOfTexts("permissions")),
                name="organizations_workspacerole_permissions_are_texts",
                violation_error_message="permissions must be texts.",
            ),
        ),
    ]
