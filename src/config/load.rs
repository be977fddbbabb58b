//! One file to one configuration, or to everything that is wrong with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::written::{Source, Written};
use super::{Config, ModelConfig};
use crate::base::Limits;
use crate::yaml::diagnostic::Codes;
use crate::yaml::{Diagnostic, Diagnostics};

/// The shipped example, used when there is no file: what a first run starts with.
pub const DEFAULT: &str = include_str!("../../portcullis.yaml");

/// Codes of configuration problems.
pub(super) const CODES: Codes = Codes {
    broken: "C001",
    unknown: "C003",
    twice: "C004",
    missing: "C005",
    mistyped: "C006",
    guide: "docs/configuration.md",
};

/// What loading gave.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed and yet not good.
    pub warnings: Vec<Diagnostic>,
    /// The text that it was read from.
    pub written: Written,
}

/// What can be read of a configuration that is wrong elsewhere: so `check` can name the problems behind it as well, and so the
/// running appliance is found while its files are broken.
#[derive(Debug, Default)]
pub struct Readable {
    /// Folders of rule files.
    pub rules: Option<Vec<PathBuf>>,
    /// The classifier.
    pub model: Option<ModelConfig>,
    /// Folder for all state.
    pub state: Option<PathBuf>,
    /// The admin port.
    pub admin: Option<SocketAddr>,
    /// The bounds.
    pub limits: Option<Limits>,
}

/// The sections of a broken configuration that are well by themselves.
pub fn readable(file: Option<&Path>, environment: &[(String, String)]) -> Readable {
    match Source::new(file.map(Path::to_owned), environment.to_vec()).read() {
        Ok(written) => written.readable(),
        Err(_) => Readable::default(),
    }
}

/// Reads a configuration file (`None`: the shipped example, with paths relative to the working folder) and lays the
/// environment over it.
///
/// # Errors
/// Everything that is wrong, with file, line, column and what to write.
pub fn load(file: Option<&Path>, environment: &[(String, String)]) -> Result<Loaded, Diagnostics> {
    Source::new(file.map(Path::to_owned), environment.to_vec()).read()?.load()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(content: &str) -> Vec<String> {
        problems_with(content, &[])
    }

    fn problems_with(content: &str, environment: &[(String, String)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portcullis.yaml");
        std::fs::write(&file, content).unwrap();
        let found = load(Some(&file), environment).unwrap_err();
        let line = |d: &Diagnostic| format!("{} {}: {}", d.code, d.place.map_or(0, |(line, _)| line), d.message);
        found.errors.iter().map(line).collect()
    }

    fn with(from: &str, to: &str) -> String {
        assert!(DEFAULT.contains(from), "the example has no `{from}`");
        DEFAULT.replacen(from, to, 1)
    }

    #[test]
    fn the_shipped_example_loads() {
        let loaded = load(None, &[]).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(loaded.config.server.data.to_string(), "127.0.0.1:8080");
        assert_eq!(loaded.config.providers[0].name, "demo");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let content = with("data: 127.0.0.1:8080", "data: here")
            .replace("region: local", "regoin: local")
            .replace("    timeout: block ", "    # timeout ")
            .replace("    file_id: refuse", "    file_id: maybe")
            .replace("user: 5", "")
            .replace("# limits:", "limits:\n  body_byte: 1\n  model_ms: soon\n# was:");
        let found = problems(&content).join("\n");
        for expected in ["server.data", "`regoin`", "`timeout`", "file_id", "`body_byte`", "model_ms"] {
            assert!(found.contains(expected), "{expected} is missing in:\n{found}");
        }
    }

    #[test]
    fn no_safety_choice_has_a_default() {
        for line in [
            "audit_full:",
            "model_missing:",
            "overload:",
            "oversize:",
            "timeout:",
            "unjudged:",
            "unparsable:",
            "upstream_error:",
            "image_url:",
            "block_end:",
            "anonymous:",
            "text: redacted",
            "untrusted: { flag: 2",
        ] {
            let content: String = DEFAULT
                .lines()
                .filter(|text| !text.trim_start().starts_with(line))
                .fold(String::new(), |all, text| all + text + "\n");
            assert_ne!(content.lines().count(), DEFAULT.lines().count(), "{line}");
            assert!(!problems(&content).is_empty(), "without {line}");
        }
    }

    #[test]
    fn a_flag_level_above_the_block_level_is_refused() {
        for (key, well, wrong) in [
            ("SCORE", ["{ flag: 3, block: 3 }", "{ flag: null, block: 3 }"], "{ flag: 9, block: 3 }"),
            ("MODEL", ["{ flag: 0.5, block: 0.5 }", "{ flag: 0.5, block: null }"], "{ flag: 0.9, block: 0.5 }"),
        ] {
            for trust in ["OPERATOR", "USER", "UNTRUSTED", "PROVIDER"] {
                let set = |value: &str| [(format!("PORTCULLIS_POLICY__{key}__{trust}"), value.to_owned())];
                well.iter().for_each(|well| assert!(load(None, &set(well)).is_ok(), "{key} {trust} {well}"));
                let found = load(None, &set(wrong)).unwrap_err().to_string();
                let place = format!("policy.{}.{} flags from", key.to_lowercase(), trust.to_lowercase());
                assert!(found.contains("C007") && found.contains(&place) && found.contains("flag: null"), "{found}");
            }
        }
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let set = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let config = load(None, &set("PORTCULLIS_SERVER__DATA", "127.0.0.1:1")).unwrap().config;
        assert_eq!(config.server.data.port(), 1);
        let config = load(None, &set("PORTCULLIS_LIMITS__BODY_BYTES", "77")).unwrap().config;
        assert_eq!(config.limits.body_bytes, 77);
        let found = load(None, &set("PORTCULLIS_SERVER__DATA", "x")).unwrap_err();
        assert!(found.to_string().contains("environment PORTCULLIS_SERVER__DATA"), "{found}");
        let found = load(None, &set("PORTCULLIS_SERVER__DATUM", "x")).unwrap_err();
        assert!(found.to_string().contains("environment PORTCULLIS_SERVER__DATUM"), "{found}");
    }

    #[test]
    fn times_are_bounded_at_n_and_n_plus_1() {
        let set = |value: u64| [("PORTCULLIS_LIMITS__MODEL_MS".to_owned(), value.to_string())];
        assert!(load(None, &set(2_678_400_000)).is_ok());
        let found = load(None, &set(2_678_400_001)).unwrap_err();
        assert!(found.to_string().contains("limits.model_ms is over"), "{found}");
    }

    #[test]
    fn the_depth_of_tokens_is_bounded_at_n_and_n_plus_1() {
        let set = |value: u64| [("PORTCULLIS_LIMITS__TOKEN_DEPTH".to_owned(), value.to_string())];
        assert_eq!(load(None, &set(8)).unwrap().config.limits.token_depth, 8);
        let found = load(None, &set(9)).unwrap_err();
        assert!(found.to_string().contains("limits.token_depth is over 8"), "{found}");
        assert!(found.to_string().contains("write 1 to 8"), "{found}");
    }

    #[test]
    fn nesting_is_bounded_at_n_and_n_plus_1() {
        let set = |value: usize| [("PORTCULLIS_LIMITS__JSON_DEPTH".to_owned(), value.to_string())];
        assert_eq!(load(None, &set(256)).unwrap().config.limits.json_depth, 256);
        let found = load(None, &set(257)).unwrap_err();
        assert!(found.to_string().contains("limits.json_depth is over 256"), "{found}");
    }

    #[test]
    fn what_kubernetes_says_of_a_service_is_no_configuration() {
        for name in
            ["PORTCULLIS_PORT", "PORTCULLIS_PORT_8080_TCP", "PORTCULLIS_SERVICE_HOST", "PORTCULLIS_SERVICE_PORT"]
        {
            let environment = [(name.to_owned(), "tcp://192.0.2.1:8080".to_owned())];
            assert!(load(None, &environment).is_ok(), "{name}");
        }
        assert!(load(None, &[("PORTCULLIS_PORTS".to_owned(), "1".to_owned())]).is_err());
    }

    #[test]
    fn keys_and_tokens_in_the_clear_are_told() {
        let warned = |from: &str, to: &str| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("portcullis.yaml");
            std::fs::write(&file, with(from, to)).unwrap();
            let loaded = load(Some(&file), &[]).unwrap_or_else(|found| panic!("{found}"));
            loaded.warnings.iter().filter(|warning| warning.code == "C011").count()
        };
        assert_eq!(warned("admin: 127.0.0.1:9090", "admin: 0.0.0.0:9090"), 1);
        assert_eq!(warned("admin: 127.0.0.1:9090", "admin: '[::1]:9090'"), 0);
        assert_eq!(warned("https://api.openai.com/v1", "http://api.example.com/v1"), 1);
        assert_eq!(warned("https://api.openai.com/v1", "http://127.0.0.1:9/v1"), 0);
    }

    #[test]
    fn a_held_key_without_client_keys_is_an_open_relay() {
        let held = with("auth: pass_through", "auth: { key_env: PATH }");
        let environment = [("PATH".to_owned(), "sk-x".to_owned())];
        let found = problems_with(&held, &environment).join("\n");
        assert!(found.contains("open relay"), "{found}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portcullis.yaml");
        std::fs::write(&file, held.replace("keys: []", "keys: []\n  dangerous_open_relay: true")).unwrap();
        let loaded = load(Some(&file), &environment).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.iter().any(|warning| warning.message.contains("open relay")));
    }
}
