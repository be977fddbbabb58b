//! Rules of gitleaks (<https://github.com/gitleaks/gitleaks>, MIT), from its TOML.

use std::collections::BTreeSet;

use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use toml::{Table, Value};

use super::bound::{bound, parse, without_optional_start};
use super::keywords::asks_for;
use super::sample::{Numbers, sample};
use super::{Imported, Named, Note, re2};
use crate::base::limits::rules as limits;
use crate::rules::draft::{Draft, PatternForm};
use crate::rules::validator::Validator;

/// Texts that are made of a regex until one of them is good.
const ATTEMPTS: u64 = 200;

/// Lowest entropy (bits per character) for which there is a validator that is near enough.
const ENTROPY_MIN: f64 = 2.75;

/// Keys of a rule that are understood, or mean nothing here.
const RULE_KEYS: [&str; 10] =
    ["id", "description", "regex", "secretGroup", "entropy", "keywords", "path", "allowlist", "allowlists", "required"];

/// Translates a configuration.
///
/// # Errors
/// A text that is not TOML, with line and column, or that has no rules.
pub fn import(text: &str) -> Result<Imported, String> {
    let file: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut imported = Imported::default();
    settings(&file, &mut imported);
    let Some(Value::Array(rules)) = file.get("rules") else {
        return Err("it has no `[[rules]]`: is it a configuration of gitleaks?".to_owned());
    };
    let mut ids = BTreeSet::new();
    for (number, rule) in rules.iter().enumerate() {
        let id = text_of(rule, "id").filter(|id| !id.is_empty());
        let name = id.map_or_else(|| format!("rule {}", number + 1), str::to_owned);
        let mut notes = Vec::new();
        match id {
            None => notes.push("it has no `id`, which gitleaks asks for: it is named by its place".to_owned()),
            Some(id) if !ids.insert(id) => {
                notes.push("an earlier rule has the same `id`: gitleaks takes the last one, here are both".to_owned());
            }
            Some(_) => {}
        }
        match translate(rule, &name, &mut notes) {
            Ok(mut draft) => {
                draft.comments = std::iter::once(format!("gitleaks: {name}")).chain(notes.iter().cloned()).collect();
                imported.notes.extend(notes.into_iter().map(|what| Note { name: name.clone(), what, left_out: false }));
                imported.rules.push(Named { name, draft });
            }
            Err(what) => imported.notes.push(Note { name, what, left_out: true }),
        }
    }
    let placeholder = Validator::NotPlaceholder.name();
    if imported.rules.iter().any(|rule| rule.draft.validators.iter().any(|name| name == placeholder)) {
        let what = format!(
            "rules here have the validator {placeholder}, which gitleaks does not have: a secret that reads like a filler \
             (`example`, `xxxx`) is none; take it out where such are to be found"
        );
        imported.notes.push(Note { name: String::new(), what, left_out: false });
    }
    Ok(imported)
}

/// What stands outside the rules.
fn settings(file: &Table, imported: &mut Imported) {
    let mut note = |what: String| imported.notes.push(Note { name: String::new(), what, left_out: false });
    for (key, value) in file {
        match key.as_str() {
            "rules" | "title" | "description" | "minVersion" => {}
            "extend" => extended(value).into_iter().for_each(&mut note),
            "allowlist" | "allowlists" => allowed(value, "for all rules, ").into_iter().for_each(&mut note),
            other => note(format!("`{other}` has no counterpart")),
        }
    }
}

/// What an `extend` does that is not done here.
fn extended(value: &Value) -> Vec<String> {
    let mut said = Vec::new();
    for (key, setting) in value.as_table().into_iter().flatten() {
        match key.as_str() {
            "disabledRules" => {
                let listed = listed(setting).join(", ");
                said.push(format!("`extend` switches off {listed}: take these out where those rules are imported"));
            }
            "useDefault" | "path" | "url" => {}
            other => said.push(format!("`extend.{other}` has no counterpart")),
        }
    }
    said.push("`extend` names rules that are not in this file: import those files too".to_owned());
    said
}

/// The texts of a list.
fn listed(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn translate(rule: &Value, name: &str, notes: &mut Vec<String>) -> Result<Draft, String> {
    let Some(table) = rule.as_table() else { return Err("it is no table".to_owned()) };
    if table.get("regex").is_some_and(|regex| !regex.is_str()) {
        return Err("its `regex` is not a text".to_owned());
    }
    let Some(go) = text_of(rule, "regex").filter(|regex| !regex.is_empty()) else {
        return Err(match table.contains_key("path") {
            true => "it looks at paths of files alone, and a prompt has none".to_owned(),
            false => "it has no regex".to_owned(),
        });
    };
    if table.contains_key("path") {
        return Err("it looks in files of certain paths only; without that it would find too much".to_owned());
    }
    if table.contains_key("required") {
        return Err("it asks for other rules' findings nearby (`required`)".to_owned());
    }
    let unknown: Vec<&str> = table.keys().map(String::as_str).filter(|key| !RULE_KEYS.contains(key)).collect();
    if !unknown.is_empty() {
        notes.push(format!("keys without counterpart: {}", unknown.join(", ")));
    }
    notes.extend(of_another_type(table));
    let mut regex = re2::translate(go)?;
    // Unicode's case folding costs more and finds nothing else in secrets, which are ASCII.
    let global = regex.strip_prefix("(?i)").filter(|rest| only_groups(rest)).map(str::to_owned);
    let ignores_case = global.is_some();
    regex = global.unwrap_or(regex);
    let groups = parse(&regex)?.properties().explicit_captures_len();
    let capture = capture(table, groups, notes)?;
    if capture > 0
        && let Some(shorter) = without_optional_start(&regex)
    {
        regex = shorter;
    }
    let bounded = bound(&regex)?;
    if let Some(bound) = bounded.bound {
        notes.push(format!("repeats without end have one now, {bound}: a reply is judged while it flows"));
    }
    if bounded.block_end {
        notes.push(
            "a match has no bound that a stream could hold back: in replies it is judged at the block's end".to_owned(),
        );
    }
    if bounded.text.len() > limits::PATTERN_BYTES {
        return Err(format!("its regex has {} bytes, {} are allowed", bounded.text.len(), limits::PATTERN_BYTES));
    }
    let validators = validators(table, notes);
    for key in ["allowlist", "allowlists"] {
        notes.extend(table.get(key).map(|value| allowed(value, "")).unwrap_or_default());
    }
    let keywords = keywords(table);
    let is_broad = !keywords.is_empty() && !asks_for(&bounded.text, &keywords);
    if is_broad {
        notes.push(format!(
            "gitleaks asks for one of {} in the text, the regex does not: paranoia 3",
            keywords.join(", ")
        ));
    }
    let mut draft = Draft {
        title: title(name),
        description: text_of(rule, "description").unwrap_or_default().to_owned(),
        severity: "info".to_owned(),
        paranoia: if is_broad { 3 } else { 0 },
        tags: ["owasp:LLM02:2025", "atlas:AML.T0057", "cwe:CWE-798"].map(str::to_owned).to_vec(),
        direction: "both".to_owned(),
        raw: true,
        ignores_case,
        patterns: vec![(PatternForm::Regex, bounded.text)],
        validators: validators.iter().map(|validator| validator.name().to_owned()).collect(),
        capture,
        action: "redact".to_owned(),
        mask: format!("[{}]", name.replace('-', " ")),
        sensitive: true,
        block_end: bounded.block_end,
        ..Draft::default()
    };
    if examples(&mut draft, name, &validators).is_ok() {
        return Ok(draft);
    }
    // A key may hold what elsewhere is a filler (`AAAAAAAAAA`).
    let others: Vec<Validator> = validators.into_iter().filter(|one| *one != Validator::NotPlaceholder).collect();
    draft.validators = others.iter().map(|validator| validator.name().to_owned()).collect();
    examples(&mut draft, name, &others)?;
    Ok(draft)
}

/// Values that are not what gitleaks has there, which are not read.
fn of_another_type(table: &Table) -> impl Iterator<Item = String> {
    let is_number = |value: &Value| value.is_float() || value.is_integer();
    let is_lists =
        |value: &Value| value.is_table() || value.as_array().is_some_and(|all| all.iter().all(Value::is_table));
    let is_texts = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_str));
    table.iter().filter_map(move |(key, value)| {
        let (is_right, wanted) = match key.as_str() {
            "id" | "description" => (value.is_str(), "a text"),
            "entropy" => (is_number(value), "a number"),
            "secretGroup" => (value.is_integer(), "a whole number"),
            "keywords" => (is_texts(value), "a list of texts"),
            "allowlist" | "allowlists" => (is_lists(value), "a table, or a list of them"),
            _ => (true, ""),
        };
        (!is_right).then(|| format!("`{key}` is not {wanted}, and is not read"))
    })
}

/// True when no group switches a flag, so that `(?i)` at the beginning is about all of it.
fn only_groups(rest: &str) -> bool {
    rest.match_indices("(?").all(|(at, _)| {
        let after = rest.get(at + 2..).unwrap_or_default();
        [":", "P<", "<"].iter().any(|head| after.starts_with(head))
    })
}

/// The group that is the secret: as gitleaks has it, the one it names, else the first.
fn capture(table: &Table, groups: usize, notes: &mut Vec<String>) -> Result<usize, String> {
    let named = table.get("secretGroup").and_then(Value::as_integer).unwrap_or(0);
    let named = usize::try_from(named).map_err(|_| "`secretGroup` is negative".to_owned())?;
    if named > groups {
        return Err(format!("`secretGroup` is {named}, and the regex has {groups} groups"));
    }
    if named == 0 && groups > 1 {
        notes.push(
            "gitleaks takes the first group that is not empty, here it is group 1, else the whole match".to_owned(),
        );
    }
    Ok(if named > 0 { named } else { groups.min(1) })
}

fn validators(table: &Table, notes: &mut Vec<String>) -> Vec<Validator> {
    let number = |value: &Value| {
        value.as_float().or_else(|| value.as_integer().and_then(|whole| i32::try_from(whole).ok()).map(f64::from))
    };
    let mut validators = Vec::new();
    match table.get("entropy").and_then(number) {
        Some(wanted) if wanted > 0.0 && wanted < ENTROPY_MIN => {
            notes.push(format!("entropy {wanted}: no validator asks for so little, none is used"));
        }
        Some(wanted) if wanted > 0.0 => {
            let (tenths, nearest) = [(30, 3.0), (35, 3.5), (40, 4.0)]
                .into_iter()
                .min_by(|(_, one), (_, other)| (wanted - one).abs().total_cmp(&(wanted - other).abs()))
                .unwrap_or((30, 3.0));
            if (wanted - nearest).abs() > f64::EPSILON {
                notes.push(format!("entropy {wanted} is {nearest:.1} here"));
            }
            validators.push(Validator::Entropy { tenths });
        }
        _ => {}
    }
    validators.push(Validator::NotPlaceholder);
    validators
}

/// What allow-lists would let pass, one line a kind and list. `all`: what a list is for that names no rules.
fn allowed(value: &Value, all: &str) -> Vec<String> {
    let lists: Vec<&Value> = match value {
        Value::Array(lists) => lists.iter().collect(),
        one => vec![one],
    };
    let mut said = Vec::new();
    for list in lists {
        let of = |key: &str| list.get(key).map(listed).unwrap_or_default();
        let whose = match of("targetRules").join(", ") {
            targets if targets.is_empty() => all.to_owned(),
            targets => format!("for {targets}, "),
        };
        let kinds = [
            ("commits", "commits are let pass there, which a prompt does not have"),
            ("paths", "paths of files are let pass there, which a prompt does not have"),
            ("regexes", "regexes let pass there are not taken over: write an exception, or a validator"),
            ("stopwords", "stop words are not taken over, beyond what the validator not_placeholder knows"),
        ];
        let kinds: Vec<(usize, &str)> = kinds.into_iter().map(|(key, what)| (of(key).len(), what)).collect();
        let is_joint = text_of(list, "condition").is_some_and(|condition| condition.eq_ignore_ascii_case("and"))
            && kinds.iter().filter(|(count, _)| *count > 0).count() > 1;
        let joint = if is_joint { " (only together with the others of that list)" } else { "" };
        let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
        said.extend(kinds.map(|(count, what)| format!("{whose}{count} {what}{joint}")));
        let known =
            ["description", "commits", "paths", "regexes", "stopwords", "targetRules", "condition", "regexTarget"];
        let keys = list.as_table().into_iter().flatten().map(|(key, _)| key.as_str());
        let unknown: Vec<&str> = keys.filter(|key| !known.contains(key)).collect();
        if !unknown.is_empty() {
            said.push(format!("{whose}keys of an allow-list without counterpart: {}", unknown.join(", ")));
        }
    }
    said
}

fn keywords(table: &Table) -> Vec<String> {
    let words = table.get("keywords").and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_lowercase).filter(|word| !word.is_empty()).collect()
}

/// `adafruit-api-key` is a title once its hyphens are gone.
fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Two texts that the rule finds and two near misses. gitleaks' rules have none.
fn examples(draft: &mut Draft, name: &str, validators: &[Validator]) -> Result<(), String> {
    let Some((_, written)) = draft.patterns.first() else { return Ok(()) };
    let hir = parse(written)?;
    let searched = if draft.ignores_case { format!("(?i){written}") } else { written.clone() };
    let regex = Regex::builder()
        .syntax(syntax::Config::new())
        .build(&searched)
        .map_err(|error| format!("the regex cannot be tried: {error}"))?;
    let capture = draft.capture;
    let find = |text: &str| {
        let mut groups = regex.create_captures();
        regex.search_captures(&Input::new(text), &mut groups);
        let whole = groups.get_group(0)?;
        let span = groups.get_group(capture).filter(|span| !span.is_empty()).unwrap_or(whole);
        let found = text.get(span.range())?;
        validators.iter().all(|validator| validator.accepts(found)).then(|| found.to_owned())
    };
    let seed = name.bytes().fold(7u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut made: Vec<(String, String)> = Vec::new();
    for attempt in 0..ATTEMPTS {
        let Some(text) = sample(&hir, &mut Numbers::new(seed.wrapping_mul(ATTEMPTS).wrapping_add(attempt))) else {
            continue;
        };
        let is_new = made.iter().all(|(known, _)| *known != text);
        if let Some(found) = find(&text).filter(|_| is_new) {
            made.push((text, found));
        }
        if made.len() == limits::EXAMPLES_MIN {
            break;
        }
    }
    // A regex of one text: the second example is that text among others.
    if let ([(text, found)], true) = (made.as_slice(), made.len() < limits::EXAMPLES_MIN) {
        let among = format!("it is {text} there");
        if find(&among).is_some() {
            made.push((among, found.clone()));
        }
    }
    if made.len() < limits::EXAMPLES_MIN {
        return Err(
            "no text that it finds could be made from the regex, so nothing shows that the translation is right"
                .to_owned(),
        );
    }
    let misses: Vec<String> = made.iter().flat_map(|(text, found)| near_misses(text, found)).collect();
    let plain = [format!("The {} is not shown here.", draft.title), "Nothing of the kind.".to_owned()];
    for miss in misses.into_iter().chain(plain) {
        if draft.passing.len() < limits::EXAMPLES_MIN && !draft.passing.contains(&miss) && find(&miss).is_none() {
            draft.passing.push(miss);
        }
    }
    draft.matching = made.into_iter().map(|(text, found)| (text, Some(found))).collect();
    Ok(())
}

/// Texts that are nearly one that is found.
fn near_misses(text: &str, found: &str) -> Vec<String> {
    let filler: String = found.chars().map(|c| if c.is_ascii_alphanumeric() { 'x' } else { c }).collect();
    let shortened: String = found.chars().take(found.chars().count().saturating_sub(1)).collect();
    vec![text.replacen(found, &shortened, 1), text.replacen(found, &filler, 1), text.chars().skip(1).collect()]
}

fn text_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(toml: &str) -> (Option<Draft>, Vec<String>) {
        let imported = import(&format!("[[rules]]\nid = \"made-up\"\n{toml}")).unwrap();
        let notes = imported.notes.into_iter().map(|note| note.what).collect();
        (imported.rules.into_iter().next().map(|named| named.draft), notes)
    }

    #[test]
    fn the_secret_is_a_group_and_has_validators() {
        let (draft, notes) = one(
            "regex = '''(?i)[\\w.-]{0,50}?(?:acme)\\s=\\s([a-z0-9]{32})(?:\\s|$)'''\nentropy = 3.4\nkeywords = [\"acme\"]\n",
        );
        let draft = draft.unwrap();
        assert_eq!(draft.patterns[0].1, r"(?:acme)[\t\n\x0C\r ]=[\t\n\x0C\r ]([a-z0-9]{32})(?:[\t\n\x0C\r ]|$)");
        assert_eq!((draft.capture, draft.ignores_case, draft.paranoia), (1, true, 0));
        assert_eq!(draft.validators, ["entropy_3_5", "not_placeholder"]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[0], "entropy 3.4 is 3.5 here");
        assert!(notes[1].contains("not_placeholder, which gitleaks does not have"));
        assert_eq!((draft.matching.len(), draft.passing.len()), (2, 2));
        assert_eq!(draft.title, "Made up");
    }

    #[test]
    fn what_is_not_taken_over_is_said() {
        for (toml, said) in [
            ("path = '''\\.p12$'''", "paths of files alone"),
            ("description = 'x'", "no regex"),
            ("regex = 'abc[0-9]{9}'\npath = 'x'", "certain paths"),
            ("regex = 'abc[0-9]{9}'\nsecretGroup = 2", "`secretGroup` is 2"),
            ("regex = 'abc(?=x)'", "look-around"),
            ("regex = 'a*'", "empty text"),
            ("regex = 'abc'\n[[rules.required]]\nid = 'y'", "`required`"),
            ("regex = 7", "not a text"),
            ("regex = 'key\\b[a-z]{4}'", "could be made"),
        ] {
            let (draft, notes) = one(toml);
            assert!(draft.is_none() && notes.len() == 1 && notes[0].contains(said), "{toml}: {notes:?}");
        }
        for (toml, said) in [
            ("regex = 'key-[a-z0-9]+'", "have one now, 8192"),
            ("regex = 'key-(?:(?:[a-z]+,)+;)+'", "block's end"),
            ("regex = 'key-[a-z0-9]{20}'\nentropy = 1.0", "none is used"),
            ("regex = 'key-[a-z0-9]{20}'\n[[rules.allowlists]]\nstopwords = ['a', 'b']", "2 stop words"),
            ("regex = 'key-[a-z0-9]{20}'\n[rules.allowlist]\npaths = ['a']\ncommits = ['b']", "1 commits"),
            ("regex = 'key-[a-z0-9]{20}'\nkeywords = ['acme']", "paranoia 3"),
            ("regex = '(key)-([a-z0-9]{20})'", "group 1"),
            ("regex = 'key-[a-z0-9]{20}'\ncolour = 1", "colour"),
            ("regex = 'key-[a-z0-9]{20}'\nentropy = '3.5'", "`entropy` is not a number"),
            ("regex = 'key-[a-z0-9]{20}'\nkeywords = 'key'", "`keywords` is not a list"),
            ("regex = 'key-[a-z0-9]{20}'\nallowlists = 'x'", "`allowlists` is not a table"),
            ("regex = 'key-[a-z0-9]{20}'\nsecretGroup = '0'", "`secretGroup` is not a whole number"),
        ] {
            let (draft, notes) = one(toml);
            assert!(draft.is_some() && notes.iter().any(|note| note.contains(said)), "{toml}: {notes:?}");
        }
    }

    #[test]
    fn settings_and_broken_files() {
        let rule = "[[rules]]\nid='a'\nregex='key-[a-z0-9]{20}'\n";
        let told = |settings: &str, count: usize, said: &[&str]| {
            let imported = import(&format!("{settings}{rule}")).unwrap();
            assert!(imported.notes.iter().all(|note| note.name.is_empty()), "{:?}", imported.notes);
            // One more is about the validator.
            assert_eq!(imported.notes.len(), count + 1, "{:?}", imported.notes);
            let is_said = |said: &&str| imported.notes.iter().any(|note| note.what.contains(*said));
            assert!(said.iter().all(is_said), "{:?}", imported.notes);
        };
        let default = "[extend]\nuseDefault = true\n[allowlist]\npaths = ['x']\n";
        told(default, 2, &["import those files", "for all rules, 1 paths"]);
        told(
            "[extend]\npath = 'b.toml'\ndisabledRules = ['b', 'c']\n",
            2,
            &["import those files", "switches off b, c"],
        );
        let lists = "[[allowlists]]\ntargetRules = ['a']\ncondition = 'AND'\nregexes = ['x', 'y']\nstopwords = ['z']\n";
        told(lists, 2, &["for a, 2 regexes", "for a, 1 stop words", "only together"]);
        told("[[allowlists]]\nregexes = ['x']\ncolour = 1\n", 2, &["for all rules, 1 regexes", "counterpart: colour"]);
        assert!(import("[[rules").unwrap_err().contains("line 1"));
        assert!(import("title = 'x'").unwrap_err().contains("no `[[rules]]`"));
    }

    #[test]
    fn a_rule_without_a_name_and_two_of_one_name_are_told() {
        let nameless = "[[rules]]\nregex='key-[a-z0-9]{20}'\n";
        let named = "[[rules]]\nid='a'\nregex='key-[a-z0-9]{20}'\n";
        for (text, name, said) in
            [(format!("{named}{nameless}"), "rule 2", "no `id`"), (format!("{named}{named}"), "a", "the same `id`")]
        {
            let imported = import(&text).unwrap();
            assert_eq!(imported.rules.len(), 2);
            let notes: Vec<_> = imported.notes.iter().filter(|note| note.name == name).collect();
            assert!(notes.len() == 1 && notes[0].what.contains(said), "{notes:?}");
        }
    }

    #[test]
    fn a_keyword_is_in_every_match_or_not() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (regex, keywords, expected) in [
            ("(?i)sk[a-z]", &["sk"][..], true),
            ("(?:sk|pk)_live", &["sk_live", "pk_live"], true),
            ("(?:sk|pk)_live", &["sk_live"], false),
            ("sk-(?:live|test)-[a-z]{9}", &["sk-live-", "sk-test-"], true),
            ("(foo|bar)_secret[0-9]{4}", &["foo_secret", "bar_secret"], true),
            ("(?i)fo[o0]_[a-z]{9}", &["foo_", "fo0_"], true),
            ("(?i)fo[o0]_[a-z]{9}", &["foo_"], false),
            ("[a-z0-9]{3}(?:[0-9])x", &["1x"], false),
            ("(?:sk_live|pk_live)", &["sk_live", "pk_live"], true),
            ("(?:acme)?x", &["acme"], false),
            (r"\bkey-[a-z]", &["key-"], true),
        ] {
            assert_eq!(asks_for(regex, &words(keywords)), expected, "{regex}");
        }
    }
}
