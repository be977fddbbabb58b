//! Canonical text and the undone encodings: bounded, the same by chunks and twice, with maps that lead to whole characters of
//! the text as sent.
//!
//! Input: text, and a line `%%% 3 1 17` with sizes of pieces. The first size also chooses how tight the limits are.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::base::{Limits, Span};
use portcullis::text::{Layers, Map, canonical, layers, model_text};

#[path = "shared/pieces.rs"]
mod pieces;

/// Bytes of canonical text that one character may become: U+FDFA is four words.
const UNIT_BYTES_MAX: usize = 64;

/// What stands between decoded runs, and between words that were spelled apart.
const FROM_NOWHERE: [char; 3] = ['\n', '\u{FFFC}', ' '];

fuzz_target!(|data: &[u8]| -> Corpus {
    let (data, sizes) = pieces::sized(data);
    let text = String::from_utf8_lossy(data);
    folding(&text, &sizes);
    let roomy = Limits::default();
    let tight = Limits {
        decode_depth: sizes[0] % 5,
        decode_layers: sizes[0] % 7 * 3,
        decode_bytes: sizes[0].saturating_mul(13),
        ..Limits::default()
    };
    for limits in [roomy, tight] {
        unwrapping(&text, &limits);
    }
    model_text(&text);
    Corpus::Keep
});

fn folding(text: &str, sizes: &[usize]) {
    let whole = canonical(text);
    assert!(whole.text.len() <= text.chars().count().saturating_mul(UNIT_BYTES_MAX));
    let again = canonical(&whole.text);
    assert_eq!(again.text, whole.text, "canonical twice, from {text:?}");
    assert!(again.map.is_identity());
    assert_eq!(whole.map.is_identity(), whole.text == text);

    let mut joined = String::new();
    let mut start = 0;
    for end in pieces::ends(sizes, text.len()) {
        let end = text.ceil_char_boundary(end).max(start);
        let piece = canonical(&text[start..end]);
        for (at, c) in piece.text.char_indices() {
            let inner = piece.map.to_original(Span::new(at, at + c.len_utf8()));
            let there = Span::new(joined.len() + at, joined.len() + at + c.len_utf8());
            let outer = whole.map.to_original(there);
            assert_eq!(outer, Span::new(start + inner.start, start + inner.end), "the map of a piece");
        }
        joined.push_str(&piece.text);
        start = end;
    }
    assert_eq!(joined, whole.text, "canonical piece by piece, from {text:?}");

    leads_to_characters(&whole.text, &whole.map, text);
    let mut last = Span::new(0, 0);
    for (at, c) in whole.text.char_indices() {
        let span = whole.map.to_original(Span::new(at, at + c.len_utf8()));
        assert!(span.start >= last.start && span.end >= last.end, "canonical text keeps the order");
        last = span;
    }
}

fn unwrapping(text: &str, limits: &Limits) {
    let Layers { layers: found, complete } = layers(text, limits);
    assert!(found.len() <= limits.decode_layers);
    assert!(found.iter().map(|layer| layer.text.len()).sum::<usize>() <= limits.decode_bytes);
    assert!(found.iter().all(|layer| !layer.text.is_empty() && !layer.encodings.is_empty()));
    for layer in &found {
        leads_to_characters(&layer.text, &layer.map, text);
    }
    let again = layers(text, limits);
    assert_eq!(again.complete, complete, "twice, of {text:?}");
    let said = |layers: &[portcullis::text::Layer]| -> Vec<_> {
        layers.iter().map(|layer| (layer.encodings.clone(), layer.text.clone(), layer.map.clone())).collect()
    };
    assert_eq!(said(&again.layers), said(&found), "twice, of {text:?}");
}

/// Every character, and the whole, come from whole characters of the text as sent; nothing leads outside.
fn leads_to_characters(derived: &str, map: &Map, text: &str) {
    let whole = map.to_original(Span::new(0, derived.len()));
    assert!(text.get(whole.range()).is_some(), "{whole:?} of {text:?}");
    for (at, c) in derived.char_indices() {
        let span = map.to_original(Span::new(at, at + c.len_utf8()));
        let is_well = text.get(span.range()).is_some_and(|origin| !origin.is_empty() || FROM_NOWHERE.contains(&c));
        assert!(is_well, "{c:?} at {at} from {span:?} of {text:?}");
        assert!(span.start >= whole.start && span.end <= whole.end);
    }
}
