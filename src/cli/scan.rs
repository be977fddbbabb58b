//! `portcullis scan`: one text through the same judges as the inline path.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::run::failure;
use super::texts::Texts;
use super::{CAUGHT, ConfigArg, Failure, block_on, out};
use crate::app;
use crate::base::{Cause, Fault};
use crate::inspect::{Answer, Outcome};
use crate::proxy::{Judges, judgement};
use crate::rules::Facts;
use crate::text::{Direction, Role};
use crate::verdict::Action;

/// Judge one text and print the verdict as JSON.
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 allow or flag, 10 block or redact, 64 usage.")]
pub(super) struct ScanArgs {
    /// The text; `-` reads standard input
    text: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Who speaks; without it the text is untrusted, of unknown origin
    #[arg(long, value_enum)]
    role: Option<RoleArg>,
    /// Judge the text as a provider's reply
    #[arg(long)]
    reply: bool,
    /// The model that is asked, for rules that apply by it
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The tenant that asks, for rules that apply by it
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The tool whose arguments, result or definition the text is
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum RoleArg {
    Assistant,
    System,
    ToolArguments,
    ToolDefinition,
    ToolResult,
    Unknown,
    User,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Assistant => Self::Assistant,
            RoleArg::System => Self::System,
            RoleArg::ToolArguments => Self::ToolArguments,
            RoleArg::ToolDefinition => Self::ToolDefinition,
            RoleArg::ToolResult => Self::ToolResult,
            RoleArg::Unknown => Self::Unknown,
            RoleArg::User => Self::User,
        }
    }
}

pub(super) fn run(args: &ScanArgs) -> Result<u8, Failure> {
    let config = args.config.config()?;
    let limits = Arc::new(config.limits.clone());
    let text = text(args, limits.body_bytes)?;
    let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
    let role = args.role.map_or(Role::Unknown, Role::from);
    let facts =
        Facts { tenant: args.tenant.clone(), model: args.model.clone(), today: Some(app::today()), ..Facts::default() };
    let direction = if args.reply { Direction::Reply } else { Direction::Request };
    let scanned = judges.snapshot.scan(Texts::new(role, text).of_tool(args.tool.as_deref()), direction, &facts);
    let (answer, score) = ask(&judges, scanned.questions());
    let judged = scanned.judge(answer);
    let action = match &judged.outcome {
        Outcome::Refused(..) => Action::Block,
        Outcome::Blocked(_) | Outcome::Cleared(_) => judged.verdict.action,
    };
    out::json(&serde_json::json!({
        "action": action,
        "score": judged.verdict.score,
        "findings": judged.verdict.findings,
        "model": judges.classifier.as_ref().map(|classifier| serde_json::json!({
            "version": classifier.version(),
            "score": score,
        })),
        "faults": judged.faults,
        "role": role,
        "policy": judges.snapshot.version,
    }))?;
    Ok(if action >= Action::Redact { CAUGHT } else { 0 })
}

/// The model's answer, and its highest score.
fn ask(judges: &Judges, questions: Vec<String>) -> (Answer, Option<f32>) {
    if questions.is_empty() {
        return (Answer::NotAsked, None);
    }
    let Some(classifier) = &judges.classifier else {
        return (Answer::Fault(Fault::ours(Cause::ModelMissing, "no classifier is loaded")), None);
    };
    let deadline = Instant::now() + Duration::from_millis(judges.snapshot.limits.model_ms);
    match classifier.submit(questions, deadline).and_then(|ticket| ticket.wait()) {
        Err(fault) => (Answer::Fault(fault), None),
        Ok(scored) => {
            let highest = scored.iter().map(|one| one.score).fold(0.0, f32::max);
            (Answer::Scores(scored.iter().map(judgement).collect()), Some(highest))
        }
    }
}

fn text(args: &ScanArgs, limit: usize) -> Result<String, Failure> {
    let bytes = match (&args.text, &args.file) {
        (Some(text), None) if text != "-" => return Ok(text.clone()),
        (_, Some(file)) => {
            let open = std::fs::File::open(file);
            let open = open.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
            read(open, limit)?
        }
        (Some(_), None) => read(std::io::stdin().lock(), limit)?,
        (None, None) => return Err(Failure::usage("give a TEXT, `--file FILE`, or `-` for standard input")),
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!("the text is not UTF-8 (byte {at}); convert it first"))
    })
}

fn read(from: impl Read, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Failure::usage(format!(
            "the text is longer than limits.body_bytes ({limit}); cut it or raise the limit"
        )));
    }
    Ok(bytes)
}
