//! What a match of a rule comes to in one exchange: where rules apply, shadow and paranoia, overrides and exceptions, what
//! allows, and tokens; in whole messages and in streams alike.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::date;
use portcullis::base::{ExchangeId, Limits};
use portcullis::inspect::{Answer, BlockEnd, Frame, Judged, Outcome, ReplyStream, Snapshot, Step, Vault};
use portcullis::protocol::openai::{ChatChunk, ChatReply, ChatRequest, ChatStream, Template};
use portcullis::rules::{Facts, Paranoia, from_sources};
use portcullis::text::Direction;
use portcullis::verdict::{Action, Levels, Standing, Verdict};
use serde_json::{Value, json};
use support::snapshot;

/// A rule of the family `agent` that finds `pattern`.
fn rule(number: u32, pattern: &str, rest: &str) -> String {
    let quoted = Value::from(pattern);
    let rest = rest.replace('\n', "\n    ");
    format!(
        "  - id: AGT-{number:03}\n    title: Finds it\n    severity: critical\n    tags: [owasp:LLM01:2025, cwe:CWE-77]\n    \
         patterns: [{{ literal: {quoted} }}]\n    examples: {{ match: [{quoted}, {quoted}], pass: [b, c] }}\n    {rest}\n"
    )
}

const EVERYWHERE: &str = "applies: { direction: both }\naction: block";

fn snapshot_of(rules: &[String], overlay: &str, paranoia: Paranoia, block_end: BlockEnd) -> Arc<Snapshot> {
    let mut sources = vec![(PathBuf::from("agent/test.yaml"), format!("family: agent\nrules:\n{}", rules.concat()))];
    if !overlay.is_empty() {
        sources.push((PathBuf::from("site/overlay.yaml"), overlay.to_owned()));
    }
    let set = from_sources(sources).unwrap_or_else(|found| panic!("{found}")).set.in_force(paranoia);
    Arc::new(Snapshot { block_end, ..snapshot::of(set, Levels { flag: 2, block: None }) })
}

fn snapshot(rules: &[String], overlay: &str) -> Arc<Snapshot> {
    snapshot_of(rules, overlay, Paranoia { blocking: 1, executing: 1 }, BlockEnd::Release)
}

fn facts() -> Facts {
    Facts { today: Some(date(2026, 11, 22)), salt: [3; 8], ..Facts::default() }
}

fn of_tenant(name: &str) -> Facts {
    Facts { tenant: Some(name.to_owned()), ..facts() }
}

fn judge(snapshot: &Arc<Snapshot>, body: &Value, facts: &Facts) -> Judged<ChatRequest> {
    let request = ChatRequest::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
    snapshot.scan(request, Direction::Request, facts).judge(Answer::NotAsked)
}

fn user(text: &str) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": text }] })
}

fn action(snapshot: &Arc<Snapshot>, body: &Value, facts: &Facts) -> Action {
    judge(snapshot, body, facts).verdict.action
}

fn standings(verdict: &Verdict) -> Vec<(&str, &Standing)> {
    verdict.findings.iter().map(|finding| (finding.source.name(), &finding.standing)).collect()
}

fn reply_body(text: &str) -> Bytes {
    let body = json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }] });
    Bytes::from(body.to_string())
}

/// What the client has of a reply in one piece; `None`: it is blocked.
fn whole(snapshot: &Arc<Snapshot>, text: &str, facts: &Facts, vault: &Arc<Vault>) -> (Option<String>, Verdict) {
    let reply = ChatReply::parse(reply_body(text), &Limits::default()).unwrap();
    let judged = snapshot.scan(reply, Direction::Reply, facts).restoring(vault).judge(Answer::NotAsked);
    let text = match judged.outcome {
        Outcome::Blocked(_) => None,
        Outcome::Refused(_, fault) => panic!("{fault}"),
        Outcome::Cleared(cleared) => {
            let body: Value = serde_json::from_slice(&cleared.encode().into_bytes()).unwrap();
            Some(body["choices"][0]["message"]["content"].as_str().unwrap().to_owned())
        }
    };
    (text, judged.verdict)
}

/// What the client has of a streamed reply whose deltas these are, by the key that `take` reads.
fn streamed(
    snapshot: &Arc<Snapshot>,
    deltas: &[Value],
    facts: &Facts,
    vault: &Arc<Vault>,
    take: fn(&Value) -> &Value,
) -> (Option<String>, Verdict) {
    let mut reader = ChatStream::new(Template::new(ExchangeId::new(), "m"), &Limits::default());
    let mut inspected: ReplyStream<ChatChunk> =
        ReplyStream::new(Arc::clone(snapshot), Arc::new(facts.clone())).restoring(vault);
    let event = |delta: &Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!(
            "data: {}\n\n",
            json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
        )
    };
    let mut events: Vec<String> = deltas.iter().map(|delta| event(delta, Value::Null)).collect();
    events.push(event(&json!({}), json!("stop")));
    events.push("data: [DONE]\n\n".to_owned());
    let (mut text, mut is_cut) = (String::new(), false);
    for event in events {
        let mut frames = Vec::new();
        reader.push(event.as_bytes(), &mut frames).unwrap();
        for frame in frames {
            let (Step::Continue(out) | Step::Cut(out)) = (match inspected.frame(frame).unwrap() {
                Step::Ask(_) => panic!("no model is asked here"),
                step => {
                    is_cut |= matches!(step, Step::Cut(_));
                    step
                }
            }) else {
                unreachable!()
            };
            for frame in out {
                let bytes = frame.encode().into_bytes();
                let data = std::str::from_utf8(&bytes).unwrap().strip_prefix("data: ").unwrap().trim().to_owned();
                if let Ok(data) = serde_json::from_str::<Value>(&data) {
                    text.push_str(take(&data["choices"][0]["delta"]).as_str().unwrap_or_default());
                }
            }
            if is_cut {
                return (None, inspected.verdict());
            }
        }
    }
    (Some(text), inspected.verdict())
}

fn content(delta: &Value) -> &Value {
    &delta["content"]
}

fn said(pieces: &[&str]) -> Vec<Value> {
    pieces.iter().map(|piece| json!({ "content": piece })).collect()
}

/// A reply's text whole, and streamed in two pieces split at every character: all must say the same.
fn reply(snapshot: &Arc<Snapshot>, text: &str, facts: &Facts, vault: &Arc<Vault>) -> (Option<String>, Verdict) {
    let (whole, verdict) = whole(snapshot, text, facts, vault);
    let characters: Vec<String> = text.chars().map(String::from).collect();
    let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
    let splits = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).map(|at| {
        let (head, tail) = text.split_at(at);
        vec![head, tail]
    });
    for pieces in splits.chain([characters]) {
        let (left, judged) = streamed(snapshot, &said(&pieces), facts, vault, content);
        assert_eq!(left, whole, "in pieces {pieces:?}");
        assert_eq!(judged.action, verdict.action, "in pieces {pieces:?}");
        // A stream that is cut was not read to its end.
        if whole.is_some() {
            assert_eq!(standings(&judged), standings(&verdict), "in pieces {pieces:?}");
        }
    }
    (whole, verdict)
}

#[test]
fn rules_apply_by_tenant_model_key_route_and_header() {
    for (applies, fits, misses) in [
        ("tenants: [acme]", of_tenant("acme"), of_tenant("other")),
        (
            "models: ['gpt-*']",
            Facts { model: Some("gpt-4o".into()), ..facts() },
            Facts { model: Some("o3".into()), ..facts() },
        ),
        ("keys: [team-a]", Facts { key: Some("team-a".into()), ..facts() }, facts()),
        ("routes: [chat_completions]", Facts { route: Some("chat_completions".into()), ..facts() }, facts()),
        (
            "headers: { User-Agent: 'Curl/*' }",
            Facts { headers: vec![("user-agent".into(), "curl/8.1".into())], ..facts() },
            Facts { headers: vec![("user-agent".into(), "lynx".into())], ..facts() },
        ),
    ] {
        let rules = [rule(1, "needle", &format!("applies: {{ direction: both, {applies} }}\naction: block"))];
        let snapshot = snapshot(&rules, "");
        assert_eq!(action(&snapshot, &user("a needle"), &fits), Action::Block, "{applies}");
        assert_eq!(action(&snapshot, &user("a needle"), &misses), Action::Allow, "{applies}");
        assert_eq!(action(&snapshot, &user("a needle"), &Facts::default()), Action::Allow, "{applies}: nothing known");
        let vault = Arc::default();
        assert_eq!(reply(&snapshot, "a needle here", &fits, &vault).0, None, "{applies}");
        let passed = reply(&snapshot, "a needle here", &misses, &vault);
        assert_eq!(passed.0.as_deref(), Some("a needle here"), "{applies}");
        assert!(passed.1.findings.is_empty(), "{applies}: it is no finding at all");
    }
}

#[test]
fn rules_ask_for_the_header_fields_that_they_name_and_no_other() {
    let rules = [rule(1, "needle", "applies: { direction: request, headers: { X-App: a* } }\naction: block")];
    let overlay = "exceptions:\n- { id: E1, rules: [AGT-001], applies: { headers: { X-Team: b } }, reason: r, expires: 2026-12-31 }\n";
    let snapshot = snapshot(&rules, overlay);
    let asked: Vec<&str> = snapshot.scanner.rules().headers().iter().map(String::as_str).collect();
    assert_eq!(asked, ["x-app", "x-team"]);
}

#[test]
fn rules_apply_by_trust_and_field() {
    let rules = [
        rule(1, "needle", "applies: { direction: request, trust: [untrusted] }\naction: block"),
        rule(2, "thimble", "applies: { direction: request, fields: ['/messages/*/content/**'] }\naction: block"),
    ];
    let snapshot = snapshot(&rules, "");
    assert_eq!(action(&snapshot, &user("a needle"), &facts()), Action::Allow);
    let unknown = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "note": "a needle" });
    assert_eq!(action(&snapshot, &unknown, &facts()), Action::Block);
    assert_eq!(action(&snapshot, &user("a thimble"), &facts()), Action::Block);
    let elsewhere = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "note": "a thimble" });
    assert_eq!(action(&snapshot, &elsewhere, &facts()), Action::Allow);
    let parts = json!({ "model": "m", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "a thi" }, { "type": "text", "text": "mble" }] }] });
    assert_eq!(action(&snapshot, &parts, &facts()), Action::Block, "spread over parts");
}

#[test]
fn fields_are_named_as_in_a_reply_that_is_not_streamed() {
    for (field, expected) in
        [("/choices/*/message/content", None), ("/choices/*/message/reasoning", Some("a needle here"))]
    {
        let applies = format!("applies: {{ direction: reply, fields: ['{field}'] }}\naction: block");
        let snapshot = snapshot(&[rule(1, "needle", &applies)], "");
        assert_eq!(reply(&snapshot, "a needle here", &facts(), &Arc::default()).0.as_deref(), expected, "{field}");
    }
}

fn conversation(call: Value, answer: Value) -> Value {
    json!({ "model": "m", "messages": [
        { "role": "assistant", "content": null, "tool_calls": call },
        answer,
    ] })
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

#[test]
fn rules_apply_by_the_name_of_the_tool() {
    let snapshot = snapshot(&[rule(1, "needle", "applies: { direction: both, tools: ['shell*'] }\naction: block")], "");
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "a needle" });
    let judged = |body: &Value| action(&snapshot, body, &facts());
    assert_eq!(judged(&conversation(json!([call("1", "shell_run", "{}")]), result("1"))), Action::Block);
    assert_eq!(judged(&conversation(json!([call("1", "search", "{}")]), result("1"))), Action::Allow);
    assert_eq!(judged(&conversation(json!([call("1", "shell", "a needle")]), result("2"))), Action::Block);
    assert_eq!(
        judged(&conversation(json!([call("1", "search", "a needle")]), json!({ "role": "user", "content": "x" }))),
        Action::Allow
    );
    // Hiding the call, or giving two tools one id, does not lead around the rule.
    assert_eq!(judged(&conversation(json!([call("1", "search", "{}")]), result("2"))), Action::Block);
    let twice = json!([call("1", "search", "{}"), call("1", "shell", "{}")]);
    assert_eq!(judged(&conversation(twice, result("1"))), Action::Block);
    assert_eq!(judged(&user("a needle")), Action::Allow);
    let defined = |name: &str| json!({ "model": "m", "messages": [], "tools": [{ "type": "function", "function": { "name": name, "description": "a needle" } }] });
    assert_eq!((judged(&defined("shell")), judged(&defined("search"))), (Action::Block, Action::Allow));

    let deltas = |name: &str| {
        let delta = |value: Value| json!({ "tool_calls": [value] });
        vec![
            delta(json!({ "index": 0, "id": "c1", "type": "function", "function": { "name": name, "arguments": "" } })),
            delta(json!({ "index": 0, "function": { "arguments": "{\"x\": \"a nee" } })),
            delta(json!({ "index": 0, "function": { "arguments": "dle\"}" } })),
        ]
    };
    let streamed = |name: &str| {
        streamed(
            &snapshot,
            &deltas(name),
            &facts(),
            &Arc::default(),
            |delta| &delta["tool_calls"][0]["function"]["arguments"],
        )
    };
    assert_eq!(streamed("shell_run").0, None);
    assert_eq!(streamed("search").0.as_deref(), Some("{\"x\": \"a needle\"}"));
}

#[test]
fn a_shadow_rule_counts_and_never_acts() {
    let shadow = "applies: { direction: both }\naction: block\nmode: shadow";
    let snapshot = snapshot(&[rule(1, "needle", shadow), rule(2, "thimble", EVERYWHERE)], "");
    let judged = judge(&snapshot, &user("a needle"), &facts());
    assert_eq!((judged.verdict.action, judged.verdict.score), (Action::Allow, 0));
    assert_eq!(standings(&judged.verdict), [("AGT-001", &Standing::Shadow)]);
    assert_eq!((judged.verdict.findings[0].points, judged.verdict.findings[0].would), (0, Some(Action::Block)));
    let (left, verdict) = reply(&snapshot, "a needle here", &facts(), &Arc::default());
    assert_eq!(left.as_deref(), Some("a needle here"));
    assert_eq!(standings(&verdict), [("AGT-001", &Standing::Shadow)]);
    assert_eq!(reply(&snapshot, "a needle, a thimble", &facts(), &Arc::default()).0, None);
}

#[test]
fn rules_above_the_blocking_level_are_recorded_and_those_above_the_executing_level_are_not_there() {
    let at = |number, level| rule(number, "needle", &format!("{EVERYWHERE}\nparanoia: {level}"));
    let rules = [at(1, 2), at(2, 3), at(3, 4)];
    let levels = |blocking, executing| {
        let snapshot = snapshot_of(&rules, "", Paranoia { blocking, executing }, BlockEnd::Release);
        let judged = judge(&snapshot, &user("a needle"), &facts());
        let standings =
            standings(&judged.verdict).into_iter().map(|(id, standing)| format!("{id} {}", standing.name()));
        (judged.verdict.action, standings.collect::<Vec<_>>().join(", "))
    };
    assert_eq!(levels(1, 1), (Action::Allow, String::new()));
    assert_eq!(levels(1, 3), (Action::Allow, "AGT-001 executing, AGT-002 executing".to_owned()));
    assert_eq!(levels(2, 3), (Action::Block, "AGT-001 acts, AGT-002 executing".to_owned()));
    assert_eq!(levels(4, 4), (Action::Block, "AGT-001 acts, AGT-002 acts, AGT-003 acts".to_owned()));
}

#[test]
fn overrides_change_rules_by_id_family_and_tag() {
    let rules = [rule(1, "needle", EVERYWHERE), rule(2, "thimble", EVERYWHERE)];
    for selector in ["AGT-001", "agent", "cwe:CWE-77"] {
        let judged = |change: &str| {
            let snapshot = snapshot(&rules, &format!("overrides:\n- {{ rules: ['{selector}'], {change} }}\n"));
            let judged = judge(&snapshot, &user("a needle"), &facts());
            (judged.verdict.action, judged.verdict.score, judged.verdict.findings.len())
        };
        assert_eq!(judged("mode: shadow"), (Action::Allow, 0, 1), "{selector}");
        assert_eq!(judged("mode: 'off'"), (Action::Allow, 0, 0), "{selector}");
        assert_eq!(judged("action: flag"), (Action::Flag, 5, 1), "{selector}");
        assert_eq!(judged("action: score, severity: info"), (Action::Allow, 0, 1), "{selector}");
        assert_eq!(judged("action: score, score: 3"), (Action::Flag, 3, 1), "{selector}");
        assert_eq!(judged("action: redact, mask: '[x]'"), (Action::Redact, 5, 1), "{selector}");
    }
    let snapshot = snapshot(&rules, "overrides:\n- { rules: [AGT-001], action: redact, mask: '[x]' }\n");
    assert_eq!(reply(&snapshot, "a needle here", &facts(), &Arc::default()).0.as_deref(), Some("a [x] here"));
    assert_eq!(reply(&snapshot, "a thimble here", &facts(), &Arc::default()).0, None);
}

#[test]
fn a_file_for_some_tenants_is_for_them_alone() {
    let rules = [rule(1, "needle", EVERYWHERE), rule(2, "thimble", EVERYWHERE)];
    let overlay = "tenants: [acme]\noverrides:\n- { rules: [AGT-001], mode: 'off' }\n\
                   exceptions:\n- { id: E1, rules: [AGT-002], reason: r, expires: 2026-12-31 }\n";
    let snapshot = snapshot(&rules, overlay);
    for text in ["a needle", "a thimble"] {
        assert_eq!(action(&snapshot, &user(text), &of_tenant("acme")), Action::Allow, "{text}");
        assert_eq!(action(&snapshot, &user(text), &of_tenant("other")), Action::Block, "{text}");
        assert_eq!(action(&snapshot, &user(text), &facts()), Action::Block, "{text}");
    }
    // Rules of their own.
    let own = format!("tenants: [acme]\nfamily: agent\nrules:\n{}", rule(3, "bodkin", EVERYWHERE));
    let set = from_sources(vec![(PathBuf::from("agent/own.yaml"), own)]).unwrap_or_else(|found| panic!("{found}")).set;
    assert_eq!(set.by_id("AGT-003").unwrap().1.scope.tenants, ["acme"]);
}

#[test]
fn what_is_for_some_exchanges_lies_over_what_is_for_all() {
    let overlay = "overrides:\n- { rules: [AGT-001], applies: { tenants: [acme] }, mode: enforce }\n\
                   - { rules: [agent], mode: 'off' }\n";
    let snapshot = snapshot(&[rule(1, "needle", EVERYWHERE), rule(2, "needle", EVERYWHERE)], overlay);
    let judged = judge(&snapshot, &user("a needle"), &of_tenant("acme"));
    assert_eq!(standings(&judged.verdict), [("AGT-001", &Standing::Acts)]);
    assert_eq!(action(&snapshot, &user("a needle"), &of_tenant("other")), Action::Allow);
    assert_eq!(snapshot.scanner.rules().len(), 1, "a rule that is off everywhere is not searched for");
}

#[test]
fn an_exception_covers_what_it_names_and_is_recorded() {
    let rules = [rule(1, "needle", EVERYWHERE), rule(2, "needles", EVERYWHERE)];
    for matched in [
        "text: needle",
        "regex: 'ne+dle'",
        "sha256: 09881f6ed93360a2f6ad81f435a8ca51ca4575d0f954f197ff8f7d16c6565562",
        "applies: { direction: request }",
    ] {
        let overlay =
            format!("exceptions:\n- {{ id: E1, rules: [AGT-001], {matched}, reason: r, expires: 2026-11-22 }}\n");
        let snapshot = snapshot(&rules, &overlay);
        let judged = judge(&snapshot, &user("a needle"), &facts());
        assert_eq!(judged.verdict.action, Action::Allow, "{matched}");
        assert_eq!(standings(&judged.verdict), [("AGT-001", &Standing::Excepted("E1".to_owned()))], "{matched}");
        assert_eq!(action(&snapshot, &user("two needles"), &facts()), Action::Block, "{matched}: another rule");
        let is_request_only = matched.starts_with("applies");
        let left = reply(&snapshot, "a needle here", &facts(), &Arc::default()).0;
        assert_eq!(left.is_none(), is_request_only, "{matched}");
    }
}

#[test]
fn an_exception_ends_with_its_last_day() {
    let overlay = "exceptions:\n- { id: E1, rules: [AGT-001], reason: r, expires: 2026-11-22 }\n";
    let snapshot = snapshot(&[rule(1, "needle", EVERYWHERE)], overlay);
    let on = |today| action(&snapshot, &user("a needle"), &Facts { today, ..facts() });
    assert_eq!(on(Some(date(2026, 11, 22))), Action::Allow);
    assert_eq!(on(Some(date(2026, 11, 23))), Action::Block);
    assert_eq!(on(None), Action::Block, "who does not know the day has no exceptions");
}

#[test]
fn an_exception_covers_nothing_but_the_text_that_was_seen() {
    let overlay = "exceptions:\n- { id: E1, rules: [AGT-001], text: needle, reason: r, expires: 2026-12-31 }\n";
    let snapshot = snapshot(&[rule(1, "needle", EVERYWHERE)], overlay);
    let blocks = |text: &str| action(&snapshot, &user(text), &facts()) == Action::Block;
    assert!(!blocks("a needle"));
    assert!(blocks("a ne\u{200b}edle"), "disguised");
    assert!(blocks("YSBuZWVkbGU gYW5kIGEgbmVlZGxlIGFuZCBhIG5lZWRsZQ== bmVlZGxlIG5lZWRsZSBuZWVkbGU="), "encoded");
    assert!(blocks("NEEDLE"), "in another case");
}

#[test]
fn exceptions_in_front_do_not_hide_what_stands_behind_them() {
    let overlay = "exceptions:\n- { id: E1, rules: [AGT-001], text: needle, reason: r, expires: 2026-12-31 }\n";
    let snapshot = snapshot(&[rule(1, "needle", EVERYWHERE)], overlay);
    // More than are listed, than are recorded, and than a rule is searched for.
    let text = format!("{} NEEDLE", "needle ".repeat(200));
    let judged = judge(&snapshot, &user(&text), &facts());
    assert_eq!(judged.verdict.action, Action::Block);
    assert!(judged.verdict.findings.iter().any(|finding| finding.standing.acts()));
    let mut messages: Vec<Value> = (0..80).map(|_| json!({ "role": "user", "content": "needle" })).collect();
    messages.push(json!({ "role": "user", "content": text }));
    assert_eq!(action(&snapshot, &json!({ "model": "m", "messages": messages }), &facts()), Action::Block);
    let parts = json!({ "model": "m", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "needle ".repeat(100) + "NEE" }, { "type": "text", "text": "DLE" }] }] });
    assert_eq!(action(&snapshot, &parts, &facts()), Action::Block, "spread over parts");
    assert_eq!(streamed(&snapshot, &said(&[&text]), &facts(), &Arc::default(), content).0, None);
}

const ALLOWS: &str = "applies: { direction: both }\naction: allow\nallows: [AGT-001]\non: raw";

#[test]
fn what_is_allowed_does_not_act_inside_the_match_that_allows_it() {
    let snapshot = snapshot(&[rule(1, "4111", EVERYWHERE), rule(2, "test 4111-1111", ALLOWS)], "");
    let judged = judge(&snapshot, &user("the test 4111-1111 number"), &facts());
    assert_eq!(judged.verdict.action, Action::Allow);
    assert!(standings(&judged.verdict).contains(&("AGT-001", &Standing::Allowed("AGT-002".to_owned()))));
    let (left, verdict) = reply(&snapshot, "the test 4111-1111 number", &facts(), &Arc::default());
    assert_eq!((left.as_deref(), verdict.action), (Some("the test 4111-1111 number"), Action::Allow));
    for text in ["4111", "the test 4111-1112", "test 4111-1111 and 4111", "4111 test 4111-1111"] {
        assert_eq!(action(&snapshot, &user(text), &facts()), Action::Block, "{text}");
        assert_eq!(reply(&snapshot, text, &facts(), &Arc::default()).0, None, "{text}");
    }
    let many = format!("{} 4111", "test 4111-1111 ".repeat(100));
    assert_eq!(action(&snapshot, &user(&many), &facts()), Action::Block);
    let far = json!({ "model": "m", "messages": [
        { "role": "user", "content": "test 4111-1111" }, { "role": "user", "content": "4111" }] });
    assert_eq!(action(&snapshot, &far, &facts()), Action::Block, "another passage");
}

#[test]
fn redaction_waits_for_what_may_still_allow_it() {
    let redacts = "applies: { direction: both }\naction: redact\nmask: '[x]'";
    let snapshot = snapshot(&[rule(1, "4111", redacts), rule(2, "4111-1111 test", ALLOWS)], "");
    for (text, left) in [
        ("a 4111-1111 test b", "a 4111-1111 test b"),
        ("a 4111-1111 tesp b", "a [x]-1111 tesp b"),
        ("4111 4111-1111 test4111", "[x] 4111-1111 test[x]"),
        ("4111-1111 tes", "[x]-1111 tes"),
    ] {
        assert_eq!(reply(&snapshot, text, &facts(), &Arc::default()).0.as_deref(), Some(left), "{text}");
    }
}

#[test]
fn an_allowing_rule_in_shadow_allows_nothing() {
    let snapshot =
        snapshot(&[rule(1, "4111", EVERYWHERE), rule(2, "4111-1111 test", &format!("{ALLOWS}\nmode: shadow"))], "");
    assert_eq!(action(&snapshot, &user("4111-1111 test"), &facts()), Action::Block);
}

#[test]
fn hidden_text_is_never_allowed() {
    // The same bytes are a match as they stand and, undone, another.
    let snapshot = snapshot(&[rule(1, "needle", EVERYWHERE), rule(2, "n%65edle", ALLOWS)], "");
    assert_eq!(action(&snapshot, &user("a n%65edle b"), &facts()), Action::Block);
}

const TOKENS: &str = "applies: { direction: request }\naction: redact\ntoken: CARD";

/// What the provider gets of a request, and what stands for its tokens.
fn tokenised(snapshot: &Arc<Snapshot>, text: &str, facts: &Facts) -> (String, Arc<Vault>) {
    let judged = judge(snapshot, &user(text), facts);
    let Outcome::Cleared(cleared) = judged.outcome else { panic!("{:?}", judged.verdict) };
    let body: Value = serde_json::from_slice(&cleared.encode().into_bytes()).unwrap();
    (body["messages"][0]["content"].as_str().unwrap().to_owned(), judged.vault)
}

#[test]
fn tokens_stand_for_texts_in_one_exchange_and_are_put_back_in_its_reply() {
    let snapshot = snapshot(&[rule(1, "4111", TOKENS), rule(2, "4222", TOKENS)], "");
    let (sent, vault) = tokenised(&snapshot, "4111, 4222 and 4111", &facts());
    let tokens: Vec<&str> = sent.split([',', ' ']).filter(|word| word.starts_with('[')).collect();
    let [one, two, again] = tokens.as_slice() else { panic!("{sent}") };
    assert!(one.starts_with("[CARD-1-") && two.starts_with("[CARD-2-") && one == again, "{sent}");
    assert!(!sent.contains('4'), "{sent}");

    let text = format!("yours is {two}, not {one}");
    let (left, _) = reply(&snapshot, &text, &facts(), &vault);
    assert_eq!(left.as_deref(), Some("yours is 4222, not 4111"));
    // What somebody writes himself stands for nothing, and neither does a token of another exchange.
    let (other, _) = tokenised(&snapshot, "4111", &Facts { salt: [4; 8], ..facts() });
    for guess in ["[CARD-1]", "[CARD-1-aaaaaaaaaaaa]", other.as_str()] {
        assert_eq!(reply(&snapshot, guess, &facts(), &vault).0.as_deref(), Some(guess));
    }
    let link = format!("![x](https://e.example/?d={one})");
    assert_eq!(reply(&snapshot, &link, &facts(), &vault).0, Some(link));
}

#[test]
fn an_override_gives_a_rule_that_masks_a_token() {
    let masks = "applies: { direction: request }\naction: redact\nmask: '[x]'";
    for reach in ["", "applies: { tenants: [acme] }, "] {
        let overlay = format!("overrides:\n- {{ rules: [AGT-001], {reach}action: redact, token: CARD }}\n");
        let snapshot = snapshot(&[rule(1, "4111", masks), rule(2, "4111", TOKENS)], &overlay);
        let (sent, vault) = tokenised(&snapshot, "it is 4111", &of_tenant("acme"));
        assert!(sent.starts_with("it is [CARD-1-"), "{sent}");
        assert_eq!(reply(&snapshot, &sent, &of_tenant("acme"), &vault).0.as_deref(), Some("it is 4111"));
        let (sent, _) = tokenised(&snapshot, "it is 4111", &of_tenant("other"));
        assert_eq!(sent.contains("[CARD-1-"), reach.is_empty(), "{sent}");
    }
}

#[test]
fn a_mask_is_bounded_at_n_and_n_plus_1() {
    for bytes in [256, 257] {
        let mask = "x".repeat(bytes);
        let of_rule = rule(1, "4111", &format!("applies: {{ direction: request }}\naction: redact\nmask: '{mask}'"));
        let of_override = format!("overrides:\n- {{ rules: [AGT-002], action: redact, mask: '{mask}' }}\n");
        let file = |rules: &str| format!("family: agent\nrules:\n{rules}");
        for files in [vec![file(&of_rule)], vec![file(&rule(2, "4111", EVERYWHERE)) + &of_override]] {
            let files = files.into_iter().map(|file| (PathBuf::from("agent/a.yaml"), file)).collect();
            let found = from_sources(files).map(|_| ()).map_err(|found| found.to_string());
            assert_eq!(found.is_ok(), bytes == 256, "{found:?}");
        }
    }
}

#[test]
fn tokens_in_arguments_of_tools_are_put_back_as_json() {
    let snapshot = snapshot(&[rule(1, "say \"4111\"", TOKENS)], "");
    let (token, vault) = tokenised(&snapshot, "say \"4111\"", &facts());
    // One of the strings is a document itself.
    let arguments = |said: &str| json!({ "body": json!({ "note": said }).to_string(), "note": said }).to_string();
    let (arguments, put_back) = (arguments(&token), arguments("say \"4111\""));
    let put_back = put_back.as_str();
    for at in 0..=arguments.len() {
        let (head, tail) = arguments.split_at(at);
        let delta = |value: Value| json!({ "tool_calls": [value] });
        let deltas = [
            delta(
                json!({ "index": 0, "id": "c1", "type": "function", "function": { "name": "f", "arguments": head } }),
            ),
            delta(json!({ "index": 0, "function": { "arguments": tail } })),
        ];
        let left =
            streamed(&snapshot, &deltas, &facts(), &vault, |delta| &delta["tool_calls"][0]["function"]["arguments"]);
        assert_eq!(left.0.as_deref(), Some(put_back), "split at {at}");
    }
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{ "index": 0,
        "message": { "role": "assistant", "content": null, "tool_calls": [call("c1", "f", &arguments)] }, "finish_reason": "tool_calls" }] });
    let parsed = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
    let judged = snapshot.scan(parsed, Direction::Reply, &facts()).restoring(&vault).judge(Answer::NotAsked);
    let Outcome::Cleared(cleared) = judged.outcome else { panic!("{:?}", judged.verdict) };
    let body: Value = serde_json::from_slice(&cleared.encode().into_bytes()).unwrap();
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], put_back);
}

#[test]
fn tokens_in_json_that_the_model_says_are_put_back_as_json() {
    let snapshot = snapshot(&[rule(1, "say \"4111\"", TOKENS)], "");
    let (token, vault) = tokenised(&snapshot, "say \"4111\"", &facts());
    let json = |said: &str| json!({ "card": said, "list": [json!([said]).to_string()] }).to_string();
    for (text, shown) in [
        (json(&token), json("say \"4111\"")),
        (format!("it is {token}"), "it is say \"4111\"".to_owned()),
        // A string may have begun, and it is not known how many there are around it.
        (format!("Here: {}", json(&token)), format!("Here: {}", json(&token))),
        (format!("{}\n{}", json(&token), json(&token)), format!("{}\n{}", json(&token), json(&token))),
    ] {
        assert_eq!(reply(&snapshot, &text, &facts(), &vault).0.as_ref(), Some(&shown));
        // What a custom tool is given is a text too.
        let delta = json!({ "tool_calls": [{ "index": 0, "id": "c1", "type": "custom", "custom": { "name": "f", "input": text } }] });
        let deltas = [delta.clone()];
        let left = streamed(&snapshot, &deltas, &facts(), &vault, |delta| &delta["tool_calls"][0]["custom"]["input"]);
        assert_eq!(left.0.as_ref(), Some(&shown));
        let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{ "index": 0,
            "message": { "role": "assistant", "content": null, "tool_calls": delta["tool_calls"] }, "finish_reason": "tool_calls" }] });
        let parsed = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
        let judged = snapshot.scan(parsed, Direction::Reply, &facts()).restoring(&vault).judge(Answer::NotAsked);
        let Outcome::Cleared(cleared) = judged.outcome else { panic!("{:?}", judged.verdict) };
        let body: Value = serde_json::from_slice(&cleared.encode().into_bytes()).unwrap();
        assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["custom"]["input"], shown.as_str());
    }
    // A part is read together with others, one of which may have begun a string.
    let parts = |said: &str| {
        json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{ "index": 0,
        "message": { "role": "assistant", "content": [{ "type": "text", "text": "{\"a\":\"" }, { "type": "text", "text": said }] },
        "finish_reason": "stop" }] })
    };
    let parsed = ChatReply::parse(Bytes::from(parts(&token).to_string()), &Limits::default()).unwrap();
    let judged = snapshot.scan(parsed, Direction::Reply, &facts()).restoring(&vault).judge(Answer::NotAsked);
    let Outcome::Cleared(cleared) = judged.outcome else { panic!("{:?}", judged.verdict) };
    assert_eq!(serde_json::from_slice::<Value>(&cleared.encode().into_bytes()).unwrap(), parts(&token));
}

#[test]
fn of_the_findings_that_block_the_first_in_order_of_place_speaks() {
    let blocks = |message: &str| format!("applies: {{ direction: request }}\naction: block\nmessage: {message}");
    let rules = [rule(1, "needle", &blocks("one")), rule(2, "thimble", &blocks("two")), rule(3, "button", EVERYWHERE)];
    let said = |snapshot: &Arc<Snapshot>, text: &str| {
        snapshot.message(&judge(snapshot, &user(text), &facts()).verdict).map(str::to_owned)
    };
    let with = snapshot(&rules, "");
    for (text, message) in [
        ("needle, thimble", Some("one")),
        ("thimble, needle", Some("two")),
        ("button, thimble", Some("two")),
        ("button", None),
        ("thread", None),
    ] {
        assert_eq!(said(&with, text).as_deref(), message, "{text}");
    }
    assert_eq!(said(&snapshot(&rules[2..], ""), "button"), None);
    // A rule that is not in force says nothing.
    let set = |paranoia: u8| {
        let rule = rule(1, "needle", &format!("{}\nparanoia: 2", blocks("one")));
        let source = (PathBuf::from("agent/test.yaml"), format!("family: agent\nrules:\n{rule}"));
        from_sources(vec![source]).unwrap().set.in_force(Paranoia { blocking: paranoia, executing: paranoia })
    };
    assert_eq!((set(2).message("AGT-001"), set(2).has_messages()), (Some("one"), true));
    assert_eq!((set(1).message("AGT-001"), set(1).has_messages()), (None, false));
}

#[test]
fn a_token_in_a_reply_that_is_held_to_its_end_is_put_back_too() {
    let rules = [rule(1, "4111", TOKENS)];
    let snapshot = snapshot_of(&rules, "", Paranoia { blocking: 1, executing: 1 }, BlockEnd::Hold);
    let (token, vault) = tokenised(&snapshot, "4111", &facts());
    assert_eq!(reply(&snapshot, &format!("it is {token}."), &facts(), &vault).0.as_deref(), Some("it is 4111."));
}

#[test]
fn a_rule_with_tokens_masks_what_a_reply_brings() {
    let rules = [rule(1, "4111", "applies: { direction: both }\naction: redact\ntoken: CARD")];
    let snapshot = snapshot(&rules, "");
    let (token, vault) = tokenised(&snapshot, "4111", &facts());
    let (left, _) = reply(&snapshot, &format!("{token} or 4111"), &facts(), &vault);
    assert_eq!(left.as_deref(), Some("4111 or [CARD]"));
}

#[test]
fn frames_stay_frames_when_tokens_are_put_back() {
    let snapshot = snapshot(&[rule(1, "4111", TOKENS)], "");
    let (token, vault) = tokenised(&snapshot, "4111", &facts());
    let deltas = said(&[&token[..4], &token[4..]]);
    assert_eq!(streamed(&snapshot, &deltas, &facts(), &vault, content).0.as_deref(), Some("4111"));
    let mut reader = ChatStream::new(Template::new(ExchangeId::new(), "m"), &Limits::default());
    let mut frames = Vec::new();
    reader.push(b"data: [DONE]\n\n", &mut frames).unwrap();
    assert!(frames[0].is_last());
}

fn stripped(snapshot: &Arc<Snapshot>, body: &str) -> Option<String> {
    let request = ChatRequest::parse(Bytes::from(body.to_owned()), &Limits::default()).unwrap();
    let judged = snapshot.scan(request, Direction::Request, &facts()).judge(Answer::NotAsked);
    match judged.outcome {
        Outcome::Blocked(_) => {
            assert_eq!(judged.verdict.action, Action::Block);
            None
        }
        Outcome::Refused(_, fault) => panic!("{fault}"),
        Outcome::Cleared(cleared) => {
            assert_eq!(judged.verdict.action, Action::Strip);
            let bytes = cleared.encode().into_bytes();
            ChatRequest::parse(bytes.clone(), &Limits::default()).unwrap();
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        }
    }
}

#[test]
fn strip_takes_the_field_or_the_element_out() {
    let strip = "applies: { direction: both }\naction: strip";
    let snapshot = snapshot(&[rule(1, "needle", strip), rule(2, "ab\\ncd", EVERYWHERE)], "");
    let around = |inner: &str| format!(r#"{{"model":"m", {inner} "messages":[{{"role":"user","content":"x"}}]}}"#);
    for (inner, left) in [
        (r#""note": "a needle","#, ""),
        (r#""a": 1, "note" : "a needle" , "b": 2,"#, r#""a": 1 , "b": 2,"#),
        (r#""metadata": {"one": "needle", "two": "b", "three": "needle"},"#, r#""metadata": {"two": "b"},"#),
        (r#""metadata": {"one": "needle", "two": "needle"},"#, r#""metadata": {},"#),
        (r#""metadata": {"needle": {"x": ["y"]}},"#, r#""metadata": {},"#),
        (r#""stop": ["needle", "END", "needle"],"#, r#""stop": ["END"],"#),
        (
            r#""tools": [{"type":"function","function":{"name":"needle"}},{"type":"function","function":{"name":"b"}}],"#,
            r#""tools": [{"type":"function","function":{"name":"b"}}],"#,
        ),
        (
            r#""tools": [{"type":"function","function":{"name":"f","description":"needle"}}],"#,
            r#""tools": [{"type":"function","function":{"name":"f"}}],"#,
        ),
    ] {
        let expected = around(left).replace("  ", " ");
        assert_eq!(stripped(&snapshot, &around(inner)).map(|left| left.replace("  ", " ")), Some(expected), "{inner}");
    }
    for inner in [r#""stop": ["needle"],"#, r#""tools": [{"type":"function","function":{"name":"needle"}}],"#] {
        assert_eq!(stripped(&snapshot, &around(inner)), None, "{inner}: nothing would be left of the list");
    }
    for message in [
        r#"{"role":"user","content":"a needle"}"#,
        r#"{"role":"tool","tool_call_id":"1","content":"a needle"}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"needle"}}]}"#,
        r#"{"role":"user","content":[{"type":"text","text":"needle"}]}"#,
    ] {
        assert_eq!(stripped(&snapshot, &format!(r#"{{"model":"m","messages":[{message}]}}"#)), None, "{message}");
    }
    let part = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"b"}, {"type":"text","text":"needle"}]}]}"#;
    assert_eq!(stripped(&snapshot, part).unwrap(), part.replace(r#", {"type":"text","text":"needle"}"#, ""));
    assert_eq!(
        reply(&snapshot, "a needle here", &facts(), &Arc::default()).0,
        None,
        "what has come cannot be taken out"
    );
}

#[test]
fn what_stands_together_once_something_is_taken_out_is_read_again() {
    let strip = "applies: { direction: request }\naction: strip";
    let snapshot = snapshot(&[rule(1, "needle", strip), rule(2, "ignorance is bliss", EVERYWHERE)], "");
    let parts = |texts: &[&str]| {
        let parts: Vec<Value> = texts.iter().map(|text| json!({ "type": "text", "text": text })).collect();
        json!({ "model": "m", "messages": [{ "role": "user", "content": parts }] }).to_string()
    };
    assert!(stripped(&snapshot, &parts(&["ignorance", "needle", "of bliss"])).is_some());
    assert_eq!(stripped(&snapshot, &parts(&["ignorance is", "needle", " bliss"])), None);
    assert_eq!(stripped(&snapshot, &parts(&["nee", "needle", "dle"])), None, "another one");
}

#[test]
fn the_strongest_action_wins_and_a_block_is_above_all() {
    let acts = |number, word: &str, action: &str| {
        rule(number, word, &format!("applies: {{ direction: request }}\naction: {action}"))
    };
    let rules = [
        acts(1, "alpha", "flag"),
        acts(2, "bravo", "redact\nmask: '[x]'"),
        acts(3, "charlie", "strip"),
        acts(4, "delta", "{ route: small }"),
        acts(5, "echo", "{ throttle: slow }"),
        acts(6, "foxtrot", "block"),
    ];
    let snapshot = snapshot(&rules, "");
    let words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"];
    let actions = [Action::Flag, Action::Redact, Action::Strip, Action::Route, Action::Throttle, Action::Block];
    for (upto, expected) in actions.iter().enumerate() {
        let fields: serde_json::Map<String, Value> =
            words[..=upto].iter().enumerate().map(|(at, word)| (format!("f{at}"), json!(word))).collect();
        let mut body = json!({ "model": "m", "messages": [] });
        body.as_object_mut().unwrap().extend(fields);
        let judged = judge(&snapshot, &body, &facts());
        assert_eq!(judged.verdict.action, *expected, "{:?}", &words[..=upto]);
        assert_eq!(judged.verdict.route(), (upto >= 3).then_some("small"));
        assert_eq!(judged.verdict.throttles().collect::<Vec<_>>(), if upto >= 4 { vec!["slow"] } else { Vec::new() });
        if let Outcome::Cleared(cleared) = judged.outcome {
            let sent = cleared.encode().into_bytes();
            assert!(upto < 1 || !String::from_utf8_lossy(&sent).contains("bravo"), "the milder ones are done too");
            assert!(upto < 2 || !String::from_utf8_lossy(&sent).contains("charlie"));
        }
    }
}
