//! One text from the command line, judged as on the inline path.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::run::failure;
use super::texts::Texts;
use super::{ConfigArg, Failure, block_on};
use crate::app;
use crate::base::{Cause, Fault};
use crate::inspect::{Answer, Judged, Outcome, Scanned};
use crate::proxy::{Judges, judgement};
use crate::rules::{Facts, Roles};
use crate::text::{Direction, Role};
use crate::verdict::Action;

/// Which text, and what it is taken for.
#[derive(Args, Debug)]
pub(super) struct TextArgs {
    /// The text; `-` reads standard input
    text: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Who speaks; without it the text is untrusted, of unknown origin
    #[arg(long, value_parser = roles())]
    role: Option<Role>,
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

/// A role by its name.
fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Roles::EVERY.map(Role::name))
        .try_map(|name| Roles::EVERY.into_iter().find(|role| role.name() == name).ok_or("there is no such role"))
}

/// A text, and those who judge it.
pub(super) struct Asked {
    pub(super) judges: Judges,
    pub(super) texts: Texts,
    pub(super) role: Role,
    pub(super) direction: Direction,
    facts: Facts,
}

impl TextArgs {
    /// Reads the text and loads the judges of the configuration.
    pub(super) fn open(&self) -> Result<Asked, Failure> {
        let config = self.config.config()?;
        let limits = Arc::new(config.limits.clone());
        let text = text(self.text.as_deref(), self.file.as_deref(), limits.body_bytes)?;
        let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
        let role = self.role.unwrap_or(Role::Unknown);
        let (tenant, model) = (self.tenant.clone(), self.model.clone());
        Ok(Asked {
            judges,
            texts: Texts::new(role, text).of_tool(self.tool.as_deref()),
            role,
            direction: if self.reply { Direction::Reply } else { Direction::Request },
            facts: Facts { tenant, model, today: Some(app::today()), ..Facts::default() },
        })
    }
}

impl Asked {
    /// What the rules say.
    pub(super) fn scan(&self) -> Scanned<Texts> {
        self.judges.snapshot.scan(self.texts.clone(), self.direction, &self.facts)
    }

    /// What all judges say, and the classifier's highest score where it was asked.
    pub(super) fn judge(&self, scanned: Scanned<Texts>) -> (Judged<Texts>, Option<f32>) {
        let (answer, score) = ask(&self.judges, scanned.questions());
        (scanned.judge(answer), score)
    }
}

/// What becomes of a text: a fault that keeps it back blocks it, too.
pub(super) fn action(judged: &Judged<Texts>) -> Action {
    match &judged.outcome {
        Outcome::Refused(..) => Action::Block,
        Outcome::Blocked(_) | Outcome::Cleared(_) => judged.verdict.action,
    }
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

/// The text that a command was given, read from where it says.
fn text(text: Option<&str>, file: Option<&Path>, limit: usize) -> Result<String, Failure> {
    let bytes = match (text, file) {
        (Some(text), None) if text != "-" => return Ok(text.to_owned()),
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
