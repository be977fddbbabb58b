//! What an ONNX file may hold. Read by our own small walker before ONNX Runtime sees a byte.
//!
//! Refused: external data (it would make ONNX Runtime open files of the model's choosing), custom operators (they need foreign
//! code), training parts, ORT-format files, and anything too deep or too large. The walk goes through nested graphs, functions
//! and every tensor. Source: `onnx.proto` of ONNX 1.19, whose field numbers stand below.

use crate::base::Limits;
use crate::model::wire::{Field, FieldValue, Fields};

/// Operator domains of the ONNX standard.
const STANDARD_DOMAINS: [&str; 3] = ["", "ai.onnx", "ai.onnx.ml"];

/// ONNX Runtime's own domain. Only what its quantiser emits for a text encoder is let through: among the domain's other
/// operators are some that load files (`EPContext`).
const RUNTIME_DOMAIN: &str = "com.microsoft";
const RUNTIME_OPERATORS: [&str; 7] = [
    "DequantizeLinear",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
    "QAttention",
    "QEmbedLayerNormalization",
    "QGemm",
    "QuantizeLinear",
];

/// At most this many problems are listed.
const PROBLEMS_MAX: usize = 20;

/// Checks the bytes of a model file; the error lists the problems.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), Vec<String>> {
    // ONNX Runtime would take these bytes for its own flat format, which this walk does not know.
    if bytes.get(4..8) == Some(b"ORTM") {
        return Err(vec!["an ORT-format file; only ONNX is accepted".to_owned()]);
    }
    let mut walk = Walk { limits, nodes: 0, graphs: 0, problems: Vec::new() };
    let walked = walk.message(Kind::Model, bytes, 0, 1);
    if let Err(broken) = walked {
        walk.problems.push(format!("not a sound ONNX file: {broken}"));
    } else if walk.graphs == 0 || walk.nodes == 0 {
        walk.problems.push("no graph in it; is it an ONNX file at all?".to_owned());
    }
    if walk.problems.is_empty() { Ok(()) } else { Err(walk.problems) }
}

/// The messages of `onnx.proto` that the walk goes into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Attribute,
    Function,
    Graph,
    Model,
    Node,
    OperatorSet,
    SparseTensor,
    Tensor,
}

/// What a field means to the walk.
#[derive(Clone, Copy)]
enum Meaning {
    /// A message to go into.
    Inner(Kind),
    /// An operator domain (string).
    Domain,
    /// An operator's name (string).
    Operator,
    /// `TensorProto.data_location`.
    Location,
    /// Must not be there at all.
    Forbidden(&'static str),
    /// Of no interest.
    Other,
}

fn meaning(kind: Kind, number: u32) -> Meaning {
    use Kind::{Attribute, Function, Graph, Model, Node, OperatorSet, SparseTensor, Tensor};
    match (kind, number) {
        (Model, 7) => Meaning::Inner(Graph),
        (Model, 8) | (Function, 9) => Meaning::Inner(OperatorSet),
        (Model, 20) => Meaning::Forbidden("training information"),
        (Model, 25) => Meaning::Inner(Function),
        (Graph, 1) | (Function, 7) => Meaning::Inner(Node),
        (Graph, 5) | (Attribute, 5 | 10) | (SparseTensor, 1 | 2) => Meaning::Inner(Tensor),
        (Graph, 15) | (Attribute, 22 | 23) => Meaning::Inner(SparseTensor),
        (Node, 4) => Meaning::Operator,
        (Node, 7) | (OperatorSet, 1) | (Function, 10) => Meaning::Domain,
        (Node, 5) | (Function, 11) => Meaning::Inner(Attribute),
        (Attribute, 6 | 11) => Meaning::Inner(Graph),
        (Tensor, 13) => Meaning::Forbidden("external data"),
        (Tensor, 14) => Meaning::Location,
        _ => Meaning::Other,
    }
}

struct Walk<'a> {
    limits: &'a Limits,
    nodes: usize,
    graphs: usize,
    problems: Vec<String>,
}

impl Walk<'_> {
    /// Walks one message. An `Err` means that the bytes cannot be read on; what is merely not allowed becomes a problem.
    fn message(&mut self, kind: Kind, bytes: &[u8], offset: usize, depth: usize) -> Result<(), String> {
        if depth > self.limits.model_depth {
            return Err(format!(
                "byte {offset}: nested more than {} deep (limit `model_depth`)",
                self.limits.model_depth
            ));
        }
        self.count(kind)?;
        let (mut domains, mut operators) = (Vec::new(), Vec::new());
        for field in Fields::new(bytes, offset) {
            let field = field?;
            match meaning(kind, field.number) {
                Meaning::Inner(inner) => {
                    let (bytes, start) = payload(&field)?;
                    self.message(inner, bytes, start, depth + 1)?;
                }
                Meaning::Domain => domains.push(text(&field)?),
                Meaning::Operator => operators.push(text(&field)?),
                Meaning::Location => self.location(&field)?,
                Meaning::Forbidden(what) => self.problem(format!("byte {}: {what} is not accepted", field.offset)),
                Meaning::Other => {}
            }
        }
        self.domains(kind, &domains, &operators, offset);
        Ok(())
    }

    fn count(&mut self, kind: Kind) -> Result<(), String> {
        self.graphs += usize::from(kind == Kind::Graph);
        self.nodes += usize::from(kind == Kind::Node);
        if self.nodes > self.limits.model_nodes {
            return Err(format!("more than {} operators (limit `model_nodes`)", self.limits.model_nodes));
        }
        Ok(())
    }

    /// Parsers take the last value of a repeated singular field; here every value must be acceptable.
    fn domains(&mut self, kind: Kind, domains: &[&str], operators: &[&str], offset: usize) {
        for &domain in domains {
            if STANDARD_DOMAINS.contains(&domain) {
                continue;
            }
            let known = domain == RUNTIME_DOMAIN && kind != Kind::Function;
            let fits = known && (kind != Kind::Node || operators.iter().all(|name| RUNTIME_OPERATORS.contains(name)));
            if !fits {
                let name = operators.last().map(|name| format!(" (operator {name:?})")).unwrap_or_default();
                self.problem(format!("byte {offset}: custom operator domain {domain:?}{name}"));
            }
        }
    }

    fn location(&mut self, field: &Field<'_>) -> Result<(), String> {
        match field.value {
            FieldValue::Varint(0) => {}
            FieldValue::Varint(_) => self.problem(format!("byte {}: external data is not accepted", field.offset)),
            _ => return Err(format!("byte {}: data_location is not a number", field.offset)),
        }
        Ok(())
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

fn payload<'a>(field: &Field<'a>) -> Result<(&'a [u8], usize), String> {
    match field.value {
        FieldValue::Bytes(bytes, start) => Ok((bytes, start)),
        _ => Err(format!("byte {}: field {} is not a message", field.offset, field.number)),
    }
}

fn text<'a>(field: &Field<'a>) -> Result<&'a str, String> {
    let (bytes, start) = payload(field)?;
    std::str::from_utf8(bytes).map_err(|_| format!("byte {start}: a name that is not UTF-8"))
}
