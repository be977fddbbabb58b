//! What a match of a rule comes to in one exchange: whether it acts, what it demands, and what keeps it from acting.

use super::applies::{Facts, Scope, UnknownTool};
use super::exception::Exception;
use super::family::Family;
use super::set::{Mode, Pattern, Rule, RuleSet};
use super::source::pattern::PatternSource;
use super::source::{RuleSource, Text};
use crate::base::limits::rules as limits;
use crate::text::{Direction, Passage, Trust, is_invisible};
use crate::verdict::{Action, Severity, Standing};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Place;
use crate::yaml::table::shown;

/// What a rule's matches demand in one passage of one exchange, overrides taken in.
#[derive(Clone, Debug)]
pub struct Effect {
    /// How bad a match is.
    pub severity: Severity,
    /// Points for the anomaly score.
    pub points: u32,
    /// What it demands whatever the score is.
    pub action: Option<Action>,
    /// What stands in for the match when it is redacted for good.
    pub mask: Option<String>,
    /// The name in the token that stands in for the match where it can be put back.
    pub token: Option<String>,
    /// The model that it routes to, or the throttle that it names.
    pub to: Option<String>,
    /// [`Standing::Acts`], or why it only counts.
    pub standing: Standing,
}

impl Effect {
    /// By this, of two effects the stricter one is found.
    pub fn strength(&self) -> (bool, Option<Action>, u32) {
        (self.standing.acts(), self.action, self.points)
    }
}

impl Rule {
    /// What its matches demand in this passage; `None`: it does not apply here, or is off.
    pub fn effect(&self, facts: &Facts, direction: Direction, passage: &Passage<'_>) -> Option<Effect> {
        let fits = self.scope.is_everywhere()
            || (self.scope.fits_exchange(facts) && self.scope.fits_passage(direction, passage, UnknownTool::Fits));
        if !fits {
            return None;
        }
        let mut mode = self.mode;
        let mut effect = Effect {
            severity: self.severity,
            points: self.points(),
            action: self.action,
            mask: self.mask.clone(),
            token: self.token.clone(),
            to: self.to.clone(),
            standing: Standing::Acts,
        };
        for change in self.overrides.iter().filter(|change| change.reach.covers(facts, direction, passage)) {
            mode = change.mode.unwrap_or(mode);
            if let Some(severity) = change.severity {
                effect.severity = severity;
                effect.points = severity.points();
            }
            effect.points = change.score.unwrap_or(effect.points);
            if let Some(action) = change.action {
                effect.action = action;
                effect.mask = change.mask.clone().or(effect.mask);
                (effect.token, effect.to) = (change.token.clone(), None);
            }
        }
        effect.standing = match mode {
            Mode::Off => return None,
            Mode::Shadow => Standing::Shadow,
            Mode::Enforce if self.is_above_blocking => Standing::Executing,
            Mode::Enforce => Standing::Acts,
        };
        if effect.action == Some(Action::Allow) {
            effect.points = 0;
        }
        Some(effect)
    }

    /// True when every match must be listed, not only the first few: when it redacts, and when something may keep the first
    /// few from acting.
    pub fn lists_all(&self) -> bool {
        let redacts = |action: Option<Action>| action == Some(Action::Redact);
        redacts(self.action)
            || self.overrides.iter().any(|change| change.action.is_some_and(redacts))
            || !self.exceptions.is_empty()
            || !self.allowed_by.is_empty()
    }

    /// What a site changes about it in some exchanges, for people, in order.
    pub fn overrides(&self) -> impl Iterator<Item = String> {
        self.overrides.iter().map(ToString::to_string)
    }

    /// Ids of the rules that keep it from acting where their matches cover its own.
    pub fn allowed_by(&self) -> &[String] {
        &self.allowed_by
    }
}

impl RuleSet {
    /// All exceptions that name a rule, those that have ended too.
    pub fn exceptions_naming(&self, rule: &Rule) -> impl Iterator<Item = &Exception> {
        rule.exceptions.iter().filter_map(|at| self.exceptions().get(*at))
    }

    /// The exceptions in force that name a rule and cover all of these passages.
    pub fn exceptions_for(
        &self,
        rule: &Rule,
        facts: &Facts,
        direction: Direction,
        passages: &[&Passage<'_>],
    ) -> Vec<&Exception> {
        let named = rule.exceptions.iter().filter_map(|at| self.exceptions().get(*at));
        named.filter(|exception| passages.iter().all(|passage| exception.covers(facts, direction, passage))).collect()
    }
}

/// The name in a rule's tokens.
pub(super) fn check_token(source: &RuleSource, action: Option<Action>, report: &mut Reporter<'_>) -> Option<String> {
    let token = source.token.as_ref()?;
    if action != Some(Action::Redact) && !source.owns("token") {
        return None;
    }
    if action != Some(Action::Redact) && source.action.is_some() {
        let help = "leave it out, or write `action: redact`";
        report.error("R044", token.place, "a token on a rule that does not redact", help);
    }
    Some(self::token(token, report))
}

/// A token's name as it is written.
pub(super) fn token(written: &Text, report: &mut Reporter<'_>) -> String {
    let bytes = written.value.as_bytes();
    let is_name = bytes.first().is_some_and(u8::is_ascii_uppercase)
        && bytes.len() <= limits::TOKEN_NAME_BYTES
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    if !is_name {
        let message = format!("`{}` is not a token's name", shown(&written.value));
        let help = format!("write 1 to {} capital letters, digits and `_`: `CARD`", limits::TOKEN_NAME_BYTES);
        report.error("R044", written.place, message, help);
    }
    written.value.clone()
}

/// A mask as it is written.
pub(super) fn mask(written: &Text, report: &mut Reporter<'_>) -> Option<String> {
    let bytes = written.value.len();
    if written.value.trim().is_empty() {
        let help = "a reader must see that something was taken out: `'[secret]'`";
        report.error("R019", written.place, "the mask is empty", help);
        return None;
    }
    if bytes > limits::MASK_BYTES {
        let help = format!("write at most {} bytes: it stands in the place of every match", limits::MASK_BYTES);
        report.error("R019", written.place, format!("the mask has {bytes} bytes"), help);
        return None;
    }
    Some(written.value.clone())
}

/// What a client is told: one visible line, of a rule that blocks requests.
pub(super) fn message(
    source: &RuleSource,
    action: Option<Action>,
    direction: Option<(bool, bool)>,
    report: &mut Reporter<'_>,
) -> Option<String> {
    let written = source.message.as_ref()?;
    let message = written.value.trim();
    let bytes = message.len();
    let says = action == Some(Action::Block) && direction.is_none_or(|(request, _)| request);
    if !says && !source.owns("message") {
        return None;
    }
    let (problem, help) = if source.action.is_some() && action != Some(Action::Block) {
        ("a message on a rule that does not block".to_owned(), "leave it out, or write `action: block`".to_owned())
    } else if direction.is_some_and(|(request, _)| !request) {
        let help = "leave it out, or let the rule apply to requests: a reply that is blocked ends without one";
        ("a message on a rule that never sees a request".to_owned(), help.to_owned())
    } else if message.is_empty() {
        ("the message is empty".to_owned(), "write a sentence that tells a client what to do".to_owned())
    } else if let Some(c) = message.chars().find(|c| !is_shown(*c)) {
        (
            format!("the message must be one line of visible text, and holds U+{:04X}", u32::from(c)),
            "write a sentence that tells a client what to do, without line ends and invisible characters".to_owned(),
        )
    } else if bytes > limits::MESSAGE_BYTES {
        let help = format!("write at most {} bytes", limits::MESSAGE_BYTES);
        (format!("the message has {bytes} bytes"), help)
    } else {
        return Some(message.to_owned());
    };
    report.error("R046", written.place, problem, help);
    None
}

/// False for what ends a line, shows nothing, or changes the order in which a reader sees the rest.
fn is_shown(c: char) -> bool {
    !c.is_control() && !is_invisible(c) && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// An action that names something must, and no other may.
pub(super) fn check_to(
    source: &RuleSource,
    action: Option<Action>,
    direction: Option<(bool, bool)>,
    report: &mut Reporter<'_>,
) {
    let place = source.action.as_ref().map_or(source.place, |action| action.place);
    match (action, &source.to) {
        (Some(Action::Route | Action::Throttle), None) => {
            let help = "write `action: { route: MODEL }` or `action: { throttle: NAME }`";
            report.error("R045", place, "the action must name a model or a throttle", help);
        }
        (Some(Action::Route), Some(_)) if direction.is_some_and(|(_, reply)| reply) => {
            let help = "write `direction: request`: a reply has come already";
            report.error("R045", place, "only requests can be routed", help);
        }
        (_, Some(to)) if to.value.is_empty() || to.value.len() > limits::SCOPE_NAME_BYTES => {
            let help = format!("write 1 to {} bytes", limits::SCOPE_NAME_BYTES);
            report.error("R045", to.place, format!("the name has {} bytes", to.value.len()), help);
        }
        _ => {}
    }
}

/// What a rule that allows must and must not say.
pub(super) fn check_allow(
    source: &RuleSource,
    action: Option<Action>,
    family: Option<Family>,
    report: &mut Reporter<'_>,
) {
    let place = source.action.as_ref().map_or(source.place, |action| action.place);
    if action != Some(Action::Allow) {
        if let Some(first) = source.allows.first().filter(|_| source.action.is_some()) {
            let help = "leave it out, or write `action: allow`";
            report.error("R043", first.place, "`allows` on a rule that does not allow", help);
        }
        return;
    }
    if source.allows.is_empty() {
        let help = "name the rules, families or tags that it keeps from acting: `allows: [PII-003]`";
        report.error("R043", place, "a rule that allows must say what", help);
    }
    if source.on.as_ref().is_none_or(|on| on.value != "raw") {
        let help = "write `on: raw`: what is allowed is an exact text, not everything that is folded to it";
        report.error("R043", place, "a rule that allows must judge raw text", help);
    }
    if let Some(stream) = &source.stream {
        let help = "leave it out: it would come too late for what flows";
        report.error("R043", stream.place, "`stream` on a rule that allows", help);
    }
    if family == Some(Family::Invisible) {
        let help = "use an exception with a day on which it ends";
        report.error("R043", place, "nothing allows invisible text", help);
    }
}

/// A rule that allows vouches for so much text and no more.
pub(super) fn check_allowed_length(
    source: &RuleSource,
    action: Option<Action>,
    patterns: &[Pattern],
    report: &mut Reporter<'_>,
) {
    for pattern in patterns.iter().filter(|_| action == Some(Action::Allow)) {
        if pattern.length_max.is_some_and(|length| length <= limits::ALLOW_BYTES) {
            continue;
        }
        let found = pattern.length_max.map_or("any number of".to_owned(), |length| length.to_string());
        let message = format!("a match may have {found} bytes, a rule that allows {}", limits::ALLOW_BYTES);
        let at = source.patterns.as_ref().and_then(|patterns| patterns.get(usize::from(pattern.number)));
        let place = at.map_or(source.place, PatternSource::place);
        report.error("R043", place, message, "write the exact texts that are known to be harmless");
    }
}

/// A trust that no text of the rule's direction has.
pub(super) fn check_trust(scope: &Scope, place: Place, direction: Option<(bool, bool)>, report: &mut Reporter<'_>) {
    let Some((request, reply)) = direction.filter(|_| !scope.trust.is_empty()) else { return };
    let is_provider = |trust: &Trust| *trust == Trust::Provider;
    let sees_reply = reply && scope.trust.iter().any(is_provider);
    let sees_request = request && !scope.trust.iter().all(is_provider);
    if !sees_reply && !sees_request {
        let help = "texts of a reply have the trust `provider`, texts of a request one of the others";
        report.error("R040", place, "the rule applies to nothing: its trust and its direction do not meet", help);
    }
}
