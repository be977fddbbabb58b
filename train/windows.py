"""Token windows: how a text of any length becomes inputs of at most `size` tokens.

Serving cuts a text into overlapping windows so that no token goes unseen; the
score of the text is the largest score of its windows. `cover` is that cut and is
part of the contract with the Rust side. The other functions cut training windows
around a payload or out of the middle of a document.

All positions count tokens without [CLS] and [SEP]; `size` counts them with
[CLS] and [SEP], so a window holds at most `size - 2` tokens of text.
"""

SPECIAL = 2


def cover(count, size, overlap):
    """Windows [start, end) over `count` tokens, each overlapping its neighbour.

    The stride is `size - 2 - overlap`. The last window ends at the last token
    and may be shorter. An empty text gives one empty window.
    """
    room = size - SPECIAL
    stride = room - overlap
    if stride < 1:
        raise ValueError(f"overlap {overlap} leaves no stride in a window of {size} tokens")
    spans = [(0, min(count, room))]
    while spans[-1][1] < count:
        start = spans[-1][0] + stride
        spans.append((start, min(count, start + room)))
    return spans


def token_span(offsets, span):
    """Character span to token span [first, last) by the tokens' (start, end) offsets.

    Returns None when no token overlaps the span (for example only white space).
    """
    start, end = span
    inside = [i for i, (a, b) in enumerate(offsets) if b > start and a < end]
    return (inside[0], inside[-1] + 1) if inside else None


def around(count, payload, room, rng):
    """A window of at most `room` tokens that holds the payload, placed by chance.

    A payload longer than the room gives a window that starts at its first token.
    """
    first, last = payload
    if last - first >= room:
        return first, first + room
    room = min(room, count)
    low = max(0, last - room)
    high = min(first, count - room)
    start = rng.randint(low, high) if high > low else low
    return start, start + room


def anywhere(count, room, rng):
    """A window of at most `room` tokens from any place of the text."""
    if count <= room:
        return 0, count
    start = rng.randint(0, count - room)
    return start, start + room


def overlap(a, b):
    """Number of tokens that two spans share."""
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))
