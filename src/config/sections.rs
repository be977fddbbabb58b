//! The sections of the file, one function each. A wrong section does not keep the others from being read.

use std::path::{Path, PathBuf};

use super::value::{address, dollars, name, number, optional, path, switch, word};
use super::{
    AccessConfig, Config, LogConfig, ProviderAuth, ProviderConfig, ProviderKind, Readable, ServerConfig, TlsFiles,
    audit, console, datasets, model, outputs, policy,
};
use crate::access::ClientKey;
use crate::base::limits::TOKEN_DEPTH_MAX;
use crate::base::{Limits, Secret};
use crate::console::ConsoleConfig;
use crate::protocol::json::DEPTH_MAX;
use crate::route::{ModelPattern, Price};
use crate::telemetry::trace::LogFormat;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::suggest;
use crate::yaml::table::{Table, list, text};

const SECTIONS: [&str; 14] = [
    "server",
    "state",
    "region",
    "node",
    "log",
    "console",
    "providers",
    "access",
    "rules",
    "model",
    "policy",
    "audit",
    "datasets",
    "limits",
];

/// Longest time that a limit may name, in milliseconds: beyond, sums of times would overflow in every exchange.
const MS_MAX: u64 = 31 * 24 * 60 * 60 * 1000;

/// What a section's reader needs besides its own part of the tree.
pub(super) struct Context<'a> {
    pub(super) base: &'a Path,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads every section. `None`: something needed is missing or wrong, and is reported.
pub(super) fn read(
    tree: &Node,
    base: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    report: &mut Reporter<'_>,
) -> Option<Config> {
    let context = Context { base, environment };
    let table = Table::open(tree, "the configuration", &SECTIONS, report)?;
    let server = table.needed("server", report).and_then(|node| server(node, base, report));
    let state = table.needed("state", report).and_then(|node| path(node, "state", base, report));
    let region = table.needed("region", report).and_then(|node| name(node, "region", report));
    let node = optional(&table, "node", |node| name(node, "node", report));
    let log = table.needed("log", report).and_then(|node| log(node, report));
    let console = match table.get("console") {
        None => Some(ConsoleConfig::default()),
        Some(node) => console::read(node, &context, report),
    };
    let providers = table.needed("providers", report).and_then(|node| providers(node, &context, report));
    let access = table.needed("access", report).and_then(|node| access(node, report));
    let rules = table.needed("rules", report).and_then(|node| rules(node, base, report));
    let model = table.needed("model", report).and_then(|node| model::read(node, &context, report));
    let policy = table.needed("policy", report).and_then(|node| policy::read(node, report));
    let audit = table.needed("audit", report).and_then(|node| {
        let home = region.as_deref().unwrap_or_default();
        audit::read(node, home, &context, report)
    });
    let datasets = optional(&table, "datasets", |node| {
        let regions = audit.iter().flat_map(|audit| &audit.regions);
        let of =
            regions.flat_map(|(name, region)| region.tenants.iter().map(|tenant| (tenant.as_str(), name.as_str())));
        datasets::read(node, &of.collect(), &context, report)
    });
    let limits = match table.get("limits") {
        None => Some(Limits::default()),
        Some(node) => limits(node, report),
    };
    if let (Some(providers), Some(access)) = (&providers, &access) {
        open_relay(providers, access, table.get("access"), report);
        unusable(providers, access, table.get("access"), report);
    }
    let is_behind_tls = console.as_ref().is_some_and(ConsoleConfig::is_encrypted);
    if let Some(server) = server.as_ref().filter(|server| !server.admin.ip().is_loopback() && !is_behind_tls) {
        let message =
            format!("server.admin is {}: the token and the record cross the network unencrypted", server.admin);
        let help = "listen on the loopback and reach it through an encrypted tunnel or proxy";
        report.warning("C011", table.get("server").map(|node| node.place), message, help);
    }
    Some(Config {
        server: server?,
        state: state?,
        region: region?,
        node,
        log: log?,
        console: console?,
        providers: providers?,
        access: access?,
        watch_rules: rules.as_ref().is_some_and(|rules| rules.watch),
        rules: rules?.folders,
        model: model?,
        policy: policy?,
        audit: audit?,
        datasets,
        limits: limits?,
    })
}

/// The sections that are well by themselves, each for itself.
pub(super) fn readable(
    tree: &Node,
    base: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    report: &mut Reporter<'_>,
) -> Readable {
    let context = Context { base, environment };
    let table = Table::open(tree, "the configuration", &SECTIONS, report);
    let section = |name: &str| table.as_ref().and_then(|table| table.get(name));
    let rules = section("rules").and_then(|node| rules(node, base, report)).map(|rules| rules.folders);
    let model = section("model").and_then(|node| model::read(node, &context, report));
    let state = section("state").and_then(|node| path(node, "state", base, report));
    let admin = section("server").and_then(|node| server(node, base, report)).map(|server| server.admin);
    let limits = match section("limits") {
        None => Some(Limits::default()),
        Some(node) => limits(node, report),
    };
    Readable { rules, model, state, admin, limits }
}

fn server(node: &Node, base: &Path, report: &mut Reporter<'_>) -> Option<ServerConfig> {
    let table = Table::open(node, "server", &["data", "admin", "tls", "admin_hosts"], report)?;
    let data = table.needed("data", report).and_then(|node| address(node, "server.data", report));
    let admin = table.needed("admin", report).and_then(|node| address(node, "server.admin", report));
    let tls = optional(&table, "tls", |node| {
        let table = Table::open(node, "server.tls", &["certificate", "key"], report)?;
        let certificate = table.needed("certificate", report).and_then(|node| path(node, "certificate", base, report));
        let key = table.needed("key", report).and_then(|node| path(node, "key", base, report));
        Some(TlsFiles { certificate: certificate?, key: key? })
    });
    let hosts = optional(&table, "admin_hosts", |node| list(node, "server.admin_hosts", report));
    let hosts = hosts.unwrap_or_default();
    let admin_hosts =
        hosts.iter().filter_map(|node| text(node, "server.admin_hosts", report)).map(|host| host.value).collect();
    Some(ServerConfig { data: data?, admin: admin?, tls, admin_hosts })
}

fn log(node: &Node, report: &mut Reporter<'_>) -> Option<LogConfig> {
    let table = Table::open(node, "log", &["format", "filter"], report)?;
    let words = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format = table.needed("format", report).and_then(|node| word(node, "log.format", &words, report));
    let filter = table.needed("filter", report).and_then(|node| text(node, "log.filter", report));
    Some(LogConfig { format: format?, filter: filter?.value })
}

fn providers(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<Vec<ProviderConfig>> {
    let nodes = list(node, "providers", report)?;
    let mut providers: Vec<ProviderConfig> = Vec::new();
    for node in nodes {
        let Some(provider) = provider(node, context, report) else { continue };
        if providers.iter().any(|earlier| earlier.name == provider.name) {
            let message = format!("two providers are named `{}`", provider.name);
            report.error("C008", node.place, message, "give each a name of its own");
        }
        providers.push(provider);
    }
    if providers.len() < nodes.len() {
        return None;
    }
    if providers.is_empty() {
        report.error(
            "C008",
            node.place,
            "there is no provider",
            "name at least one; `mock: true` is the built-in stand-in",
        );
        return None;
    }
    Some(providers)
}

fn provider(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<ProviderConfig> {
    let known = ["name", "mock", "base_url", "auth", "ca_file", "private", "models", "prices"];
    let table = Table::open(node, "a provider", &known, report)?;
    let own_name = table.needed("name", report).and_then(|node| name(node, "name", report));
    let models = table.needed("models", report).and_then(|node| list(node, "models", report));
    let models: Option<Vec<ModelPattern>> = models.map(|nodes| {
        nodes.iter().filter_map(|node| text(node, "models", report)).map(|at| ModelPattern::new(at.value)).collect()
    });
    let prices = optional(&table, "prices", |node| list(node, "prices", report));
    let prices = prices.unwrap_or_default().iter().filter_map(|node| price(node, report)).collect();
    let kind = if switch(&table, "mock", report) {
        for key in ["base_url", "auth", "ca_file", "private"] {
            if let Some(node) = table.get(key) {
                report.error("C008", node.place, format!("a mock provider has no `{key}`"), "take the line out");
            }
        }
        Some(ProviderKind::Mock)
    } else {
        let base_url = table.needed("base_url", report).and_then(|node| base_url(node, report));
        let auth = table.needed("auth", report).and_then(|node| auth(node, context, report));
        let ca_file = optional(&table, "ca_file", |node| path(node, "ca_file", context.base, report));
        if let (Some(base_url), Some(ProviderAuth::Held(_) | ProviderAuth::PassThrough)) = (&base_url, &auth)
            && !is_private(base_url)
        {
            let message = format!("keys and prompts travel to {base_url} unencrypted");
            report.warning("C011", table.get("base_url").map(|node| node.place), message, "write https://");
        }
        let reach = outputs::reach(&table, report);
        base_url.zip(auth).map(|(base_url, auth)| ProviderKind::Remote { base_url, auth, ca_file, reach })
    };
    Some(ProviderConfig { name: own_name?, kind: kind?, models: models?, prices })
}

fn price(node: &Node, report: &mut Reporter<'_>) -> Option<Price> {
    let table = Table::open(node, "a price", &["model", "prompt", "completion"], report)?;
    let model = table.needed("model", report).and_then(|node| text(node, "model", report));
    let prompt = table.needed("prompt", report).and_then(|node| dollars(node, "prompt", report));
    let completion = table.needed("completion", report).and_then(|node| dollars(node, "completion", report));
    Some(Price { model: ModelPattern::new(model?.value), prompt: prompt?, completion: completion? })
}

fn base_url(node: &Node, report: &mut Reporter<'_>) -> Option<String> {
    let written = text(node, "base_url", report)?;
    let help = "write for example https://api.openai.com/v1: up to the version, without query or user";
    let uri: Option<http::Uri> = written.value.parse().ok();
    let fits = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
    });
    if !fits {
        let message = format!("base_url: `{}` is not the address of a provider", written.value);
        report.error("C008", written.place, message, help);
        return None;
    }
    Some(written.value.trim_end_matches('/').to_owned())
}

/// True for an address that nobody on the way can read: encrypted, or on this machine.
fn is_private(base_url: &str) -> bool {
    let Ok(uri) = base_url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    uri.scheme_str() == Some("https") || is_loopback
}

fn auth(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<ProviderAuth> {
    if matches!(node.value, Value::Map(_)) {
        return secret(node, "auth", ("key_env", "key_file"), context, report).map(ProviderAuth::Held);
    }
    // What stands here may be a key that somebody pasted: it is not repeated.
    match text(node, "auth", report)?.value.as_str() {
        "none" => Some(ProviderAuth::None),
        "pass_through" => Some(ProviderAuth::PassThrough),
        _ => {
            let help = "write pass_through, none, { key_env: NAME } or { key_file: PATH }; never the key itself";
            report.error("C009", node.place, "auth says whose key is sent", help);
            None
        }
    }
}

/// A secret named by an environment variable or a file, never written in the configuration itself.
pub(super) fn secret(
    node: &Node,
    what: &'static str,
    (env_key, file_key): (&'static str, &'static str),
    context: &Context<'_>,
    report: &mut Reporter<'_>,
) -> Option<Secret> {
    let table = Table::open(node, what, &[env_key, file_key], report)?;
    let (found, place, source) = match (table.get(env_key), table.get(file_key)) {
        (Some(node), None) => {
            let variable = text(node, env_key, report)?;
            let found = (context.environment)(&variable.value).ok_or_else(|| "it is not set".to_owned());
            (found, node.place, format!("the environment variable {}", variable.value))
        }
        (None, Some(node)) => {
            let file = path(node, file_key, context.base, report)?;
            let found = std::fs::read_to_string(&file).map_err(|error| error.to_string());
            (found, node.place, format!("the file {}", file.display()))
        }
        _ => {
            let message = format!("{what} needs `{env_key}` or `{file_key}`, one of them");
            report.error("C009", node.place, message, "name where the secret is, not the secret");
            return None;
        }
    };
    match found.map(Secret::new) {
        Ok(secret) if !secret.is_empty() => Some(secret),
        Ok(_) => {
            report.error("C009", place, format!("{source} is empty"), "put the secret there");
            None
        }
        Err(error) => {
            report.error(
                "C009",
                place,
                format!("{source} cannot be read: {error}"),
                "put the secret there, or name another",
            );
            None
        }
    }
}

fn access(node: &Node, report: &mut Reporter<'_>) -> Option<AccessConfig> {
    let table = Table::open(node, "access", &["anonymous", "keys", "dangerous_open_relay"], report)?;
    let words = [("allow", true), ("refuse", false)];
    let anonymous = table.needed("anonymous", report).and_then(|node| word(node, "access.anonymous", &words, report));
    let nodes = optional(&table, "keys", |node| list(node, "access.keys", report)).unwrap_or_default();
    let mut keys: Vec<ClientKey> = Vec::new();
    for node in nodes {
        let Some(key) = client_key(node, report) else { continue };
        if keys.iter().any(|earlier| earlier.id == key.id || earlier.hash == key.hash) {
            report.error("C008", node.place, format!("the key `{}` stands here twice", key.id), "keep one of them");
        }
        keys.push(key);
    }
    Some(AccessConfig {
        anonymous: anonymous?,
        keys: (keys.len() == nodes.len()).then_some(keys)?,
        dangerous_open_relay: switch(&table, "dangerous_open_relay", report),
    })
}

fn client_key(node: &Node, report: &mut Reporter<'_>) -> Option<ClientKey> {
    let table = Table::open(node, "a client key", &["id", "tenant", "sha256"], report)?;
    let id = table.needed("id", report).and_then(|node| name(node, "id", report));
    let tenant = table.needed("tenant", report).and_then(|node| name(node, "tenant", report));
    let hash = table.needed("sha256", report).and_then(|node| {
        let written = text(node, "sha256", report)?;
        written.value.parse().map_err(|help: String| report.error("C008", written.place, "not a SHA-256", help)).ok()
    });
    Some(ClientKey { id: id?, tenant: tenant?, hash: hash? })
}

/// Whoever can reach the port could spend the money behind a key that we hold.
fn open_relay(providers: &[ProviderConfig], access: &AccessConfig, node: Option<&Node>, report: &mut Reporter<'_>) {
    let held =
        |provider: &&ProviderConfig| matches!(&provider.kind, ProviderKind::Remote { auth: ProviderAuth::Held(_), .. });
    let Some(provider) = providers.iter().find(held) else { return };
    let place = node.map(|node| node.place);
    if access.dangerous_open_relay {
        let message = format!("this is an open relay: anybody may use the key of provider `{}`", provider.name);
        report.warning("C010", place, message, "make client keys with `portcullis keys new` and take the switch out");
    } else if access.keys.is_empty() {
        let message = format!(
            "this would be an open relay: provider `{}` has a key that we hold, and no client needs one of ours",
            provider.name
        );
        let help = "add a key to access.keys (`portcullis keys new`); `dangerous_open_relay: true` if it must be so";
        report.error("C010", place, message, help);
    }
}

/// A provider that wants the client's own key, where every client must send one of ours.
fn unusable(providers: &[ProviderConfig], access: &AccessConfig, node: Option<&Node>, report: &mut Reporter<'_>) {
    let passes = |provider: &&ProviderConfig| {
        matches!(&provider.kind, ProviderKind::Remote { auth: ProviderAuth::PassThrough, .. })
    };
    if let Some(provider) = providers.iter().find(passes).filter(|_| !access.anonymous) {
        let message = format!(
            "nobody can use provider `{}`: it wants the client's own key (auth: pass_through), and access.anonymous: \
             refuse wants one of ours in the same header",
            provider.name
        );
        report.warning(
            "C012",
            node.map(|node| node.place),
            message,
            "hold that provider's key, or allow anonymous callers",
        );
    }
}

/// Section `rules`.
pub(super) struct RulesSection {
    pub(super) folders: Vec<PathBuf>,
    pub(super) watch: bool,
}

pub(super) fn rules(node: &Node, base: &Path, report: &mut Reporter<'_>) -> Option<RulesSection> {
    let table = Table::open(node, "rules", &["folders", "watch"], report)?;
    let nodes = table.needed("folders", report).and_then(|node| list(node, "rules.folders", report))?;
    let folders: Vec<_> = nodes.iter().filter_map(|node| path(node, "rules.folders", base, report)).collect();
    let before = report.error_count();
    // Off when absent: without a word of the operator nothing but his own act changes the policy in force.
    let watch = switch(&table, "watch", report);
    (folders.len() == nodes.len() && report.error_count() == before).then_some(RulesSection { folders, watch })
}

fn limits(node: &Node, report: &mut Reporter<'_>) -> Option<Limits> {
    let Ok(serde_json::Value::Object(mut values)) = serde_json::to_value(Limits::default()) else { return None };
    let known: Vec<String> = values.keys().cloned().collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let Value::Map(entries) = &node.value else {
        report.error("C006", node.place, "limits must be a mapping", suggest::help("", &known));
        return None;
    };
    let before = report.error_count();
    for (key, place, node) in entries {
        if !known.contains(&key.as_str()) {
            report.error("C003", *place, format!("limits has no key `{key}`"), suggest::help(key, &known));
        } else if let Some(value) = number(node, &format!("limits.{key}"), report) {
            if value == 0 {
                report.error(
                    "C007",
                    node.place,
                    format!("limits.{key} cannot be 0"),
                    "nothing would work; write 1 or more",
                );
            }
            if key.ends_with("_ms") && value > MS_MAX {
                let message = format!("limits.{key} is over {MS_MAX} (a month)");
                report.error("C007", node.place, message, "write a time that somebody will wait for");
            }
            if key == "token_depth" && value > TOKEN_DEPTH_MAX as u64 {
                let message = format!("limits.token_depth is over {TOKEN_DEPTH_MAX}");
                let help = format!("write 1 to {TOKEN_DEPTH_MAX}: what is put back may double with every document");
                report.error("C007", node.place, message, help);
            }
            if key == "json_depth" && value > DEPTH_MAX as u64 {
                let message = format!("limits.json_depth is over {DEPTH_MAX}, which no document is read beyond");
                report.error("C007", node.place, message, format!("write {DEPTH_MAX} or less"));
            }
            values.insert(key.clone(), value.into());
        }
    }
    if report.error_count() > before {
        return None;
    }
    serde_json::from_value(serde_json::Value::Object(values)).ok()
}
