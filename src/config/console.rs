//! Section `console`: its address in browsers, and the identity provider.

use std::collections::BTreeSet;

use http::Uri;

use super::outputs::{is_here, reach};
use super::sections::{Context, secret};
use super::value::{optional, path};
use crate::console::{ConsoleConfig, GroupRoles, OidcConfig, Role};
use crate::egress::web_url;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Node;
use crate::yaml::table::{Table, text, texts};

pub(super) fn read(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<ConsoleConfig> {
    let before = report.error_count();
    let table = Table::open(node, "console", &["origin", "oidc"], report)?;
    let origin = optional(&table, "origin", |node| origin(node, report));
    let oidc = optional(&table, "oidc", |node| oidc(node, context, report));
    (report.error_count() == before).then_some(ConsoleConfig { origin, oidc })
}

fn origin(node: &Node, report: &mut Reporter<'_>) -> Option<Uri> {
    let written = text(node, "origin", report)?;
    let read = web_url(&written.value).ok().filter(|url| url.path() == "/" && url.query().is_none());
    if read.is_none() {
        let message = format!("origin: `{}` is not where browsers find the console", written.value);
        report.error("C008", written.place, message, "write scheme, host and port alone: https://console.example");
    }
    read
}

fn oidc(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<OidcConfig> {
    const KEYS: [&str; 9] =
        ["issuer", "name", "client_id", "client_secret", "user", "scopes", "roles", "ca_file", "private"];
    let table = Table::open(node, "oidc", &KEYS, report)?;
    let issuer = table.needed("issuer", report).and_then(|node| issuer(node, report));
    let client_id = table.needed("client_id", report).and_then(|node| filled(node, "client_id", report));
    let client_secret =
        optional(&table, "client_secret", |node| secret(node, "client_secret", ("env", "file"), context, report));
    let name = optional(&table, "name", |node| filled(node, "name", report));
    let user = optional(&table, "user", |node| filled(node, "user", report));
    let scopes = optional(&table, "scopes", |node| scopes(node, report));
    let roles = optional(&table, "roles", |node| roles(node, report));
    let ca_file = optional(&table, "ca_file", |node| path(node, "ca_file", context.base, report));
    let reach = reach(&table, report);
    Some(OidcConfig {
        issuer: issuer?,
        name: name.unwrap_or_else(|| "single sign-on".to_owned()),
        client_id: client_id?,
        client_secret,
        user: user.unwrap_or_else(|| "preferred_username".to_owned()),
        scopes: scopes.unwrap_or_else(|| vec!["profile".to_owned(), "email".to_owned()]),
        roles,
        ca_file,
        reach,
    })
}

/// Kept as it is written: what the provider calls itself must be the same to the letter.
fn issuer(node: &Node, report: &mut Reporter<'_>) -> Option<String> {
    let written = text(node, "issuer", report)?;
    let url = web_url(&written.value).ok().filter(|url| url.query().is_none());
    let Some(url) = url else {
        let message = format!("issuer: `{}` is no provider's", written.value);
        let help = "write what the provider calls itself, such as https://login.example/realms/staff";
        report.error("C008", written.place, message, help);
        return None;
    };
    // Whoever sits in between would say who may come in.
    if url.scheme_str() == Some("http") && !url.host().is_some_and(is_here) {
        let message = format!("issuer: `{}` can be answered by anybody on the way", written.value);
        report.error("C008", written.place, message, "write https://");
        return None;
    }
    Some(written.value)
}

fn scopes(node: &Node, report: &mut Reporter<'_>) -> Option<Vec<String>> {
    let written = texts(node, "scopes", report)?;
    // RFC 6749, section 3.3.
    let is_scope =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    for scope in written.iter().filter(|scope| !is_scope(&scope.value)) {
        report.error("C008", scope.place, format!("scopes: `{}` is none", scope.value), "write one scope per entry");
    }
    // Always asked for.
    Some(written.into_iter().map(|scope| scope.value).filter(|scope| scope != "openid").collect())
}

fn roles(node: &Node, report: &mut Reporter<'_>) -> Option<GroupRoles> {
    let mut keys = vec!["claim"];
    keys.extend(Role::ALL.map(Role::name));
    let table = Table::open(node, "roles", &keys, report)?;
    let claim = optional(&table, "claim", |node| filled(node, "claim", report));
    let mut groups: Vec<(Role, BTreeSet<String>)> = Vec::new();
    for role in Role::ALL {
        let Some(node) = table.get(role.name()) else { continue };
        let named = texts(node, role.name(), report)?;
        groups.push((role, named.into_iter().map(|group| group.value).filter(|group| !group.is_empty()).collect()));
    }
    if groups.iter().all(|(_, named)| named.is_empty()) {
        let help = "name groups, such as `admin: [portcullis-admins]`; or leave roles out, and make users under Access";
        report.error("C008", node.place, "roles gives no group a role", help);
    }
    Some(GroupRoles { claim: claim.unwrap_or_else(|| "groups".to_owned()), groups })
}

fn filled(node: &Node, key: &'static str, report: &mut Reporter<'_>) -> Option<String> {
    let written = text(node, key, report)?;
    if written.value.trim().is_empty() {
        report.error("C008", written.place, format!("{key} is empty"), "write it, or leave the key out");
        return None;
    }
    Some(written.value)
}
