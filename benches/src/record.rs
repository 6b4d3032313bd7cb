//! Figures to a table on the screen and to CSV files that stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::machine::Machine;

/// One CSV file in the making.
pub(crate) struct Record {
    name: &'static str,
    header: &'static str,
    rows: Vec<String>,
}

impl Record {
    pub(crate) fn new(name: &'static str, header: &'static str) -> Record {
        Record { name, header, rows: Vec::new() }
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
pub(crate) struct Records(Vec<Record>);

impl Records {
    pub(crate) fn of(record: Record) -> Records {
        Records(vec![record])
    }

    pub(crate) fn append(&mut self, other: Records) {
        self.0.extend(other.0);
    }

    /// Writes the files to `records/<date>` beside this package, and gives the directory.
    pub(crate) fn write(mut self, machine: &Machine) -> io::Result<PathBuf> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("records").join(&machine.date);
        fs::create_dir_all(&directory)?;
        let mut about = Record::new("machine", "fact,value");
        machine.facts().iter().for_each(|(fact, value)| about.push(&[(*fact).to_owned(), value.clone()]));
        self.0.push(about);
        for record in &self.0 {
            let text = format!("{}\n{}\n", record.header, record.rows.join("\n"));
            fs::write(directory.join(record.name).with_extension("csv"), text)?;
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
