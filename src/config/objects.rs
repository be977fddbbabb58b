//! Places in object stores: `url`, and what it takes to be let in.

use std::path::PathBuf;

use super::outputs::reach;
use super::sections::{Context, secret};
use super::value::{optional, path};
use crate::egress::{ObjectsConfig, Place, web_url};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Node;
use crate::yaml::table::{Table, text};

const KEYS: [&str; 8] =
    ["url", "endpoint", "region", "access_key", "secret_key", "service_account", "ca_file", "private"];

/// Reads a place; `what` is it for people.
pub(super) fn read(
    node: &Node,
    what: &'static str,
    context: &Context<'_>,
    report: &mut Reporter<'_>,
) -> Option<ObjectsConfig> {
    let before = report.error_count();
    let table = Table::open(node, what, &KEYS, report)?;
    let written = table.needed("url", report).and_then(|node| text(node, "url", report))?;
    let endpoint = optional(&table, "endpoint", |node| {
        let written = text(node, "endpoint", report)?;
        match web_url(&written.value) {
            Ok(url) if url.query().is_none() => Some(url),
            _ => {
                let message = format!("endpoint: `{}` is no server's address", written.value);
                report.error("C008", written.place, message, "write https://host, without a query or user");
                None
            }
        }
    });
    let region = optional(&table, "region", |node| text(node, "region", report)).map(|region| region.value);
    let key = |name: &'static str, report: &mut Reporter<'_>| {
        optional(&table, name, |node| secret(node, name, ("env", "file"), context, report))
    };
    let (access, secret_key) = (key("access_key", report), key("secret_key", report));
    let service_account = key("service_account", report);
    let ca_file = optional(&table, "ca_file", |node| path(node, "ca_file", context.base, report));
    let reach = reach(&table, report);
    if report.error_count() > before {
        return None;
    }
    let place = match parts(&written.value) {
        Some(("s3", bucket, prefix)) => match (access, secret_key) {
            (Some(id), Some(secret)) => {
                let region = match (region, &endpoint) {
                    (Some(region), _) => region,
                    // What is no Amazon takes any, and `auto` is R2's.
                    (None, Some(_)) => "auto".to_owned(),
                    (None, None) => {
                        let help = "write for example `region: eu-central-1`; or `endpoint:` for another server";
                        report.error("C008", node.place, format!("{what}: Amazon's buckets are in a region"), help);
                        return None;
                    }
                };
                Place::S3 { bucket, prefix, endpoint, region, key: (id, secret) }
            }
            _ => {
                let help = "write `access_key: { env: NAME }` and `secret_key: { env: NAME }`, or `file:`";
                report.error("C009", node.place, format!("{what}: s3:// needs a key"), help);
                return None;
            }
        },
        Some(("gs", bucket, prefix)) => match service_account {
            Some(service_account) => Place::Gcs { bucket, prefix, endpoint, service_account },
            None => {
                let help = "write `service_account: { file: PATH }`: the key of a service account, as JSON";
                report.error("C009", node.place, format!("{what}: gs:// needs a service account"), help);
                return None;
            }
        },
        Some(_) => {
            let message = format!("url: `{}` is no place that objects can be put", written.value);
            report.error("C008", written.place, message, "write s3://bucket/prefix, gs://bucket/prefix or a folder");
            return None;
        }
        None => Place::Folder(context.base.join(folder(&written.value))),
    };
    Some(ObjectsConfig { place, reach, ca_file })
}

/// Scheme, bucket and prefix; `None`: a folder.
fn parts(url: &str) -> Option<(&str, String, String)> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| *scheme != "file")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte));
    let scheme = if is_name { scheme } else { "" };
    Some((scheme, bucket.to_owned(), prefix.trim_matches('/').to_owned()))
}

fn folder(url: &str) -> PathBuf {
    PathBuf::from(url.strip_prefix("file://").unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_buckets_and_folders() {
        let of = |url| parts(url).map(|(scheme, bucket, prefix)| (scheme.to_owned(), bucket, prefix));
        let some = |scheme: &str, bucket: &str, prefix: &str| Some((scheme.into(), bucket.into(), prefix.into()));
        assert_eq!(of("s3://audit-archive/box/1/"), some("s3", "audit-archive", "box/1"));
        assert_eq!(of("gs://audit"), some("gs", "audit", ""));
        assert_eq!(of("s3://Bad Name/x").unwrap().0, "");
        assert_eq!(of("s3://").unwrap().0, "");
        for folder in ["/srv/archive", "archive", "file:///srv/archive"] {
            assert_eq!(of(folder), None, "{folder}");
        }
        assert_eq!(folder("file:///srv/archive"), PathBuf::from("/srv/archive"));
    }
}
