//! One text or one body from the command line, judged as on the inline path.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use http::{HeaderName, HeaderValue};

use super::message::Message;
use super::run::failure;
use super::texts::Texts;
use super::{ConfigArg, Failure, block_on};
use crate::app;
use crate::base::utf8;
use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Answer, Judged, Outcome, Scanned, visible};
use crate::proxy::{Judges, ROUTE, fields, judgement};
use crate::rules::{Facts, Roles, Scores};
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
    /// Judge a whole body, a chat-completions request or with --reply its reply, as JSON in a file; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "file", "role", "tool"])]
    body: Option<PathBuf>,
    /// Who speaks; without it the text is untrusted, of unknown origin, and a reply's is the assistant's
    #[arg(long, value_parser = roles())]
    role: Option<Role>,
    /// Judge the text as a provider's reply
    #[arg(long)]
    reply: bool,
    /// The model that is asked, for rules that apply by it; a request's body names it itself
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The tenant that asks, for rules that apply by it
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The tool whose arguments, result or definition the text is
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The id of the client key, for rules that apply by it
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// The route that is called, for rules that apply by it; of a body it is known
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// A header field of the request, for rules that apply by it; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    #[command(flatten)]
    config: ConfigArg,
}

/// A role by its name.
fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Roles::EVERY.map(Role::name))
        .try_map(|name| Roles::EVERY.into_iter().find(|role| role.name() == name).ok_or("there is no such role"))
}

/// A header field, as HTTP writes it.
fn header(written: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) =
        written.split_once(':').ok_or("write the name, a colon and the value: `user-agent: agent-1`")?;
    let name = name.trim().parse().map_err(|_| format!("`{}` is not a header field's name", visible(name)))?;
    let value = value.trim().parse().map_err(|_| "a header field's value is one line of visible characters")?;
    Ok((name, value))
}

/// A message, and those who judge it.
pub(super) struct Asked {
    pub(super) judges: Judges,
    /// Of a text alone; each passage of a body has its own.
    pub(super) role: Option<Role>,
    pub(super) direction: Direction,
    pub(super) facts: Facts,
    given: Given,
}

/// What is judged, ready to be judged any number of times.
enum Given {
    Body(Bytes),
    Text(Texts),
}

/// What all judges say.
pub(super) struct Heard {
    pub(super) judged: Judged<Message>,
    /// The classifier's highest score, where it was asked.
    pub(super) score: Option<f32>,
    /// What it says of each passage.
    pub(super) scores: BTreeMap<usize, Scores>,
}

impl TextArgs {
    /// Reads the text or the body and loads the judges of the configuration.
    pub(super) fn open(&self) -> Result<Asked, Failure> {
        let config = self.config.config()?;
        let limits = Arc::new(config.limits.clone());
        let direction = if self.reply { Direction::Reply } else { Direction::Request };
        let (given, role) = match &self.body {
            Some(file) => (Given::Body(from_file(file, limits.body_bytes)?.into()), None),
            None => {
                let role = self.role.unwrap_or(if self.reply { Role::Assistant } else { Role::Unknown });
                let text = text(self.text.as_deref(), self.file.as_deref(), limits.body_bytes)?;
                (Given::Text(Texts::new(role, text).of_tool(self.tool.as_deref())), Some(role))
            }
        };
        // A body that cannot be read is told before the model is loaded.
        let message = given.message(direction, &limits)?;
        let judges = block_on(app::judges(&config, &limits))?.map_err(failure)?;
        let headers = self.headers.iter().cloned().collect();
        let facts = Facts {
            tenant: self.tenant.clone(),
            key: self.key.clone(),
            model: self.model.clone().or_else(|| message.model().map(str::to_owned)),
            route: self.route.clone().or_else(|| self.body.is_some().then(|| ROUTE.to_owned())),
            headers: fields(&headers, judges.snapshot.scanner.rules().headers()),
            today: Some(app::today()),
            ..Facts::default()
        };
        Ok(Asked { judges, role, direction, facts, given })
    }
}

impl Given {
    fn message(&self, direction: Direction, limits: &Limits) -> Result<Message, Failure> {
        match self {
            Self::Body(body) => Message::body(body.clone(), direction, limits),
            Self::Text(texts) => Ok(Message::Text(texts.clone())),
        }
    }
}

impl Asked {
    /// The message once more.
    pub(super) fn message(&self) -> Result<Message, Failure> {
        self.given.message(self.direction, &self.judges.snapshot.limits)
    }

    /// What the rules say.
    pub(super) fn scan(&self) -> Result<Scanned<Message>, Failure> {
        Ok(self.judges.snapshot.scan(self.message()?, self.direction, &self.facts))
    }

    pub(super) fn judge(&self, scanned: Scanned<Message>) -> Heard {
        let (answer, score) = ask(&self.judges, scanned.questions());
        let scores = scanned.scores(&answer);
        Heard { judged: scanned.judge(answer), score, scores }
    }
}

/// What becomes of a message: a fault that keeps it back blocks it, too.
pub(super) fn action(judged: &Judged<Message>) -> Action {
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
        (_, Some(file)) => from_file(file, limit)?,
        (Some(_), None) => read(std::io::stdin().lock(), limit)?,
        (None, None) => {
            return Err(Failure::usage("give a TEXT, `--file FILE`, `--body FILE`, or `-` for standard input"));
        }
    };
    utf8::text(&bytes)
        .map(str::to_owned)
        .map_err(|found| Failure::usage(format!("the text cannot be read: {found}\n  help: {}", found.help())))
}

/// `-` is standard input.
fn from_file(file: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    if file == Path::new("-") {
        return read(std::io::stdin().lock(), limit);
    }
    let open = std::fs::File::open(file);
    let open = open.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    read(open, limit)
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
