//! A CSV file with a header line to columns, each an array.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use crate::array::Array;
use crate::failure::Result;

/// Cells that hold no value.
const MISSING: [&str; 9] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"];

/// What a file holds.
pub(crate) struct Table {
    /// Name and values of each column of numbers or bools, in the order of the file.
    pub(crate) columns: Vec<(String, Array)>,
    /// The columns left out, because a cell is neither a number nor missing.
    pub(crate) text: Vec<String>,
}

pub(crate) fn load(path: &Path) -> Result<Table> {
    let file = std::fs::File::open(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    Ok(read(file).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?)
}

fn read(file: impl Read) -> std::result::Result<Table, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let names = unique_names(reader.headers()?);
    let mut columns = vec![Column::Empty(0); names.len()];
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for (column, cell) in columns.iter_mut().zip(&record) {
            column.push(cell);
        }
    }
    let mut table = Table { columns: Vec::new(), text: Vec::new() };
    for (name, column) in names.into_iter().zip(columns) {
        match column {
            Column::Empty(count) => table.columns.push((name, Array::vector(vec![f64::NAN; count]))),
            Column::Bool(values) => table.columns.push((name, Array::vector(values))),
            Column::Int(values) => table.columns.push((name, Array::vector(values))),
            Column::Float(values) => table.columns.push((name, Array::vector(values))),
            Column::Text => table.text.push(name),
        }
    }
    Ok(table)
}

/// No name is empty, holds a backtick or a line end, or stands twice.
fn unique_names(header: &csv::StringRecord) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut names = Vec::new();
    for (i, cell) in header.iter().enumerate() {
        let cell = cell.trim_start_matches('\u{feff}').replace('`', "'").replace(['\n', '\r'], " ");
        let base = if cell.is_empty() { format!("column {}", i + 1) } else { cell };
        let numbered = (2..).map(|k| format!("{base} {k}"));
        let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name));
        let name = name.expect("numbers do not run out");
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

/// The cells of a column so far, in the narrowest type that holds them all.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    /// Nothing but missing cells: how many.
    Empty(usize),
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Text,
}

enum Cell {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text,
}

impl Cell {
    fn of(text: &str) -> Cell {
        if let Ok(value) = text.parse() {
            return Cell::Int(value);
        }
        match text {
            text if MISSING.contains(&text) => Cell::Missing,
            "True" | "TRUE" | "true" => Cell::Bool(true),
            "False" | "FALSE" | "false" => Cell::Bool(false),
            text => text.parse().map_or(Cell::Text, Cell::Float),
        }
    }
}

impl Column {
    fn push(&mut self, text: &str) {
        let cell = match self {
            Column::Text => return,
            Column::Empty(_) | Column::Bool(_) | Column::Int(_) | Column::Float(_) => Cell::of(text),
        };
        let before = std::mem::replace(self, Column::Text);
        *self = match (before, cell) {
            (Column::Empty(count), Cell::Missing) => Column::Empty(count + 1),
            (Column::Empty(0), Cell::Bool(x)) => Column::Bool(vec![x]),
            (Column::Bool(values), Cell::Bool(x)) => Column::Bool(pushed(values, x)),
            (Column::Empty(0), Cell::Int(x)) => Column::Int(vec![x]),
            (Column::Int(values), Cell::Int(x)) => Column::Int(pushed(values, x)),
            (Column::Empty(count), Cell::Int(x)) => Column::Float(pushed(vec![f64::NAN; count], x as f64)),
            (Column::Empty(count), Cell::Float(x)) => Column::Float(pushed(vec![f64::NAN; count], x)),
            (Column::Int(values), Cell::Float(x)) => Column::Float(pushed(to_floats(&values), x)),
            (Column::Int(values), Cell::Missing) => Column::Float(pushed(to_floats(&values), f64::NAN)),
            (Column::Float(values), Cell::Int(x)) => Column::Float(pushed(values, x as f64)),
            (Column::Float(values), Cell::Float(x)) => Column::Float(pushed(values, x)),
            (Column::Float(values), Cell::Missing) => Column::Float(pushed(values, f64::NAN)),
            // No dtype holds both, and a bool has no NaN.
            (Column::Empty(_) | Column::Int(_) | Column::Float(_), Cell::Bool(_))
            | (Column::Bool(_), Cell::Int(_) | Cell::Float(_) | Cell::Missing)
            | (_, Cell::Text)
            | (Column::Text, _) => Column::Text,
        };
    }
}

fn pushed<T>(mut values: Vec<T>, value: T) -> Vec<T> {
    values.push(value);
    values
}

fn to_floats(values: &[i64]) -> Vec<f64> {
    values.iter().map(|x| *x as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::show;

    fn described(text: &str) -> (Vec<String>, Vec<String>) {
        let table = read(text.as_bytes()).expect("a table");
        let column = |(name, array): &(String, Array)| format!("{name}: {} {}", array.kind(), show(array));
        (table.columns.iter().map(column).collect(), table.text)
    }

    #[test]
    fn a_column_has_the_narrowest_type_that_holds_its_cells() {
        let text = "i,f,gap,late,flag,name,none,mixed\n1,1.5,1,,True,x,NA,True\n-2,2,NA,NA,false, 3 ,,1\n3,1e3,3,7,TRUE,NA,null,0\n";
        let (columns, left_out) = described(text);
        let expected = [
            "i: i64 (3,) [ 1 -2  3]",
            "f: f64 (3,) [   1.5    2.  1000. ]",
            "gap: f64 (3,) [ 1. nan  3.]",
            "late: f64 (3,) [nan nan  7.]",
            "flag: bool (3,) [ True False  True]",
            "none: f64 (3,) [nan nan nan]",
        ];
        assert_eq!(columns, expected);
        assert_eq!(left_out, ["name", "mixed"]);
    }

    #[test]
    fn names_are_unique_and_never_empty() {
        let (columns, _) = described("\u{feff}a,a,,\"unit `p`\"\n1,2,3,4\n");
        assert_eq!(
            columns,
            ["a: i64 (1,) [1]", "a 2: i64 (1,) [2]", "column 3: i64 (1,) [3]", "unit 'p': i64 (1,) [4]"]
        );
    }

    #[test]
    fn integers_beyond_64_bits_become_floats() {
        assert_eq!(described("a\n1\n99999999999999999999\n").0, ["a: f64 (2,) [1.e+00 1.e+20]"]);
        assert_eq!(described("a,b\n").0, ["a: f64 (0,) []", "b: f64 (0,) []"]);
    }

    #[test]
    fn a_row_of_another_length_is_an_error_with_its_line() {
        let error = read("a,b\n1,2\n3\n".as_bytes()).err().expect("an error").to_string();
        assert!(error.contains("line: 3"), "{error}");
    }
}
