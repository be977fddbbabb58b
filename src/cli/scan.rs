//! `portcullis scan`: one text or one body through the same judges as the inline path.

use clap::Args;

use super::one_text::{Heard, TextArgs, action};
use super::{CAUGHT, Failure, out};
use crate::verdict::Action;

/// Judge one text, or one body, and print the verdict as JSON.
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 allow or flag, 10 redact, strip, route, throttle or block, 64 usage.")]
pub(super) struct ScanArgs {
    #[command(flatten)]
    text: TextArgs,
}

pub(super) fn run(args: &ScanArgs) -> Result<u8, Failure> {
    let asked = args.text.open()?;
    let Heard { judged, score, .. } = asked.judge(asked.scan()?);
    let action = action(&judged);
    out::json(&serde_json::json!({
        "action": action,
        "score": judged.verdict.score,
        "findings": judged.verdict.findings,
        "model": asked.judges.classifier.as_ref().map(|classifier| serde_json::json!({
            "version": classifier.version(),
            "score": score,
        })),
        "faults": judged.faults,
        "role": asked.role,
        "policy": asked.judges.snapshot.version,
    }))?;
    Ok(if action >= Action::Redact { CAUGHT } else { 0 })
}
