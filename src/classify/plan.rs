//! From texts to windows within the budget.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::base::Span;
use crate::classify::pieces::{PIECE_BYTES, pieces};
use crate::classify::score::Judged;
use crate::classify::tokens::{Token, Tokens};
use crate::classify::windows::{cover, gaps, share, spread, stride};
use crate::model::{Logits, Window, WindowShape};

/// Bounds of one submission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// The window's shape.
    pub shape: WindowShape,
    /// Windows over all texts.
    pub windows: usize,
}

/// What will be judged of one text, without the tokens.
#[derive(Debug)]
pub(super) struct TextPlan {
    windows: Vec<(Span, f32)>,
    unjudged: Vec<Span>,
}

/// Plans all texts of a submission: their windows in one list, and for each text what stands where.
///
/// `keep_going` is asked between pieces; once it says no, an empty error comes back.
pub(super) fn plan(
    tokens: &Tokens,
    texts: &[String],
    budget: Budget,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<(Vec<TextPlan>, Vec<Window>), String> {
    let chosen = choose_pieces(texts, budget);
    let encoded = encode(tokens, texts, &chosen, keep_going)?;
    let runs: Vec<Vec<Run>> = chosen.iter().zip(encoded).map(|(pieces, tokens)| join(pieces, tokens)).collect();
    let cuts: Vec<Vec<Cut<'_>>> = runs.iter().zip(texts).map(|(runs, text)| cut(runs, text, budget.shape)).collect();
    let needs: Vec<usize> = cuts.iter().map(Vec::len).collect();
    let grants = share(&needs, budget.windows);
    let mut windows = Vec::with_capacity(grants.iter().sum());
    let mut plans = Vec::with_capacity(texts.len());
    for ((text, cuts), grant) in texts.iter().zip(&cuts).zip(grants) {
        let taken: Vec<&Cut<'_>> = spread(cuts.len(), grant).into_iter().filter_map(|index| cuts.get(index)).collect();
        windows.extend(taken.iter().map(|cut| tokens.window(cut.tokens)));
        plans.push(TextPlan {
            windows: taken.iter().map(|cut| (cut.span, unknown_share(cut.tokens))).collect(),
            unjudged: gaps(Span::new(0, text.len()), taken.iter().map(|cut| cut.span)),
        });
    }
    Ok((plans, windows))
}

/// Joins the logits of a submission's windows with its plans. `rows` are in the order of the planned windows.
pub(super) fn judge(plans: &[TextPlan], rows: Vec<Logits>) -> Vec<Judged> {
    let mut rows = rows.into_iter();
    let judged = plans.iter().map(|plan| {
        let windows = plan.windows.iter().zip(rows.by_ref());
        Judged::of(windows.map(|(&(span, unknown), row)| (span, unknown, row)), plan.unjudged.clone())
    });
    judged.collect()
}

/// Tokens of pieces that follow one another, and the bytes they stand for.
struct Run {
    span: Span,
    tokens: Vec<Token>,
}

/// One window as it would be.
struct Cut<'a> {
    span: Span,
    tokens: &'a [Token],
}

/// The pieces of each text that are worth tokenising: all of them, unless the texts are so long or so many that most of the
/// windows would be thrown away afterwards. Then a text is sampled from end to end, or left out.
fn choose_pieces(texts: &[String], budget: Budget) -> Vec<Vec<Span>> {
    let window_bytes = stride(budget.shape).saturating_mul(BYTES_PER_TOKEN);
    // At least so many windows each text takes.
    let least: Vec<usize> = texts.iter().map(|text| text.len().div_ceil(window_bytes).max(1)).collect();
    let grants = share(&least, budget.windows);
    let choose = |(text, grant): (&String, usize)| {
        let bytes = grant.saturating_mul(window_bytes);
        if bytes >= text.len() {
            return pieces(text, PIECE_BYTES);
        }
        if grant == 0 {
            return Vec::new();
        }
        let size = (bytes / SAMPLES).clamp(SAMPLE_BYTES, PIECE_BYTES);
        let all = pieces(text, size);
        let count = bytes.div_ceil(size).max(SAMPLES);
        spread(all.len(), count).into_iter().filter_map(|index| all.get(index).copied()).collect()
    };
    texts.iter().zip(grants).map(choose).collect()
}

/// Tokens of every piece, text by text. On several threads above a size where that pays.
fn encode(
    tokens: &Tokens,
    texts: &[String],
    chosen: &[Vec<Span>],
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Vec<Vec<Token>>>, String> {
    let encode = |(text, piece): &(&str, Span)| {
        if !keep_going() {
            return Err(String::new());
        }
        tokens.encode(text, *piece)
    };
    let all: Vec<(&str, Span)> = texts
        .iter()
        .zip(chosen)
        .flat_map(|(text, pieces)| pieces.iter().map(move |&piece| (text.as_str(), piece)))
        .collect();
    let bytes: usize = all.iter().map(|(_, piece)| piece.len()).sum();
    let encoded: Result<Vec<Vec<Token>>, String> =
        if bytes >= PARALLEL_BYTES { all.par_iter().map(encode).collect() } else { all.iter().map(encode).collect() };
    let mut encoded = encoded?.into_iter();
    Ok(chosen.iter().map(|pieces| encoded.by_ref().take(pieces.len()).collect()).collect())
}

/// Joins pieces that touch, so that windows run across their borders.
fn join(pieces: &[Span], tokens: Vec<Vec<Token>>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (&piece, tokens) in pieces.iter().zip(tokens) {
        match runs.last_mut().filter(|run| run.span.end == piece.start) {
            Some(run) => {
                run.span.end = piece.end;
                run.tokens.extend(tokens);
            }
            None => runs.push(Run { span: piece, tokens }),
        }
    }
    runs
}

/// All windows of one text. A text without any token has one empty window, which shows the model that there is nothing.
fn cut<'a>(runs: &'a [Run], text: &str, shape: WindowShape) -> Vec<Cut<'a>> {
    if text.is_empty() {
        return vec![Cut { span: Span::new(0, 0), tokens: &[] }];
    }
    runs.iter().flat_map(|run| cut_run(run, shape)).collect()
}

fn cut_run(run: &Run, shape: WindowShape) -> impl Iterator<Item = Cut<'_>> {
    cover(run.tokens.len(), shape).into_iter().map(|range| {
        // A window reaches to the start of the token after it, so that windows leave no byte between them.
        let start = if range.start == 0 { run.span.start } else { run.tokens[range.start].start };
        let end = run.tokens.get(range.end).map_or(run.span.end, |token| token.start);
        Cut { span: Span::new(start, end), tokens: &run.tokens[range] }
    })
}

/// Share of characters under unknown tokens.
fn unknown_share(tokens: &[Token]) -> f32 {
    let count = |tokens: &mut dyn Iterator<Item = &Token>| tokens.map(|token| u64::from(token.chars)).sum::<u64>();
    let all = count(&mut tokens.iter());
    if all == 0 {
        return 0.0;
    }
    (count(&mut tokens.iter().filter(|token| token.unknown)) as f64 / all as f64) as f32
}

/// More than any language needs for one token (English: 4 to 5). Texts longer than this times their budget of tokens are
/// mostly over the budget whatever they hold, so not all of their pieces are tokenised.
const BYTES_PER_TOKEN: usize = 16;

/// A sampled text is looked at in at least so many places.
const SAMPLES: usize = 4;

/// Smallest piece of a sampled text.
const SAMPLE_BYTES: usize = 512;

/// From here on pieces are tokenised in parallel.
const PARALLEL_BYTES: usize = 32 * 1024;
