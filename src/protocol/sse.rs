//! Server-sent events (WHATWG HTML, section 9.2): an incremental decoder for any split, and the encoder.

use std::fmt;

use bytes::Bytes;

use crate::base::{Cause, Fault, Limits};

/// UTF-8's byte order mark.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One event as it was dispatched. Comments, `id:` and `retry:` are read and dropped: they are never sent on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its `event:` field, where there was one.
    pub name: Option<String>,
    /// Its `data:` lines, joined by line feeds.
    pub data: Bytes,
}

/// Why a stream of events was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SseError {
    /// It starts with a byte order mark.
    Bom,
    /// An event's name is not UTF-8.
    Name,
    /// One event is larger than the limit.
    Size(usize),
}

impl fmt::Display for SseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bom => f.write_str("the event stream starts with a byte order mark"),
            Self::Name => f.write_str("an event's name is not UTF-8"),
            Self::Size(limit) => write!(f, "an event of the stream is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for SseError {}

impl From<SseError> for Fault {
    fn from(error: SseError) -> Self {
        let cause = match error {
            SseError::Size(_) => Cause::Oversize,
            SseError::Bom | SseError::Name => Cause::Unparsable,
        };
        Self { cause, ..Self::provider(error.to_string()) }
    }
}

/// Bytes in, events out. Lines end with CR, LF or CRLF; the bytes may be split anywhere.
#[derive(Debug)]
pub struct Decoder {
    /// The line being read.
    line: Vec<u8>,
    data: Vec<u8>,
    /// True once the event has a `data:` line, even an empty one.
    has_data: bool,
    name: Option<String>,
    /// The last byte was CR: a LF that follows belongs to it.
    after_cr: bool,
    /// No line has ended yet.
    at_start: bool,
    event_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses events larger than `limits.event_bytes` (their data and name; comments count by the line).
    pub fn new(limits: &Limits) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            name: None,
            after_cr: false,
            at_start: true,
            event_bytes_max: limits.event_bytes,
        }
    }

    /// Takes the next bytes; every event that they complete is appended to `out`, also when an error follows it.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), SseError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                rest = after;
                continue;
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                return self.extend(rest);
            };
            let (piece, tail) = rest.split_at(end);
            self.extend(piece)?;
            self.after_cr = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            if let Some(event) = self.end_line()? {
                out.push(event);
            }
        }
        Ok(())
    }

    /// The stream is over: an event whose final blank line is missing still counts, so that its text is seen.
    pub fn finish(&mut self) -> Result<Option<Event>, SseError> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.dispatch())
    }

    fn extend(&mut self, piece: &[u8]) -> Result<(), SseError> {
        // The mark before the size, so that the error is the same however the bytes were cut.
        if self.at_start && self.line.iter().chain(piece).take(BOM.len()).eq(BOM) {
            return Err(SseError::Bom);
        }
        let size = self.line.len() + piece.len() + self.data.len() + self.name.as_ref().map_or(0, String::len);
        if size > self.event_bytes_max {
            return Err(SseError::Size(self.event_bytes_max));
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, SseError> {
        self.at_start = false;
        if self.line.is_empty() {
            return Ok(self.dispatch());
        }
        let colon = memchr::memchr(b':', &self.line);
        let (field, value) = self.line.split_at(colon.unwrap_or(self.line.len()));
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name = Some(std::str::from_utf8(value).map_err(|_| SseError::Name)?.to_owned());
            }
            // Comments (an empty field name), `id`, `retry` and unknown fields.
            _ => {}
        }
        self.line.clear();
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = self.name.take().filter(|name| !name.is_empty());
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        (has_data && !data.is_empty()).then(|| Event { name, data: Bytes::from(data) })
    }
}

/// One event with that data and no other field. Line ends inside the data become further `data:` lines.
pub fn encode(data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 8);
    let mut rest = data;
    loop {
        let end = memchr::memchr2(b'\r', b'\n', rest);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
        out.push(b'\n');
        let Some(end) = end else { break };
        let skip = if rest.get(end..end + 2) == Some(b"\r\n") { 2 } else { 1 };
        rest = rest.get(end + skip..).unwrap_or_default();
    }
    out.push(b'\n');
    Bytes::from(out)
}
