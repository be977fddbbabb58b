//! Content codings undone with a bound: identity, gzip (RFC 1952, several members) and deflate (zlib, RFC 1950).
//!
//! What one reader would decode and another would not is refused: stacked codings, bytes after the end, a stream that stops
//! early, and raw deflate under the name of zlib's. Both sides of the wire use it: requests in `proxy::intake`, replies in
//! [`super::reply`].

use std::io;
use std::io::Write;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status, write};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// A coding that can be undone here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// zlib's format, which HTTP calls `deflate`.
    Deflate,
    /// gzip, one member or several.
    Gzip,
    /// None: the bytes are the content.
    Identity,
}

/// Why a body could not be decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CodingError {
    /// The data break the coding's format; what and how.
    Corrupt(String),
    /// More content than the limit (in bytes).
    Oversize(usize),
    /// A coding, or a stack of codings, that is not undone here.
    Unsupported(String),
}

impl Coding {
    /// The coding that the head names. Several fields, a list, or an unknown name are refused.
    pub fn of(headers: &HeaderMap) -> Result<Self, CodingError> {
        let mut fields = headers.get_all(CONTENT_ENCODING).iter();
        let Some(first) = fields.next() else { return Ok(Self::Identity) };
        if fields.next().is_some() {
            return Err(CodingError::Unsupported("more than one Content-Encoding field".to_owned()));
        }
        let name = first.to_str().unwrap_or("(not text)").trim();
        match name.to_ascii_lowercase().as_str() {
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            _ => {
                let shown: String = name.chars().take(40).collect();
                Err(CodingError::Unsupported(format!("Content-Encoding {shown:?}; use identity, gzip or deflate")))
            }
        }
    }
}

/// Undoes one coding, piece by piece, and stops at the limit.
#[derive(Debug)]
pub struct Decoder {
    inner: Inner,
    limit: usize,
}

#[derive(Debug)]
enum Inner {
    Deflate { state: Box<Decompress>, produced: usize, ended: bool },
    Gzip(Box<write::MultiGzDecoder<Sink>>),
    Identity { produced: usize },
}

impl Decoder {
    /// A decoder that gives at most `limit` bytes of content.
    pub fn new(coding: Coding, limit: usize) -> Self {
        let inner = match coding {
            Coding::Deflate => Inner::Deflate { state: Box::new(Decompress::new(true)), produced: 0, ended: false },
            Coding::Gzip => {
                let sink = Sink { out: Vec::new(), left: limit, over: false };
                Inner::Gzip(Box::new(write::MultiGzDecoder::new(sink)))
            }
            Coding::Identity => Inner::Identity { produced: 0 },
        };
        Self { inner, limit }
    }

    /// True when there is nothing to undo.
    pub fn is_identity(&self) -> bool {
        matches!(self.inner, Inner::Identity { .. })
    }

    /// The content that follows from the next piece; empty when more is needed first.
    pub fn feed(&mut self, piece: Bytes) -> Result<Bytes, CodingError> {
        match &mut self.inner {
            Inner::Identity { produced } => {
                *produced = produced.saturating_add(piece.len());
                if *produced > self.limit { Err(CodingError::Oversize(self.limit)) } else { Ok(piece) }
            }
            Inner::Gzip(decoder) => {
                // Without the flush the decoder would keep what it has until the next piece, and a stream would lag.
                let written = decoder.write_all(&piece).and_then(|()| decoder.flush());
                gzip_result(written, decoder.get_ref(), self.limit)?;
                Ok(Bytes::from(std::mem::take(&mut decoder.get_mut().out)))
            }
            Inner::Deflate { state, produced, ended } => {
                let out = inflate(state, &piece, produced, ended, self.limit)?;
                Ok(Bytes::from(out))
            }
        }
    }

    /// The content that was still held back; an error when the data stopped before their end.
    pub fn finish(mut self) -> Result<Bytes, CodingError> {
        match &mut self.inner {
            Inner::Identity { .. } => Ok(Bytes::new()),
            Inner::Gzip(decoder) => {
                let finished = decoder.try_finish();
                gzip_result(finished, decoder.get_ref(), self.limit)?;
                Ok(Bytes::from(std::mem::take(&mut decoder.get_mut().out)))
            }
            Inner::Deflate { ended, .. } => {
                if *ended {
                    Ok(Bytes::new())
                } else {
                    Err(CodingError::Corrupt("the deflate data stop before their end".to_owned()))
                }
            }
        }
    }
}

impl CodingError {
    /// What was wrong, in words for a log or a client.
    pub fn detail(&self) -> String {
        match self {
            Self::Corrupt(what) => format!("cannot be decompressed: {what}"),
            Self::Oversize(limit) => format!("is larger than the limit of {limit} bytes after decompression"),
            Self::Unsupported(what) => what.clone(),
        }
    }
}

/// Where the gzip decoder writes: refuses the first byte over the limit, so that a bomb stops there.
#[derive(Debug)]
struct Sink {
    out: Vec<u8>,
    left: usize,
    over: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.left {
            self.over = true;
            return Err(io::Error::other("over the limit"));
        }
        self.left -= bytes.len();
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gzip_result(result: io::Result<()>, sink: &Sink, limit: usize) -> Result<(), CodingError> {
    match result {
        Ok(()) => Ok(()),
        Err(_) if sink.over => Err(CodingError::Oversize(limit)),
        Err(error) => Err(CodingError::Corrupt(format!("bad gzip data ({error})"))),
    }
}

fn inflate(
    state: &mut Decompress,
    mut input: &[u8],
    produced: &mut usize,
    ended: &mut bool,
    limit: usize,
) -> Result<Vec<u8>, CodingError> {
    let mut out = Vec::new();
    let mut window = [0_u8; 16 * 1024];
    while !input.is_empty() {
        if *ended {
            return Err(CodingError::Corrupt("bytes follow the end of the deflate data".to_owned()));
        }
        let (read_before, made_before) = (state.total_in(), state.total_out());
        let status = state
            .decompress(input, &mut window, FlushDecompress::None)
            .map_err(|error| CodingError::Corrupt(format!("bad deflate data ({error})")))?;
        let read = usize::try_from(state.total_in() - read_before).unwrap_or(usize::MAX);
        let made = usize::try_from(state.total_out() - made_before).unwrap_or(usize::MAX);
        *produced = produced.saturating_add(made);
        if *produced > limit {
            return Err(CodingError::Oversize(limit));
        }
        out.extend_from_slice(window.get(..made).unwrap_or_default());
        input = input.get(read..).unwrap_or_default();
        *ended = status == Status::StreamEnd;
        if read == 0 && made == 0 && !*ended {
            return Err(CodingError::Corrupt("the deflate data make no progress".to_owned()));
        }
    }
    // What the window could not take while the input ran out is drained here.
    while !*ended {
        let made_before = state.total_out();
        let status = state
            .decompress(&[], &mut window, FlushDecompress::None)
            .map_err(|error| CodingError::Corrupt(format!("bad deflate data ({error})")))?;
        let made = usize::try_from(state.total_out() - made_before).unwrap_or(usize::MAX);
        *produced = produced.saturating_add(made);
        if *produced > limit {
            return Err(CodingError::Oversize(limit));
        }
        out.extend_from_slice(window.get(..made).unwrap_or_default());
        *ended = status == Status::StreamEnd;
        if made == 0 {
            break;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(coding: Coding, limit: usize, data: &[u8], step: usize) -> Result<Vec<u8>, CodingError> {
        let mut decoder = Decoder::new(coding, limit);
        let mut out = Vec::new();
        for piece in data.chunks(step.max(1)) {
            out.extend_from_slice(&decoder.feed(Bytes::copy_from_slice(piece))?);
        }
        out.extend_from_slice(&decoder.finish()?);
        Ok(out)
    }

    #[test]
    fn round_trips_at_every_step() {
        let data: Vec<u8> = (0..50_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for step in [1, 2, 3, 17, 4096, usize::MAX] {
            assert_eq!(decode(Coding::Gzip, data.len(), &gzip(&data), step).unwrap(), data);
            assert_eq!(decode(Coding::Deflate, data.len(), &zlib(&data), step).unwrap(), data);
            assert_eq!(decode(Coding::Identity, data.len(), &data, step).unwrap(), data);
        }
    }

    #[test]
    fn the_limit_holds_at_n_and_n_plus_1() {
        let data = vec![b'a'; 100_000];
        for (coding, wire) in
            [(Coding::Gzip, gzip(&data)), (Coding::Deflate, zlib(&data)), (Coding::Identity, data.clone())]
        {
            for step in [1, 100, usize::MAX] {
                assert_eq!(decode(coding, data.len(), &wire, step).unwrap().len(), data.len());
                let over = decode(coding, data.len() - 1, &wire, step);
                assert_eq!(over, Err(CodingError::Oversize(data.len() - 1)), "{coding:?} by {step}");
            }
        }
    }

    #[test]
    fn several_gzip_members_are_one_text() {
        let wire = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        for step in [1, 5, usize::MAX] {
            assert_eq!(decode(Coding::Gzip, 100, &wire, step).unwrap(), b"one two");
        }
    }

    #[test]
    fn what_can_be_decoded_is_not_held_back() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut decoders = [Decoder::new(Coding::Gzip, 1000), Decoder::new(Coding::Deflate, 1000)];
        for event in ["data: one\n\n", "data: two\n\n"] {
            gzip.write_all(event.as_bytes()).unwrap();
            gzip.flush().unwrap();
            zlib.write_all(event.as_bytes()).unwrap();
            zlib.flush().unwrap();
            let pieces = [std::mem::take(gzip.get_mut()), std::mem::take(zlib.get_mut())];
            for (decoder, piece) in decoders.iter_mut().zip(pieces) {
                assert_eq!(decoder.feed(Bytes::from(piece)).unwrap(), event);
            }
        }
    }

    #[test]
    fn the_limit_spans_gzip_members() {
        let wire = [gzip(&[b'a'; 10]), gzip(&[b'b'; 10])].concat();
        assert_eq!(decode(Coding::Gzip, 20, &wire, 7).unwrap().len(), 20);
        assert_eq!(decode(Coding::Gzip, 19, &wire, 7), Err(CodingError::Oversize(19)));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        for tail in [&b"\0"[..], b"x", b"{\"a\":1}", b"\x1f", b"\x1f\x8b"] {
            for step in [1, usize::MAX] {
                let wire = [gzip(b"text"), tail.to_vec()].concat();
                assert!(matches!(decode(Coding::Gzip, 100, &wire, step), Err(CodingError::Corrupt(_))), "{tail:?}");
                let wire = [zlib(b"text"), tail.to_vec()].concat();
                assert!(matches!(decode(Coding::Deflate, 100, &wire, step), Err(CodingError::Corrupt(_))), "{tail:?}");
            }
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        for (coding, wire) in [(Coding::Gzip, gzip(b"some text")), (Coding::Deflate, zlib(b"some text"))] {
            for cut in 0..wire.len() {
                let result = decode(coding, 100, wire.get(..cut).unwrap(), usize::MAX);
                assert!(matches!(result, Err(CodingError::Corrupt(_))), "{coding:?} cut at {cut}: {result:?}");
            }
        }
    }

    #[test]
    fn a_damaged_checksum_is_refused() {
        let mut wire = gzip(b"some text");
        let at = wire.len() - 6;
        wire[at] ^= 1;
        assert!(matches!(decode(Coding::Gzip, 100, &wire, 3), Err(CodingError::Corrupt(_))));
        let mut wire = zlib(b"some text");
        let at = wire.len() - 1;
        wire[at] ^= 1;
        assert!(matches!(decode(Coding::Deflate, 100, &wire, 3), Err(CodingError::Corrupt(_))));
    }

    #[test]
    fn raw_deflate_is_refused() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"some text").unwrap();
        let wire = encoder.finish().unwrap();
        assert!(matches!(decode(Coding::Deflate, 100, &wire, usize::MAX), Err(CodingError::Corrupt(_))));
    }

    #[test]
    fn only_one_known_coding_is_taken() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
            }
            Coding::of(&headers)
        };
        assert_eq!(of(&[]), Ok(Coding::Identity));
        assert_eq!(of(&["Identity"]), Ok(Coding::Identity));
        assert_eq!(of(&["GZIP"]), Ok(Coding::Gzip));
        assert_eq!(of(&["deflate"]), Ok(Coding::Deflate));
        for bad in [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "gzip"], &["gzip,"], &[""], &["identity, gzip"]]
        {
            assert!(matches!(of(bad), Err(CodingError::Unsupported(_))), "{bad:?}");
        }
    }
}
