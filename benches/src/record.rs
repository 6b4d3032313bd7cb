//! Figures to a table on the screen and to CSV files that stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::machine::Machine;

/// One CSV file in the making.
pub(crate) struct Record {
    name: String,
    header: &'static str,
    rows: Vec<String>,
}

impl Record {
    pub(crate) fn new(name: &str, header: &'static str) -> Record {
        Record { name: name.to_owned(), header, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, cells: &[String]) {
        let quoted = |cell: &String| {
            if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
        };
        self.rows.push(cells.iter().map(quoted).collect::<Vec<_>>().join(","));
    }
}

/// The files of a run.
#[derive(Default)]
pub(crate) struct Records {
    tables: Vec<Record>,
    /// Name and text.
    pages: Vec<(&'static str, String)>,
}

impl Records {
    pub(crate) fn of(record: Record) -> Records {
        Records { tables: vec![record], pages: Vec::new() }
    }

    pub(crate) fn append(&mut self, other: Records) {
        self.tables.extend(other.tables);
        self.pages.extend(other.pages);
    }

    /// A file that is no table.
    pub(crate) fn add_page(&mut self, name: &'static str, text: String) {
        self.pages.push((name, text));
    }

    /// Writes the files to `records/<date>` beside this package, and gives the directory. `sections` is what was asked for.
    pub(crate) fn write(mut self, machine: &Machine, sections: &[String]) -> io::Result<PathBuf> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("records").join(&machine.date);
        fs::create_dir_all(&directory)?;
        let name = [&["machine".to_owned()], sections].concat().join("-");
        let mut about = Record::new(&name, "fact,value");
        machine.facts().iter().for_each(|(fact, value)| about.push(&[(*fact).to_owned(), value.clone()]));
        self.tables.push(about);
        for record in &self.tables {
            let text = format!("{}\n{}\n", record.header, record.rows.join("\n"));
            fs::write(directory.join(&record.name).with_extension("csv"), text)?;
        }
        for (name, text) in &self.pages {
            fs::write(directory.join(name), text)?;
        }
        Ok(directory)
    }
}

/// Prints the head of a table: the first column to the left, the others to the right.
pub(crate) fn head(columns: &[(&str, usize)]) {
    row(columns, &columns.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
}

/// Prints a row of a table.
pub(crate) fn row(columns: &[(&str, usize)], cells: &[String]) {
    let mut line = String::new();
    for (k, ((_, width), cell)) in columns.iter().zip(cells).enumerate() {
        line.push_str(&if k == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") });
    }
    println!("{}", line.trim_end());
}

/// Nanoseconds with three digits that say something.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        x if x >= 100.0 => format!("{value:.0}"),
        x if x >= 10.0 => format!("{value:.1}"),
        x if x >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
