from django.db import migrations

import config.database.constraints


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="session",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("active_sign_in", "id"),
                name="accounts_session_active_sign_in_is_its_own",
                on_delete="SET NULL",
                to="accounts.SignIn",
                to_fields=("id", "session"),
                violation_error_message="The active sign-in must be one of this session.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signin",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("session", "deployment"),
                name="accounts_signin_session_is_of_deployment",
                to="accounts.Session",
                to_fields=("id", "deployment"),
                violation_error_message="The session belongs to another deployment.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signin",
            constraint=config.database.constraints.ForeignKeyConstraint(
                fields=("user", "deployment"),
                name="accounts_signin_user_is_of_deployment",
                to="accounts.User",
                to_fields=("id", "deployment"),
                violation_error_message="The user belongs to another deployment than the session.",
            ),
        ),
    ]
