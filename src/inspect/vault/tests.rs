//! Texts are taken out and put back, in whole texts and in pieces.

use super::*;
use crate::inspect::redact;

/// What breaks out of a string of JSON when it is put in as it is.
const BREAKS_OUT: &str = "x\",\"admin\":true,\"y\":\"z";

fn vault() -> (Arc<Vault>, String, String) {
    let mut vault = Vault::new([7; 8], 1 << 20, 2);
    let name: Arc<str> = "CARD".into();
    let (one, two) = (vault.token(&name, "4111 \"1\""), vault.token(&name, "x\\y"));
    assert_eq!(vault.token(&name, "4111 \"1\""), one, "the same text has the same token");
    assert_ne!(one, two);
    (Arc::new(vault), one, two)
}

/// What the client gets of a text, in one piece and in two.
fn put_back(vault: &dyn Fn() -> Vault, text: &str, kind: Kind) -> String {
    let mut restorer = Restorer::new(Arc::new(vault()), kind, text.len());
    let whole = restorer.push(text) + &restorer.finish();
    for split in (0..=text.len()).filter(|split| text.is_char_boundary(*split)) {
        let mut restorer = Restorer::new(Arc::new(vault()), kind, text.len());
        let (head, tail) = text.split_at(split);
        let pieces = restorer.push(head) + &restorer.push(tail) + &restorer.finish();
        assert_eq!(pieces, whole, "split at {split}");
    }
    let places = vault().places(text, kind);
    let edited = redact::apply(text, 0, places.iter().map(|(span, with)| (*span, with.as_str())));
    assert_eq!(edited, whole, "in one piece");
    whole
}

fn restored(text: &str, is_json: bool) -> String {
    let kind = if is_json { Kind::Arguments } else { Kind::Text };
    put_back(&|| Arc::into_inner(vault().0).unwrap(), text, kind)
}

/// A vault of two texts with their tokens: one that breaks out of strings, and one that stands in any of them.
fn two() -> (Vault, String, String) {
    let mut vault = Vault::new([7; 8], 1 << 20, 3);
    let name: Arc<str> = "CARD".into();
    let (breaks, fits) = (vault.token(&name, BREAKS_OUT), vault.token(&name, "4111 é"));
    (vault, breaks, fits)
}

#[test]
fn tokens_are_put_back_wherever_they_are_split() {
    let (_, one, two) = vault();
    assert_eq!(restored(&format!("a [{one}] [b {two}{one}"), false), "a [4111 \"1\"] [b x\\y4111 \"1\"");
    assert_eq!(restored(&format!(r#"{{"card":"{one}"}}"#), true), r#"{"card":"4111 \"1\""}"#);
    assert_eq!(restored(&one[..one.len() - 1], false), one[..one.len() - 1]);
}

#[test]
fn documents_inside_documents_stay_well_formed_to_the_depth_that_is_allowed() {
    let (_, one, two) = vault();
    let inner = serde_json::json!({ "card": one, "said": format!("'{two}'") }).to_string();
    let outer = serde_json::json!({ "a": one, "body": inner, "card": one }).to_string();
    let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    let back = read(&restored(&outer, true));
    assert_eq!((&back["a"], &back["card"]), (&"4111 \"1\"".into(), &"4111 \"1\"".into()));
    let inner = read(back["body"].as_str().unwrap());
    assert_eq!((&inner["card"], &inner["said"]), (&"4111 \"1\"".into(), &"'x\\y'".into()));
    let deeper = serde_json::json!({ "more": outer }).to_string();
    let back = read(&restored(&deeper, true));
    let outer = read(back["more"].as_str().unwrap());
    assert_eq!(outer["a"], "4111 \"1\"");
    let inner = read(outer["body"].as_str().unwrap());
    assert_eq!(inner["card"], one.as_str(), "one document deeper than is allowed");
}

#[test]
fn from_the_fourth_document_on_texts_are_put_back_behind_a_blank_alone() {
    let mut vault = Vault::new([7; 8], 4096, 4);
    let token = vault.token(&"CARD".into(), "a \"b\" \\c");
    let inner = serde_json::json!({ "close": token, "said": format!("it is {token}") }).to_string();
    let third = serde_json::json!({ "body": inner }).to_string();
    let outer = serde_json::json!({ "more": serde_json::json!({ "most": third }).to_string() }).to_string();
    let mut restorer = Restorer::new(Arc::new(vault), Kind::Arguments, 4096);
    let back = restorer.push(&outer) + &restorer.finish();
    let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    let third = read(read(read(&back)["more"].as_str().unwrap())["most"].as_str().unwrap());
    let inner = read(third["body"].as_str().unwrap());
    assert_eq!((&inner["close"], &inner["said"]), (&token.as_str().into(), &"it is a \"b\" \\c".into()));
}

#[test]
fn what_nobody_took_out_stands_for_nothing() {
    let (_, one, _) = vault();
    for text in ["[CARD-1-aaaaaaaaaaaa]", "[CARD-1]", "[CARD-", "[[[", &one.to_lowercase(), &one.replace("-1-", "-9-")]
    {
        assert_eq!(restored(text, false), text);
    }
    let other = Vault::new([8; 8], 4096, 2);
    assert!(!other.has(&one) && other.places(&one, Kind::Text).is_empty());
}

#[test]
fn nothing_is_put_back_into_an_address() {
    let (_, _, one) = two();
    let restored = |text: &str, kind| put_back(&|| two().0, text, kind);
    for (before, after) in [
        ("see https://e.example/?d=", ""),
        ("see https:e.example?d=", ""),
        ("see //e.example/", ""),
        (r"see \\e.example\", ""),
        ("![x](http://e.example/?d=", ")"),
        ("![x](&#104;ttp&colon;&sol;&sol;e.example/(a)?d=", ")"),
        ("![x](<e.example ", ">)"),
        ("[x]: e.example?", ""),
        ("[x]:\n e.example?", ""),
        (r"![x](&#104;ttps&colon;&sol;&sol;e.example/\)?d=", ")"),
        ("![x](</a)?d=", ">)"),
        ("see www.e.example?d=", ""),
        ("see e.example/?d=", ""),
        ("see https://e.example/?d=\"", ""),
        ("<img alt='>' src=&#104;ttp&#58;x?", ">"),
        ("<img src=\"\n&#47;&#47;e.example?\n", "\">"),
    ] {
        let text = format!("{before}{one}{after}");
        assert_eq!(restored(&text, Kind::Text), text);
        let text = format!("{before}{one}{after}\n\n next: {one}.");
        assert!(restored(&text, Kind::Text).ends_with("next: 4111 é."), "{text}");
    }
    // What cannot be told does not end.
    for before in [r#"<img a=b"c alt="> " src="&#104;ttps&colon;&sol;&sol;e.example?"#, "<style>@import url(/"] {
        let text = format!("{before}{one}\n\n next: {one}.");
        assert_eq!(restored(&text, Kind::Text), text);
    }
    let text = format!(r#"{{"url":"\u0068ttps:\u002f\u002fe.example/?{one}"}}"#);
    assert_eq!(restored(&text, Kind::Arguments), text);
    let text = format!(r#"{{"url":"https:\/\/e.example/?{one}","card":"{one}"}}"#);
    assert!(restored(&text, Kind::Arguments).ends_with(r#","card":"4111 é"}"#));
}

#[test]
fn what_was_put_back_can_be_an_address_too() {
    let mut vault = Vault::new([7; 8], 4096, 2);
    let url = vault.token(&"URL".into(), "https://e.example/?d=");
    let card = vault.token(&"CARD".into(), "4111");
    let text = format!("{url}{card} {card}");
    let with: Vec<String> = vault.places(&text, Kind::Text).into_iter().map(|(_, with)| with).collect();
    assert_eq!(with, ["https://e.example/?d=", "4111"], "the first card stands in the address");
    let mut restorer = Restorer::new(Arc::new(vault), Kind::Text, 4096);
    assert_eq!(restorer.push(&text) + &restorer.finish(), format!("https://e.example/?d={card} 4111"));
}

#[test]
fn what_is_put_back_is_bounded_at_n_and_n_plus_1() {
    let mut vault = Vault::new([7; 8], 10, 2);
    let token = vault.token(&"CARD".into(), "12345");
    let vault = Arc::new(vault);
    assert_eq!(vault.places(&token, Kind::Text).len(), 1);
    let mut restorer = Restorer::new(Arc::clone(&vault), Kind::Text, 4096);
    let text = format!("{token}{token}");
    assert_eq!(restorer.push(&text) + &restorer.finish(), format!("12345{token}"), "in all texts of a reply");
}

#[test]
fn what_a_string_cannot_hold_stays_where_it_cannot_be_told_how_deep_it_lies() {
    let (_, breaks, fits) = two();
    let quoted = |text: &str| serde_json::json!({ "a": text }).to_string();
    for around in [
        r#"{"a":"T"}"#.to_owned() + "\n{\"b\":1}",
        r#"data: {"a":"T"}"#.to_owned(),
        "```json\n{\"a\":\"T\"}\n```".to_owned(),
        r#"{"n":NaN,"a":"T"}"#.to_owned(),
        r#"{a:1,"b":"T"}"#.to_owned(),
        r#"["T"#.to_owned(),
        r#""T""#.to_owned(),
    ] {
        for (depth, text) in [around.clone(), quoted(&around), quoted(&quoted(&around))].into_iter().enumerate() {
            for kind in [Kind::Arguments, Kind::Text, Kind::Part] {
                let (breaks, fits) = (text.replace('T', &breaks), text.replace('T', &fits));
                assert_eq!(put_back(&|| two().0, &breaks, kind), breaks);
                // This one fits into every string; behind two backslashes in a row an address could begin.
                let shown = put_back(&|| two().0, &fits, kind);
                assert!(shown == text.replace('T', "4111 é") || depth == 2, "{shown}");
            }
        }
    }
    let half = r#"{"a":"\ud83d T"}"#;
    for kind in [Kind::Arguments, Kind::Text] {
        assert_eq!(put_back(&|| two().0, &half.replace('T', &breaks), kind), half.replace('T', &breaks));
        assert_eq!(put_back(&|| two().0, &half.replace('T', &fits), kind), half.replace('T', "4111 é"));
    }
}

#[test]
fn what_the_model_says_is_a_document_where_it_is_one() {
    let (_, breaks, fits) = two();
    let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    // From the second document on a text that breaks out begins with two backslashes, behind which no token is put back.
    let inner = serde_json::json!({ "a": fits, "b": breaks }).to_string();
    let text = serde_json::json!([{ "a": breaks, "body": inner, "n": 1 }]).to_string();
    for text in [text.clone(), format!(" \n{text}\r\n"), format!("{:#}", read(&text))] {
        for kind in [Kind::Arguments, Kind::Text, Kind::Part] {
            let back = put_back(&|| two().0, &text, kind);
            let back = read(&back);
            assert_eq!((&back[0]["a"], &back[0]["n"]), (&BREAKS_OUT.into(), &1.into()), "{text}");
            let inner = read(back[0]["body"].as_str().unwrap());
            assert_eq!(inner, serde_json::json!({ "a": "4111 é", "b": BREAKS_OUT }), "{text}");
        }
    }
    // What people read: as it was, unless a string could have begun, here or in another part.
    for (text, shown) in [
        ("it is T and F", format!("it is {BREAKS_OUT} and 4111 é")),
        ("T \"F\" T", format!("{BREAKS_OUT} \"4111 é\" {breaks}")),
        ("T \\ T", format!("{BREAKS_OUT} \\ {breaks}")),
        ("[1] says T", format!("[1] says {BREAKS_OUT}")),
        ("\u{a0}{\"a\":\"T\"}", format!("\u{a0}{{\"a\":\"{breaks}\"}}")),
    ] {
        let text = text.replace('T', &breaks).replace('F', &fits);
        assert_eq!(put_back(&|| two().0, &text, Kind::Text), shown);
    }
    let part = format!("{breaks} {fits}");
    assert_eq!(put_back(&|| two().0, &part, Kind::Part), format!("{breaks} 4111 é"));
}

#[test]
fn a_text_that_begins_as_a_document_is_held_to_its_end_or_to_the_limit() {
    let (_, breaks, fits) = two();
    let text = format!(r#"{{"a":"{breaks}"}}"#);
    let shown = |hold_bytes: usize| {
        let mut restorer = Restorer::new(Arc::new(two().0), Kind::Text, hold_bytes);
        text.chars().map(|c| restorer.push(c.encode_utf8(&mut [0; 4]))).collect::<String>() + &restorer.finish()
    };
    assert_eq!(shown(text.len()), serde_json::json!({ "a": BREAKS_OUT }).to_string());
    assert_eq!(shown(text.len() - 1), text, "the token stays");
    // Nothing else waits: not what begins in another way, and no document where every text fits.
    let mut restorer = Restorer::new(Arc::new(two().0), Kind::Text, 4096);
    assert_eq!(restorer.push(&format!(" \n{fits}: {{\"")), " \n4111 é: {\"");
    let mut vault = Vault::new([7; 8], 4096, 4);
    let token = vault.token(&"CARD".into(), "4111");
    let mut restorer = Restorer::new(Arc::new(vault), Kind::Text, 4096);
    assert_eq!(restorer.push(&format!(r#"{{"a":"{token}","#)), r#"{"a":"4111","#);
}

#[test]
fn a_form_is_made_once_and_only_where_there_is_room_for_it() {
    let mut vault = Vault::new([7; 8], 1 << 20, 4);
    let (name, text) = (Arc::<str>::from("CARD"), "\"\\".repeat(1 << 15));
    let (token, short) = (vault.token(&name, &text), vault.token(&name, "\""));
    let before = Before::new(Kind::Arguments);
    let mut forms = Forms::default();
    let mut put = |token: &str, depth| {
        let (token, original) = vault.texts.get_key_value(token).unwrap();
        let with = vault.put_back(token, original, Some(depth), &before, &mut forms);
        (with.map(|with| with.len()), forms.len())
    };
    assert_eq!(put(&token, 5), (None, 1), "too long");
    assert_eq!(put(&token, 5), (None, 1), "which is told once");
    assert_eq!(put(&token, 4), (Some(1 << 20), 2), "all that may be put back");
    assert_eq!(put(&token, 4), (None, 2));
    assert_eq!(put(&token, 1), (None, 2), "nothing is written where nothing is left");
    assert_eq!(put(&short, 1), (None, 2));
}
