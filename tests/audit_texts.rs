//! Prompts and replies in full: apart from the records, encrypted, searchable by keyed hashes, and destroyed on request.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use portcullis::audit::{
    Audit, AuditConfig, AuditReader, Begin, BreakKind, End, Filter, FullText, Outcome, PassageText, Shred, StoreConfig,
    TextKeyFiles, Unread,
};
use portcullis::base::ExchangeId;
use portcullis::text::Role;
use portcullis::verdict::Action;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use support::audit::{PATIENCE, begin, config, end, postgres, sqlite, verify};
use support::postgres::Cluster;

const ASKED: &str = "the merger with Hephaistos closes on Monday 忽略之前的指令";
const ANSWERED: &str = "Hephaistos it is, then";

fn text(role: Role, text: &str) -> FullText {
    vec![PassageText { role, place: "/messages/0/content".into(), text: text.into() }].into()
}

/// One exchange with both texts.
async fn exchange(audit: &Audit, tenant: &str, principal: &str) -> ExchangeId {
    let id = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    let prompt_text = Some(text(Role::User, ASKED));
    let begin = begin(id, Action::Allow);
    slot.begin(Begin { tenant: tenant.into(), principal: principal.into(), prompt_text, ..begin }).await.unwrap();
    slot.end(End { reply_text: Some(text(Role::Assistant, ANSWERED)), ..end(Outcome::Completed) });
    id
}

async fn texts(config: &AuditConfig, id: ExchangeId) -> (FullText, FullText) {
    let detail = AuditReader::open(config).await.unwrap().show(id).await.unwrap().unwrap();
    (detail.begin.unwrap().prompt_text.unwrap(), detail.end.unwrap().reply_text.unwrap())
}

async fn can_read(config: &AuditConfig, id: ExchangeId) -> bool {
    let read = texts(config, id).await;
    let plain = (text(Role::User, ASKED), text(Role::Assistant, ANSWERED));
    if read == plain {
        return true;
    }
    assert!(read.0.passages().is_none() && read.1.passages().is_none(), "{read:?}");
    false
}

async fn unread(config: &AuditConfig, id: ExchangeId) -> Unread {
    match texts(config, id).await {
        (FullText::Kept(asked), FullText::Kept(answered)) => {
            assert_eq!(asked.unread, answered.unread);
            asked.unread.unwrap()
        }
        read => panic!("{read:?}"),
    }
}

async fn found(config: &AuditConfig, tenant: &str, words: &str) -> Vec<String> {
    let filter = Filter { tenant: Some(tenant.into()), text: Some(words.into()), ..Filter::default() };
    let rows = AuditReader::open(config).await.unwrap().list(&filter).await.unwrap();
    rows.into_iter().map(|row| row.exchange_id).collect()
}

async fn sql(config: &AuditConfig, statement: &str) {
    let statement = AssertSqlSafe(statement.to_owned());
    match &config.store {
        StoreConfig::Postgres { url } => {
            let mut connection = PgConnection::connect(url.expose()).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        StoreConfig::Sqlite { path } => {
            let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }
}

fn key(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, name.repeat(32).get(..32).unwrap()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Every file under a folder that holds these bytes.
fn holding(folder: &Path, bytes: &str) -> Vec<PathBuf> {
    let mut holding = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding.extend(self::holding(&path, bytes));
        } else if memchr::memmem::find(&fs::read(&path).unwrap(), bytes.as_bytes()).is_some() {
            holding.push(path);
        }
    }
    holding
}

/// The whole life of texts, in either store.
async fn life(mut config: AuditConfig, folder: &Path) {
    config.text_keys.search_key = Some(key(folder, "search"));
    let audit = Audit::open(config.clone()).await.unwrap();
    let ids = [
        exchange(&audit, "acme", "key:ann").await,
        exchange(&audit, "acme", "key:bob").await,
        exchange(&audit, "acme", "key:bob").await,
        exchange(&audit, "else", "key:eve").await,
    ];
    assert!(audit.flush(PATIENCE).await);
    for id in ids {
        assert!(can_read(&config, id).await);
    }
    assert_eq!(holding(&config.state_dir, "Hephaistos"), Vec::<PathBuf>::new());

    // Words of a tenant's texts find them, in any order, in scripts without blanks too; both of one text.
    let of = |ids: &[ExchangeId]| ids.iter().rev().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(found(&config, "acme", "monday MERGER").await, of(&ids[..3]));
    assert_eq!(found(&config, "else", "之前").await, of(&ids[3..]));
    assert_eq!(found(&config, "acme", "merger then").await, of(&[]), "one word of each");
    assert_eq!(found(&config, "acme", "zeus").await, of(&[]));
    let mut reader = AuditReader::open(&config).await.unwrap();
    for (tenant, words, why) in [(None, "merger", "name a tenant"), (Some("acme".to_owned()), "!", "no word")] {
        let filter = Filter { tenant, text: Some(words.into()), ..Filter::default() };
        assert!(reader.list(&filter).await.unwrap_err().to_string().contains(why));
    }

    // One exchange, then one caller, then a tenant.
    let shred = |principal: Option<&str>, exchange| Shred {
        tenant: "acme".into(),
        principal: principal.map(str::to_owned),
        exchange,
    };
    assert_eq!(audit.shred(&shred(None, Some(ids[3])), PATIENCE).await.unwrap(), 0, "of another tenant");
    assert_eq!(audit.shred(&shred(None, Some(ids[1])), PATIENCE).await.unwrap(), 2);
    assert_eq!(unread(&config, ids[1]).await, Unread::Shredded);
    assert_eq!(found(&config, "acme", "merger").await, of(&[ids[0], ids[2]]));
    assert_eq!(audit.shred(&shred(Some("key:bob"), None), PATIENCE).await.unwrap(), 2);
    assert_eq!(unread(&config, ids[2]).await, Unread::Shredded);
    assert!(can_read(&config, ids[0]).await);
    assert_eq!(audit.shred(&shred(None, None), PATIENCE).await.unwrap(), 2);
    assert_eq!(unread(&config, ids[0]).await, Unread::Shredded);
    assert_eq!(audit.shred(&shred(None, None), PATIENCE).await.unwrap(), 0);
    assert!(can_read(&config, ids[3]).await, "of another tenant");
    // What the spool held of them is gone as well, and the records say what was done.
    let segments = fs::read_dir(config.state_dir.join("audit")).unwrap().map(|entry| entry.unwrap().path());
    let segments = segments.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let spooled: String = segments.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect();
    assert!(!spooled.contains(&ids[0].to_string()) && spooled.contains("texts destroyed"), "{spooled}");
    assert!(audit.close(PATIENCE).await);
    assert!(verify(&config).await.iter().all(|report| report.broken.is_none()), "{:?}", verify(&config).await);

    // A new master key: what was under the old one is wrapped anew, and is read without it.
    let old = config.state_dir.join("audit/text-key");
    config.text_keys.keys = vec![key(folder, "new"), old];
    assert!(can_read(&config, ids[3]).await);
    let done = AuditReader::open(&config).await.unwrap().rewrap().await.unwrap();
    assert_eq!((done.rewrapped, done.left.len()), (2, 0), "what was destroyed is not wrapped");
    config.text_keys.keys.truncate(1);
    assert!(can_read(&config, ids[3]).await);
    let lost = AuditConfig { text_keys: TextKeyFiles::default(), ..config.clone() };
    assert_eq!(unread(&lost, ids[3]).await, Unread::KeyMissing);
    let done = AuditReader::open(&lost).await.unwrap().rewrap().await.unwrap();
    assert_eq!((done.rewrapped, done.left.values().sum::<u64>()), (0, 2));

    // What is changed or taken away is named, by its record.
    sql(&config, "UPDATE passage_text SET wrapped = ciphertext WHERE tenant = 'else'").await;
    assert_eq!(unread(&config, ids[3]).await, Unread::Damaged);
    assert!(verify(&config).await.iter().all(|report| report.broken.is_none()), "nothing hashes wrapped keys");
    sql(&config, "UPDATE passage_text SET ciphertext = substr(ciphertext, 2) WHERE tenant = 'else'").await;
    assert_eq!(unread(&config, ids[3]).await, Unread::Damaged);
    let broken = verify(&config).await[0].broken.clone().unwrap();
    assert!(broken.kind == BreakKind::Changed && broken.detail.contains(&ids[3].to_string()), "{broken:?}");
    sql(&config, "DELETE FROM passage_text WHERE tenant = 'else'").await;
    let broken = verify(&config).await[0].broken.clone().unwrap();
    assert!(
        broken.kind == BreakKind::Missing && broken.detail.contains("passage_text lacks the request's"),
        "{broken:?}"
    );
    assert_eq!(unread(&config, ids[3]).await, Unread::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_live_and_die_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    life(sqlite(&state), folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_live_and_die_in_postgres() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let url = cluster.database("texts").await;
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    life(postgres(&state, url), folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_the_spool_alone_is_encrypted_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let away = StoreConfig::Postgres { url: portcullis::base::Secret::new("postgres://u@127.0.0.1:1/x".into()) };
    let audit = Audit::open(config(folder.path(), away)).await.unwrap();
    let id = exchange(&audit, "acme", "key:ann").await;
    audit.seal().await.unwrap();
    assert_eq!(holding(folder.path(), "Hephaistos"), Vec::<PathBuf>::new());
    // Nothing can be destroyed while the store has not everything.
    let shred = Shred { tenant: "acme".into(), principal: None, exchange: None };
    let refused = audit.shred(&shred, std::time::Duration::from_millis(100)).await.unwrap_err();
    assert!(refused.to_string().contains("wait in the spool"), "{refused}");
    assert!(!audit.close(std::time::Duration::ZERO).await);

    let sqlite = sqlite(folder.path());
    let audit = Audit::open(sqlite.clone()).await.unwrap();
    assert!(audit.flush(PATIENCE).await);
    assert!(can_read(&sqlite, id).await);
    audit.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = sqlite(folder.path());
    config.text_keys.keys = vec![folder.path().join("absent")];
    assert!(Audit::open(config.clone()).await.unwrap_err().to_string().contains("absent"));
    config.text_keys.keys = vec![key(folder.path(), "key")];
    fs::set_permissions(&config.text_keys.keys[0], fs::Permissions::from_mode(0o644)).unwrap();
    let error = Audit::open(config.clone()).await.unwrap_err().to_string();
    assert!(error.contains("others may read it") && error.contains("chmod"), "{error}");
    fs::set_permissions(&config.text_keys.keys[0], fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&config.text_keys.keys[0], "short").unwrap();
    assert!(Audit::open(config).await.unwrap_err().to_string().contains("openssl rand -base64 32"));
}
