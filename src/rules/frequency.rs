//! How often a run of bytes stands in ordinary text: an estimate, for choosing the literals that the scanner looks for.
//!
//! A Markov chain of the first order over 64 classes of folded bytes, counted by `scripts/frequency.py` over English and
//! multilingual prompts, documents and code.

use std::sync::LazyLock;

/// Rows of `-8 log2 P(column follows row)`; a last row of `-8 log2 P(column)`; then the most frequent runs of four bytes,
/// in order, each with its `-8 log2 P`.
static TABLE: &[u8; ROWS + GRAMS * 5] = include_bytes!("frequency.bin");

const ROWS: usize = 65 * 64;
const GRAMS: usize = 8192;

/// The byte as the literal pass sees it: ASCII letters in lower case, every digit a `0`.
pub(crate) const fn fold(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        _ => byte.to_ascii_lowercase(),
    }
}

/// Estimated probability that a folded text stands at a given place.
///
/// Longer than four bytes it is no more frequent than its rarest four, and each further byte makes it rarer by a bit: words
/// are far more frequent than a Markov chain would have them.
pub(crate) fn of(text: &[u8]) -> f64 {
    let tables = &*TABLES;
    let windows =
        text.windows(4).map(|window| tables.listed(window).unwrap_or_else(|| tables.chain(window).min(UNLISTED)));
    match windows.min_by(f64::total_cmp) {
        Some(rarest) => of_longer(rarest, text.len()),
        None => tables.chain(text),
    }
}

/// The same for a text of so many bytes, four or more, of whose runs of four the rarest has this frequency.
pub(crate) fn of_longer(rarest: f64, length: usize) -> f64 {
    (4..length).fold(rarest, |frequency, _| frequency / 2.0)
}

/// What is not among the most frequent runs is rarer than they are.
const UNLISTED: f64 = 8e-6;

/// The file's content as probabilities.
struct Tables {
    chain: Vec<f64>,
    /// Runs of four bytes by their hash, each in the first free place from there on.
    listed: Vec<u32>,
    /// The frequencies of those runs, in the same places: few of the runs that are looked for are there.
    frequencies: Vec<f64>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let (rows, grams) = TABLE.split_at(ROWS);
    let probability = |bits: u8| (-f64::from(bits) / 8.0).exp2();
    // A class of many bytes says which of them it is, besides.
    let spread = |index: usize| f64::from(1u32 << SPREAD.get(index % 64).copied().unwrap_or(0));
    let chain = rows.iter().enumerate().map(|(index, bits)| probability(*bits) / spread(index)).collect();
    let (mut listed, mut frequencies) = (vec![0; 4 * GRAMS], vec![0.0; 4 * GRAMS]);
    for [a, b, c, d, bits] in grams.as_chunks::<5>().0 {
        let gram = u32::from_le_bytes([*a, *b, *c, *d]);
        let mut at = place(gram);
        while listed.get(at).is_some_and(|taken| *taken != 0) {
            at = (at + 1) % (4 * GRAMS);
        }
        if let (Some(free), Some(frequency)) = (listed.get_mut(at), frequencies.get_mut(at)) {
            (*free, *frequency) = (gram, probability(*bits));
        }
    }
    Tables { chain, listed, frequencies }
});

fn place(gram: u32) -> usize {
    gram.wrapping_mul(0x9E37_79B1) as usize >> 17
}

impl Tables {
    fn listed(&self, gram: &[u8]) -> Option<f64> {
        let gram = u32::from_le_bytes(gram.try_into().ok()?);
        let mut at = place(gram);
        loop {
            match *self.listed.get(at)? {
                0 => return None,
                listed if listed == gram => return self.frequencies.get(at).copied(),
                _ => at = (at + 1) % (4 * GRAMS),
            }
        }
    }

    fn chain(&self, text: &[u8]) -> f64 {
        let mut before = 64;
        text.iter().fold(1.0, |frequency, byte| {
            let class = usize::from(CLASSES[usize::from(*byte)]);
            let next = self.chain.get(before * 64 + class).copied().unwrap_or(0.0);
            before = class;
            frequency * next
        })
    }
}

/// Bits by which a byte is rarer than its class.
static SPREAD: [u8; 64] = {
    let mut spread = [0; 64];
    spread[CONTROL] = 4;
    spread[CONTINUES] = 4;
    spread[LEADS] = 3;
    spread
};

const DIGIT: usize = 26;
const SPACE: usize = 27;
const LINE: usize = 28;
const CONTROL: usize = 29;
const PUNCTUATION: usize = 30;
const CONTINUES: usize = 62;
const LEADS: usize = 63;

/// The class of each byte.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8) as u8;
        byte += 1;
    }
    classes
};

const fn class(byte: u8) -> usize {
    let value = byte as usize;
    match byte {
        b'a'..=b'z' => value - 97,
        b'A'..=b'Z' => value - 65,
        b'0'..=b'9' => DIGIT,
        b' ' => SPACE,
        b'\n' => LINE,
        b'!'..=b'/' => PUNCTUATION + value - 33,
        b':'..=b'@' => PUNCTUATION + 15 + value - 58,
        b'['..=b'`' => PUNCTUATION + 22 + value - 91,
        b'{'..=b'~' => PUNCTUATION + 28 + value - 123,
        0x80..=0xBF => CONTINUES,
        0xC0.. => LEADS,
        _ => CONTROL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_script() {
        let marks: Vec<u8> = (33..127u8).filter(|byte| !byte.is_ascii_alphanumeric()).collect();
        assert_eq!(marks.len(), 32);
        for (index, mark) in marks.into_iter().enumerate() {
            assert_eq!(class(mark), PUNCTUATION + index);
        }
        assert_eq!((class(b'Z'), class(b'7'), class(b'\t'), class(0x1f), class(0x7f)), (25, 26, 29, 29, 29));
    }

    #[test]
    fn common_text_is_more_probable_than_rare_text() {
        assert!(of(b"the ") > 100.0 * of(b"gnor"));
        assert!(of(b"gnor") > of(b"zqxj"));
        assert!(of(b"0000") > of(b"0-00"));
        assert!(of("忽略".as_bytes()) < of(b"ther"));
        assert!((0..=255u8).map(|byte| of(&[byte])).sum::<f64>() < 4.0);
    }
}
