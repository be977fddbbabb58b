//! Retention: gives up what is older than its class is kept, a day at a time, and says so in the chain first.
//!
//! For each day and class that is due: count what goes and take the Merkle root over its hashes; record a tombstone; seal the
//! chain, and wait until tombstone and seal are in the store; only then drop. A crash in between leaves a tombstone for
//! something that is still there, which the next run drops.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use tokio::sync::oneshot;

use super::archive::{Archive, Archived};
use super::ask::figures;
use super::error::AuditError;
use super::event::Event;
use super::fit;
use super::proof::merkle::Frontier;
use super::proof::{Gone, Part, Reason, Tombstone};
use super::query::AuditReader;
use super::record::{Hash, day_of};
use super::retention::{Retention, SYSTEM};
use super::shared::Shared;
use super::store::{Held, Store};
use super::texts::Shred;
use super::writer::{Append, Message, Spends};

/// Something that was given up.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct GivenUp {
    /// What of it.
    pub part: Part,
    /// Of which day.
    pub day: Date,
    /// Of which class; `None`: of all.
    pub class: Option<String>,
    /// Records that went; `None`: not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

/// How much one run may give up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// Everything that is due: somebody looked at it.
    All,
    /// A few days of each class and part in a day of running: a clock that leaps ahead must not cost the record.
    Slow,
}

/// Gives up what is due, again and again.
#[derive(Debug)]
pub(crate) struct Retainer {
    retention: Retention,
    shared: Arc<Shared>,
    queue: Sender<Message>,
    store: Store,
    archive: Option<Archive>,
    /// When days were given up, by class and part.
    spent: BTreeMap<(Part, String), Vec<Instant>>,
}

impl Retainer {
    pub(crate) fn new(
        retention: Retention,
        shared: Arc<Shared>,
        queue: Sender<Message>,
        (store, archive): (Store, Option<Archive>),
    ) -> Self {
        Self { retention, shared, queue, store, archive, spent: BTreeMap::new() }
    }

    /// What is due now, oldest day first.
    pub(crate) async fn due(&mut self) -> Result<Vec<Held>, AuditError> {
        // The earlier of two clocks: one of them may be wrong, and nothing is hurt by waiting.
        let today = day_of(self.store.clock().await?.min(self.shared.clock.now()));
        Ok(due(&self.store.held().await?, &self.retention, today))
    }

    /// Gives up what is due; another node that is at it already is left to it.
    pub(crate) async fn run(&mut self, pace: Pace) -> Result<Vec<GivenUp>, AuditError> {
        let due = self.due().await?;
        let old = figures::forget(self.store.dialect(), self.store.clock().await?.min(self.shared.clock.now()));
        self.store.run(&old).await?;
        if due.is_empty() || !self.store.lock_retention().await? {
            return Ok(Vec::new());
        }
        let done = self.run_alone(pace).await;
        // After a failure too: another node may have an archive that works.
        let unlocked = self.store.unlock_retention().await;
        let done = done?;
        unlocked.map(|()| done)
    }

    async fn run_alone(&mut self, pace: Pace) -> Result<Vec<GivenUp>, AuditError> {
        let mut done = Vec::new();
        loop {
            let due = self.due().await?;
            let Some(next) = due.into_iter().find(|held| pace == Pace::All || self.may(held)) else { break };
            let given_up = self.give_up(&next).await?;
            self.spent.entry((next.part, next.class_name())).or_default().push(Instant::now());
            tracing::info!(part = next.part.name(), day = %next.day, class = next.class_name(), records = given_up.records,
                "given up: the time that it is kept is over");
            done.push(given_up);
        }
        Ok(done)
    }

    /// Forgets the keys of texts.
    pub(crate) async fn shred(&mut self, whose: &Shred) -> Result<u64, AuditError> {
        self.store.shred(whose).await
    }

    fn may(&mut self, held: &Held) -> bool {
        let spent = self.spent.entry((held.part, held.class_name())).or_default();
        spent.retain(|at| at.elapsed() < DAY);
        if spent.len() >= DAYS_AT_ONCE {
            tracing::warn!(part = held.part.name(), class = held.class_name(), day = %held.day,
                "more is due than {DAYS_AT_ONCE} days at once; is the clock right? `portcullis audit retain --run` gives it all up");
            return false;
        }
        true
    }

    async fn give_up(&mut self, held: &Held) -> Result<GivenUp, AuditError> {
        // Rows that are made from records, or beside them, are no links of a chain.
        let is_linked = matches!(held.part, Part::Chain | Part::Events);
        let chains = if is_linked { chains(&mut self.store, held).await? } else { Vec::new() };
        let records: u64 = chains.iter().map(|gone| gone.records).sum();
        let archived = match &self.archive {
            Some(archive) => archive.keep(&mut self.store, held, &chains).await?,
            None => None,
        };
        let is_told = !is_linked || !chains.is_empty();
        if is_told {
            self.tell(held, chains, archived).await?;
        }
        self.store.drop_part(held).await?;
        Ok(GivenUp { part: held.part, day: held.day, class: held.class.clone(), records: Some(records) })
    }

    /// Records tombstones and seals them; returns when both are in the store.
    async fn tell(&mut self, held: &Held, chains: Vec<Gone>, archived: Option<Archived>) -> Result<(), AuditError> {
        // One tombstone even where no chain is named, and several where many are: a record is bounded.
        let mut parts: Vec<Vec<Gone>> = chains.chunks(CHAINS_MAX).map(<[Gone]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        for chains in parts {
            let tombstone = Tombstone {
                at: self.shared.clock.now(),
                reason: Reason::Retention,
                part: held.part,
                day: held.day,
                class: held.class.clone(),
                archived: archived.clone(),
                chains,
            };
            let event = fit::prepare(
                Event::Tombstone(Box::new(tombstone)),
                SYSTEM,
                &self.shared.limits,
                &self.shared.text_keys,
            )
            .map_err(|error| AuditError::Store(error.to_string()))?;
            let (ack, answer) = oneshot::channel();
            self.send(Message::Append(Append { event, extra: 0, spends: Spends::Nothing, ack: Some(ack) }))?;
            let written = answer.await.map_err(|_| AuditError::Stopped)?;
            written
                .map_err(|unsure| AuditError::Store(format!("the tombstone could not be written: {}", unsure.why)))?;
        }
        let (ack, answer) = oneshot::channel();
        self.send(Message::Seal(ack))?;
        answer.await.map_err(|_| AuditError::Stopped)?;
        let target = *self.shared.written.borrow();
        let mut shipped = self.shared.shipped.subscribe();
        let shipping = tokio::time::timeout(SHIPPED, shipped.wait_for(|shipped| *shipped >= target));
        match shipping.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(AuditError::Stopped),
            Err(_) => {
                Err(AuditError::Store("the store did not take the tombstone in time; nothing is given up".to_owned()))
            }
        }
    }

    fn send(&self, message: Message) -> Result<(), AuditError> {
        self.queue.send(message).map_err(|_| AuditError::Stopped)
    }
}

/// The records that go, chain by chain.
pub(crate) async fn chains(store: &mut Store, held: &Held) -> Result<Vec<Gone>, AuditError> {
    let mut chains: Vec<(Gone, Frontier)> = Vec::new();
    let mut after = (String::new(), 0);
    loop {
        let page = store.hashes(held, &after).await?;
        let Some((node, seq, _)) = page.last() else { break };
        after = (node.clone(), *seq);
        for (node, seq, hash) in page {
            let hash = Hash::parse(&hash).ok_or_else(|| {
                AuditError::Store(format!(
                    "record {seq} of {node} has a hash that is none; nothing is given up: run `portcullis audit verify`"
                ))
            })?;
            let is_new = chains.last().is_none_or(|(gone, _)| gone.node != node);
            if is_new {
                let gone = Gone { node, first_seq: seq, last_seq: seq, records: 0, root: Hash::ZERO, hash };
                chains.push((gone, Frontier::default()));
            }
            if let Some((gone, tree)) = chains.last_mut() {
                tree.push(hash);
                (gone.last_seq, gone.records, gone.hash) = (seq, gone.records + 1, hash);
            }
        }
    }
    Ok(chains.into_iter().map(|(gone, tree)| Gone { root: tree.root(), ..gone }).collect())
}

impl AuditReader {
    /// What is due now, oldest day first; nothing is given up. The number of records is not counted.
    ///
    /// # Errors
    /// The store's.
    pub async fn due(&mut self, retention: &Retention) -> Result<Vec<GivenUp>, AuditError> {
        let today = day_of(self.store.clock().await?.min(self.clock.now()));
        let due = due(&self.store.held().await?, retention, today);
        Ok(due.into_iter().map(|Held { part, day, class }| GivenUp { part, day, class, records: None }).collect())
    }
}

/// What of all that is held is older than it is kept, oldest first; of one day the rows for review go before the records that
/// prove them, and the chain goes last, when nothing of that day is left.
fn due(held: &[Held], retention: &Retention, today: Date) -> Vec<Held> {
    let is_over = |day: Date, days: Option<u32>| {
        let days = days.map(i64::from);
        days.and_then(|days| today.checked_sub(days.days()).ok()).is_some_and(|first| day < first)
    };
    let mut due: Vec<Held> = held
        .iter()
        .filter(|one| match (one.part, &one.class) {
            (Part::Events, Some(class)) => is_over(one.day, retention.of(class).events),
            (Part::Review, Some(class)) => is_over(one.day, retention.of(class).review),
            (Part::Texts, Some(class)) => is_over(one.day, retention.of(class).texts),
            (Part::Chain, _) => {
                let is_empty = !held.iter().any(|other| other.part == Part::Events && other.day == one.day);
                is_empty && is_over(one.day, retention.of(SYSTEM).events)
            }
            _ => false,
        })
        .cloned()
        .collect();
    due.sort_by_key(|one| (one.day, std::cmp::Reverse(one.part), one.class.clone()));
    due
}

/// How often is looked for what is due.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);
/// Days of a class that a slow run gives up in a day of running.
const DAYS_AT_ONCE: usize = 3;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Chains named in one tombstone: they must fit the smallest record.
const CHAINS_MAX: usize = 64;
/// Longest wait for the store to take a tombstone.
const SHIPPED: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::retention::{Classes, Keep};

    fn held(part: Part, day: &str, class: Option<&str>) -> Held {
        Held { part, day: day.parse().unwrap(), class: class.map(str::to_owned) }
    }

    fn keep(events: u32, review: u32) -> Keep {
        Keep { events: Some(events), review: Some(review), texts: Some(review) }
    }

    #[test]
    fn what_is_older_than_it_is_kept_is_due_oldest_first_and_the_chain_last() {
        let keep = [("standard", keep(10, 5)), ("short", keep(2, 2)), ("system", keep(10, 10))];
        let keep = keep.map(|(name, keep)| (name.to_owned(), keep));
        let retention = Retention { keep: keep.into(), classes: Classes::default() };
        let all = |day: &str| {
            vec![
                held(Part::Chain, day, None),
                held(Part::Events, day, Some("short")),
                held(Part::Events, day, Some("standard")),
                held(Part::Events, day, Some("system")),
                held(Part::Review, day, Some("short")),
                held(Part::Review, day, Some("standard")),
                held(Part::Events, day, Some("unknown")),
            ]
        };
        let today = "2026-11-23".parse().unwrap();
        let kept = |day: &str, today: Date| {
            let due = due(&all(day), &retention, today);
            due.iter().map(|one| format!("{} {}", one.part.name(), one.class_name())).collect::<Vec<_>>()
        };
        assert!(kept("2026-11-23", today).is_empty() && kept("2026-11-21", today).is_empty());
        assert_eq!(kept("2026-11-20", today), ["review short", "events short"]);
        assert_eq!(kept("2026-11-17", today), ["review short", "review standard", "events short"]);
        assert_eq!(kept("2026-11-12", today).len(), 5);
        let only = [held(Part::Chain, "2026-11-12", None), held(Part::Chain, "2026-11-13", None)];
        assert_eq!(due(&only, &retention, today), only[..1]);
        assert!(due(&all("2020-01-01"), &Retention::default(), today).is_empty());
    }
}
