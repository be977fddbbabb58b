//! Outputs: whoever is told what is recorded is told all of it, in order, however often the receiver, the store or this program
//! goes away. Receivers are real: files, rsyslog, and official libraries behind HTTP.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use portcullis::audit::{
    Audit, AuditConfig, Begin, EventType, Evidence, Outcome, OutputConfig, OutputStatus, ReceiverConfig, SinkConfig,
    SyslogConfig, SystemKind, Transport, WebhookSecret,
};
use portcullis::base::{ExchangeId, Limits, Secret};
use portcullis::egress::Reach;
use portcullis::verdict::Action;
use serde_json::Value;
use support::appliance::poll;
use support::audit::{PATIENCE, begin, end, finding, postgres, refused, sqlite};
use support::postgres::Cluster;
use support::receiver::{Receiver, SECRET, Syslogd, python};

fn output(name: &str, to: SinkConfig) -> OutputConfig {
    OutputConfig {
        name: name.to_owned(),
        to,
        events: EventType::ALL.into(),
        min_action: Action::Allow,
        tenants: BTreeSet::new(),
        excerpts: true,
    }
}

fn file(path: &Path) -> OutputConfig {
    output("eve", SinkConfig::File(path.to_owned()))
}

fn receiver(url: &str) -> ReceiverConfig {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_static("hush"));
    ReceiverConfig { url: url.parse().unwrap(), headers, ca_file: None, reach: Reach::Written }
}

async fn open(config: &AuditConfig, outputs: Vec<OutputConfig>) -> Audit {
    Audit::open(AuditConfig { outputs, ..config.clone() }).await.unwrap()
}

async fn exchange(audit: &Audit, action: Action) -> ExchangeId {
    let id = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(id, action)).await.unwrap();
    slot.end(end(Outcome::Completed));
    id
}

/// Waits until an output was told everything that is written.
fn told(audit: &Audit, name: &str) -> OutputStatus {
    poll("the output is told everything", || {
        let status = &audit.status().outputs[name];
        status.ok && status.pending == 0
    });
    audit.status().outputs[name].clone()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "every line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event_type"] == kind).collect()
}

/// The numbers of the records that lines tell of, each once; they must come in order.
fn records(lines: &[Value]) -> Vec<u64> {
    let mut numbers: Vec<u64> = lines.iter().map(|line| line["record"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    numbers.dedup();
    numbers
}

/// Every id once.
fn assert_no_twins(lines: &[Value]) {
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_every_record_once_in_order_over_restarts_and_fits_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (config, path) = (sqlite(folder.path()), folder.path().join("eve.json"));
    // What was recorded before the output was named is not told: `portcullis audit export` has it.
    let audit = open(&config, Vec::new()).await;
    exchange(&audit, Action::Flag).await;
    assert!(audit.close(PATIENCE).await);

    let mut exchanges = Vec::new();
    for _ in 0..3 {
        let audit = open(&config, vec![file(&path)]).await;
        for action in [Action::Allow, Action::Flag, Action::Block] {
            exchanges.push(exchange(&audit, action).await.to_string());
        }
        audit.refuse(refused(ExchangeId::new())).await.unwrap();
        audit.system(SystemKind::Admin, "something was changed");
        // Without waiting: what was recorded is told before it stops.
        assert!(audit.close(PATIENCE).await);
    }
    let lines = lines(&path);
    assert_no_twins(&lines);
    let numbers = records(&lines);
    let whole: Vec<u64> = (numbers[0]..=*numbers.last().unwrap()).collect();
    assert_eq!(numbers, whole);
    assert!(numbers[0] > 3, "not what was there before: {numbers:?}");
    let ids = |kind| of(&lines, kind).iter().map(|line| line["exchange_id"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids("request"), exchanges);
    assert_eq!(ids("response"), exchanges);
    assert_eq!(of(&lines, "alert").len(), 2 * 9, "each finding");
    assert_eq!(of(&lines, "incident").len(), 6, "flag and block");
    assert_eq!((of(&lines, "refused").len(), of(&lines, "gap").len()), (3, 0));
    assert!(of(&lines, "checkpoint").len() >= 3);
    let response = of(&lines, "response")[0];
    assert_eq!(response["principal"], "key:demo", "who began it is known at its end");

    let mut schema = python("schema.py");
    schema.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/eve.schema.json")).arg(&path);
    let checked = schema.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{out}{err}");

    // Checkpoints that somebody else keeps are anchors.
    let evidence = Evidence {
        keys: portcullis::audit::own_key(&config).unwrap().into_iter().collect(),
        anchors: portcullis::audit::Anchored::parse_all(&fs::read_to_string(&path).unwrap()).unwrap(),
        is_part: false,
    };
    assert!(evidence.anchors.len() >= 3);
    let mut reader = portcullis::audit::AuditReader::open(&config).await.unwrap();
    let reports = reader.verify(&evidence).await.unwrap();
    assert_eq!(reports[0].broken, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_does_not_go_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let only = |name: &str, change: &dyn Fn(&mut OutputConfig)| {
        let mut output = output(name, SinkConfig::File(at(name)));
        change(&mut output);
        output
    };
    let outputs = vec![
        only("alerts", &|output| output.events = [EventType::Alert].into()),
        only("blocks", &|output| output.min_action = Action::Block),
        only("acme", &|output| output.tenants = ["acme".to_owned()].into()),
        only("bare", &|output| output.excerpts = false),
    ];
    let audit = open(&sqlite(folder.path()), outputs).await;
    exchange(&audit, Action::Flag).await;
    let other = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(Begin { tenant: "globex".into(), ..begin(other, Action::Block) }).await.unwrap();
    slot.end(end(Outcome::Blocked));
    audit.system(SystemKind::Admin, "something");
    for name in ["alerts", "blocks", "acme", "bare"] {
        told(&audit, name);
    }
    let alerts = lines(&at("alerts"));
    assert_eq!(alerts.len(), of(&alerts, "alert").len());
    assert_eq!(alerts.len(), 4);
    let blocks = lines(&at("blocks"));
    assert_eq!((of(&blocks, "request").len(), of(&blocks, "alert").len()), (1, 2));
    assert_eq!(of(&blocks, "response").len(), 0, "the reply was let through");
    assert_eq!(of(&blocks, "system").len(), 1, "what is no verdict is not weighed as one");
    let acme = lines(&at("acme"));
    assert_eq!(of(&acme, "request").len(), 1);
    assert!(acme.iter().all(|line| line["tenant"].is_null() || line["tenant"] == "acme"));
    assert_eq!(of(&acme, "system").len(), 1);
    assert!(!fs::read_to_string(at("bare")).unwrap().contains("excerpt"));
    assert!(fs::read_to_string(at("acme")).unwrap().contains("\"excerpt\":\"ign***"));
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_holds_up_nobody_and_gets_it_all_from_the_store() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not-there-yet/eve.json");
    // Segments of a few records, so that the spool has let go of the first ones.
    let limits = Limits { spool_bytes: 4 << 20, audit_slots: 16, ..Limits::default() };
    let config = AuditConfig { limits, ..postgres(folder.path(), cluster.database("audit").await) };
    let audit = open(&config, vec![file(&path)]).await;
    let mut exchanges = Vec::new();
    for _ in 0..600 {
        exchanges.push(exchange(&audit, Action::Flag).await.to_string());
    }
    assert!(audit.flush(PATIENCE).await);
    let status = audit.status();
    let output = &status.outputs["eve"];
    assert!(!output.ok && output.pending >= 1200 && output.lines == 0, "{output:?}");
    assert!(output.error.as_deref().unwrap().contains("not-there-yet"), "{output:?}");
    let first = fs::read_dir(folder.path().join("audit")).unwrap();
    let first = first.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let first = first.filter(|name| name.starts_with("segment-")).min().unwrap();
    assert!(!first.contains("00000000000000000001."), "the spool has let go of the first records: {first}");
    assert!(audit.close(Duration::from_secs(5)).await);

    fs::create_dir(path.parent().unwrap()).unwrap();
    let audit = open(&config, vec![file(&path)]).await;
    exchanges.push(exchange(&audit, Action::Block).await.to_string());
    told(&audit, "eve");
    assert!(audit.close(PATIENCE).await);
    let lines = lines(&path);
    assert_no_twins(&lines);
    let told: Vec<&str> = of(&lines, "request").iter().map(|line| line["exchange_id"].as_str().unwrap()).collect();
    assert_eq!(told, exchanges);
    let numbers = records(&lines);
    assert_eq!(numbers, (1..=*numbers.last().unwrap()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_keeps_nobody_from_hearing() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let config = postgres(folder.path(), cluster.database("audit").await);
    let audit = open(&config, vec![file(&path)]).await;
    exchange(&audit, Action::Allow).await;
    assert!(audit.flush(PATIENCE).await);
    cluster.down();
    let attack = exchange(&audit, Action::Block).await.to_string();
    told(&audit, "eve");
    assert!(of(&lines(&path), "incident").iter().any(|line| line["exchange_id"] == attack));
    assert!(audit.status().queue_depth > 0, "the store does not have it");
    cluster.up();
    assert!(audit.close(PATIENCE).await);
    assert_no_twins(&lines(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_gone_are_told_as_a_gap() {
    use sqlx::ConnectOptions;
    let folder = tempfile::tempdir().unwrap();
    let (config, path) = (sqlite(folder.path()), folder.path().join("missing/eve.json"));
    let limits = Limits { spool_bytes: 4 << 20, audit_slots: 16, ..Limits::default() };
    let config = AuditConfig { limits, ..config };
    let audit = open(&config, vec![file(&path)]).await;
    for _ in 0..600 {
        exchange(&audit, Action::Allow).await;
    }
    assert!(audit.close(Duration::from_secs(2)).await);
    let database = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("audit.db"));
    let mut connection = database.connect().await.unwrap();
    // One is gone, and one was changed until it is none.
    for sql in [
        "DELETE FROM audit_event WHERE seq BETWEEN 11 AND 20",
        "UPDATE audit_event SET body = 'nothing' WHERE seq = 31",
        "UPDATE audit_event SET body = replace(body, '\"seq\":41,', '\"seq\":4100,') WHERE seq = 41",
        // More than are read at once.
        "UPDATE audit_event SET body = 'nothing' WHERE seq BETWEEN 51 AND 600",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    fs::create_dir(path.parent().unwrap()).unwrap();
    let audit = open(&config, vec![file(&path)]).await;
    let status = told(&audit, "eve");
    assert_eq!(status.gone, 12 + 550);
    let lines = lines(&path);
    let gaps: Vec<(u64, u64)> = of(&lines, "gap")
        .iter()
        .map(|line| (line["gap"]["first"].as_u64().unwrap(), line["gap"]["last"].as_u64().unwrap()))
        .collect();
    assert_eq!(gaps, [(11, 20), (31, 31), (41, 41), (51, 600)]);
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_of_the_file_could_fall_for_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let audit = open(&sqlite(folder.path()), vec![file(&path)]).await;
    let hostile = "\u{1b}[2J\u{202e}txet\u{9b}31m\u{7f}\u{200b}\n{\"event_type\":\"system\"}\u{e0041} ünï 日本";
    let mut slot = audit.reserve().unwrap();
    let mut event = begin(ExchangeId::new(), Action::Flag);
    event.request.findings = vec![finding(hostile, None)];
    event.model_asked = Some(hostile.to_owned());
    event.principal = hostile.to_owned();
    slot.begin(event).await.unwrap();
    slot.end(end(Outcome::Completed));
    told(&audit, "eve");
    let text = fs::read_to_string(&path).unwrap();
    let is_plain = |c: char| c == '\n' || !c.is_control() && !portcullis::text::is_invisible(c);
    assert!(text.chars().all(is_plain), "{text}");
    assert!(text.contains("日本") && text.contains("\\u202e") && text.contains("\\udb40\\udc41"), "{text}");
    let lines = lines(&path);
    // And is still what was recorded: the record itself has no control characters in names.
    let asked = of(&lines, "request")[0]["request"]["model"].as_str().unwrap();
    assert!(asked.contains("\u{202e}txet") && asked.contains("\u{e0041} ünï 日本"), "{asked:?}");
    assert_eq!(of(&lines, "system").len(), 0);
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_prompt_and_no_reply_goes_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let audit = open(&sqlite(folder.path()), vec![file(&path)]).await;
    let passage = portcullis::audit::PassageText {
        role: portcullis::text::Role::User,
        place: "/messages/0/content".into(),
        text: "the-secret-plan".into(),
    };
    let mut slot = audit.reserve().unwrap();
    let event = Begin { prompt_text: Some(vec![passage.clone()].into()), ..begin(ExchangeId::new(), Action::Flag) };
    slot.begin(event).await.unwrap();
    slot.end(portcullis::audit::End { reply_text: Some(vec![passage].into()), ..end(Outcome::Completed) });
    told(&audit, "eve");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"event_type\":\"response\""));
    assert!(!text.contains("the-secret-plan") && !text.contains("_text"), "{text}");
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_signed_and_told_of_what_was_done() {
    let (server, folder) = (Receiver::start(), tempfile::tempdir().unwrap());
    let secret = WebhookSecret::parse(&Secret::new(SECRET.to_owned())).unwrap();
    let to = SinkConfig::Webhook { receiver: receiver(&server.url("/webhook?fail=2")), secret };
    let hook = OutputConfig { events: [EventType::Incident].into(), ..output("pager", to) };
    let audit = open(&sqlite(folder.path()), vec![hook]).await;
    exchange(&audit, Action::Allow).await;
    let flagged = exchange(&audit, Action::Flag).await.to_string();
    let blocked = exchange(&audit, Action::Block).await.to_string();
    let status = told(&audit, "pager");
    assert_eq!((status.lines, status.refused), (2, 0));
    let took = server.took();
    let ids: Vec<&str> = took.iter().map(|message| message["data"]["exchange_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [flagged, blocked], "{took:?}");
    assert_eq!(took[1]["type"], "portcullis.incident");
    assert_eq!(took[1]["data"]["incident"]["action"], "block");
    assert_eq!(took[1]["data"]["incident"]["signature_ids"], serde_json::json!(["INJ-001", "injection"]));
    let seen = server.seen();
    assert_eq!(seen.len(), 4, "two were answered with 503 and came again");
    let id = |index: usize| seen[index]["headers"]["webhook-id"].as_str().unwrap().to_owned();
    assert!(id(0) == id(1) && id(1) == id(2) && id(2) != id(3), "the same message has the same id");
    assert_eq!(seen[3]["headers"]["x-api-key"], "hush");
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_json_arrive_and_one_that_is_refused_keeps_no_other_back() {
    let (server, folder) = (Receiver::start(), tempfile::tempdir().unwrap());
    let to = SinkConfig::Http(receiver(&server.url("/ndjson?poison=POISON-7")));
    let audit = open(&sqlite(folder.path()), vec![output("lake", to)]).await;
    let mut slot = audit.reserve().unwrap();
    let mut event = begin(ExchangeId::new(), Action::Flag);
    event.request.findings.insert(1, finding("POISON-7", None));
    slot.begin(event).await.unwrap();
    slot.end(end(Outcome::Completed));
    exchange(&audit, Action::Block).await;
    let status = told(&audit, "lake");
    assert_eq!(status.refused, 2, "the alert, and the incident that names it");
    let took = server.took();
    assert_no_twins(&took);
    assert_eq!(took.len() as u64, status.lines);
    assert_eq!((of(&took, "alert").len(), of(&took, "request").len(), of(&took, "response").len()), (4, 2, 2));
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_reads_them_as_log_records() {
    let (server, folder) = (Receiver::start(), tempfile::tempdir().unwrap());
    let outputs = [
        output("otel", SinkConfig::Otlp(receiver(&server.url("/otlp?fail=1")))),
        output("old", SinkConfig::Otlp(receiver(&server.url("/otlp?partial=1")))),
    ];
    let audit = open(&sqlite(folder.path()), outputs[..1].to_vec()).await;
    let id = exchange(&audit, Action::Block).await.to_string();
    let status = told(&audit, "otel");
    let took = server.took();
    assert_eq!(took.len() as u64, status.lines, "{took:?}");
    let request = took.iter().find(|record| record["event"] == "portcullis.request").unwrap();
    assert_eq!(request["service"]["service.name"], "portcullis");
    assert_eq!(request["service"]["cloud.region"], "eu-1");
    assert_eq!(request["severity"], 13);
    let attributes = &request["attributes"];
    assert_eq!(attributes["portcullis.exchange.id"]["stringValue"], id);
    assert_eq!(attributes["user.id"]["stringValue"], "key:demo");
    let response = took.iter().find(|record| record["event"] == "portcullis.response").unwrap();
    assert_eq!(response["attributes"]["gen_ai.usage.input_tokens"]["intValue"], "10");
    assert!(response["body"].as_array().unwrap().contains(&"response".into()));
    let seconds = response["time"].as_u64().unwrap() / 1_000_000_000;
    assert!(seconds.abs_diff(u64::try_from(Timestamp::now().as_second()).unwrap()) < 600);
    assert!(audit.close(PATIENCE).await);

    let folder = tempfile::tempdir().unwrap();
    let audit = open(&sqlite(folder.path()), outputs[1..].to_vec()).await;
    exchange(&audit, Action::Block).await;
    assert!(told(&audit, "old").ok, "a partial success is one");
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_it_must_not() {
    let (server, folder) = (Receiver::start(), tempfile::tempdir().unwrap());
    let port = server.url("").rsplit_once(':').unwrap().1.to_owned();
    let outputs = vec![
        output("moved", SinkConfig::Http(receiver(&server.url("/ndjson?status=302")))),
        output("metadata", SinkConfig::Http(receiver("http://169.254.169.254/latest/meta-data"))),
        output("mapped", SinkConfig::Http(receiver("http://[::ffff:169.254.169.254]/"))),
        output(
            "logs",
            SinkConfig::Syslog(SyslogConfig {
                transport: Transport::Tcp("169.254.169.254".into(), 514),
                facility: 16,
                ca_file: None,
                reach: Reach::Private,
            }),
        ),
        output("here", SinkConfig::Http(receiver(&format!("http://127.0.0.1:{port}/ndjson")))),
    ];
    let audit = open(&sqlite(folder.path()), outputs).await;
    exchange(&audit, Action::Block).await;
    told(&audit, "here");
    for (name, why) in [
        ("moved", "redirects are not followed"),
        ("metadata", "never connected to"),
        ("mapped", "never connected to"),
        ("logs", "never connected to"),
    ] {
        poll(name, || audit.status().outputs[name].error.as_deref().is_some_and(|error| error.contains(why)));
    }
    assert!(server.seen().iter().all(|request| request["path"] == "/ndjson"));
    assert!(audit.close(Duration::from_secs(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_reads_every_message_on_every_way() {
    let (mut server, folder) = (Syslogd::start(), tempfile::tempdir().unwrap());
    let syslog = |transport, facility| {
        SinkConfig::Syslog(SyslogConfig { transport, facility, ca_file: Some(server.ca()), reach: Reach::Written })
    };
    let here = "127.0.0.1".to_owned();
    let outputs = vec![
        output("udp", syslog(Transport::Udp(here.clone(), server.udp), 16)),
        output("tcp", syslog(Transport::Tcp(here, server.tcp), 13)),
        output("tls", syslog(Transport::Tls("localhost".into(), server.tls), 10)),
        output("unix", syslog(Transport::Unix(server.socket()), 17)),
    ];
    let facilities = [("udp", 16), ("tcp", 13), ("tls", 10), ("unix", 17)];
    let audit = open(&sqlite(folder.path()), outputs).await;
    let id = exchange(&audit, Action::Block).await.to_string();
    let expected = told(&audit, "tcp").lines as usize;
    let of = |server: &Syslogd, facility: u32| {
        let messages = server.messages();
        messages.into_iter().filter(|message| message[0].parse::<u32>().unwrap() / 8 == facility).collect::<Vec<_>>()
    };
    for (name, facility) in facilities {
        told(&audit, name);
        poll(name, || of(&server, facility).len() == expected);
        let messages = of(&server, facility);
        let request = messages.iter().find(|message| message[6] == "request").unwrap();
        assert_eq!(request[0], (facility * 8 + 4).to_string(), "a block is a warning");
        assert_eq!((request[1].as_str(), request[4].as_str()), ("1", "portcullis"));
        assert!(request[3].starts_with("test-"), "{request:?}");
        let line: Value =
            serde_json::from_str(request[8].trim_start()).unwrap_or_else(|error| panic!("{error}: {request:?}"));
        assert_eq!(line["exchange_id"], id);
        assert_eq!(line["timestamp"].as_str().unwrap()[..19], request[2][..19]);
    }

    // A server that goes away and comes back: over TCP what comes next is told.
    server.down();
    let missed = exchange(&audit, Action::Flag).await.to_string();
    poll("tcp is away", || !audit.status().outputs["tcp"].ok);
    server.up();
    told(&audit, "tcp");
    told(&audit, "tls");
    for facility in [13, 10] {
        poll("what was missed", || of(&server, facility).iter().any(|message| message[8].contains(&missed)));
    }
    assert!(audit.close(PATIENCE).await);
}
