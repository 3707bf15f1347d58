"""The look of the pages for staff; ``staff/`` has their behaviour."""

from django.urls import reverse_lazy

from config.settings.core import STATIC_URL

# Tailwind's blue: unlike unfold's purple it is readable as a link on both backgrounds (WCAG 2.2, 1.4.3).
_BLUE = {
    "50": "oklch(97% .014 254.604)",
    "100": "oklch(93.2% .032 255.585)",
    "200": "oklch(88.2% .059 254.128)",
    "300": "oklch(80.9% .105 251.813)",
    "400": "oklch(70.7% .165 254.624)",
    "500": "oklch(66% .19 256)",
    "600": "oklch(54.6% .245 262.881)",
    "700": "oklch(48.8% .243 264.376)",
    "800": "oklch(42.4% .199 265.638)",
    "900": "oklch(37.9% .146 265.522)",
    "950": "oklch(28.2% .091 267.935)",
}

UNFOLD = {
    "SITE_TITLE": "Rollcall",
    "SITE_HEADER": "Rollcall",
    "SITE_SUBHEADER": "Memberships and access",
    "SITE_SYMBOL": "fact_check",
    "SITE_URL": None,
    "LOGIN": {"form": "staff.access.sign_in.StaffLoginForm"},
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": _BLUE},
    # Functions: of a text, unfold looks with every page for a Python module of its name.
    "STYLES": [lambda _, name=name: f"{STATIC_URL}staff/{name}.css" for name in ("staff", "search", "overview")],
    "SCRIPTS": [lambda _, name=name: f"{STATIC_URL}staff/{name}.js" for name in ("labels", "choices", "search")],
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "MFA", "link": reverse_lazy("staff-mfa")},
        ]
    },
    "SIDEBAR": {"show_search": True},
}

LOGIN_REDIRECT_URL = "admin:index"  # nobody but staff signs in by Django
FORM_RENDERER = "staff.toolkit.rendering.FormRenderer"
