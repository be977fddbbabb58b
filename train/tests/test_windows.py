import random

import pytest

import windows


@pytest.mark.parametrize("size, overlap", [(8, 2), (16, 0), (128, 32)])
def test_cover_leaves_no_token_out(size, overlap):
    for count in range(0, 5 * size):
        spans = windows.cover(count, size, overlap)
        assert spans[0][0] == 0 and spans[-1][1] == count
        assert all(0 <= end - start <= size - 2 for start, end in spans)
        for (_, end), (start, _) in zip(spans, spans[1:]):
            assert end - start == overlap
    assert len(windows.cover(size - 2, size, overlap)) == 1
    assert len(windows.cover(size - 1, size, overlap)) == 2


def test_cover_refuses_an_overlap_without_stride():
    with pytest.raises(ValueError):
        windows.cover(10, 8, 6)


def test_windows_hold_the_payload():
    rng = random.Random(3)
    starts = set()
    for _ in range(500):
        count = rng.randint(1, 300)
        first = rng.randint(0, count - 1)
        last = rng.randint(first + 1, min(count, first + 40))
        room = rng.randint(40, 126)
        start, end = windows.around(count, (first, last), room, rng)
        assert 0 <= start <= first and last <= end <= count and end - start == min(room, count)
        starts.add(first - start)
    assert len(starts) > 20, "the payload must not sit at one place of the window"
    assert windows.around(500, (100, 400), 62, rng) == (100, 162)


def test_token_span():
    offsets = [(0, 3), (4, 8), (8, 9), (10, 14)]
    assert windows.token_span(offsets, (4, 9)) == (1, 3)
    assert windows.token_span(offsets, (5, 11)) == (1, 4)
    assert windows.token_span(offsets, (3, 4)) is None
