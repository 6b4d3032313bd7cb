//! Functions and kernels that were typed or loaded, to the text that formulas are compiled with.

use crate::scan::{Kind, tokens};

/// What a statement defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Function,
    Kernel,
}

/// A function or kernel by name.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) sort: Sort,
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Definition {
    /// Of `fn name(..` or `kernel name(..`; none of any other statement.
    pub(crate) fn of(statement: &str) -> Option<Definition> {
        let mut found = tokens(statement).into_iter().take(3);
        let (word, name, bracket) = (found.next()?, found.next()?, found.next()?);
        let sort = match &statement[word.range] {
            "fn" => Sort::Function,
            "kernel" => Sort::Kernel,
            _ => return None,
        };
        let defines = name.kind == Kind::Name && &statement[bracket.range] == "(";
        let name = statement[name.range].trim_matches('`').to_owned();
        defines.then(|| Definition { sort, name, text: statement.to_owned() })
    }

    /// What stands before the body.
    pub(crate) fn head(&self) -> &str {
        let end = self.text.find(['{', '=']).unwrap_or(self.text.len());
        self.text[..end].trim()
    }
}

/// The definitions of a session, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions(Vec<Definition>);

impl Definitions {
    /// In the place of one of that name, if there is one.
    pub(crate) fn set(&mut self, definition: Definition) {
        match self.0.iter_mut().find(|known| known.name == definition.name) {
            Some(known) => *known = definition,
            None => self.0.push(definition),
        }
    }

    /// Whether there was one of that name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|definition| definition.name != name);
        self.0.len() < before
    }

    pub(crate) fn of_sort(&self, sort: Sort) -> impl Iterator<Item = &Definition> {
        self.0.iter().filter(move |definition| definition.sort == sort)
    }

    pub(crate) fn kernel(&self, name: &str) -> Option<&Definition> {
        self.of_sort(Sort::Kernel).find(|definition| definition.name == name)
    }

    /// The formula with the functions that it may call behind it, so that its lines keep their numbers.
    pub(crate) fn with_functions(&self, formula: &str) -> String {
        let functions = self.of_sort(Sort::Function).map(|definition| format!("\n{}", definition.text));
        formula.to_owned() + &functions.collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_told_from_formulas() {
        let named = |text: &str| Definition::of(text).map(|found| (found.sort, found.name));
        assert_eq!(named("fn f(x) = x + 1"), Some((Sort::Function, "f".to_owned())));
        assert_eq!(named("kernel `a b`(x) -> (y) {\n y = x }"), Some((Sort::Kernel, "a b".to_owned())));
        for formula in ["fn + 1", "fn(x)", "kernel = 2", "f(x)", "kernel", ""] {
            assert_eq!(named(formula), None, "{formula}");
        }
        assert_eq!(
            Definition::of("kernel k(x: f32) -> (y) { y = x }").expect("a kernel").head(),
            "kernel k(x: f32) -> (y)"
        );
    }
}
