"""How wide text is, without a font: the widths of Helvetica's characters, which Arial and Liberation Sans share."""

from __future__ import annotations

_WIDTHS = {
    0.22: "ijl'|",
    0.28: " ft.,:;!/\\I()[]r-`",
    0.39: '"*',
    0.5: "cksvxyzJ",
    0.56: "abdeghnopqu0123456789?$#_L\u2026",
    0.61: "FTZ+<>=~\u00d7",
    0.67: "ABEKPSVXY&",
    0.72: "CDHNRUw",
    0.78: "GOQ",
    0.83: "mM",
    1.0: "W@%\u2192",
}
_WIDTH = {character: width for width, characters in _WIDTHS.items() for character in characters}
_OTHER = 0.6
_WIDE = 1.0  # Chinese, Japanese, Korean, and what lies beyond


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text is, in the unit of `size`.

    >>> width("Dense", 10) < width("Dense", 10, bold=True) < width("MaxPooling2D", 10)
    True
    """
    total = sum(_WIDTH.get(c, _WIDE if ord(c) > 0x2E7F else _OTHER) for c in text)
    return total * size * (1.07 if bold else 1.0)


def shortened(text: str, longest: int) -> str:
    """The text, or its two ends where it has more than `longest` characters.

    >>> shortened("a_name_of_no_end", 9)
    'a_na\u2026_end'
    """
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}\u2026{text[-tail:]}"


def shape_text(shape: tuple[int | None, ...] | None) -> str:
    """A shape as drawings show it: ? where a length is free, nothing where it is not known.

    >>> shape_text((None, 28, 28)), shape_text(()), shape_text(None)
    ('? × 28 × 28', 'scalar', '')
    """
    if shape is None:
        return ""
    return " \u00d7 ".join("?" if n is None else str(n) for n in shape) or "scalar"
