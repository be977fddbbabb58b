//! Passwords of documentation, container images and default installations, which nobody needs to hide.
//!
//! Looks for: a text that is not, digits and marks at its ends left aside, one of the words that manuals use (`password`,
//! `postgres`, `hunter2` …), and that is no variable (`$DB_PASSWORD`, `%s`, `{password}`). Misses: real passwords that are
//! such a word. Example: `postgres` fails, `n0tArea1` passes.

/// Lower case, without digits and marks at their ends.
const WORDS: [&str; 48] = [
    "abc",
    "admin",
    "administrator",
    "apikey",
    "app",
    "auth",
    "bar",
    "changeit",
    "changeme",
    "correcthorse",
    "demo",
    "dev",
    "example",
    "foo",
    "foobar",
    "guest",
    "hello",
    "hunter",
    "key",
    "letmein",
    "local",
    "login",
    "minioadmin",
    "mongo",
    "mypass",
    "mypassword",
    "mysecret",
    "mysql",
    "p@ssw0rd",
    "p@ssword",
    "pass",
    "passw0rd",
    "passwd",
    "password",
    "postgres",
    "private",
    "public",
    "pwd",
    "qwerty",
    "rabbitmq",
    "redis",
    "root",
    "secret",
    "secretpassword",
    "test",
    "token",
    "user",
    "xxx",
];

/// True for a stock password or a variable.
pub(super) fn is_stock(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let word = lower.trim_matches(|c: char| c.is_ascii_digit() || "!_-.?*".contains(c));
    // `$1$…` is a hash, `$NAME` a variable.
    let named = text.strip_prefix('$').is_some_and(|name| !name.starts_with(|c: char| c.is_ascii_digit()));
    let variable = named || text.starts_with(['%', '{', '<', '[', '(', '*']) || text.ends_with(['}', '>', ']', ')']);
    let same = word.bytes().zip(word.bytes().skip(1)).all(|(a, b)| a == b);
    let says_so = lower.len() <= 16 && (lower.contains("password") || lower.contains("secret"));
    variable || same || says_so || WORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{WORDS, is_stock};

    #[test]
    fn manuals_are_told_from_people() {
        assert!(WORDS.is_sorted());
        for stock in [
            "password",
            "Password1!",
            "postgres",
            "hunter2",
            "",
            "123456",
            "$DB_PASSWORD",
            "{password}",
            "<pw>",
            "your_password",
            "yyy",
            "initial-secret",
        ] {
            assert!(is_stock(stock), "{stock}");
        }
        for own in ["n0tArea1", "xK9#mQ2v", "sommerregen", "rootbeerfloat", "pässword-é"] {
            assert!(!is_stock(own), "{own}");
        }
    }
}
