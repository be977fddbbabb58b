//! Recorded traffic in the audit store: rows with full text are judged again, the others counted.

use super::traffic::Traffic;
use super::{Replay, ReplayArgs, TOO_LONG};
use crate::app::{audit_config, today};
use crate::audit::{AuditReader, ExchangeDetail, Filter, FullText};
use crate::base::ExchangeId;
use crate::cli::{Failure, block_on};
use crate::config::Config;
use crate::review::recorded::{facts, passages};
use crate::review::replay::Origin;
use crate::rules::Facts;
use crate::text::Direction;

/// Exchanges listed at once.
const PAGE: u32 = 500;

const CLOSED: &str = "recorded with full text that cannot be read here: its key is not here, or was destroyed";
const NO_TEXT: &str = "recorded without full text (policy.record.text: full)";
const CUT: &str = "its text was cut to fit the record";
const REFUSED: &str = "refused before there was an exchange";
const AWAY: &str = "listed, and yet not in the store";

pub(super) fn read(args: &ReplayArgs, config: &Config, replay: &mut Replay) -> Result<(), Failure> {
    block_on(walk(args, config, replay))?
}

async fn walk(args: &ReplayArgs, config: &Config, replay: &mut Replay) -> Result<(), Failure> {
    let mut reader = AuditReader::open(&audit_config(config).home).await.map_err(Failure::job)?;
    let mut left = args.limit;
    let mut before = None;
    while left > 0 {
        let limit = PAGE.min(u32::try_from(left).unwrap_or(PAGE));
        let filter = Filter { since: args.since, until: args.until, limit: Some(limit), before, ..Filter::default() };
        let page = reader.list(&filter).await.map_err(Failure::job)?;
        for row in &page {
            let id: ExchangeId = row.exchange_id.parse().map_err(|_| {
                Failure::job(format!("the store holds an exchange with an odd id, {:?}", row.exchange_id))
            })?;
            match reader.stored(id).await.map_err(Failure::job)? {
                Some(detail) => take(id, detail, replay),
                None => replay.skip(AWAY, || id.to_string()),
            }
            before = Some(id);
        }
        left = left.saturating_sub(page.len() as u64);
        if page.len() < limit as usize {
            break;
        }
    }
    Ok(())
}

fn take(id: ExchangeId, detail: ExchangeDetail, replay: &mut Replay) {
    let facts = detail.begin.as_ref().map(|begin| facts(begin, today())).unwrap_or_default();
    if detail.refused.is_some() {
        replay.skip(REFUSED, || id.to_string());
    }
    if let Some(begin) = detail.begin {
        side(id, Direction::Request, begin.prompt_text, (begin.cut.text_bytes, &facts), replay);
    }
    // An end without a verdict is one without a reply.
    if let Some(end) = detail.end.filter(|end| end.reply.is_some()) {
        side(id, Direction::Reply, end.reply_text, (end.cut.text_bytes, &facts), replay);
    }
}

fn side(
    id: ExchangeId,
    direction: Direction,
    text: Option<FullText>,
    (cut, facts): (u64, &Facts),
    replay: &mut Replay,
) {
    if cut > 0 {
        return replay.skip(CUT, || id.to_string());
    }
    let text = match text {
        Some(FullText::Plain(text)) => text,
        Some(FullText::Kept(_)) => return replay.skip(CLOSED, || id.to_string()),
        None => return replay.skip(NO_TEXT, || id.to_string()),
    };
    let traffic = Traffic::Texts(passages(text));
    if traffic.bytes() > replay.limits.body_bytes {
        return replay.skip(TOO_LONG, || id.to_string());
    }
    replay.add(Origin { id: id.to_string(), direction, label: None }, traffic, facts.clone());
}
