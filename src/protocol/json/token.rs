//! The reader's tokens: strings, numbers and words.

use super::error::JsonErrorKind;
use super::read::{Reader, Step, stop_at};
use super::tape::{Entry, Kind};
use super::text::pair;

impl Reader<'_> {
    pub(super) fn string(&mut self) -> Step<()> {
        let start = self.at;
        let mut plain = true;
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let found = memchr::memchr2(b'"', b'\\', rest);
            let run = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
            if let Some(control) = run.iter().position(|&byte| byte < 0x20) {
                return stop_at(JsonErrorKind::ControlCharacter, self.at + control);
            }
            self.at += run.len();
            match self.peek() {
                Some(b'"') => break,
                Some(_) => {
                    plain = false;
                    self.escape()?;
                }
                None => return self.stop(JsonErrorKind::Truncated),
            }
        }
        self.at += 1;
        self.tape.push(Entry::string(start, self.at, plain, self.tape.len() + 1));
        Ok(())
    }

    fn escape(&mut self) -> Step<()> {
        let start = self.at;
        match self.bytes.get(start + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let code = self.hex(start + 2)?;
                self.at += 6;
                if (0xDC00..0xE000).contains(&code) {
                    return stop_at(JsonErrorKind::LoneSurrogate, start);
                }
                if (0xD800..0xDC00).contains(&code) {
                    if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                        return stop_at(JsonErrorKind::LoneSurrogate, start);
                    }
                    let low = self.hex(self.at + 2)?;
                    if pair(code, low).is_none() {
                        return stop_at(JsonErrorKind::LoneSurrogate, start);
                    }
                    self.at += 6;
                }
            }
            Some(_) => return self.stop(JsonErrorKind::Escape),
            None => return self.stop(JsonErrorKind::Truncated),
        }
        Ok(())
    }

    fn hex(&self, at: usize) -> Step<u32> {
        let mut code = 0;
        for offset in at..at + 4 {
            let Some(&byte) = self.bytes.get(offset) else {
                return stop_at(JsonErrorKind::Truncated, offset);
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return stop_at(JsonErrorKind::Escape, offset);
            };
            code = code * 16 + digit;
        }
        Ok(code)
    }

    pub(super) fn number(&mut self) -> Step<()> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let length = self.at - start;
        if length > self.number_max {
            return stop_at(JsonErrorKind::NumberLength(self.number_max), start);
        }
        // Fewer than 300 digits without an exponent cannot leave the range.
        if has_exponent || length > 300 {
            let finite =
                self.text.get(start..self.at).and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite);
            if !finite {
                return stop_at(JsonErrorKind::NumberRange, start);
            }
        }
        self.tape.push(Entry::scalar(Kind::Number, start, self.at, self.tape.len() + 1));
        Ok(())
    }

    fn digits(&mut self) -> Step<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let run = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if run == 0 {
            return self.stop(if rest.is_empty() { JsonErrorKind::Truncated } else { JsonErrorKind::Number });
        }
        self.at += run;
        Ok(())
    }

    pub(super) fn word(&mut self, word: &'static str, kind: Kind) -> Step<()> {
        let start = self.at;
        if self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            self.tape.push(Entry::scalar(kind, start, self.at, self.tape.len() + 1));
            return Ok(());
        }
        self.stop(JsonErrorKind::Syntax("a value"))
    }
}
