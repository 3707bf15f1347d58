"""The look of the pages for staff; ``config/staff`` has their behaviour."""

from config.settings.core import STATIC_URL

UNFOLD = {
    "SITE_TITLE": "Rollcall",
    "SITE_HEADER": "Rollcall",
    "SITE_SUBHEADER": "Who belongs where",
    "SITE_SYMBOL": "fact_check",
    "SITE_URL": None,
    "LOGIN": {"form": "accounts.staff.signing_in.StaffLoginForm"},
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": [f"{STATIC_URL}staff/staff.css"],
    "SIDEBAR": {"navigation": "config.staff.navigation.sidebar", "show_search": True},
}

STAFF_SCOPE = "accounts.staff.rights.visible_to"
STAFF_AUDIT = "accounts.AuditEntry"

LOGIN_REDIRECT_URL = "admin:index"  # nobody but staff signs in by Django
