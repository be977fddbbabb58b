//! Strictness about HTTP/1.1 heads that hyper has not: what two parsers could read as two different requests is refused.
//!
//! hyper takes a bare LF for a line's end, lets `Transfer-Encoding` win over `Content-Length` without a word, and merges equal
//! `Content-Length` fields. Each is allowed (RFC 9112, 2.2 and 6.3) and each is how requests are smuggled past a proxy in
//! front of us. By the time a handler sees the request, the evidence is gone; so the bytes are looked at here, as they are
//! read, and a NUL is put where the offence is: hyper then answers 400 and closes.
//!
//! This is no second parser: it follows lines and the two framing fields only, and where it cannot follow (a chunked body) the
//! connection ends with that request ([`super::limit::must_close`]).

use memchr::memchr;

/// Follows the bytes of one HTTP/1.1 connection.
#[derive(Debug)]
pub(super) struct HeadGate {
    state: State,
    /// The first bytes of the current line.
    line: Vec<u8>,
    line_length: usize,
    lines: usize,
    content_length: Option<u64>,
    chunked: bool,
    after_cr: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Inside a body of known length; so many bytes are left.
    Body(u64),
    Head,
    /// Inside a body whose end is not known here; the connection ends with it.
    Last,
    Refused,
}

impl HeadGate {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            line: Vec::with_capacity(LINE_KEPT),
            line_length: 0,
            lines: 0,
            content_length: None,
            chunked: false,
            after_cr: false,
        }
    }

    /// Looks at the next bytes read. At an offence its byte becomes a NUL and the number of bytes to pass on (up to and with
    /// that NUL) is returned; nothing after it may be passed on, and nothing read later.
    pub(super) fn check(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Last => break,
                State::Refused => return at,
                State::Body(left) => {
                    let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(left);
                    at = at.saturating_add(usize::try_from(here).unwrap_or(usize::MAX));
                    self.state = if here == left { State::Head } else { State::Body(left - here) };
                }
                State::Head => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let offence = match memchr(b'\n', rest) {
                        Some(end) => {
                            let line = rest.get(..end).unwrap_or_default();
                            let starts_badly = self.take(line);
                            at += end + 1;
                            if starts_badly { true } else { self.end_line() }
                        }
                        None => {
                            let starts_badly = self.take(rest);
                            at = bytes.len();
                            starts_badly
                        }
                    };
                    if offence {
                        self.state = State::Refused;
                        if let Some(byte) = bytes.get_mut(at.saturating_sub(1)) {
                            *byte = 0;
                        }
                        return at;
                    }
                }
            }
        }
        bytes.len()
    }

    pub(super) fn has_refused(&self) -> bool {
        self.state == State::Refused
    }

    /// True when all that came was whole requests, so that nothing more of one is on its way.
    pub(super) fn is_between_requests(&self) -> bool {
        self.state == State::Head && self.lines == 0 && self.line_length == 0
    }

    /// Takes bytes of the current line. True when the line is a continuation of the one before (obs-fold).
    fn take(&mut self, bytes: &[u8]) -> bool {
        let Some(&last) = bytes.last() else { return false };
        let room = LINE_KEPT.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        self.line_length = self.line_length.saturating_add(bytes.len());
        self.after_cr = last == b'\r';
        self.lines > 0 && matches!(self.line.first(), Some(b' ' | b'\t'))
    }

    /// Ends the current line at its LF. True when the head offends.
    fn end_line(&mut self) -> bool {
        if !self.after_cr {
            return true;
        }
        self.after_cr = false;
        let (length, line) = (self.line_length, std::mem::take(&mut self.line));
        self.line_length = 0;
        if length == 1 {
            // An empty line ends the head; before the request line it is skipped, as hyper does.
            return self.lines > 0 && self.end_head();
        }
        self.lines += 1;
        if self.lines == 1 {
            return false;
        }
        let Some(colon) = memchr(b':', &line) else {
            // No colon among the bytes kept: neither of the two framing fields, and hyper judges the rest.
            return false;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.trim_ascii().eq_ignore_ascii_case(b"content-length") {
            // A name with white space, a second field, a list, a sign, a line longer than any number.
            if name.len() != 14 || length > LINE_KEPT || self.content_length.is_some() {
                return true;
            }
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            self.content_length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
            return self.content_length.is_none();
        }
        if name.trim_ascii().eq_ignore_ascii_case(b"transfer-encoding") {
            if name.len() != 17 || length > LINE_KEPT || self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return true;
            }
            self.chunked = true;
        }
        false
    }

    /// Ends the head. True when it says two things about its body.
    fn end_head(&mut self) -> bool {
        self.lines = 0;
        let length = self.content_length.take();
        if self.chunked {
            self.state = State::Last;
            return length.is_some();
        }
        self.state = match length {
            Some(0) | None => State::Head,
            Some(length) => State::Body(length),
        };
        false
    }
}

/// Bytes of a line that are kept: enough for the framing fields.
const LINE_KEPT: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `wire` in pieces of `step`; what came through, and whether it was refused.
    fn pass(wire: &[u8], step: usize) -> (Vec<u8>, bool) {
        let mut gate = HeadGate::new();
        let mut through = Vec::new();
        for piece in wire.chunks(step) {
            let mut piece = piece.to_vec();
            let kept = gate.check(&mut piece);
            through.extend_from_slice(&piece[..kept]);
        }
        (through, gate.has_refused())
    }

    const GOOD: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na\nb\nPOST / HTTP/1.1\r\nHost: a\r\ncontent-length:  0 \r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n\r\n\r\n GET / HTTP/1.1\r\nX-A: b\r\n\r\n",
    ];

    const BAD: &[&[u8]] = &[
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding:\x0bchunked\r\n\r\n",
        // A second request on the connection is held to the same.
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];

    #[test]
    fn good_heads_pass_unchanged_at_every_split() {
        for wire in GOOD {
            for step in 1..=wire.len() {
                assert_eq!(pass(wire, step), (wire.to_vec(), false), "{:?}", String::from_utf8_lossy(wire));
            }
        }
    }

    #[test]
    fn bad_heads_are_refused_at_every_split() {
        for wire in BAD {
            for step in 1..=wire.len() {
                let (through, refused) = pass(wire, step);
                let shown = String::from_utf8_lossy(wire);
                assert!(refused, "{shown:?} by {step}");
                assert_eq!(through.last(), Some(&0), "{shown:?} by {step}");
                let kept = through.len() - 1;
                assert_eq!(through[..kept], wire[..kept], "{shown:?} by {step}");
                assert_eq!(through.iter().filter(|byte| **byte == 0).count(), 1, "{shown:?} by {step}");
            }
        }
    }

    #[test]
    fn a_framing_line_is_bounded_at_n_and_n_plus_1() {
        let line = |length: usize| {
            let zeros = "0".repeat(length - "Content-Length: 1\r".len());
            format!("POST / HTTP/1.1\r\nContent-Length: {zeros}1\r\n\r\nx").into_bytes()
        };
        assert!(!pass(&line(LINE_KEPT), 7).1);
        assert!(pass(&line(LINE_KEPT + 1), 7).1);
    }

    #[test]
    fn whole_requests_are_told_from_parts() {
        for (wire, between) in [
            (&b""[..], true),
            (b"G", false),
            (b"GET / HTTP/1.1\r\n", false),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            (b"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nx", false),
            (b"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy", true),
            (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ] {
            let mut gate = HeadGate::new();
            gate.check(&mut wire.to_vec());
            assert_eq!(gate.is_between_requests(), between, "{:?}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn a_colon_past_the_kept_bytes_is_no_framing_field() {
        let wire = format!("GET / HTTP/1.1\r\n{}: x\r\n\r\n", "a".repeat(LINE_KEPT)).into_bytes();
        assert!(!pass(&wire, 10).1);
        // White space cannot push a framing field's colon out of sight: hyper refuses such a name itself.
        let wire = format!("POST / HTTP/1.1\r\nContent-Length{}: 5\r\n\r\n", " ".repeat(LINE_KEPT)).into_bytes();
        assert!(!pass(&wire, 10).1);
    }
}
