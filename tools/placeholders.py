"""Draws the pictures shown for accounts without an avatar or a header: ``python tools/placeholders.py``.

Flat shapes in few colours, drawn large and scaled down, so that the files stay small and the edges smooth.
"""

from pathlib import Path

from PIL import Image, ImageDraw

STATIC = Path(__file__).parents[1] / "fedi" / "web" / "static"
SCALE = 4
GROUND, FIGURE, LIGHT = (214, 222, 232), (140, 158, 182), (228, 234, 241)
COLOURS = 32


def avatar(size: int = 240) -> Image.Image:
    """A head and shoulders."""
    side = size * SCALE
    image = Image.new("RGB", (side, side), GROUND)
    draw = ImageDraw.Draw(image)
    head = side * 0.19
    draw.ellipse((side / 2 - head, side * 0.20, side / 2 + head, side * 0.20 + 2 * head), fill=FIGURE)
    draw.ellipse((side * 0.16, side * 0.64, side * 0.84, side * 1.34), fill=FIGURE)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def header(width: int = 1500, height: int = 500) -> Image.Image:
    """Hills, one behind the other."""
    wide, high = width * SCALE // 2, height * SCALE // 2
    image = Image.new("RGB", (wide, high), LIGHT)
    draw = ImageDraw.Draw(image)
    draw.ellipse((wide * 0.35, high * 0.45, wide * 1.25, high * 2.4), fill=GROUND)
    draw.ellipse((-wide * 0.30, high * 0.62, wide * 0.70, high * 2.2), fill=(190, 202, 217))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def main() -> None:
    for name, image in (("missing-avatar.png", avatar()), ("missing-header.png", header())):
        path = STATIC / name
        image.quantize(COLOURS).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
