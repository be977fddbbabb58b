//! The proof of whole records: every chain of a store, this machine's spool, and exported files. Takes no lock, writes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::derived;
use super::error::AuditError;
use super::event::Event;
use super::handle::AuditConfig;
use super::node;
use super::proof::chain::Walk;
use super::proof::graves::Graves;
use super::proof::key::SigningKey;
use super::proof::merkle;
use super::proof::{Break, BreakKind, Evidence, Inclusion, Line, Seal, Tombstone, TrustedKey};
use super::query::{AuditReader, blocking};
use super::record::{Hash, Head, Record};
use super::spool::read::{self, Piece};
use super::spool::{CURSOR_FILE, read_head};
use crate::base::ExchangeId;

/// What a walk along one chain found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ChainReport {
    /// The chain.
    pub node: String,
    /// Where it was walked.
    pub place: ChainPlace,
    /// Records that hang together.
    pub records: u64,
    /// The first record there is; what is before it is told by a tombstone.
    pub first_seq: u64,
    /// The last one that hangs together.
    pub last_seq: u64,
    /// Records whose bodies were given up: a tombstone tells of each.
    pub gone: u64,
    /// Checkpoints met.
    pub seals: u64,
    /// The last record under a checkpoint: up to here the record cannot be changed without the key.
    pub sealed_seq: u64,
    /// Whether the checkpoints' signatures were checked.
    pub signatures: Signatures,
    /// The first thing that does not hang together; `None`: the chain is whole.
    #[serde(rename = "break")]
    pub broken: Option<Break>,
}

/// Where a chain was walked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainPlace {
    /// In an exported file.
    File,
    /// In this machine's spool.
    Spool,
    /// In the store.
    Store,
}

/// What was done about signatures.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatures {
    /// Every checkpoint is signed by a trusted key.
    Checked,
    /// No key is known for this chain.
    Unchecked,
}

impl AuditReader {
    /// Walks every chain in the store, and what is in this machine's spool, and computes each hash again. The chain of the
    /// machine whose state folder this is must also reach as far as that machine has shipped.
    ///
    /// # Errors
    /// The store's.
    pub async fn verify(&mut self, evidence: &Evidence) -> Result<Vec<ChainReport>, AuditError> {
        // Read before the walk, which then can only get further.
        let local = node::peek(&self.folder, self.node.as_deref()).zip(read_head(&self.folder.join(CURSOR_FILE)));
        let mut nodes = self.store.nodes().await?;
        for name in local.iter().map(|(node, _)| node).chain(evidence.anchors.iter().map(|anchor| &anchor.node)) {
            if !nodes.contains(name) {
                nodes.push(name.clone());
            }
        }
        let mut graves = Graves::default();
        for (line, tombstone) in self.told_tombstones().await? {
            graves.add(&line.node, line.seq, tombstone);
        }
        let mut walks = Vec::new();
        for node in nodes {
            let mut walked = Walked::new(node, evidence);
            let mut next = 0;
            while walked.broken.is_none() {
                let page = self.page(&walked.node, next).await?;
                let Some(last) = page.last() else { break };
                next = last.seq.saturating_add(1);
                let records: Vec<Record> = page.iter().filter_map(|line| walked.step(line, &mut graves)).collect();
                if walked.broken.is_none() {
                    walked.broken = derived::check(&mut self.store, &records, &mut graves).await?;
                }
            }
            if let Some((_, head)) = local.as_ref().filter(|(local, _)| *local == walked.node) {
                walked.check(|walk| walk.reaches(*head));
            }
            if walked.broken.is_none()
                && let Some(exchange) = self.store.made_up(&walked.node).await?
            {
                let detail = format!("table exchange has {exchange}, which no record tells of");
                walked.broken = Some(Break { seq: walked.walk.last, kind: BreakKind::Inserted, detail });
            }
            walks.push(walked);
        }
        let mut reports = conclude(walks, &graves, ChainPlace::Store, evidence);
        let (folder, evidence) = (self.folder.clone(), evidence.clone());
        reports.extend(blocking(move || walk_spool(&folder, &evidence)).await?);
        Ok(reports)
    }

    /// Gives every record of some chains to `each`, chain by chain and in order: what [`verify_file`] reads, a line each.
    ///
    /// # Errors
    /// The store's, or `each`'s.
    pub async fn export(
        &mut self,
        wanted: &Wanted,
        mut each: impl FnMut(&Line) -> io::Result<()>,
    ) -> Result<u64, AuditError> {
        let mut lines = 0;
        for node in self.store.nodes().await? {
            if wanted.node.as_ref().is_some_and(|wanted| *wanted != node) {
                continue;
            }
            let mut next = 0;
            loop {
                let page = self.page(&node, next).await?;
                let Some(last) = page.last() else { break };
                next = last.seq.saturating_add(1);
                for line in page.iter().filter(|line| wanted.takes(line)) {
                    each(line).map_err(|error| AuditError::Export(error.to_string()))?;
                    lines += 1;
                }
            }
        }
        Ok(lines)
    }

    /// The proof for every record of an exchange that it is in the record: each with its way up to the first checkpoint after
    /// it. `None`: there is no such exchange in the store.
    ///
    /// # Errors
    /// The store's, or that a record is under no checkpoint yet.
    pub async fn prove(&mut self, exchange: ExchangeId) -> Result<Option<Vec<Inclusion>>, AuditError> {
        let mut proofs = Vec::new();
        for stored in self.store.events_of(exchange).await? {
            let failed = |why: String| AuditError::Proof(format!("record {} of {}: {why}", stored.seq, stored.node));
            let prev_hash = Hash::parse(&stored.prev_hash).ok_or_else(|| failed("its hash is none".to_owned()))?;
            let seq = u64::try_from(stored.seq).unwrap_or(0);
            let seal = self
                .store
                .seal_after(&stored.node, seq)
                .await?
                .ok_or_else(|| failed("no checkpoint covers it yet; one comes within a minute".to_owned()))?;
            let seal = read_seal(&seal).map_err(&failed)?;
            let hashes = self.hashes(&stored.node, seal.first_seq, seal.last_seq).await?;
            let index = seq.checked_sub(seal.first_seq).and_then(|index| usize::try_from(index).ok());
            let path = index.and_then(|index| merkle::path(&hashes, index));
            let path = path.filter(|_| hashes.len() as u64 == seal.size());
            let path =
                path.ok_or_else(|| failed("the chain has holes around it: run `portcullis audit verify`".to_owned()))?;
            proofs.push(Inclusion { prev_hash, body: stored.body.clone(), path, checkpoint: seal.note(&stored.node) });
        }
        Ok(Some(proofs).filter(|proofs| !proofs.is_empty()))
    }

    /// The newest checkpoint of each chain, as signed notes: to keep where nobody who can change the record can write.
    ///
    /// # Errors
    /// The store's, or a seal that is none.
    pub async fn checkpoints(&mut self) -> Result<Vec<String>, AuditError> {
        let mut notes = Vec::new();
        for node in self.store.nodes().await? {
            if let Some(body) = self.store.last_seal(&node).await? {
                let seal =
                    read_seal(&body).map_err(|why| AuditError::Proof(format!("the newest seal of {node}: {why}")))?;
                notes.push(seal.note(&node));
            }
        }
        Ok(notes)
    }

    /// The hashes of a stretch of a chain, as far as they are hashes.
    async fn hashes(&mut self, node: &str, first: u64, last: u64) -> Result<Vec<Hash>, AuditError> {
        let mut hashes = Vec::new();
        let mut next = first;
        while next <= last {
            let links = parse_all(&self.store.links(node, next, PAGE).await?)?;
            let Some(end) = links.last() else { break };
            next = end.seq.saturating_add(1);
            let wanted = links.iter().filter(|link| link.seq <= last);
            hashes.extend(wanted.filter_map(|link| Hash::parse(link.hash.as_deref()?)));
        }
        Ok(hashes)
    }

    /// Every tombstone of every chain, in order of the chains' numbers; believed no more than other records.
    ///
    /// # Errors
    /// The store's.
    pub async fn tombstones(&mut self) -> Result<Vec<Tombstone>, AuditError> {
        Ok(self.told_tombstones().await?.into_iter().map(|(_, tombstone)| tombstone).collect())
    }

    async fn told_tombstones(&mut self) -> Result<Vec<(Line, Tombstone)>, AuditError> {
        let lines = parse_all(&self.store.tombstones().await?)?;
        Ok(lines.into_iter().filter_map(|line| line.tombstone().map(|tombstone| (line, tombstone))).collect())
    }

    /// The next lines of a chain from `seq` on: its links and its records, each under its number. A record that no link
    /// names is there as well.
    async fn page(&mut self, node: &str, seq: u64) -> Result<Vec<Line>, AuditError> {
        let mut links = parse_all(&self.store.links(node, seq, PAGE).await?)?;
        let last = match links.last() {
            Some(last) if links.len() >= PAGE as usize => last.seq,
            _ => u64::MAX,
        };
        let bodies = parse_all(&self.store.bodies(node, (seq, last), 2 * PAGE).await?)?;
        // Records may arrive between the two questions. Whatever came with its link has one by now.
        let next = links.last().map_or(seq, |last| last.seq.saturating_add(1));
        let newest = bodies.iter().map(|body: &Line| body.seq).max().unwrap_or(0);
        if last == u64::MAX && newest >= next {
            let later: Vec<Line> = parse_all(&self.store.links(node, next, 2 * PAGE).await?)?;
            links.extend(later.into_iter().filter(|link| link.seq <= newest));
        }
        let key = |line: &Line| (line.seq, line.day, line.class.clone());
        let mut lines: BTreeMap<_, Line> = links.into_iter().map(|line| (key(&line), line)).collect();
        for body in bodies {
            match lines.get_mut(&key(&body)) {
                Some(line) => line.event = body.event,
                None => drop(lines.insert(key(&body), body)),
            }
        }
        Ok(lines.into_values().collect())
    }
}

/// Which part of the record to export. Everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this chain.
    pub node: Option<String>,
    /// Taken on this day (UTC) or later.
    pub since: Option<jiff::civil::Date>,
    /// Taken before this day.
    pub until: Option<jiff::civil::Date>,
}

impl Wanted {
    fn takes(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.day >= since) && self.until.is_none_or(|until| line.day < until)
    }
}

/// As [`AuditReader::verify`], over a file that [`AuditReader::export`] wrote: no appliance, no store and no configuration is
/// needed.
///
/// # Errors
/// A file that cannot be read, or a line that is no record's, with its number.
pub fn verify_file(path: &Path, evidence: &Evidence) -> Result<Vec<ChainReport>, AuditError> {
    let mut graves = Graves::default();
    read_lines(path, |line| {
        if let Some(tombstone) = line.tombstone() {
            graves.add(&line.node, line.seq, tombstone);
        }
    })?;
    let mut walks: BTreeMap<String, Walked<'_>> = BTreeMap::new();
    for anchor in &evidence.anchors {
        walks.entry(anchor.node.clone()).or_insert_with(|| Walked::new(anchor.node.clone(), evidence));
    }
    read_lines(path, |line| {
        let walked = walks.entry(line.node.clone()).or_insert_with(|| Walked::new(line.node.clone(), evidence));
        walked.step(&line, &mut graves);
    })?;
    Ok(conclude(walks.into_values().collect(), &graves, ChainPlace::File, evidence))
}

/// The key that signs this machine's checkpoints, for its own chain; `None` when there is none yet.
///
/// # Errors
/// A key that is there and cannot be read.
pub fn own_key(config: &AuditConfig) -> Result<Option<TrustedKey>, AuditError> {
    let path = config.key_file();
    let Some(node) = node::peek(&config.folder(), config.node.as_deref()) else { return Ok(None) };
    if config.signing_key.is_none() && !path.exists() {
        return Ok(None);
    }
    SigningKey::read(&path).map(|key| Some(TrustedKey { key: key.public(), node: Some(node) }))
}

/// One chain on its way.
struct Walked<'a> {
    node: String,
    walk: Walk<'a>,
    broken: Option<Break>,
}

impl<'a> Walked<'a> {
    fn new(node: String, evidence: &'a Evidence) -> Self {
        Self { node, walk: Walk::new(evidence), broken: None }
    }

    fn step(&mut self, line: &Line, graves: &mut Graves) -> Option<Record> {
        if self.broken.is_some() {
            return None;
        }
        self.walk.step(line, graves).unwrap_or_else(|broken| {
            self.broken = Some(broken);
            None
        })
    }

    fn check(&mut self, ask: impl FnOnce(&Walk<'_>) -> Result<(), Break>) {
        if self.broken.is_none() {
            self.broken = ask(&self.walk).err();
        }
    }

    fn report(self, place: ChainPlace, evidence: &Evidence) -> ChainReport {
        let Self { node, walk, broken } = self;
        let is_checked = evidence.keys_of(&node).next().is_some();
        let signatures = if is_checked { Signatures::Checked } else { Signatures::Unchecked };
        ChainReport {
            node,
            place,
            records: walk.records,
            first_seq: walk.first,
            last_seq: walk.last,
            gone: walk.gone,
            seals: walk.seals,
            sealed_seq: walk.sealed,
            signatures,
            broken,
        }
    }
}

/// What can only be said once all chains were walked.
fn conclude(mut walks: Vec<Walked<'_>>, graves: &Graves, place: ChainPlace, evidence: &Evidence) -> Vec<ChainReport> {
    // A machine that was given another name goes on counting: its chain begins where that of the old name ended.
    let ends: Vec<(String, Head)> = walks.iter().map(|walked| (walked.node.clone(), walked.walk.head())).collect();
    for walked in &mut walks {
        let begins_at = walked.walk.begins_at.filter(|head| head.seq > 0 && !evidence.is_part);
        if let Some(head) = begins_at {
            let goes_on = ends.iter().any(|(node, end)| node::is_same(node, &walked.node) && *end == head);
            if !goes_on {
                // Whatever else was found came later.
                walked.broken = Some(Break {
                    seq: walked.walk.first,
                    kind: BreakKind::Missing,
                    detail: format!("records 1 to {} are missing, and no tombstone says so", head.seq),
                });
            }
        }
        let node = walked.node.clone();
        walked.check(|walk| walk.reaches_anchors(&node));
        let mut anchors = evidence.anchors.iter().filter(|anchor| anchor.node == node);
        let strange = anchors.find(|anchor| {
            let mut keys = evidence.keys_of(&node).peekable();
            keys.peek().is_some() && !keys.any(|key| anchor.is_signed(key))
        });
        if let Some(anchor) = strange {
            let detail = format!("the anchor of record {} is signed by none of the trusted keys", anchor.last_seq);
            walked.check(|_| Err(Break { seq: anchor.last_seq, kind: BreakKind::Unsigned, detail }));
        }
    }
    let sealed = walks.iter().map(|walked| (walked.node.clone(), walked.walk.sealed)).collect();
    // A chain that is broken was not walked to its end: what is told about graves then means nothing.
    if let Some(found) = graves.unexplained(&sealed).filter(|_| walks.iter().all(|walked| walked.broken.is_none()))
        && let Some(walked) = walks.iter_mut().find(|walked| walked.node == found.node)
    {
        walked.broken = Some(Break { seq: found.seq, kind: BreakKind::Missing, detail: found.detail });
    }
    walks.into_iter().map(|walked| walked.report(place, evidence)).collect()
}

/// Walks the spool's chain; `None` when it is empty.
fn walk_spool(folder: &Path, evidence: &Evidence) -> Result<Option<ChainReport>, AuditError> {
    let evidence = Evidence { keys: evidence.keys.clone(), anchors: Vec::new(), is_part: true };
    let mut walked = Walked::new(String::new(), &evidence);
    let mut graves = Graves::default();
    read::read(folder, |piece| match piece {
        Piece::Damage(detail) => {
            walked.check(|walk| Err(Break { seq: walk.last + 1, kind: BreakKind::Changed, detail }));
        }
        Piece::Record(record) => {
            walked.step(&Line::of_record(&record), &mut graves);
            walked.node = record.node;
        }
    })?;
    let report = walked.report(ChainPlace::Spool, &evidence);
    Ok((report.records > 0 || report.broken.is_some()).then_some(report))
}

fn read_seal(body: &str) -> Result<Seal, String> {
    match Record::parse(Hash::ZERO, body.as_bytes())?.event {
        Event::Seal(seal) => Ok(*seal),
        _ => Err("it is stored as a seal and is none".to_owned()),
    }
}

fn parse_all(lines: &[String]) -> Result<Vec<Line>, AuditError> {
    let odd = |error| AuditError::Store(format!("a record's row is odd: {error}"));
    lines.iter().map(|line| serde_json::from_str(line).map_err(odd)).collect()
}

fn read_lines(path: &Path, mut each: impl FnMut(Line)) -> Result<(), AuditError> {
    let failed = |number: usize, why: String| AuditError::File { path: PathBuf::from(path), number, why };
    let file = File::open(path).map_err(|error| failed(0, error.to_string()))?;
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.map_err(|error| failed(number, error.to_string()))? == 0 {
            break;
        }
        each(serde_json::from_slice(&line).map_err(|error| failed(number, error.to_string()))?);
    }
    Ok(())
}

/// Numbers fetched at once.
const PAGE: i64 = 1000;
/// Bytes of one exported line: the largest record, escaped.
const LINE_BYTES_MAX: u64 = 512 * 1024 * 1024;
