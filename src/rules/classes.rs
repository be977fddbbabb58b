//! Classes of a regex that ignores case get the other case of their ASCII letters as they are written: before they are
//! negated, so that `[^o]` lets neither `o` nor `O` pass.

use regex_syntax::ast::{Ast, ClassAsciiKind, ClassSet, ClassSetItem, ClassSetRange, ClassSetUnion, Literal};

/// Adds the other case to every class of an expression.
pub(super) fn both_cases(ast: &mut Ast) {
    match ast {
        Ast::ClassBracketed(class) => set(&mut class.kind),
        Ast::Repetition(repetition) => both_cases(&mut repetition.ast),
        Ast::Group(group) => both_cases(&mut group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter_mut().for_each(both_cases),
        Ast::Concat(concat) => concat.asts.iter_mut().for_each(both_cases),
        _ => {}
    }
}

fn set(class: &mut ClassSet) {
    match class {
        ClassSet::Item(one) => item(one),
        ClassSet::BinaryOp(both) => {
            set(&mut both.lhs);
            set(&mut both.rhs);
        }
    }
}

fn item(one: &mut ClassSetItem) {
    match one {
        ClassSetItem::Literal(literal) => {
            let range = ClassSetRange { span: literal.span, start: literal.clone(), end: literal.clone() };
            widen(one, &range);
        }
        ClassSetItem::Range(range) => {
            let range = range.clone();
            widen(one, &range);
        }
        ClassSetItem::Ascii(class) if matches!(class.kind, ClassAsciiKind::Lower | ClassAsciiKind::Upper) => {
            class.kind = ClassAsciiKind::Alpha;
        }
        ClassSetItem::Bracketed(class) => set(&mut class.kind),
        ClassSetItem::Union(union) => union.items.iter_mut().for_each(item),
        _ => {}
    }
}

/// Puts the other case of a range's letters beside it.
fn widen(one: &mut ClassSetItem, range: &ClassSetRange) {
    let cases = [('a', 'z', 'A'), ('A', 'Z', 'a')];
    let others = cases.into_iter().filter_map(|(first, last, other)| {
        let (start, end) = (range.start.c.max(first), range.end.c.min(last));
        let turned = |c: char| char::from_u32(u32::from(c) - u32::from(first) + u32::from(other));
        let literal = |c: char| Some(Literal { c: turned(c)?, ..range.start.clone() });
        (start <= end).then(|| Some(ClassSetRange { span: range.span, start: literal(start)?, end: literal(end)? }))?
    });
    let others: Vec<ClassSetItem> = others.map(ClassSetItem::Range).collect();
    if !others.is_empty() {
        let items = std::iter::once(ClassSetItem::Range(range.clone())).chain(others).collect();
        *one = ClassSetItem::Union(ClassSetUnion { span: range.span, items });
    }
}

#[cfg(test)]
mod tests {
    use regex_syntax::ast::parse::Parser;
    use regex_syntax::hir::translate::Translator;

    use super::both_cases;

    fn same(written: &str, wanted: &str) {
        let mut ast = Parser::new().parse(written).unwrap();
        both_cases(&mut ast);
        let hir = Translator::new().translate(written, &ast).unwrap();
        assert_eq!(hir, regex_syntax::parse(wanted).unwrap(), "{written}");
    }

    #[test]
    fn classes_have_both_cases_before_they_are_negated() {
        same("[^o]x", "[^oO]x");
        same("[^a-f0-9]{2}", "[^a-fA-F0-9]{2}");
        same("(?:[k-m]|[é_Q])", "(?:[k-mK-M]|[é_Qq])");
        same("[a-z&&[^aeiou]]", "[a-zA-Z&&[^aeiouAEIOU]]");
        same("[Y-c]", "[Y-cy-zA-C]");
        same("[^[:lower:]]", "[^[:alpha:]]");
        same("[^0-9]", "[^0-9]");
    }
}
