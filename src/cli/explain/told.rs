//! The report of `explain` in lines for people.

use std::fmt::Write;

use super::report::{Match, Model, Part, Reading, Redaction, Report, name};
use crate::inspect::visible;
use crate::rules::Misfit;
use crate::text::Direction;
use crate::verdict::{Action, Layer};

/// Matches of one reading that are shown.
const MATCHES: usize = 40;

pub(super) fn tell(report: &Report) -> String {
    let mut out = String::new();
    let parts = report.parts.all();
    let told = || parts.iter().filter(|part| part.place.is_none() || !part.is_quiet());
    for part in told() {
        if let Some(place) = &part.place {
            line(&mut out, &format!("at          {}", visible(place)));
        }
        one(&mut out, part, report.direction);
    }
    let quiet = parts.len() - told().count();
    if quiet > 0 {
        line(&mut out, &format!("nothing     is seen in {quiet} text(s) of the body\n"));
    }
    model(&mut out, report);
    for part in told() {
        redactions(&mut out, part);
    }
    for fault in &report.faults {
        let action = format!("{:?}", fault.action).to_lowercase();
        line(&mut out, &format!("fault       {}: {}; policy says {action}", fault.cause.name(), fault.detail));
    }
    line(&mut out, "");
    for (number, why) in report.why.iter().enumerate() {
        let head =
            if number == 0 { format!("verdict     {}: ", report.action.name()) } else { " ".repeat(12) + "also, " };
        line(&mut out, &format!("{head}{why}"));
    }
    line(&mut out, &format!("            policy {}", report.policy));
    out
}

/// One text: its readings and its points.
fn one(out: &mut String, part: &Part, direction: Direction) {
    // In a body, readings that show nothing are left out: there are many texts.
    let is_told = |reading: &&Reading| {
        part.place.is_none()
            || reading.layer == Layer::Raw
            || !reading.matches.is_empty()
            || !reading.near_misses.is_empty()
    };
    for reading in part.readings.iter().filter(is_told) {
        stage(out, reading, part, direction);
    }
    if !part.complete {
        line(out, "decoding    stopped at a limit: something encoded was not read");
    }
    if !part.near_misses_looked_for {
        line(
            out,
            "            the text is long: near misses and rules for other roles and the other way were not looked for",
        );
    }
    line(out, "");
    points(out, part);
    if part.place.is_some() {
        line(out, "");
    }
}

fn stage(out: &mut String, reading: &Reading, part: &Part, direction: Direction) {
    let head = match (&reading.layer, reading.folded) {
        (Layer::Raw, _) => {
            let way = if direction == Direction::Reply { "reply" } else { "request" };
            let (role, trust) = (part.role.name(), name(part.trust));
            format!("as sent     {} bytes, {way}, role {role}, trust {trust}", reading.bytes)
        }
        (Layer::Canonical, _) => format!("canonical   {} bytes, {} change(s)", reading.bytes, reading.change_count),
        (Layer::Decoded(names), false) => format!("decoded     {}, {} bytes", names.join(" in "), reading.bytes),
        (Layer::Decoded(names), true) => {
            format!("decoded     {}, made canonical: {} change(s)", names.join(" in "), reading.change_count)
        }
    };
    line(out, &head);
    line(out, &format!("  | {}", reading.shown));
    for change in &reading.changes {
        let to = if change.to.is_empty() { "nothing" } else { &change.to };
        line(out, &format!("    byte {}: {} became {to}", change.span.start, change.from));
    }
    if reading.change_count > reading.changes.len() {
        line(out, &format!("    and {} more", reading.change_count - reading.changes.len()));
    }
    for found in reading.matches.iter().take(MATCHES) {
        let said = if found.counts { "matches" } else { "seen, and not among the findings" };
        place(out, found, said);
        found.misfits.iter().for_each(|misfit| line(out, &format!("      {}", why_not(misfit))));
    }
    if reading.matches.len() > MATCHES {
        line(out, &format!("    and {} more matches", reading.matches.len() - MATCHES));
    }
    for miss in reading.near_misses.iter().take(MATCHES) {
        place(out, &miss.at, &format!("would match, but `{}` turns it away", miss.validator));
    }
}

/// What a rule asks for, and what is there instead.
fn why_not(misfit: &Misfit) -> String {
    let Misfit { part, asks, has } = misfit;
    let (asks, has) = (visible(asks), has.as_deref().map(visible));
    match (*part, has) {
        ("condition", Some(seen)) => format!("its condition `{asks}` does not hold: {seen}"),
        (_, Some(has)) => format!("it asks for `{part}: {asks}`; here it is {has}"),
        (_, None) => {
            let option = part.trim_end_matches('s');
            format!("it asks for `{part}: {asks}`; here none is known: say it with `--{option}`")
        }
    }
}

fn place(out: &mut String, found: &Match, what: &str) {
    let Match { rule, title, span, original, marked: [text, marks], .. } = found;
    line(out, &format!("    {rule} {title}"));
    let of = if span == original { String::new() } else { format!(", {}..{} as sent", original.start, original.end) };
    line(out, &format!("      {what}: bytes {}..{}{of}", span.start, span.end));
    line(out, &format!("      | {text}"));
    line(out, &format!("      | {marks}"));
}

fn points(out: &mut String, report: &Part) {
    let mut head = "points";
    for part in &report.points {
        let mut action = part.action.map_or_else(String::new, |action| format!(", demands {}", action.name()));
        if !part.standing.acts() {
            let by = part.standing.by().map_or_else(String::new, |by| format!(" by {by}"));
            action.push_str(&format!(", does not act: {}{by}", part.standing.name()));
        }
        if part.together {
            action.push_str(", seen where texts are read together");
        }
        line(out, &format!("{head:<10}{:>4}  {} {}{action}", part.points, part.source, part.title));
        head = "";
    }
    let decided = report.decided;
    let block = decided.levels.block.map_or_else(|| "never".to_owned(), |level| format!("from {level}"));
    let head = if report.points.is_empty() { "points" } else { "" };
    let sum = format!("together: {}", decided.by_score.name());
    let trust = name(report.trust);
    line(
        out,
        &format!(
            "{head:<10}{:>4}  {sum} (trust {trust}: flag from {}, block {block})",
            decided.score, decided.levels.flag
        ),
    );
}

fn model(out: &mut String, report: &Report) {
    let Some(Model { version, score, levels }) = &report.model else {
        line(out, "model       none is loaded: rules alone");
        return;
    };
    let level = |level: Option<f32>| level.map_or_else(|| "never".to_owned(), |level| format!("from {level}"));
    let levels = levels
        .map_or_else(String::new, |levels| format!(" (flag {}, block {})", level(levels.flag), level(levels.block)));
    let said = match score {
        Some(score) => format!("{score:.4}{levels}"),
        None if report.by_rules == Action::Block => "not asked: the rules alone block".to_owned(),
        None => format!("not asked{levels}"),
    };
    line(out, &format!("model       {said}, version {version}"));
}

fn redactions(out: &mut String, report: &Part) {
    let at = report.place.as_ref().map_or_else(String::new, |place| format!("{}: ", visible(place)));
    let mut head = "redacted";
    for Redaction { span, with, token } in report.redactions.iter().take(MATCHES) {
        let back = if *token { ", which is put back in the reply" } else { "" };
        line(out, &format!("{head:<12}{at}bytes {}..{} become {with}{back}", span.start, span.end));
        head = "";
    }
    if report.redactions.len() > MATCHES {
        line(out, &format!("            and {} more", report.redactions.len() - MATCHES));
    }
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}
