//! Three readings of one text that must agree: the scanner's, the plain search's, and a stream's under any chunking.

use std::collections::BTreeSet;

use portcullis::base::Span;
use portcullis::rules::RuleIndex;
use portcullis::scan::{Context, Match, Reading, Scanner, StreamMatch};
use portcullis::text::{Direction, Role, canonical};
use portcullis::verdict::Layer;

/// Rule, pattern, bytes of the original text, and whether the raw text was read.
pub type Found = BTreeSet<(RuleIndex, u16, Span, bool)>;

const REPLY: Context = Context { direction: Direction::Reply, role: Role::Assistant };

/// A block larger than any text here: rules of whole blocks see all of it.
#[allow(dead_code, reason = "for streams")]
const BLOCK_BYTES: usize = 1 << 20;

/// What stands in a whole text; panics where two ways to look for it differ. `plainly`: the plain search is one of them.
pub fn whole(scanner: &Scanner, text: &str, plainly: bool) -> Found {
    let scan = |text: &str, reading| scan(scanner, text, reading, plainly);
    let raw = scan(text, Reading::Raw);
    let folded = canonical(text);
    let canonical = scan(&folded.text, Reading::Canonical);
    if folded.text == text {
        let mut separately: Vec<Match> = raw.iter().chain(&canonical).copied().collect();
        separately.sort_unstable();
        separately.dedup();
        let mut both = scan(text, Reading::Both);
        both.sort_unstable();
        assert_eq!(both, separately, "one pass for both readings, of {text:?}");
    }
    let found = |hit: &Match, span: Span, is_raw: bool| {
        assert!(text.get(span.range()).is_some(), "{hit:?} lies outside the text or inside a character of {text:?}");
        (hit.rule, hit.pattern, span, is_raw)
    };
    let raw = raw.iter().map(|hit| found(hit, hit.span, true));
    let canonical = canonical.iter().map(|hit| found(hit, folded.map.to_original(hit.span), false));
    raw.chain(canonical).collect()
}

/// What a stream of these chunks reports; panics where a byte was called safe that a later match holds.
#[allow(dead_code, reason = "some targets stream in another way")]
pub fn streamed<'c>(scanner: &Scanner, chunks: impl IntoIterator<Item = &'c str>) -> Found {
    let mut scratch = scanner.scratch();
    let mut stream = scanner.stream(Role::Assistant, BLOCK_BYTES);
    let (mut out, mut found, mut safe) = (Vec::new(), Found::new(), 0);
    let mut take = |out: &mut Vec<StreamMatch>, safe: usize| {
        for hit in out.drain(..) {
            let judges_blocks = scanner.rules().rule(hit.rule).is_some_and(|rule| rule.block_end);
            assert!(judges_blocks || hit.span.start >= safe, "{safe} bytes were safe, then came {hit:?}");
            found.insert((hit.rule, hit.pattern, hit.span, hit.layer == Layer::Raw));
        }
    };
    let mut length = 0;
    for chunk in chunks {
        stream.push(chunk, &mut scratch, &mut out);
        length += chunk.len();
        take(&mut out, safe);
        assert!(stream.safe() >= safe && stream.safe() <= length, "safe went from {safe} to {}", stream.safe());
        assert_eq!(stream.len(), length);
        safe = stream.safe();
    }
    stream.finish(&mut scratch, &mut out);
    take(&mut out, safe);
    assert_eq!(stream.safe(), length, "after the end all is decided");
    assert!(!stream.block_overflow());
    found
}

/// One reading by the hot path, which the plain search may have to confirm.
fn scan(scanner: &Scanner, text: &str, reading: Reading, plainly: bool) -> Vec<Match> {
    let mut scratch = scanner.scratch();
    let (mut fast, mut plain) = (Vec::new(), Vec::new());
    scanner.scan(text, reading, REPLY, &mut scratch, &mut fast);
    assert!(fast.windows(2).all(|pair| pair[0].span.start <= pair[1].span.start), "out of order: {fast:?}");
    fast.sort_unstable();
    if plainly {
        scanner.scan_plainly(text, reading, REPLY, None, &mut scratch, &mut plain);
        plain.sort_unstable();
        assert_eq!(fast, plain, "the hot path and the plain search, {reading:?}, of {text:?}");
    }
    fast
}
