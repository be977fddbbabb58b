use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::check::Checked;
use super::parse::Problem;
use super::*;
use crate::base::limits::rules as limits;

const NAMES: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];

fn parsed(text: &str) -> Expression {
    parse(text, &NAMES).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
}

fn checked(text: &str) -> Checked {
    check(text, parse(text, &NAMES[..3]).unwrap(), 3)
}

fn condition(text: &str) -> Condition {
    match checked(text) {
        Checked::Condition(condition) => condition,
        other => panic!("{text}: {other:?}"),
    }
}

fn counts(of: &[(u16, u32)]) -> Counts {
    let mut counts = Counts::default();
    of.iter().for_each(|(pattern, count)| counts.set(*pattern, *count));
    counts
}

fn is(pattern: u16) -> Expression {
    Expression::Least(1, vec![pattern])
}

#[test]
fn not_binds_tighter_than_and_and_tighter_than_or() {
    let not = |inner| Expression::Not(Box::new(inner));
    assert_eq!(parsed("a or b and not c"), Expression::Any(vec![is(0), Expression::All(vec![is(1), not(is(2))])]));
    assert_eq!(parsed("(a or b) and c"), Expression::All(vec![Expression::Any(vec![is(0), is(1)]), is(2)]));
    assert_eq!(parsed("not not a"), not(not(is(0))));
    assert_eq!(parsed("2 of them"), Expression::Least(2, vec![0, 1, 2, 3]));
    assert_eq!(parsed("all of ( a,b )"), Expression::Least(2, vec![0, 1]));
    assert_eq!(parsed("any of (c)"), is(2));
    assert_eq!(parsed("count( a )>=3"), Expression::Count(0, Compare::MoreOrEqual, 3));
    assert_eq!(parsed("score.attack <= 0.5"), Expression::Score(Label::Attack, Compare::LessOrEqual, 0.5));
}

#[test]
fn errors_know_their_place() {
    for (text, before, message) in [
        ("", 0, "ends where a pattern's name"),
        ("a and", 5, "ends where a pattern's name"),
        ("a b", 2, "`b` stands where `and`, `or` or the end"),
        ("é and a", 0, "`é` does not belong"),
        ("a and d", 6, "no pattern is named `d`"),
        ("(a or b", 7, "ends where `)`"),
        ("5 of them", 0, "5 of 4 can never be"),
        ("0 of them", 0, "`0` patterns cannot"),
        ("2 of (a, a)", 9, "`a` stands here twice"),
        ("any of a", 7, "`a` stands where `(`"),
        ("count(a) = 3", 9, "`=` does not belong"),
        ("count(a) >= 0.5", 12, "`0.5` is no whole number"),
        ("count(a) >= 65", 12, "counted up to 64"),
        ("score.weather > 0.5", 0, "no score `weather`"),
        ("score > 0.5", 0, "no score ``"),
        ("a and score.attack > 7", 21, "`7` is no score"),
        ("#a >= 3", 0, "`#` does not belong"),
        ("count a >= 3", 6, "`a` stands where `(`"),
        ("a and and b", 6, "`and` stands where a pattern's name"),
        ("a and them", 6, "`them` stands where a pattern's name"),
    ] {
        let Problem { before: at, message: said, .. } = parse(text, &NAMES).unwrap_err();
        assert!(at == before && said.contains(message), "{text}: {at} {said}");
    }
}

#[test]
fn depth_and_length_hold_at_n_and_break_at_n_plus_1() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(limits::CONDITION_DEPTH), &NAMES).is_ok());
    assert!(parse(&nested(limits::CONDITION_DEPTH + 1), &NAMES).is_err());
    assert!(parse(&format!("{}a", "not ".repeat(limits::CONDITION_DEPTH)), &NAMES).is_ok());
    assert!(parse(&format!("{}a", "not ".repeat(limits::CONDITION_DEPTH + 1)), &NAMES).is_err());
    // Brackets side by side are not inside each other.
    assert!(parse(&vec!["(a)"; 100].join(" or "), &NAMES).is_ok());
    let long = |bytes: usize| format!("a{}", " ".repeat(bytes - 1));
    assert!(parse(&long(limits::CONDITION_BYTES), &NAMES).is_ok());
    assert!(parse(&long(limits::CONDITION_BYTES + 1), &NAMES).is_err());
}

#[test]
fn what_says_nothing_or_too_much_is_told() {
    assert!(matches!(checked("any of them"), Checked::Any));
    assert!(matches!(checked("1 of (c, b, a)"), Checked::Any));
    assert!(matches!(checked("a and b"), Checked::Unused(numbers) if numbers == [2]));
    for text in [
        "all of them and not a",
        "a and b and count(c) > 3 and count(c) < 2",
        "all of them and score.attack > 0.9 and score.attack < 0.1",
    ] {
        assert!(matches!(checked(text), Checked::Impossible), "{text}");
    }
    for text in [
        "not any of them",
        "not (a and b and c)",
        "any of them or score.injection > 0.5",
        "count(a) < 3 or b and c",
        "any of them or not a",
    ] {
        assert!(matches!(checked(text), Checked::OfNothing), "{text}");
    }
    for text in [
        "2 of them",
        "a and not b and not c",
        "any of them and score.injection > 0.5",
        "count(a) >= 2 or b and c",
        "any of them and not score.attack > 0.5",
    ] {
        condition(text);
    }
}

#[test]
fn what_is_only_forbidden_is_no_finding() {
    let positive = |text: &str| (0..3).filter(|pattern| condition(text).is_positive(*pattern)).collect::<Vec<u16>>();
    assert_eq!(positive("a and b and not c"), [0, 1]);
    assert_eq!(positive("a and not (b or not c)"), [0, 2]);
    assert_eq!(positive("a and count(b) < 2 and count(c) >= 2"), [0, 2]);
    assert_eq!(positive("a and count(b) <= 2 and not (count(c) == 0)"), [0, 2]);
    assert_eq!(positive("a and (b or c) and not b"), [0, 1, 2]);
}

#[test]
fn scores_decide_only_where_nothing_else_does() {
    let condition = condition("any of (a, b) and score.injection > 0.7 or c");
    let a = counts(&[(0, 1)]);
    assert_eq!(condition.before_scores(&Counts::default()), Truth::False);
    assert_eq!(condition.before_scores(&a), Truth::Unknown);
    assert_eq!(condition.before_scores(&counts(&[(0, 1), (2, 1)])), Truth::True);
    assert!(condition.holds(&a, &Scores::of_label(0.8, "injection")));
    assert!(!condition.holds(&a, &Scores::of_label(0.7, "injection")));
    assert!(!condition.holds(&a, &Scores::of_label(0.8, "extraction")), "it is no injection");
    assert!(!condition.holds(&a, &Scores::default()), "an unknown score reaches no level");
    let not = self::condition("any of them and not score.attack > 0.2");
    assert!(not.holds(&a, &Scores::default()) && !not.holds(&a, &Scores::of_label(0.3, "extraction")));
    let below = self::condition("any of them and score.attack < 0.2");
    assert!(!below.holds(&a, &Scores::default()), "nor does it stay below one");
}

#[test]
fn the_highest_score_counts() {
    let both = Scores::of_label(0.4, "injection").max(Scores::of_label(0.6, "extraction"));
    assert_eq!((both.attack, both.injection, both.extraction), (Some(0.6), Some(0.4), Some(0.6)));
    assert_eq!(both.max(Scores::default()), both);
}

/// An expression as text, with as few brackets as its tree allows to be written down safely: all of them.
fn written(expression: &Expression) -> String {
    let name = |pattern: &u16| NAMES[usize::from(*pattern)].unwrap();
    let join = |parts: &[Expression], glue: &str| {
        parts.iter().map(|part| format!("({})", written(part))).collect::<Vec<_>>().join(glue)
    };
    match expression {
        Expression::All(parts) => join(parts, " and "),
        Expression::Any(parts) => join(parts, " or "),
        Expression::Count(pattern, compare, than) => {
            let compare = match compare {
                Compare::Equal => "==",
                Compare::Less => "<",
                Compare::LessOrEqual => "<=",
                Compare::More => ">",
                Compare::MoreOrEqual => ">=",
                Compare::NotEqual => "!=",
            };
            format!("count({}) {compare} {than}", name(pattern))
        }
        Expression::Least(least, patterns) => {
            format!("{least} of ({})", patterns.iter().map(name).collect::<Vec<_>>().join(", "))
        }
        Expression::Not(inner) => format!("not ({})", written(inner)),
        Expression::Score(label, _, than) => format!("score.{} > {than}", label.name()),
    }
}

fn expressions() -> impl Strategy<Value = Expression> {
    let compare =
        proptest::sample::select(vec![Compare::Equal, Compare::Less, Compare::MoreOrEqual, Compare::NotEqual]);
    let leaf = prop_oneof![
        (0u16..3).prop_map(is),
        Just(Expression::Least(2, vec![0, 1, 2])),
        (0u16..3, compare, 0u32..4).prop_map(|(pattern, compare, than)| Expression::Count(pattern, compare, than)),
        Just(Expression::Score(Label::Attack, Compare::More, 0.5)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            proptest::collection::vec(inner, 2..4).prop_map(Expression::Any),
        ]
    })
}

/// The truth by the plain definition.
fn plainly(expression: &Expression, counts: [u32; 3], attack: Option<f32>) -> bool {
    let count = |pattern: u16| counts[usize::from(pattern)];
    match expression {
        Expression::All(parts) => parts.iter().all(|part| plainly(part, counts, attack)),
        Expression::Any(parts) => parts.iter().any(|part| plainly(part, counts, attack)),
        Expression::Count(pattern, compare, than) => compare.holds(&count(*pattern), than),
        Expression::Least(least, patterns) => patterns.iter().filter(|p| count(**p) > 0).count() >= *least,
        Expression::Not(inner) => !plainly(inner, counts, attack),
        Expression::Score(..) => attack.is_some_and(|attack| attack > 0.5),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_judged(expression in expressions(), a in 0u32..5, b in 0u32..5, c in 0u32..5) {
        let text = written(&expression);
        prop_assert_eq!(&parse(&text, &NAMES[..3]).unwrap(), &expression);
        let counted = counts(&[(0, a), (1, b), (2, c)]);
        let open = expression.truth(&counted, None);
        for attack in [None, Some(0.5), Some(0.6)] {
            let scores = Scores { attack, ..Scores::default() };
            let holds = plainly(&expression, [a, b, c], attack);
            prop_assert_eq!(expression.truth(&counted, Some(&scores)) == Truth::True, holds);
            // What is decided without the scores stays decided.
            prop_assert!(open == Truth::Unknown || (open == Truth::True) == holds);
        }
        match check(&text, expression.clone(), 3) {
            Checked::Impossible => prop_assert!(!plainly(&expression, [a, b, c], Some(0.6)) && !plainly(&expression, [a, b, c], None)),
            Checked::Condition(condition) => {
                prop_assert!(!plainly(&expression, [0; 3], None) && !plainly(&expression, [0; 3], Some(0.6)));
                // A condition that holds has something to show.
                if plainly(&expression, [a, b, c], None) {
                    prop_assert!([a, b, c].iter().zip(0..).any(|(count, pattern)| *count > 0 && condition.is_positive(pattern)));
                }
            }
            Checked::Any | Checked::OfNothing | Checked::Unused(_) => {}
        }
    }

    #[test]
    fn no_text_breaks_the_parser(text in "(a|b|c|and|or|not|of|them|any|all|score\\.attack|[0-9.]{1,3}|count\\(a\\)|[()#<>=!,é ]){0,24}") {
        if let Err(problem) = parse(&text, &NAMES) {
            prop_assert!(problem.before <= text.chars().count() && !problem.message.is_empty() && !problem.help.is_empty());
        }
    }
}
