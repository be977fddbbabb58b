//! The spool on a bad day: torn tails, damaged records, a full disk, a second process, a lost state folder.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portcullis::audit::{
    Audit, AuditConfig, AuditError, AuditReader, BreakKind, End, EventType, Fsync, Outcome, OutputConfig, SinkConfig,
    StoreConfig, VerdictRecord,
};
use portcullis::base::{Cause, ExchangeId};
use portcullis::verdict::Action;
use support::audit::{PATIENCE, begin, config, end, exchange, finding, postgres, sqlite, verify};
use support::postgres::Cluster;

/// A configuration whose store cannot be reached, so that everything stays in the spool.
fn storeless(folder: &Path) -> AuditConfig {
    let url = portcullis::base::Secret::new("postgres://nobody:x@127.0.0.1:1/none".into());
    config(folder, StoreConfig::Postgres { url })
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder.join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    paths
}

/// Fills a spool with `count` exchanges while the store is away.
async fn fill(folder: &Path, count: usize) -> Vec<ExchangeId> {
    let audit = Audit::open(storeless(folder)).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(exchange(&audit).await);
    }
    audit.close(Duration::ZERO).await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut_wherever_it_tore() {
    let original = tempfile::tempdir().unwrap();
    let ids = fill(original.path(), 2).await;
    let mut bytes = fs::read(&segments(original.path())[0]).unwrap();
    // Without the seal of the good order in which it stopped.
    let seal = bytes.windows(4).rposition(|mark| mark == [0xFF, b'P', b'C', 1]).unwrap();
    bytes.truncate(seal);
    for lost in [1, 2, 11, 12, 13, 40, 44, 100, 500] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("audit")).unwrap();
        for name in ["node", "signing-key", segments(original.path())[0].file_name().unwrap().to_str().unwrap()] {
            fs::copy(original.path().join("audit").join(name), folder.path().join("audit").join(name)).unwrap();
        }
        fs::write(&segments(folder.path())[0], &bytes[..bytes.len() - lost]).unwrap();
        let config = sqlite(folder.path());
        let audit = Audit::open(config.clone()).await.unwrap();
        assert!(audit.status().torn_bytes > 0, "{lost}");
        let later = exchange(&audit).await;
        assert!(audit.close(PATIENCE).await);
        let mut reader = AuditReader::open(&config).await.unwrap();
        // The last end was torn off: its exchange is closed as interrupted.
        for (id, outcome) in [(ids[0], Outcome::Completed), (ids[1], Outcome::Interrupted), (later, Outcome::Completed)]
        {
            assert_eq!(reader.show(id).await.unwrap().unwrap().end.unwrap().outcome, outcome, "{lost}");
        }
        assert_eq!(verify(&config).await[0].broken, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_in_the_middle_is_quarantined_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let ids = fill(folder.path(), 5).await;
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let config = sqlite(folder.path());
    let audit = Audit::open(config.clone()).await.unwrap();
    assert_eq!(audit.status().damaged, 1);
    assert!(audit.close(PATIENCE).await);
    let kept: Vec<_> = fs::read_dir(folder.path().join("audit/quarantine")).unwrap().collect();
    assert_eq!(kept.len(), 1);

    let mut reader = AuditReader::open(&config).await.unwrap();
    let chain = verify(&config).await.remove(0);
    let broken = chain.broken.unwrap();
    assert_eq!(broken.kind, BreakKind::Missing, "the chain names the hole: {broken:?}");
    let mut whole = 0;
    for id in ids {
        let detail = reader.show(id).await.unwrap().unwrap();
        whole += usize::from(detail.begin.is_some() && detail.end.is_some());
    }
    assert_eq!(whole, 4, "only the damaged record's exchange lost a half");

    // Told once, and not again at the next start.
    let audit = Audit::open(config).await.unwrap();
    assert_eq!(audit.status().damaged, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_under_a_running_appliance_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3).await;
    // Opened while whole, damaged before it is shipped.
    let cluster = Cluster::start();
    let config = postgres(folder.path(), cluster.database("audit").await);
    cluster.down();
    // An output reads the same bytes, and is not the one to tell.
    let told = folder.path().join("eve.json");
    let output = OutputConfig {
        name: "eve".into(),
        to: SinkConfig::File(told.clone()),
        events: EventType::ALL.into(),
        min_action: Action::Allow,
        tenants: BTreeSet::new(),
        excerpts: true,
    };
    let audit = Audit::open(AuditConfig { outputs: vec![output], ..config.clone() }).await.unwrap();
    let last = exchange(&audit).await;
    let segment = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[60] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    while audit.status().damaged == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster.up();
    assert!(audit.flush(PATIENCE).await, "{:?}", audit.status());
    assert_eq!(audit.status().damaged, 1);
    assert!(audit.close(PATIENCE).await);
    assert!(fs::read_to_string(&told).unwrap().contains(&last.to_string()));
    assert!(AuditReader::open(&config).await.unwrap().show(last).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_who_has_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(sqlite(folder.path())).await.unwrap();
    let error = Audit::open(sqlite(folder.path())).await.unwrap_err();
    assert!(matches!(error, AuditError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(audit.close(PATIENCE).await);
    assert!(Audit::open(sqlite(folder.path())).await.is_ok());
    let mode = fs::metadata(folder.path().join("audit")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "audit records name people");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_go_on_after_every_segment_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    let audit = Audit::open(config.clone()).await.unwrap();
    exchange(&audit).await;
    assert!(audit.close(PATIENCE).await);
    for segment in segments(folder.path()) {
        fs::remove_file(segment).unwrap();
    }
    let audit = Audit::open(config.clone()).await.unwrap();
    exchange(&audit).await;
    assert!(audit.close(PATIENCE).await);
    let chain = verify(&config).await.remove(0);
    assert_eq!(
        (chain.records, chain.first_seq, chain.last_seq, chain.broken),
        (7, 1, 7, None),
        "four, a seal after each two, and one that says that a period begins"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fsync_policy_writes_and_ships() {
    for fsync in [Fsync::Always, Fsync::EveryMs(1), Fsync::Never] {
        let folder = tempfile::tempdir().unwrap();
        let config = AuditConfig { fsync, ..sqlite(folder.path()) };
        let audit = Audit::open(config.clone()).await.unwrap();
        for _ in 0..10 {
            exchange(&audit).await;
        }
        assert!(audit.close(PATIENCE).await);
        assert_eq!(verify(&config).await[0].records, 20 + 1, "and a seal");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("audit.db"),
        "no database, and long enough to be seen as none by everybody ".repeat(20),
    )
    .unwrap();
    let error = Audit::open(sqlite(folder.path())).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("name another file"), "{error}");
    let fresh = tempfile::tempdir().unwrap();
    let audit = Audit::open(sqlite(fresh.path())).await.unwrap();
    exchange(&audit).await;
    assert!(audit.flush(PATIENCE).await);
    for file in ["audit.db", "audit.db-wal"] {
        let mode = fs::metadata(fresh.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} names people");
    }
}

#[test]
fn limits_that_cannot_work_are_refused_with_the_number_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = |change: fn(&mut AuditConfig)| {
        let mut config = sqlite(folder.path());
        change(&mut config);
        runtime.block_on(Audit::open(config)).map(drop)
    };
    for (change, told) in [
        ((|c| c.limits.audit_record_bytes = 32 * 1024 - 1) as fn(&mut AuditConfig), "32768"),
        (|c| c.limits.spool_bytes = 16 * 64 * 1024 - 1, "1048576"),
        (|c| c.limits.audit_slots = 0, "audit_slots"),
        (|c| c.node = Some("a b".into()), "letters"),
        (|c| c.region = "r".repeat(129), "region"),
    ] {
        let error = open(change).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(open(|c| c.limits.spool_bytes = 16 * 64 * 1024).is_ok());
}

/// A small file system that really runs full. Mounting one is root's, or a sudoer's.
struct SmallDisk {
    folder: tempfile::TempDir,
    sudo: bool,
}

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Whoever runs the tests owns it, also where root mounts it.
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(folder.path()).unwrap());
        let size = format!("size=1m,uid={owner},mode=700");
        let mount = ["mount", "-t", "tmpfs", "-o", &size, "tmpfs", folder.path().to_str().unwrap()];
        for sudo in [false, true] {
            if as_root(sudo, &mount) {
                return Self { folder, sudo };
            }
        }
        panic!("this test mounts a small tmpfs: run it as root, or as somebody whom sudo lets without a password");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        as_root(self.sudo, &["umount", "-l", self.path().to_str().unwrap()]);
    }
}

fn as_root(sudo: bool, command: &[&str]) -> bool {
    let before: &[&str] = if sudo { &["sudo", "-n"] } else { &[] };
    let words = [before, command].concat();
    let ran = Command::new(words[0]).args(&words[1..]).stderr(std::process::Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// Waits until the disk takes writes and every end is written.
async fn settled(audit: &Audit) {
    let wait = async {
        while !audit.status().disk_ok || audit.status().slots > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{:?}", audit.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_audit_full_and_no_end_is_lost() {
    let disk = SmallDisk::mount();
    let state = disk.path();
    let config = storeless(state);
    let audit = Audit::open(config.clone()).await.unwrap();
    let held = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(held, Action::Allow)).await.unwrap();
    // Somebody else fills the disk.
    let ballast = state.join("ballast");
    let mut size = 1024 * 1024;
    while size > 0 {
        let grown = fs::OpenOptions::new().append(true).create(true).open(&ballast);
        if grown.and_then(|mut file| std::io::Write::write_all(&mut file, &vec![1; size])).is_err() {
            size /= 2;
        }
    }
    let mut refused = 0;
    let refusal = loop {
        match audit.reserve() {
            Err(refusal) => break refusal,
            Ok(mut slot) => match slot.begin(begin(ExchangeId::new(), Action::Allow)).await {
                Ok(()) => slot.end(end(Outcome::Completed)),
                Err(fault) => {
                    assert_eq!(fault.cause, Cause::AuditFull);
                    refused += 1;
                }
            },
        }
    };
    assert!(refusal.cause == Cause::AuditFull && refusal.detail.contains("disk"), "{refusal}");
    assert!(refused > 0 && !audit.status().disk_ok);
    // Larger than what a last page may have left.
    let findings = vec![finding("OUT-001", None); 40];
    let reply = Some(VerdictRecord { findings, ..VerdictRecord::default() });
    slot.end(End { reply, ..end(Outcome::Completed) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(audit.status().slots, 1, "the end waits for the disk");

    fs::remove_file(&ballast).unwrap();
    settled(&audit).await;
    exchange(&audit).await;
    settled(&audit).await;
    assert_eq!(audit.status().reserved_bytes, 0, "{:?}", audit.status());
    audit.close(Duration::ZERO).await;

    let elsewhere = tempfile::tempdir().unwrap();
    let config = AuditConfig { store: StoreConfig::Sqlite { path: elsewhere.path().join("audit.db") }, ..config };
    let audit = Audit::open(config.clone()).await.unwrap();
    assert_eq!(audit.status().torn_bytes, 0);
    assert!(audit.close(PATIENCE).await);
    let mut reader = AuditReader::open(&config).await.unwrap();
    assert_eq!(reader.show(held).await.unwrap().unwrap().end.unwrap().outcome, Outcome::Completed);
    assert_eq!(verify(&config).await[0].broken, None);
}
