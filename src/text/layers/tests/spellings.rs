//! The encodings and disguises that the tests undo.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub(super) fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

pub(super) fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(super) fn html(text: &str) -> String {
    text.chars().map(|c| format!("&#{};", u32::from(c))).collect()
}

pub(super) fn escape(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

pub(super) fn quoted_printable(text: &str) -> String {
    text.bytes().map(|byte| format!("={byte:02X}")).collect()
}

pub(super) fn decimal(text: &str) -> String {
    text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(" ")
}

pub(super) fn binary(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().join(" ")
}

pub(super) fn rot13(text: &str) -> String {
    let turn = |c: u8, a: u8| char::from((c - a + 13) % 26 + a);
    text.bytes()
        .map(|c| match c {
            b'a'..=b'z' => turn(c, b'a'),
            b'A'..=b'Z' => turn(c, b'A'),
            other => char::from(other),
        })
        .collect()
}

pub(super) fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

pub(super) fn reversed_words(text: &str) -> String {
    text.split(' ').map(reversed).collect::<Vec<_>>().join(" ")
}

pub(super) fn leetspeak(text: &str) -> String {
    text.replace('i', "1").replace('o', "0").replace('e', "3").replace('s', "5")
}

pub(super) fn spaced(text: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(" ")
}
