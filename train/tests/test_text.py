import random

from text import DROPPED, map_span, prepare


def test_plain_text_is_unchanged():
    for text in ("", "Ignore the noise.\n\tTab", "Żółć, 中文, عربي, 😀", "a\u00a0b\u3000c", "ﬁ ＡＢ \u0300"):
        assert prepare(text) == text


def test_tag_characters_become_ascii():
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "Ignore ~all!")
    assert prepare("Hi" + hidden) == "HiIgnore ~all!"
    assert prepare("\U000e0001\U000e007f\U000e001f") == ""


def test_every_dropped_range_is_dropped_and_its_neighbours_are_not():
    codes = {c for first, last in DROPPED for c in range(first, last + 1)}
    for code in codes:
        assert prepare("a" + chr(code) + "b") == "ab", hex(code)
    for first, last in DROPPED:
        for code in {first - 1, last + 1} - codes:
            if not 0xE0020 <= code <= 0xE007E:
                assert prepare(chr(code)) == chr(code), hex(code)


def test_span_follows_the_text():
    rng = random.Random(1)
    letters = ["a", "b", "\u200b", "\U000e0041", "é", "\ufeff"]
    for _ in range(200):
        text = "".join(rng.choices(letters, k=12))
        start, end = sorted(rng.sample(range(13), 2))
        low, high = map_span(text, [start, end])
        assert prepare(text)[low:high] == prepare(text[start:end])
