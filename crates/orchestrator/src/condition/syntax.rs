//! What a condition says, as a tree. Chains are flat, so that its depth is the depth of brackets.

use nodetool_sdk::Value;
use nodetool_sdk::compat::template::operators::Binary;

#[derive(Debug)]
pub(super) enum Expr {
    Const(Value),
    Data,
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    /// A minus (`true`) or a plus.
    Sign(bool, Box<Expr>),
    Chain(Box<Expr>, Vec<(Binary, Expr)>),
    Power(Box<(Expr, Expr)>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// Then, condition, otherwise.
    Choice(Box<(Expr, Expr, Expr)>),
    Part(Box<Expr>, Vec<Step>),
}

#[derive(Debug)]
pub(super) enum Step {
    Item(Expr),
    Slice([Option<Expr>; 3]),
    Call(Method, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Is,
    IsNot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Keys,
    Values,
    Items,
    Lower,
    Upper,
    Strip,
    StartsWith,
    EndsWith,
    Split,
    Count,
}

impl Method {
    pub(super) const ALL: [(&'static str, Method); 11] = [
        ("get", Method::Get),
        ("keys", Method::Keys),
        ("values", Method::Values),
        ("items", Method::Items),
        ("lower", Method::Lower),
        ("upper", Method::Upper),
        ("strip", Method::Strip),
        ("startswith", Method::StartsWith),
        ("endswith", Method::EndsWith),
        ("split", Method::Split),
        ("count", Method::Count),
    ];

    pub(super) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, method)| *method == self);
        found.map_or("", |(name, _)| name)
    }

    /// The fewest and the most arguments.
    pub(super) fn arguments(self) -> (usize, usize) {
        match self {
            Method::Get => (1, 2),
            Method::Keys | Method::Values | Method::Items | Method::Lower | Method::Upper => (0, 0),
            Method::Strip => (0, 1),
            Method::StartsWith | Method::EndsWith | Method::Count => (1, 1),
            Method::Split => (0, 2),
        }
    }
}

impl Expr {
    /// Whether it is written out: constants, signs, lists and dicts of such.
    pub(super) fn is_literal(&self) -> bool {
        match self {
            Expr::Const(_) => true,
            Expr::List(items) => items.iter().all(Expr::is_literal),
            Expr::Dict(pairs) => pairs
                .iter()
                .all(|(key, value)| key.is_literal() && value.is_literal()),
            Expr::Sign(_, inner) => {
                matches!(&**inner, Expr::Const(Value::Int(_) | Value::Float(_)))
            }
            _ => false,
        }
    }
}
