//! Who is told what is recorded: the lists `audit.outputs` and `audit.regions.NAME.outputs`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::objects;
use super::sections::{Context, secret};
use super::value::{name, optional, path, switch, word};
use crate::audit::{
    EventType, FACILITIES, OutputConfig, ReceiverConfig, SinkConfig, SyslogConfig, Transport, WebhookSecret,
};
use crate::base::Secret;
use crate::egress::{Reach, web_url};
use crate::verdict::Action;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::table::{Table, boolean, list, text};

const KEYS: [&str; 12] = [
    "name",
    "file",
    "stdout",
    "syslog",
    "http",
    "otlp",
    "webhook",
    "objects",
    "events",
    "min_action",
    "tenants",
    "excerpts",
];
const SINKS: [&str; 7] = ["file", "stdout", "syslog", "http", "otlp", "webhook", "objects"];

/// Reads a list of outputs. `names`: those that are taken, by other regions' outputs.
pub(super) fn read(
    node: &Node,
    names: &mut BTreeSet<String>,
    context: &Context<'_>,
    report: &mut Reporter<'_>,
) -> Option<Vec<OutputConfig>> {
    let mut outputs = Vec::new();
    let nodes = list(node, "outputs", report)?;
    for node in nodes {
        let Some(output) = output(node, context, report) else { continue };
        if !names.insert(output.name.clone()) {
            let message = format!("two outputs are named `{}`", output.name);
            report.error(
                "C008",
                node.place,
                message,
                "give each a name of its own: its place in the record is kept under it",
            );
        }
        outputs.push(output);
    }
    (outputs.len() == nodes.len()).then_some(outputs)
}

fn output(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<OutputConfig> {
    let table = Table::open(node, "an output", &KEYS, report)?;
    let own_name = table.needed("name", report).and_then(|node| name(node, "name", report));
    let to = sink(node, &table, context, report);
    let events = match table.get("events") {
        None => Some(usual(to.as_ref())),
        Some(node) => events(node, report),
    };
    let actions = Action::ALL.map(|action| (action.name(), action));
    let min_action = match table.get("min_action") {
        None => Some(Action::Allow),
        Some(node) => word(node, "min_action", &actions, report),
    };
    let tenants = match table.get("tenants") {
        None => Some(BTreeSet::new()),
        Some(node) => list(node, "tenants", report).map(|nodes| {
            nodes.iter().filter_map(|node| text(node, "tenants", report)).map(|tenant| tenant.value).collect()
        }),
    };
    let excerpts = match table.get("excerpts") {
        None => Some(true),
        Some(node) => boolean(node, "excerpts", report),
    };
    Some(OutputConfig {
        name: own_name?,
        to: to?,
        events: events?,
        min_action: min_action?,
        tenants: tenants?,
        excerpts: excerpts?,
    })
}

/// What goes out when nothing is said: to a webhook what somebody should look at, to an object store what proves the rest, elsewhere
/// everything, once.
fn usual(to: Option<&SinkConfig>) -> BTreeSet<EventType> {
    match to {
        Some(SinkConfig::Webhook { .. }) => [EventType::Incident].into(),
        Some(SinkConfig::Objects(_)) => [EventType::Checkpoint].into(),
        _ => EventType::ALL.into_iter().filter(|kind| *kind != EventType::Incident).collect(),
    }
}

fn events(node: &Node, report: &mut Reporter<'_>) -> Option<BTreeSet<EventType>> {
    let known = EventType::ALL.map(|kind| (kind.name(), kind));
    let nodes = list(node, "events", report)?;
    let events: BTreeSet<EventType> = nodes.iter().filter_map(|node| word(node, "events", &known, report)).collect();
    if nodes.is_empty() {
        report.error("C008", node.place, "events is empty: nothing would go out", "name some, or leave the key out");
    }
    (!events.is_empty()).then_some(events)
}

fn sink(node: &Node, table: &Table<'_>, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<SinkConfig> {
    let named: Vec<&str> = SINKS.into_iter().filter(|sink| table.get(sink).is_some()).collect();
    let &[sink] = named.as_slice() else {
        let message = match named.as_slice() {
            [] => "an output needs somewhere to go".to_owned(),
            named => format!("an output goes to one place, and this one names {}", named.join(" and ")),
        };
        report.error("C008", node.place, message, format!("write one of {}", SINKS.join(", ")));
        return None;
    };
    let node = table.get(sink)?;
    match sink {
        "file" => path(node, "file", context.base, report).map(SinkConfig::File),
        "stdout" => {
            let is_on = boolean(node, "stdout", report)?;
            if !is_on {
                report.error(
                    "C008",
                    node.place,
                    "stdout: false goes nowhere",
                    "write `stdout: true`, or take the output out",
                );
            }
            is_on.then_some(SinkConfig::Stdout)
        }
        "syslog" => syslog(node, context, report).map(SinkConfig::Syslog),
        "http" => receiver(node, "http", &[], context, report).map(SinkConfig::Http),
        "otlp" => receiver(node, "otlp", &[], context, report).map(SinkConfig::Otlp),
        "objects" => objects::read(node, "an output's objects", context, report).map(SinkConfig::Objects),
        _ => webhook(node, context, report),
    }
}

fn webhook(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<SinkConfig> {
    let receiver = receiver(node, "webhook", &["secret"], context, report);
    let Value::Map(entries) = &node.value else { return None };
    let Some((_, _, node)) = entries.iter().find(|(key, ..)| key == "secret") else {
        let help = "add `secret: { file: PATH }`; make one with `echo whsec_$(openssl rand -base64 32)`";
        report.error("C008", node.place, "a webhook needs a secret, which its receiver checks signatures with", help);
        return None;
    };
    let written = secret(node, "a webhook's secret", ("env", "file"), context, report)?;
    match WebhookSecret::parse(&written) {
        Ok(secret) => Some(SinkConfig::Webhook { receiver: receiver?, secret }),
        Err(why) => {
            report.error("C009", node.place, "this is no webhook's secret", why);
            None
        }
    }
}

fn receiver(
    node: &Node,
    what: &'static str,
    more: &[&'static str],
    context: &Context<'_>,
    report: &mut Reporter<'_>,
) -> Option<ReceiverConfig> {
    let mut keys = vec!["url", "headers", "ca_file", "private"];
    keys.extend(more);
    let table = Table::open(node, what, &keys, report)?;
    let url = table.needed("url", report).and_then(|node| {
        // An address may be a secret by itself: Slack's are.
        let written = match &node.value {
            Value::Map(_) => secret(node, "url", ("env", "file"), context, report)?,
            _ => Secret::new(text(node, "url", report)?.value),
        };
        match web_url(written.expose()) {
            Ok(url) => {
                let host = url.host().unwrap_or_default().to_owned();
                if url.scheme_str() == Some("http") && !is_here(&host) {
                    let message = format!("{what}: what is recorded travels to {host} unencrypted");
                    report.warning("C011", Some(node.place), message, "write https://");
                }
                Some(url)
            }
            Err(why) => {
                let (before, help) = why.split_once("; ").unwrap_or((&why, "write https://host/path"));
                report.error("C008", node.place, format!("url: {before}"), help);
                None
            }
        }
    });
    let headers = match table.get("headers") {
        None => Some(HeaderMap::new()),
        Some(node) => headers(node, context, report),
    };
    let ca_file = optional(&table, "ca_file", |node| path(node, "ca_file", context.base, report));
    let reach = reach(&table, report);
    Some(ReceiverConfig { url: url?, headers: headers?, ca_file, reach })
}

/// Each header's value is a secret, named by a variable or a file.
fn headers(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<HeaderMap> {
    const OURS: [&str; 7] =
        ["connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding", "upgrade"];
    let Value::Map(entries) = &node.value else {
        let message = format!("headers must be a mapping, not {}", node.value.kind());
        report.error("C006", node.place, message, "write `authorization: { env: NAME }`, one per line");
        return None;
    };
    let mut headers = HeaderMap::new();
    for (field, _, node) in entries {
        let value = secret(node, "a header", ("env", "file"), context, report)?;
        let field = HeaderName::try_from(field.as_str()).ok().filter(|field| !OURS.contains(&field.as_str()));
        let mut value = HeaderValue::from_str(value.expose()).ok();
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        let (Some(field), Some(value)) = (field, value) else {
            let help = "use the name of a field that Portcullis does not set itself, and a value of one line";
            report.error("C008", node.place, "this header cannot be sent", help);
            return None;
        };
        headers.insert(field, value);
    }
    Some(headers)
}

fn syslog(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<SyslogConfig> {
    let table = Table::open(node, "syslog", &["address", "facility", "ca_file", "private"], report)?;
    let transport = table.needed("address", report).and_then(|node| {
        let written = text(node, "address", report)?;
        let read = transport(&written.value);
        if read.is_none() {
            let message = format!("address: `{}` is no syslog server's", written.value);
            let help = "write udp://host:514, tcp://host:601, tls://host:6514 or unix:/dev/log";
            report.error("C008", written.place, message, help);
        }
        read
    });
    if let Some(Transport::Udp(host, _) | Transport::Tcp(host, _)) = &transport
        && !is_here(host)
    {
        let message = format!("syslog: what is recorded travels to {host} unencrypted");
        report.warning("C011", table.get("address").map(|node| node.place), message, "write tls://");
    }
    let facility = match table.get("facility") {
        None => Some(LOCAL0),
        Some(node) => word(node, "facility", &FACILITIES, report),
    };
    let ca_file = optional(&table, "ca_file", |node| path(node, "ca_file", context.base, report));
    let reach = reach(&table, report);
    Some(SyslogConfig { transport: transport?, facility: facility?, ca_file, reach })
}

fn transport(written: &str) -> Option<Transport> {
    let (scheme, rest) = written.split_once(':')?;
    if scheme == "unix" {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        return path.starts_with('/').then(|| Transport::Unix(PathBuf::from(path)));
    }
    let authority: http::uri::Authority = rest.strip_prefix("//")?.parse().ok()?;
    let port = authority.port_u16();
    // A port that is none reads as no port at all.
    let is_odd = port.is_none() && authority.as_str() != authority.host();
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    if host.is_empty() || is_odd {
        return None;
    }
    match scheme {
        "udp" => Some(Transport::Udp(host, port.unwrap_or(514))),
        "tcp" => Some(Transport::Tcp(host, port.unwrap_or(601))),
        "tls" => Some(Transport::Tls(host, port.unwrap_or(6514))),
        _ => None,
    }
}

/// `private: true`: the name may lead to an address of this machine's or network's own.
pub(super) fn reach(table: &Table<'_>, report: &mut Reporter<'_>) -> Reach {
    if switch(table, "private", report) { Reach::Private } else { Reach::Written }
}

/// Whether what goes there stays on this machine.
pub(super) fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Syslog's `local0`.
const LOCAL0: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_syslog_servers() {
        for (written, expected) in [
            ("udp://siem.example", Some(Transport::Udp("siem.example".to_owned(), 514))),
            ("tcp://10.0.0.1:1514", Some(Transport::Tcp("10.0.0.1".to_owned(), 1514))),
            ("tls://[2001:db8::1]", Some(Transport::Tls("2001:db8::1".to_owned(), 6514))),
            ("unix:/dev/log", Some(Transport::Unix("/dev/log".into()))),
            ("unix:///dev/log", Some(Transport::Unix("/dev/log".into()))),
            ("unix:dev/log", None),
            ("siem.example:514", None),
            ("http://siem.example", None),
            ("tcp://", None),
            ("tcp://user@siem.example", None),
            ("tcp://siem.example:99999", None),
        ] {
            assert_eq!(transport(written), expected, "{written}");
        }
    }
}
