import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

import accounts.models
import config.database.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Authenticator",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("secret", models.BinaryField(help_text="encrypted with KEY_ENCRYPTION_KEYS")),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="BackupCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code_hash", models.CharField(editable=False, max_length=200)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("used_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="DeploymentAlias",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("host", models.CharField(max_length=253, unique=True, validators=[accounts.models.validate_host])),
            ],
            options={
                "verbose_name_plural": "deployment aliases",
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SignIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kid", models.CharField(editable=False, max_length=64, unique=True)),
                ("public_key", models.TextField(editable=False, help_text="PEM, SubjectPublicKeyInfo")),
                ("private_key", models.BinaryField(help_text="PEM, PKCS#8, encrypted with KEY_ENCRYPTION_KEYS")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("email", models.EmailField(blank=True, db_default="", max_length=254)),
                ("username", models.CharField(blank=True, db_default="", max_length=150)),
                ("first_name", models.CharField(blank=True, db_default="", max_length=150)),
                ("last_name", models.CharField(blank=True, db_default="", max_length=150)),
                ("password", models.CharField(blank=True, db_default="", editable=False, max_length=200)),
                (
                    "disabled",
                    models.BooleanField(
                        db_default=False, default=False, help_text="A disabled user cannot use any session."
                    ),
                ),
                ("public_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
                ("private_metadata", config.database.models.MetadataField(blank=True, db_default={}, default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="Deployment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "host",
                    models.CharField(
                        help_text="The host that clients call, without port. Tokens carry it in their claim iss.",
                        max_length=253,
                        unique=True,
                        validators=[accounts.models.validate_host],
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[("production", "Production"), ("staging", "Staging")],
                        db_default="production",
                        default="production",
                        help_text="Staging also takes the session token as the query parameter __dev_session__.",
                        max_length=20,
                    ),
                ),
                ("ip_allowlist_per_org_enabled", models.BooleanField(db_default=True, default=True)),
                ("ip_allowlist_per_workspace_enabled", models.BooleanField(db_default=True, default=True)),
                ("enforce_mfa_per_org_enabled", models.BooleanField(db_default=True, default=True)),
                ("enforce_mfa_per_workspace_enabled", models.BooleanField(db_default=True, default=True)),
                (
                    "private_metadata_audience",
                    models.CharField(
                        choices=[("members", "Members"), ("admins", "Admins"), ("nobody", "Nobody")],
                        db_default="members",
                        default="members",
                        help_text="Who sees the content of private_metadata of organizations and workspaces.",
                        max_length=20,
                    ),
                ),
                (
                    "allowed_origins",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300, validators=[accounts.models.validate_origin]),
                        blank=True,
                        db_default=[],
                        default=list,
                        help_text="Origins of the front-ends that may call this deployment from a browser.",
                        size=None,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "host__regex",
                                "^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$|^(?=.*:.*:)[0-9a-f:]{2,39}$",
                            )
                        ),
                        name="accounts_deployment_host_is_normalised",
                        violation_error_message="The host must be a lower-case host name without port.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("mode__in", ["production", "staging"])),
                        name="accounts_deployment_mode_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("private_metadata_audience__in", ["members", "admins", "nobody"])),
                        name="accounts_deployment_audience_is_known",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="deploymentalias",
            name="deployment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="aliases", to="accounts.deployment"
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="deployment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="sessions", to="accounts.deployment"
            ),
        ),
        migrations.AddField(
            model_name="signin",
            name="deployment",
            field=models.ForeignKey(
                editable=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.deployment"
            ),
        ),
        migrations.AddField(
            model_name="signin",
            name="session",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="sign_ins", to="accounts.session"
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="active_sign_in",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="accounts.signin",
            ),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="deployment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="signing_keys", to="accounts.deployment"
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="deployment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="users", to="accounts.deployment"
            ),
        ),
        migrations.AddField(
            model_name="signin",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="sign_ins", to="accounts.user"
            ),
        ),
        migrations.AddField(
            model_name="backupcode",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="backup_codes", to="accounts.user"
            ),
        ),
        migrations.AddField(
            model_name="authenticator",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="authenticators", to="accounts.user"
            ),
        ),
        migrations.AddConstraint(
            model_name="deploymentalias",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "host__regex",
                        "^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$|^(?=.*:.*:)[0-9a-f:]{2,39}$",
                    )
                ),
                name="accounts_deploymentalias_host_is_normalised",
                violation_error_message="The host must be a lower-case host name without port.",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.UniqueConstraint(fields=("id", "deployment"), name="accounts_session_with_deployment"),
        ),
        migrations.AddIndex(
            model_name="signingkey",
            index=models.Index(fields=["deployment", "-created_at"], name="accounts_signingkey_newest"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(fields=("id", "deployment"), name="accounts_user_with_deployment"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                models.F("deployment"),
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("email", ""), _negated=True),
                name="accounts_user_email_is_unique",
                violation_error_message="Another user of this deployment has this e-mail address.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                models.F("deployment"),
                django.db.models.functions.text.Lower("username"),
                condition=models.Q(("username", ""), _negated=True),
                name="accounts_user_username_is_unique",
                violation_error_message="Another user of this deployment has this username.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("email", ""), _negated=True), models.Q(("username", ""), _negated=True), _connector="OR"
                ),
                name="accounts_user_has_an_identifier",
                violation_error_message="A user needs an e-mail address or a username.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("public_metadata__kind", "object")),
                name="accounts_user_public_metadata_is_object",
                violation_error_message="public_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("private_metadata__kind", "object")),
                name="accounts_user_private_metadata_is_object",
                violation_error_message="private_metadata must be a JSON object.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signin",
            constraint=models.UniqueConstraint(fields=("id", "session"), name="accounts_signin_with_session"),
        ),
        migrations.AddIndex(
            model_name="backupcode",
            index=models.Index(
                condition=models.Q(("used_at__isnull", True)), fields=["user"], name="accounts_backupcode_unused"
            ),
        ),
        migrations.AddIndex(
            model_name="authenticator",
            index=models.Index(
                condition=models.Q(("confirmed_at__isnull", False)),
                fields=["user"],
                name="accounts_authenticator_ready",
            ),
        ),
    ]
