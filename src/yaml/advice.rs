//! What to write instead, where a text is not YAML: the parser says what it met, people need to know what to do.

/// Parts of what the parser says, and what to do. The first that fits is taken.
const ADVICE: [(&str, &str); 17] = [
    (
        "mapping values are not allowed",
        "a text with `: ` in it goes in single quotes; else this line is indented too far, or the one above lacks its `:`",
    ),
    ("tabs disallowed", "indent with blanks, not with tabs"),
    ("found a tab", "indent with blanks, not with tabs"),
    (
        "unknown escape character",
        r"in double quotes `\` begins an escape: use single quotes, in which it is a plain sign",
    ),
    ("multiline quoted scalar", "close the quote that is opened above, or indent all lines of the text"),
    ("after single-quoted", "within single quotes write a quote twice: `'it''s'`"),
    ("after double-quoted", r#"within double quotes write a quote as `\"`, or use single quotes around"#),
    ("unclosed bracket", "close this bracket; a text that begins with one goes in single quotes"),
    (
        "illegal placement of ':'",
        "close the `[` or `{` that is open above; a text that begins with one goes in single quotes",
    ),
    ("mismatched bracket", "close `[` with `]` and `{` with `}`; a text that begins with one goes in single quotes"),
    (
        "did not find expected key",
        "a text that begins with a bracket or a quote goes in single quotes whole; else indent what belongs together alike",
    ),
    ("did not find expected", "indent what belongs together by the same number of blanks"),
    ("simple key expected", "write `key: value`, or indent the line as part of the text above"),
    (
        "unexpected character",
        "a text that begins with a sign goes in single quotes; what cannot be seen is written as an escape in double quotes",
    ),
    ("unknown anchor", "a text that begins with `*` goes in single quotes"),
    ("multiple YAML documents", "a file holds one document: put what stands below `---` into a file of its own"),
    ("merge keys", "`<<` is not understood here: write the keys out"),
];

/// What to do about what the parser says.
pub(crate) fn advice(message: &str) -> &'static str {
    let found = ADVICE.iter().find(|(part, _)| message.contains(part));
    found
        .map_or("put texts with special signs in single quotes, and indent what belongs together alike", |(_, help)| {
            help
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::node;

    /// The parser may come to say it otherwise: then the advice is to be looked at again.
    #[test]
    fn each_advice_is_given_for_what_it_is_about() {
        let broken = [
            "a: it: is\n",
            "a:\n\t- b\n",
            "a: b\n\tc: d\n",
            "a: \"\\d\"\n",
            "a:\n  - b: \"c\n    d: [e]\n",
            "a: 'it's'\n",
            "a: \"it\"s\"\n",
            "a: { b: c\n",
            "- a: [b, c\n  d: e\n",
            "a: [b, c }\n",
            "a: [b] c\n",
            "- a: b\n - c\n",
            "- a: b\n  c\n",
            "a: @b\n",
            "a: *b\n",
            "a: b\n---\nc: d\n",
            "<<: { a: b }\n",
        ];
        for (content, (part, help)) in broken.iter().zip(ADVICE) {
            let (_, message) = node::parse(content).unwrap_err();
            assert!(message.contains(part), "{content:?}: {message}");
            assert_eq!(advice(&message), help);
        }
        assert_eq!(broken.len(), ADVICE.len());
        assert!(advice("something new").contains("single quotes"));
    }
}
