"""``python -m demo.environment``: the text of a ``.env`` for a first look, with fresh secrets."""

from __future__ import annotations

import secrets

from cryptography.fernet import Fernet


def text() -> str:
    return "\n".join(
        [
            "# Made by `make run` for a first look. Production sets its own: docs/configuration.md.",
            "DEMO=true",
            f"DEMO_PASSWORD={secrets.token_urlsafe(9)}",
            f"SECRET_KEY={secrets.token_urlsafe(48)}",
            f"KEY_ENCRYPTION_KEYS={Fernet.generate_key().decode()}",
        ]
    )


if __name__ == "__main__":
    print(text())
