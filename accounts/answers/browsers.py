"""The names of browsers and devices in the header User-Agent, for users who look through their sign-ins.

Browsers name others before themselves, so the order decides. A name is a hint: any client can send any.
"""

from __future__ import annotations

import re
from functools import lru_cache

_BROWSERS = (
    (r"Edg(A|iOS|e)?/", "Edge"),
    (r"OPR/|OPiOS/|Opera[ /]", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Vivaldi/", "Vivaldi"),
    (r"YaBrowser/", "Yandex Browser"),
    (r"DuckDuckGo/|Ddg/", "DuckDuckGo"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"HeadlessChrome/|Chrome/|CriOS/|Chromium/", "Chrome"),
    (r"Version/.*Safari/", "Safari"),
)
_DEVICES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "Chromebook"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
_PROGRAM = re.compile(r"(?!Mozilla\b)([A-Za-z][A-Za-z0-9._-]{0,39})(?=[/ ]|\Z)")


@lru_cache(1000)
def browser_of(user_agent: str) -> str:
    """Such as "Firefox"; the program's own name if it is no browser, "" if unknown."""
    for pattern, name in _BROWSERS:
        if re.search(pattern, user_agent):
            return name
    program = _PROGRAM.match(user_agent)
    return program[1] if program else ""


@lru_cache(1000)
def device_of(user_agent: str) -> str:
    """Such as "iPhone" or "Windows"; "" if unknown."""
    return next((name for mark, name in _DEVICES if mark in user_agent), "")


def client_of(user_agent: str) -> str:
    """Such as "Firefox on Windows"; "" if unknown."""
    return " on ".join(name for name in (browser_of(user_agent), device_of(user_agent)) if name)
