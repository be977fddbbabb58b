//! Decoded layers: what a text says once its encodings are undone, nested and bounded, each with a map to the text as sent.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::base::Limits;
use crate::text::canonical::{Canonical, canonical};
pub use crate::text::decode::NAMES;
use crate::text::decode::{self, Decoded, Source};
use crate::text::map::Map;
use crate::text::signs::Signs;

/// One decoded reading of a text.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The encodings undone, outermost first. Escapes of several kinds that stood side by side are undone in one step and
    /// all named.
    pub encodings: Vec<&'static str>,
    /// The text as decoded, not yet canonical.
    pub text: String,
    /// From `text` to the original text.
    pub map: Map,
}

/// All decoded readings of a text.
#[derive(Clone, Debug)]
pub struct Layers {
    /// The layers, shallow before deep.
    pub layers: Vec<Layer>,
    /// False when a limit cut the work, so that something encoded was not read: the fault `oversize`.
    pub complete: bool,
}

/// Undoes the encodings of a text; see [`layers_of`].
pub fn layers(text: &str, limits: &Limits) -> Layers {
    layers_of(&canonical(text), limits)
}

/// Undoes the encodings of a text whose canonical form is known already.
///
/// Encodings (base64, percent-encoding, …) and disguises (leetspeak, reversed text, …; docs/evasion.md has all), nested up to `limits.decode_depth`, at most
/// `limits.decode_layers` layers and `limits.decode_bytes` bytes of decoded text in all (and, beyond 64 KiB, at most five
/// times the text). Decoding starts from the canonical
/// form, at every depth, so that an invisible character inside a base64 run hides nothing. All runs of one encoding at one
/// place in the nesting make one layer, a line each. Backslash escapes and markup below the deepest layers are undone too. Time is linear in the text plus `decode_bytes`, times the depth.
pub fn layers_of(canonical_text: &Canonical<'_>, limits: &Limits) -> Layers {
    // The first reading has no source whose runs were decoded before.
    let unseen = Map::identity();
    let bytes = decoded_bytes_max(canonical_text.text.len(), limits);
    let mut budget = Budget { bytes, layers: limits.decode_layers, complete: true };
    let map = &canonical_text.map;
    let gaps = &canonical_text.gaps;
    let sent = Reading { text: &canonical_text.text, map, folded: map, gaps, seen: &unseen, was_disguised: false };
    let mut all = decode_once(&sent, &[], &[], limits.decode_depth == 0, &mut budget);
    let mut done = 0;
    for depth in 1..=limits.decode_depth + 1 {
        let level = done..all.len();
        done = level.end;
        for index in level {
            let Some(Step { layer, in_place }) = all.get(index) else { continue };
            let readable = canonical(&layer.text);
            let map = if readable.map.is_identity() {
                Cow::Borrowed(&layer.map)
            } else {
                Cow::Owned(readable.map.clone().then(&layer.map))
            };
            if depth > limits.decode_depth {
                budget.complete &= !decode::is_encoded(&readable.text, &map, &readable.gaps);
                continue;
            }
            let is_last = depth == limits.decode_depth;
            // What stands around a disguise was read where it was met first: at the last depth every run of the original's
            // length counts as seen, though letters may have been replaced in it.
            let seen = if *in_place && !is_last { &unseen } else { &map };
            let (text, folded, gaps) = (&*readable.text, &readable.map, &readable.gaps);
            let reading = Reading { text, map: &map, folded, gaps, seen, was_disguised: *in_place && !is_last };
            let found = decode_once(&reading, &layer.encodings, &all, is_last, &mut budget);
            all.extend(found);
        }
    }
    Layers { layers: all.into_iter().map(|step| step.layer).collect(), complete: budget.complete }
}

/// Decoded text of a short text: enough for every disguise in every other.
const SHORT_DECODED_BYTES: usize = 64 * 1024;
/// Times the length of a long text that its decoded text may have in all. Encodings shrink as they are undone; JSON inside
/// JSON inside JSON stays below three. What has more is made to cost time.
const DECODED_TIMES_MAX: usize = 5;

/// Bytes of decoded text that a text of `length` bytes may give.
fn decoded_bytes_max(length: usize, limits: &Limits) -> usize {
    limits.decode_bytes.min(SHORT_DECODED_BYTES.max(length.saturating_mul(DECODED_TIMES_MAX)))
}

/// What is left of the limits.
struct Budget {
    bytes: usize,
    layers: usize,
    complete: bool,
}

/// A layer on the way down.
struct Step {
    layer: Layer,
    /// True when its runs are new even where they are as long as their origin.
    in_place: bool,
}

/// A text to look for layers in.
struct Reading<'a> {
    text: &'a str,
    /// Leads to the original.
    map: &'a Map,
    /// Leads to the text that this is the canonical form of.
    folded: &'a Map,
    /// Where characters vanished when it was folded.
    gaps: &'a [usize],
    /// Does so where runs that were only copied need no second look.
    seen: &'a Map,
    was_disguised: bool,
}

/// The layers directly below one reading. What is among the layers that were `made` already is left out: disguises in
/// different places give the same layer in any order. At the last depth only what ordinary text has is undone once more: to
/// refuse every page and log that is encoded so deeply would not do, nor would leaving them unread. All else is cut off.
fn decode_once(
    reading: &Reading<'_>,
    outer: &[&'static str],
    made: &[Step],
    is_last: bool,
    budget: &mut Budget,
) -> Vec<Step> {
    let &Reading { text, map, folded, gaps, seen, was_disguised } = reading;
    let mut found: Vec<Step> = Vec::new();
    let signs = Signs::of(text);
    for decoding in decode::DECODINGS {
        let source = Source { text, seen, folded, gaps, room: budget.bytes, signs: &signs, was_disguised };
        let Some(decoded) = decoding(&source) else { continue };
        if is_last && !decoded.is_ordinary() {
            budget.complete = false;
            continue;
        }
        let Decoded { encodings, text, map: inner, cut, in_place } = decoded;
        debug_assert!(encodings.iter().all(|name| NAMES.contains(name)), "{encodings:?} are not all in NAMES");
        budget.complete &= !cut;
        let map = inner.then(map);
        let is_same = |step: &Step| step.layer.text == text && step.layer.map == map;
        if text.is_empty() || made.iter().chain(&found).any(is_same) {
            continue;
        }
        if budget.layers == 0 {
            budget.complete = false;
            break;
        }
        budget.layers -= 1;
        budget.bytes -= text.len().min(budget.bytes);
        let layer = Layer { encodings: [outer, &encodings].concat(), text, map };
        found.push(Step { layer, in_place });
    }
    found
}
