"""Pictures to upload."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw


def drawn(size: tuple[int, int] = (300, 200), kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """A picture that is red on the left and blue on the right."""
    image = Image.new(mode, size, "blue")
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill="red")
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()
