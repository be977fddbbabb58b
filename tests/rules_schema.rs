//! `docs/rules.schema.json` and `docs/rules.md` against the code: the schema accepts what loads and refuses what breaks its
//! part of the language, knows every key, and the page names every key and every code; its rules load.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis::base::limits::rules as limits;
use portcullis::rules::lint::Lint;
use portcullis::rules::{Family, Roles, Validator, from_sources, transforms};
use portcullis::scan::Scanner;
use portcullis::scan::examples::run_examples;
use portcullis::text::is_invisible;
use regex_automata::meta::Regex;
use serde_json::{Value, json};

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&read("docs/rules.schema.json")).unwrap()
}

/// Rule files below a folder of the project.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(path.to_str().unwrap()));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            all.push(path);
        }
    }
    all.sort();
    all
}

fn yaml(content: &str) -> Option<Value> {
    serde_saphyr::from_str(content).ok()
}

/// The keywords that the schema uses, so that a new one cannot be passed over.
const KEYWORDS: [&str; 17] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "description",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "propertyNames",
];

/// The part of JSON Schema that the schema uses (draft 2020-12). Gives the places that do not fit.
fn misfits(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut out = Vec::new();
    let Value::Object(keywords) = schema else { panic!("{schema}") };
    for (keyword, wanted) in keywords {
        let number = || wanted.as_f64().unwrap();
        let length = |count: usize| count as f64;
        let fits = match keyword.as_str() {
            "$ref" => {
                let target = root.pointer(wanted.as_str().unwrap().trim_start_matches('#')).unwrap();
                out.extend(misfits(root, target, value, place));
                true
            }
            "type" => match wanted.as_str().unwrap() {
                "array" => value.is_array(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "object" => value.is_object(),
                "string" => value.is_string(),
                other => panic!("type {other}"),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => value.as_object().is_none_or(|value| {
                wanted.as_array().unwrap().iter().all(|key| value.contains_key(key.as_str().unwrap()))
            }),
            "minimum" => value.as_f64().is_none_or(|value| value >= number()),
            "maximum" => value.as_f64().is_none_or(|value| value <= number()),
            "minItems" => value.as_array().is_none_or(|value| length(value.len()) >= number()),
            "maxItems" => value.as_array().is_none_or(|value| length(value.len()) <= number()),
            "minLength" => value.as_str().is_none_or(|value| length(value.chars().count()) >= number()),
            "maxLength" => value.as_str().is_none_or(|value| length(value.chars().count()) <= number()),
            "pattern" => {
                value.as_str().is_none_or(|value| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(value))
            }
            "oneOf" => {
                let ways = wanted.as_array().unwrap();
                ways.iter().filter(|way| misfits(root, way, value, place).is_empty()).count() == 1
            }
            "anyOf" => {
                let ways = wanted.as_array().unwrap();
                ways.iter().any(|way| misfits(root, way, value, place).is_empty())
            }
            "properties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = wanted.get(key) {
                        out.extend(misfits(root, schema, member, &format!("{place}/{key}")));
                    }
                }
                true
            }
            "additionalProperties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    if schema.get("properties").is_some_and(|known| known.get(key).is_some()) {
                        continue;
                    }
                    match wanted {
                        Value::Bool(false) => out.push(format!("{place}/{key}: unknown")),
                        schema => out.extend(misfits(root, schema, member, &format!("{place}/{key}"))),
                    }
                }
                true
            }
            "propertyNames" => {
                let names = value.as_object().into_iter().flat_map(|value| value.keys());
                out.extend(names.flat_map(|name| misfits(root, wanted, &json!(name), &format!("{place}/{name}~name"))));
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    out.extend(misfits(root, wanted, item, &format!("{place}/{index}")));
                }
                true
            }
            "title" | "description" | "$schema" | "$defs" => true,
            other => panic!("the schema uses `{other}`, which is not among {KEYWORDS:?}"),
        };
        if !fits {
            out.push(format!("{place}: {keyword}"));
        }
    }
    out
}

fn check(content: &str) -> Vec<String> {
    let schema = schema();
    match yaml(content) {
        Some(value) => misfits(&schema, &schema, &value, ""),
        None => vec!["not YAML".to_owned()],
    }
}

#[test]
fn every_rule_file_that_loads_fits_the_schema() {
    let all = [files("rules"), files("tests/data/rules/good")].concat();
    assert!(all.len() > 15, "{all:?}");
    for file in all {
        let misfits = check(&fs::read_to_string(&file).unwrap());
        assert!(misfits.is_empty(), "{}: {misfits:#?}", file.display());
    }
}

/// What is wrong in these only the loader can tell: regexes, folders, ids of other rules, what keys mean together.
const BEYOND_A_SCHEMA: [&str; 14] = [
    "allowing",
    "conditions",
    "family-of-another-folder",
    "groups",
    "ids",
    "key-twice",
    "lists",
    "masks",
    "overlap",
    "patterns-too-loose",
    "regex-errors",
    "stream-and-direction",
    "variables-none",
    "slow-regex-warning",
];

#[test]
fn the_schema_refuses_what_is_its_to_refuse() {
    let mut refused = 0;
    for file in files("tests/data/rules/bad") {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let misfits = check(&fs::read_to_string(&file).unwrap());
        if BEYOND_A_SCHEMA.contains(&name) {
            continue;
        }
        assert!(!misfits.is_empty(), "{name} fits the schema: is it a matter for BEYOND_A_SCHEMA?");
        refused += 1;
    }
    assert!(refused >= 14, "{refused}");
}

/// The strings of a `const NAME: [&str; N] = […]` of a source file.
fn constant(source: &str, name: &str) -> BTreeSet<String> {
    let declared = source.split_once(&format!("const {name}: [&str;")).unwrap_or_else(|| panic!("no {name}")).1;
    let list = declared.split_once('=').unwrap().1.split(';').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
    schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_object().unwrap().keys().cloned().collect()
}

fn names(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let names = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn set<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_schema_knows_every_key_and_name() {
    let schema = schema();
    let rule = constant(&read("src/rules/source.rs"), "RULE_KEYS");
    assert_eq!(keys(&schema, "/$defs/rule/properties"), rule);
    let own = constant(&read("src/rules/source/defaults.rs"), "OWN");
    assert_eq!(keys(&schema, "/properties/defaults/properties"), rule.difference(&own).cloned().collect());
    let pattern = constant(&read("src/rules/source/pattern.rs"), "PATTERN_KEYS");
    assert_eq!(keys(&schema, "/$defs/pattern/properties"), pattern);
    assert_eq!(names(&schema, "/properties/family/enum"), set(Family::ALL.map(Family::name)));
    assert_eq!(names(&schema, "/$defs/role/enum"), set(Roles::EVERY.iter().map(|role| role.name())));
    let validators = names(&schema, "/$defs/rule/properties/validators/items/enum");
    assert_eq!(validators, set(Validator::all().map(|validator| validator.name())));
    let lints = names(&schema, "/$defs/rule/properties/lint/properties/allow/items/enum");
    assert_eq!(lints, set(Lint::allowable().map(Lint::name)));
    let known = transforms::ENCODINGS.into_iter().chain(transforms::DISGUISES).chain(["all", "encodings", "none"]);
    assert_eq!(names(&schema, "/$defs/transforms/oneOf/1/items/enum"), set(known));
    for (pointer, limit) in [
        ("/$defs/rule/properties/patterns/maxItems", limits::PATTERNS),
        ("/$defs/rule/properties/score/maximum", limits::SCORE),
        ("/$defs/rule/properties/condition/maxLength", limits::CONDITION_BYTES),
        ("/$defs/text/maxLength", limits::PATTERN_BYTES),
        ("/$defs/gap/properties/words/maximum", limits::GAP_WORDS),
        ("/$defs/gap/properties/bytes/maximum", limits::GAP_BYTES),
        ("/$defs/pattern/properties/near/properties/of/maxItems", limits::NEAR_PARTS),
        ("/$defs/pattern/properties/sequence/properties/of/maxItems", limits::SEQUENCE_PARTS),
        ("/$defs/pattern/properties/count/properties/at_least/maximum", limits::COUNT),
        ("/$defs/examples/properties/match/minItems", limits::EXAMPLES_MIN),
        ("/$defs/example_text/maxLength", limits::EXAMPLE_BYTES),
    ] {
        assert_eq!(schema.pointer(pointer).and_then(Value::as_u64), u64::try_from(limit).ok(), "{pointer}");
    }
}

#[test]
fn the_schema_lets_a_message_hold_what_the_loader_does() {
    let schema = schema();
    for pointer in ["/$defs/rule/properties/message/pattern", "/properties/defaults/properties/message/pattern"] {
        let pattern = Regex::new(schema.pointer(pointer).and_then(Value::as_str).unwrap()).unwrap();
        // Beyond these, expressions of different programs mean different things; the loader refuses what is invisible there.
        for c in ('\0'..='\u{FFFF}').filter(|c| !c.is_whitespace() || c.is_control()) {
            let is_shown = !c.is_control() && !is_invisible(c);
            assert_eq!(pattern.is_match(format!("a{c}b").as_str()), is_shown, "U+{:04X}", u32::from(c));
        }
        assert!(["a b", "a\u{a0}b"].iter().all(|text| pattern.is_match(*text)));
        assert!(!["a\u{2028}b", "a\u{2029}b"].iter().any(|text| pattern.is_match(*text)));
    }
}

#[test]
fn the_page_names_every_key() {
    let page = read("docs/rules.md");
    let source = read("src/rules/source.rs");
    let pattern = constant(&read("src/rules/source/pattern.rs"), "PATTERN_KEYS");
    for key in constant(&source, "RULE_KEYS").union(&pattern) {
        let is_row =
            [format!("| `{key}`"), format!("| `{key}."), format!(", `{key}`")].iter().any(|row| page.contains(row));
        assert!(is_row, "docs/rules.md has no row for the key `{key}`");
    }
    for name in transforms::ENCODINGS.into_iter().chain(transforms::DISGUISES) {
        assert!(page.contains(&format!("`{name}`")), "docs/rules.md does not name the transform `{name}`");
    }
}

/// Everything that looks like a code of a diagnostic, in quotes or in a table.
fn codes(text: &str, before: &str, after: &str) -> BTreeSet<String> {
    let parts = text.match_indices(before).filter_map(|(at, _)| text[at + before.len()..].split(after).next());
    let is_code = |code: &&str| {
        code.len() == 4 && code.starts_with(['R', 'W']) && code[1..].bytes().all(|byte| byte.is_ascii_digit())
    };
    parts.filter(is_code).map(str::to_owned).collect()
}

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_page_names_every_code_and_no_other() {
    let mut source = String::new();
    // The wiring knows the names that rules use and nobody has.
    for folder in ["src/rules", "src/app"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut source);
    }
    let used = codes(&source, "\"", "\"");
    assert!(used.len() > 20, "{used:?}");
    assert_eq!(codes(&read("docs/rules.md"), "| ", " |"), used);
}

#[test]
fn the_rules_on_the_page_load_and_do_what_their_examples_say() {
    let page = read("docs/rules.md");
    let mut ran = 0;
    for block in page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let Some(family) = block.strip_prefix("family: ").and_then(|rest| rest.split_whitespace().next()) else {
            continue;
        };
        let list = ("lists/denied.txt", "# one entry a line\nproject nightfall\noperation daybreak\n");
        let sources = vec![
            (PathBuf::from(format!("{family}/topic.yaml")), block.to_owned()),
            (PathBuf::from(family).join(list.0), list.1.to_owned()),
        ];
        let loaded = from_sources(sources).unwrap_or_else(|problems| panic!("{problems}\n{block}"));
        assert!(loaded.warnings.warnings.is_empty(), "{}", loaded.warnings);
        let report = run_examples(&Scanner::new(Arc::new(loaded.set)).unwrap());
        assert!(report.is_ok(), "{report}");
        assert!(check(block).is_empty(), "{:?}\n{block}", check(block));
        ran += 1;
    }
    assert!(ran >= 5, "{ran} rule files on the page");
}
