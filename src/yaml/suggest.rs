//! "Did you mean …?" for misspelt keys and names.

/// The known word nearest to what was written, where it is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    // A long text is no misspelt name, and the distance is quadratic.
    if written.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|word| (distance(&written, word), *word))
        .min()
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .map(|(_, word)| word)
}

/// "did you mean `x`?" or the list of what is possible.
pub(crate) fn help(written: &str, known: &[&str]) -> String {
    match nearest(written, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("use one of: {}", known.join(", ")),
    }
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_was_probably_meant() {
        let known = ["severity", "title", "patterns"];
        assert_eq!(nearest("severty", &known), Some("severity"));
        assert_eq!(nearest("Pattrens", &known), Some("patterns"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest(&"x".repeat(10_000), &known), None);
    }
}
