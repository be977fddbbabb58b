//! The strict reader against serde_json, and where it is stricter.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use portcullis::base::{Cause, Limits};
use portcullis::protocol::json::{Document, JsonError, JsonErrorKind, Kind, Replacement, Value, quoted, splice};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn parse(text: impl AsRef<[u8]>) -> Result<Document, JsonError> {
    Document::parse(Bytes::copy_from_slice(text.as_ref()), &Limits::default())
}

/// The same value as serde_json sees it.
fn tree(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::True => true.into(),
        Kind::False => false.into(),
        Kind::Number => serde_json::from_str(value.raw()).unwrap(),
        Kind::String => value.as_str().unwrap().into(),
        Kind::Array => value.elements().map(tree).collect(),
        Kind::Object => {
            let members = value.members().map(|(key, value)| (key.as_str().unwrap().into_owned(), tree(value)));
            serde_json::Value::Object(members.collect())
        }
    }
}

#[test]
fn accepted_texts_have_the_same_value_as_in_serde_json() {
    for text in [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "-0.0e-0",
        "1E+2",
        "123456789012345678901234567890",
        "\"\"",
        "[]",
        "{}",
        "[[],{}]",
        "\t[1 ,2\r\n]\n",
        r#"{"a":{"b":[1,"x",null,{"c":true}]},"":0}"#,
        r#""\u0041\n\t\"\\\/\b\f\r\u00e9\ud83d\ude00\u0000\uFFFF""#,
        "\"é😀\u{7f}\u{2028}\"",
    ] {
        let document = parse(text).unwrap();
        assert_eq!(tree(document.root()), serde_json::from_str::<serde_json::Value>(text).unwrap(), "{text}");
        assert_eq!(document.bytes(), text);
    }
}

#[test]
fn refusals_say_what_and_where() {
    use JsonErrorKind::{
        Bom, ControlCharacter, DuplicateKey, Escape, LoneSurrogate, Number, NumberRange, Syntax, Trailing, Truncated,
        Utf8,
    };
    let cases: &[(&[u8], JsonErrorKind, usize, &str)] = &[
        (b"", Truncated, 0, ""),
        (b"\xEF\xBB\xBF{}", Bom, 0, ""),
        (b"\"a\xFF\"", Utf8, 2, ""),
        (b"\"\xED\xA0\x80\"", Utf8, 1, ""),
        (b"\xFE\xFF\x00{", Utf8, 0, ""),
        (b"{}{}", Trailing, 2, ""),
        (b"1 2", Trailing, 2, ""),
        (b"01", Trailing, 1, ""),
        (b"NaN", Syntax("a value"), 0, ""),
        (b"nul", Syntax("a value"), 0, ""),
        (b"[Infinity]", Syntax("a value"), 1, "/0"),
        (b"// c\n1", Syntax("a value"), 0, ""),
        (b"/* c */1", Syntax("a value"), 0, ""),
        (b"'a'", Syntax("a value"), 0, ""),
        (b"{a:1}", Syntax("a key in double quotes"), 1, ""),
        (b"{\"a\" 1}", Syntax("`:`"), 5, "/a"),
        (b"{\"a\":1,}", Syntax("a key in double quotes"), 7, "/a"),
        (b"[1,]", Syntax("a value"), 3, "/1"),
        (b"[1}", Syntax("`,` or `]`"), 2, "/0"),
        (b"{\"a\":1]", Syntax("`,` or `}`"), 6, "/a"),
        (b"[,1]", Syntax("a value"), 1, "/0"),
        (b"[", Truncated, 1, "/0"),
        (b"{\"a\":", Truncated, 5, "/a"),
        (b"\"a", Truncated, 2, ""),
        (b"\"\\", Truncated, 1, ""),
        (b"\"\\u00", Truncated, 5, ""),
        (b"-", Truncated, 1, ""),
        (b"-a", Number, 1, ""),
        (b"+1", Syntax("a value"), 0, ""),
        (b".5", Syntax("a value"), 0, ""),
        (b"1.", Truncated, 2, ""),
        (b"[1.]", Number, 3, "/0"),
        (b"[1e]", Number, 3, "/0"),
        (b"1e999", NumberRange, 0, ""),
        (b"\"\\x41\"", Escape, 1, ""),
        (b"\"\\u00g0\"", Escape, 5, ""),
        (b"\"\\ud800\"", LoneSurrogate, 1, ""),
        (b"\"\\udc00\"", LoneSurrogate, 1, ""),
        (b"\"\\ud800\\u0041\"", LoneSurrogate, 1, ""),
        (b"\"\\ud800x\"", LoneSurrogate, 1, ""),
        (b"\"a\nb\"", ControlCharacter, 2, ""),
        (b"\"a\x00b\"", ControlCharacter, 2, ""),
        (b"{\"a\":1,\"a\":2}", DuplicateKey, 7, ""),
        (b"{\"x\":[{\"a\":1,\"\\u0061\":2}]}", DuplicateKey, 13, "/x/0"),
        (b"{\"a~/b\":{\"c\":[1,2,oops]}}", Syntax("a value"), 18, "/a~0~1b/c/2"),
    ];
    for (text, kind, offset, pointer) in cases {
        let error = parse(text).unwrap_err();
        let shown = String::from_utf8_lossy(text);
        assert_eq!((error.kind, error.offset, &*error.pointer), (*kind, *offset, *pointer), "{shown}");
        assert_eq!(error.cause(), Cause::Unparsable, "{shown}");
    }
}

#[test]
fn an_error_names_line_and_column_in_characters() {
    let error = parse("{\n  \"é\": [1,\n  \"äö\", x]}").unwrap_err();
    assert_eq!((error.line, error.column), (3, 9));
    assert_eq!(error.to_string(), "invalid JSON at line 3, column 9 (byte 24): expected a value; in /é/2");
}

#[test]
fn duplicates_are_found_in_large_objects_too() {
    for count in [2, 8, 9, 1000] {
        let mut text = String::from("{");
        for number in 0..count {
            write!(text, "\"key{number}\":[{{\"key0\":1}}],").unwrap();
        }
        assert!(parse(format!("{text}\"other\":1}}")).is_ok(), "{count}");
        let error = parse(format!("{text}\"k\\u0065y1\":1}}")).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::DuplicateKey, "{count}");
    }
}

#[test]
fn limits_hold_at_n_and_not_beyond() {
    let limits = Limits { json_depth: 5, json_values: 10, json_number_bytes: 6, ..Limits::default() };
    let parse = |text: &str| {
        Document::parse(Bytes::from(text.to_owned()), &limits).map_err(|error| (error.kind, error.cause()))
    };
    let oversize = |kind| Some((kind, Cause::Oversize));
    assert!(parse("[[[[[1]]]]]").is_ok());
    assert_eq!(parse("[[[[[[1]]]]]]").err(), oversize(JsonErrorKind::Depth(5)));
    assert!(parse("[1,2,3,4,5,6,7,8,9]").is_ok());
    assert_eq!(parse("[1,2,3,4,5,6,7,8,9,0]").err(), oversize(JsonErrorKind::Values(10)));
    assert!(parse("123456").is_ok());
    assert_eq!(parse("1234567").err(), oversize(JsonErrorKind::NumberLength(6)));
}

#[test]
fn depth_has_a_ceiling_that_no_configuration_lifts() {
    let limits = Limits { json_depth: 1_000_000, ..Limits::default() };
    let nested = |depth: usize| Bytes::from("[".repeat(depth) + &"]".repeat(depth));
    assert!(Document::parse(nested(256), &limits).is_ok());
    assert_eq!(Document::parse(nested(257), &limits).unwrap_err().kind, JsonErrorKind::Depth(256));
    assert!(Document::parse(nested(1_000_000), &limits).is_err());
}

#[test]
fn long_keys_are_shortened_in_places() {
    let text = format!("{{\"{}\":[oops]}}", "é".repeat(1000));
    assert!(parse(text).unwrap_err().pointer.len() < 64);
}

#[test]
fn values_are_found_by_name_and_place() {
    let document = parse(r#"{"a\u0062":[10,{"c":"d"}],"n":-1,"f":1.5,"big":18446744073709551616}"#).unwrap();
    let root = document.root();
    let list: Vec<_> = root.get("ab").unwrap().elements().collect();
    assert_eq!(list[0].as_u64(), Some(10));
    assert_eq!(list[1].get("c").unwrap().as_str(), Some(Cow::Borrowed("d")));
    assert_eq!(list[1].get("c").unwrap().raw(), "\"d\"");
    for key in ["n", "f", "big"] {
        assert_eq!(root.get(key).unwrap().as_u64(), None, "{key}");
    }
    assert!(root.get("missing").is_none() && list[0].get("x").is_none());
}

#[test]
fn a_replacement_swallows_those_inside_it() {
    let document = parse(r#"{"a":{"b":"c"},"d":"e"}"#).unwrap();
    let a = document.root().get("a").unwrap();
    let replace = |value: Value<'_>, with: &str| Replacement { span: value.span(), with: with.to_owned() };
    let made =
        vec![replace(document.root().get("d").unwrap(), "1"), replace(a.get("b").unwrap(), "2"), replace(a, "null")];
    assert_eq!(splice(document.bytes(), made), r#"{"a":null,"d":1}"#);
}

/// JSON texts of every shape, with escapes written in different ways.
fn texts() -> BoxedStrategy<String> {
    let string = any::<String>().prop_map(|text| quoted(&text));
    let escaped = any::<String>().prop_map(|text| {
        let mut out = String::from("\"");
        for unit in text.encode_utf16() {
            write!(out, "\\u{unit:04X}").unwrap();
        }
        out + "\""
    });
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter_map("finite", |n| { n.is_finite().then(|| format!("{n:e}")) })
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number,
        string,
        escaped
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let space = "[ \t\r\n]{0,2}";
        prop_oneof![
            proptest::collection::vec((space, inner.clone()), 0..8).prop_map(|items| {
                let items: Vec<String> =
                    items.into_iter().map(|(space, item)| format!("{space}{item}{space}")).collect();
                format!("[{}]", items.join(","))
            }),
            proptest::collection::btree_map(any::<String>(), inner, 0..12).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(key, value)| format!("{} :{value}", quoted(&key))).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
        ]
    })
    .boxed()
}

/// True where the reader is stricter on purpose: duplicate keys, and its limits.
fn is_stricter(error: &JsonError) -> bool {
    error.kind == JsonErrorKind::DuplicateKey || error.cause() == Cause::Oversize
}

fn agree(text: &[u8]) {
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    match (parse(text), theirs) {
        (Ok(document), Ok(value)) => assert_eq!(tree(document.root()), value),
        (Ok(_), Err(error)) => {
            panic!("taken by us, refused by serde_json ({error}): {}", String::from_utf8_lossy(text))
        }
        (Err(error), Ok(_)) => assert!(is_stricter(&error), "{error}: {}", String::from_utf8_lossy(text)),
        (Err(_), Err(_)) => {}
    }
}

proptest! {
    #[test]
    fn well_formed_texts_are_taken_with_the_same_value(text in texts()) {
        let document = parse(&text).unwrap();
        prop_assert_eq!(tree(document.root()), serde_json::from_str::<serde_json::Value>(&text).unwrap());
    }

    #[test]
    fn mutated_texts_are_judged_as_by_serde_json(text in texts(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        if cut {
            bytes.remove(at);
        } else {
            bytes[at] = byte;
        }
        agree(&bytes);
    }

    #[test]
    fn jsonish_texts_are_judged_as_by_serde_json(text in r#"([\[\]{}:,"\\ 019eE.+\-]|\\u[dD][89cCaA]0[0-9a]|null|true|false|"a":|"b"){0,12}"#) {
        agree(text.as_bytes());
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        agree(&bytes);
    }

    #[test]
    fn quoting_is_undone_by_reading(text in any::<String>()) {
        let written = quoted(&text);
        prop_assert!(written.bytes().all(|byte| byte >= 0x20));
        let document = parse(&written).unwrap();
        prop_assert_eq!(document.root().as_str().unwrap(), text);
    }
}
