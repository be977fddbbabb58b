//! The order of the house: a module imports only from smaller ranks, the pure set stays pure, and only `inspect` mints
//! `Cleared`. One crate has no boundaries of its own; this test is the boundary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rank of each top-level module (DESIGN: "The tree"). Equal ranks do not import each other.
const RANKS: &[(&str, u32)] = &[
    ("base", 0),
    ("egress", 1),
    ("text", 1),
    ("verdict", 2),
    ("telemetry", 1),
    ("yaml", 1),
    ("audit", 3),
    ("access", 3),
    ("rules", 4),
    ("model", 4),
    ("scan", 5),
    ("classify", 5),
    ("inspect", 6),
    ("protocol", 7),
    ("route", 7),
    ("provider", 8),
    ("proxy", 9),
    ("review", 9),
    ("server", 10),
    ("console", 10),
    ("config", 11),
    ("app", 12),
    ("cli", 13),
    ("main", 14),
];

/// Words that may not appear in a module's code, with the reason shown when they do.
const BANNED: &[(&[&str], &[&str], &str)] = &[
    (
        &["base", "text", "verdict", "rules", "scan", "inspect", "protocol"],
        &[
            "async fn",
            "async move",
            ".await",
            "tokio::",
            "sqlx::",
            "hyper::",
            "std::net::Tcp",
            "std::net::Udp",
            "ToSocketAddrs",
        ],
        "the pure set is synchronous and free of I/O, so that it can be fuzzed, benched and embedded",
    ),
    (
        &["base", "text", "verdict", "scan", "inspect", "protocol"],
        &["std::fs", "serde_saphyr"],
        "no files and no YAML here",
    ),
    (&["inspect"], &["crate::audit", "crate::access"], "principal and policy come in as values, findings go out"),
];

struct Source {
    path: PathBuf,
    module: String,
    code: String,
}

#[test]
fn modules_import_only_from_smaller_ranks() {
    let sources = sources();
    let mut imports = 0;
    let mut wrong = Vec::new();
    for source in &sources {
        let own = rank(&source.module);
        for imported in imported_modules(&source.code) {
            imports += 1;
            if imported != source.module && rank(&imported) >= own {
                wrong.push(format!(
                    "{}: {} (rank {own}) imports {imported} (rank {})",
                    source.path.display(),
                    source.module,
                    rank(&imported)
                ));
            }
        }
    }
    println!("{} files, {imports} imports", sources.len());
    assert!(
        sources.len() > 20 && imports > 50,
        "the test must see the tree: {} files, {imports} imports",
        sources.len()
    );
    assert!(wrong.is_empty(), "imports point down only:\n{}", wrong.join("\n"));
}

#[test]
fn the_pure_set_is_pure() {
    let sources = sources();
    let mut wrong = Vec::new();
    for source in &sources {
        for (modules, words, reason) in BANNED {
            if !modules.contains(&source.module.as_str()) {
                continue;
            }
            for word in *words {
                if source.code.contains(word) {
                    wrong.push(format!("{}: `{word}`: {reason}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_inspect_mints_cleared() {
    let mut minted_at = Vec::new();
    for source in sources() {
        if source.code.contains("::mint(") || source.code.contains("mint_for_test(") {
            minted_at.push((source.module.clone(), source.path.display().to_string()));
        }
    }
    assert!(!minted_at.is_empty(), "inspect must mint Cleared somewhere");
    for (module, path) in minted_at {
        assert_eq!(module, "inspect", "{path} mints Cleared");
    }
}

fn rank(module: &str) -> u32 {
    let found = RANKS.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("module `{module}` has no rank: add it to tests/layers.rs and ARCHITECTURE.md")).1
}

/// Top-level modules named after `crate::` in the code.
fn imported_modules(code: &str) -> Vec<String> {
    code.match_indices("crate::")
        .map(|(at, found)| {
            code[at + found.len()..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        })
        .filter(|name| RANKS.iter().any(|(module, _)| module == name))
        .collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    visit(&root, &root, &mut found);
    found
}

fn visit(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap();
            // Test modules in files of their own may import what they need, as inline ones may.
            if relative.iter().any(|part| part == "tests" || part == "tests.rs") {
                continue;
            }
            let module = relative.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
            if module == "lib" {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { path: relative.to_owned(), module, code: code_only(&text) });
        }
    }
}

/// The code without comments and without its inline test module, which may import what it needs.
fn code_only(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
