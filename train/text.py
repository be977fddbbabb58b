"""Text preparation: the step between raw text and the tokenizer.

This file is the definition. The Rust side does exactly the same, character by
character, before it calls the tokenizer in the model's folder:

1. A tag character U+E0020..U+E007E becomes the ASCII character (code - 0xE0000).
   Tag characters are invisible on screen but language models read them, so a
   payload may hide there; the BERT tokenizer would delete them.
2. The other default-ignorable and invisible format characters (`DROPPED`) are
   removed: they split words for the tokenizer and nobody sees them.
3. Everything else stays as it is. Lower-casing, accents, full-width forms and
   white space are the tokenizer's business, or that of the canonical text made
   before the model sees anything.

Only single characters are mapped, never sequences, so `prepare(a + b)` equals
`prepare(a) + prepare(b)`; `map_span` relies on it.
"""

# Inclusive code point ranges that are removed.
DROPPED = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x115F),
    (0x1160, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F),
    (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0x1D173, 0x1D17A),
    (0xE0000, 0xE001F), (0xE007F, 0xE007F), (0xE0100, 0xE01EF),
)
# Inclusive range of tag characters that have an ASCII twin.
TAGS = (0xE0020, 0xE007E)

_TABLE = {code: None for first, last in DROPPED for code in range(first, last + 1)}
_TABLE.update({code: code - 0xE0000 for code in range(TAGS[0], TAGS[1] + 1)})


def prepare(text):
    """Raw text to the text that the tokenizer gets."""
    return text if text.isascii() else text.translate(_TABLE)


def map_span(text, span):
    """Character offsets [start, end) in raw text to offsets in `prepare(text)`."""
    start, end = span
    head = len(prepare(text[:start]))
    return head, head + len(prepare(text[start:end]))
