//! The shipped rules over any text: a stream in any pieces finds what the whole text shows and, for some lengths of text, what the
//! plain search finds, and calls no byte safe that a later match holds.
//!
//! Input: text, and a line `%%% 3 1 17` with sizes of pieces.

#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::scan::Scanner;

#[path = "shared/agreement.rs"]
mod agreement;
#[path = "shared/pieces.rs"]
mod pieces;

/// The plain search tries every pattern at every character: texts of so many lengths go through the other ways alone.
const PLAINLY_EVERY: usize = 8;

static SHIPPED: LazyLock<Scanner> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let loaded = portcullis::rules::load(&[folder]).unwrap_or_else(|problems| panic!("{problems}"));
    Scanner::new(Arc::new(loaded.set)).expect("the shipped rules compile")
});

fuzz_target!(init: { LazyLock::force(&SHIPPED); }, |data: &[u8]| -> Corpus {
    let (data, sizes) = pieces::sized(data);
    let text = String::from_utf8_lossy(data);
    let mut chunks = Vec::new();
    let mut start = 0;
    for end in pieces::ends(&sizes, text.len()) {
        let end = text.ceil_char_boundary(end);
        chunks.push(&text[start..end.max(start)]);
        start = end.max(start);
    }
    let expected = agreement::whole(&SHIPPED, &text, text.len().is_multiple_of(PLAINLY_EVERY));
    assert_eq!(agreement::streamed(&SHIPPED, chunks.iter().copied()), expected, "in chunks {chunks:?}");
    Corpus::Keep
});
