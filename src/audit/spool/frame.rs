//! How a record lies in a segment file: `mark(4) length(4) crc32(4) payload`, integers little-endian, the CRC-32 (IEEE)
//! over length and payload; `payload = prev_hash(32) body`, or, by another mark, `prev_hash(32) body_length(4) body text`
//! where a text is kept beside the record.
//!
//! The mark holds the byte FF, which no UTF-8 body contains, so that after a damaged stretch the next whole frame can be
//! found again and text inside a record can never pass for a frame.

use crate::audit::record::Hash;

/// Bytes before a frame's payload.
pub(crate) const HEADER_BYTES: usize = 12;

/// A record alone.
const MARK: [u8; 4] = [0xFF, b'P', b'C', 1];
/// A record with a text.
const MARK_TEXT: [u8; 4] = [0xFF, b'P', b'C', 2];
/// Bytes of the previous record's hash, first in a payload.
pub(crate) const HASH_BYTES: usize = 32;

/// Appends one frame to `out`; gives its size, or `None` when the record is too long for the length field.
pub(crate) fn push(out: &mut Vec<u8>, prev: Hash, body: &[u8], text: Option<&[u8]>) -> Option<usize> {
    let (mark, body_length) = match text {
        Some(_) => (MARK_TEXT, u32::try_from(body.len()).ok()?.to_le_bytes().to_vec()),
        None => (MARK, Vec::new()),
    };
    let payload = [prev.bytes().as_slice(), &body_length, body, text.unwrap_or_default()];
    let length = payload.iter().try_fold(0usize, |sum, part| sum.checked_add(part.len()))?;
    let length = u32::try_from(length).ok()?.to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    payload.iter().for_each(|part| crc.update(part));
    let before = out.len();
    out.extend_from_slice(&mark);
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    payload.iter().for_each(|part| out.extend_from_slice(part));
    Some(out.len() - before)
}

/// One stretch of a segment.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Stretch<'a> {
    /// Bytes that are no frame, followed by a whole one.
    Damaged(&'a [u8]),
    /// A whole frame.
    Frame {
        /// The hash of the record before.
        prev: Hash,
        /// The record's canonical bytes.
        body: &'a [u8],
        /// The text that is kept beside it.
        text: Option<&'a [u8]>,
        /// Bytes of the whole frame.
        size: usize,
    },
    /// Bytes up to the end that are no frame: a torn tail, or damage.
    Tail(&'a [u8]),
}

/// The stretch at the start of `bytes`; `None` at the end.
pub(crate) fn next(bytes: &[u8]) -> Option<Stretch<'_>> {
    if bytes.is_empty() {
        return None;
    }
    if let Some(frame) = whole(bytes) {
        return Some(frame);
    }
    let found = memchr::memmem::find_iter(bytes.get(1..)?, MARK.get(..3)?)
        .map(|at| at + 1)
        .find(|at| bytes.get(*at..).and_then(whole).is_some());
    Some(match found.and_then(|at| bytes.get(..at)) {
        Some(damaged) => Stretch::Damaged(damaged),
        None => Stretch::Tail(bytes),
    })
}

fn whole(bytes: &[u8]) -> Option<Stretch<'_>> {
    let (mark, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let payload = rest.get(..size)?;
    let (prev, rest) = payload.split_first_chunk::<HASH_BYTES>()?;
    let (body, text) = match *mark {
        MARK => (rest, None),
        MARK_TEXT => {
            let (body_length, rest) = rest.split_first_chunk::<4>()?;
            let (body, text) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*body_length)).ok()?)?;
            (body, Some(text))
        }
        _ => return None,
    };
    let mut actual = crc32fast::Hasher::new();
    actual.update(length);
    actual.update(payload);
    (actual.finalize() == u32::from_le_bytes(*crc)).then_some(Stretch::Frame {
        prev: Hash::from_bytes(*prev),
        body,
        text,
        size: HEADER_BYTES + size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Vec<u8>, Vec<usize>) {
        let mut out = Vec::new();
        let ends = ["one", "two two", "three"]
            .iter()
            .map(|body| {
                let text = body.contains(' ').then_some(b"a text".as_slice());
                push(&mut out, Hash::ZERO, body.as_bytes(), text).unwrap();
                out.len()
            })
            .collect();
        (out, ends)
    }

    fn bodies(mut bytes: &[u8]) -> (Vec<String>, usize, usize) {
        let (mut bodies, mut damaged, mut tail) = (Vec::new(), 0, 0);
        while let Some(stretch) = next(bytes) {
            let size = match stretch {
                Stretch::Damaged(gone) => {
                    damaged += gone.len();
                    gone.len()
                }
                Stretch::Frame { body, text, size, .. } => {
                    assert_eq!(text, body.contains(&b' ').then_some(b"a text".as_slice()));
                    bodies.push(String::from_utf8(body.to_vec()).unwrap());
                    size
                }
                Stretch::Tail(gone) => {
                    tail += gone.len();
                    gone.len()
                }
            };
            bytes = &bytes[size..];
        }
        (bodies, damaged, tail)
    }

    #[test]
    fn every_cut_leaves_the_whole_frames_before_it_and_a_tail() {
        let (bytes, ends) = three();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let (read, damaged, tail) = bodies(&bytes[..cut]);
            assert_eq!((read.len(), damaged), (whole, 0), "cut at {cut}");
            assert_eq!(tail, cut - if whole == 0 { 0 } else { ends[whole - 1] });
        }
    }

    #[test]
    fn every_flipped_byte_costs_its_own_frame_only() {
        let (bytes, ends) = three();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x20;
            let hit = ends.iter().take_while(|end| **end <= at).count();
            let expected: Vec<_> =
                ["one", "two two", "three"].into_iter().enumerate().filter(|(i, _)| *i != hit).collect();
            let (read, damaged, tail) = bodies(&bytes);
            assert_eq!(read, expected.iter().map(|(_, body)| (*body).to_owned()).collect::<Vec<_>>(), "flip at {at}");
            assert!(if hit == 2 { tail > 0 && damaged == 0 } else { damaged > 0 && tail == 0 });
        }
    }
}
