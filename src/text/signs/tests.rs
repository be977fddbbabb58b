//! Signs against their definition, byte by byte.

use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert_eq, proptest};

use super::*;

/// Runs by the definition.
fn plain_runs(text: &str, is_one: fn(u8) -> bool) -> Vec<Span> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, byte) in text.bytes().chain([0]).enumerate() {
        match start {
            None if is_one(byte) => start = Some(at),
            Some(from) if !is_one(byte) => {
                if at - from >= RUN_MIN {
                    runs.push(Span::new(from, at));
                }
                start = None;
            }
            _ => {}
        }
    }
    runs
}

/// Texts of runs around the shortest length, at all places of a block.
fn runs() -> impl Strategy<Value = String> {
    vec("[A-Za-z0-9_/-]{1,40}|[0-9a-f :,]{1,40}|[ .!]{1,3}|[а-я]{1,4}|[a-f0-9]{15,17}", 0..40)
        .prop_map(|parts| parts.concat())
}

#[test]
fn a_run_is_noted_from_its_shortest_length_on_at_every_place() {
    for start in 0..130 {
        for length in [RUN_MIN - 1, RUN_MIN, RUN_MIN + 1, 64, 65, 200] {
            let text = format!("{}{}!", "!".repeat(start), "4".repeat(length));
            let signs = Signs::of(&text);
            let expected = if length < RUN_MIN { vec![] } else { vec![Span::new(start, start + length)] };
            assert_eq!((&signs.runs, &signs.numeric), (&expected, &expected), "{length} from {start}");
        }
    }
}

proptest! {
    #[test]
    fn runs_are_those_of_the_definition(text in runs()) {
        let signs = Signs::of(&text);
        prop_assert_eq!(signs.runs, plain_runs(&text, is_digit));
        prop_assert_eq!(signs.numeric, plain_runs(&text, is_numeric));
    }

    #[test]
    fn bits_are_those_of_the_bytes(bytes in proptest::array::uniform32(0..=255_u8)) {
        let block = std::array::from_fn(|at| bytes[at % 32].wrapping_add((at / 32) as u8));
        let found = bits(&block, is_digit);
        for (at, byte) in block.iter().enumerate() {
            prop_assert_eq!(found >> at & 1 == 1, is_digit(*byte), "{}", at);
        }
    }
}
