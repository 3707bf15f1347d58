"""Origins that no browser sends are refused from here on; those that are stored stay until their deployment is changed."""

import django.db.models.lookups
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_codes_go_along"),
    ]

    operations = [
        AddConstraintNotValid(
            model_name="deployment",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Regex(
                    models.Func(
                        "allowed_origins",
                        models.Value("\n"),
                        function="array_to_string",
                        output_field=models.TextField(),
                    ),
                    "^((http://([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*|\\[[0-9a-f:]+\\])(:(?!80(\\n|$))([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?|https://([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*|\\[[0-9a-f:]+\\])(:(?!443(\\n|$))([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?|(app|capacitor|chrome-extension|ionic|moz-extension|safari-web-extension|tauri|vscode-webview)://([a-z0-9._-]*[a-z0-9_-])?)(\\n(http://([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*|\\[[0-9a-f:]+\\])(:(?!80(\\n|$))([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?|https://([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*|\\[[0-9a-f:]+\\])(:(?!443(\\n|$))([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?|(app|capacitor|chrome-extension|ionic|moz-extension|safari-web-extension|tauri|vscode-webview)://([a-z0-9._-]*[a-z0-9_-])?))*)?$",
                ),
                name="accounts_deployment_origins_are_origins",
                violation_error_message="Each allowed origin must be one that browsers send.",
            ),
        ),
    ]
