//! The house stands as `src/lib.rs` draws it: who may import whom, and where unsafe code and big dependencies live.

use std::fs;
use std::path::Path;

/// A file's path below `src` with `/` between its parts, and its lines of code with their numbers.
struct File {
    path: String,
    lines: Vec<(usize, String)>,
}

impl File {
    /// The module of the crate's root that the file belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().expect("a path has a first part");
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

fn files() -> Vec<File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File { path: name, lines: code(&fs::read_to_string(&path).unwrap()) });
            }
        }
    }
    files.retain(|file| !is_test(&src, &file.path));
    assert!(files.len() > 20, "the sources were found");
    files
}

/// Whether the file's module is declared for tests alone.
fn is_test(src: &Path, path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let parent = fs::read_to_string(src.join(folder).join("mod.rs")).unwrap_or_default();
    parent.contains(&format!("#[cfg(test)]\nmod {};", name.trim_end_matches(".rs")))
}

/// Lines that are neither comment nor test.
fn code(text: &str) -> Vec<(usize, String)> {
    let text = text.split("\nmod tests {").next().expect("a split has a first part");
    let numbered = text.lines().enumerate().map(|(k, line)| (k + 1, line.trim().to_owned()));
    numbered.filter(|(_, line)| !line.starts_with("//")).collect()
}

/// The root's modules, in the order of the walk.
fn walk() -> Vec<String> {
    let root = files().into_iter().find(|file| file.path == "lib.rs").unwrap();
    let module = |(_, line): &(usize, String)| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    root.lines.iter().filter_map(module).collect()
}

/// What follows each `word` of the line.
fn after<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(word).map(move |(at, _)| &line[at + word.len()..])
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn a_module_imports_only_from_those_above_it() {
    let walk = walk();
    let place = |module: &str| walk.iter().position(|known| known == module);
    for file in files().iter().filter(|file| file.path != "lib.rs") {
        let own = place(file.module()).unwrap_or_else(|| panic!("src/lib.rs lists {}", file.path));
        for (number, line) in &file.lines {
            for path in after(line, "crate::") {
                assert!(!path.starts_with('{'), "{}:{number}: one import a line tells whence", file.path);
                let imported = identifier(path);
                let from = place(imported).unwrap_or_else(|| panic!("{}:{number}: no module {imported}", file.path));
                assert!(from <= own, "{}:{number}: {} stands above {imported}", file.path, file.module());
            }
        }
    }
}

#[test]
fn unsafe_code_has_three_homes() {
    let homes = ["view.rs", "codegen/mod.rs", "codegen/code.rs", "codegen/os.rs", "exec/"];
    for file in files() {
        let at_home = homes.iter().any(|home| file.path.starts_with(home));
        for (number, line) in &file.lines {
            assert!(at_home || !line.contains("unsafe_code"), "{}:{number}: {line}", file.path);
            assert!(!line.contains("allow(unsafe_code"), "{}:{number}: {line}", file.path);
        }
    }
}

#[test]
fn dependencies_are_named_in_few_places() {
    let places: [(&str, &[&str]); 9] = [
        ("pest", &["syntax/parse.rs"]),
        ("pest_derive", &["syntax/parse.rs"]),
        ("cranelift_codegen", &["codegen/cranelift/"]),
        ("cranelift_frontend", &["codegen/cranelift/"]),
        ("cranelift_native", &["codegen/cranelift/"]),
        ("regalloc2", &["codegen/x64/"]),
        // Memory for code, and for arrays.
        ("libc", &["codegen/os.rs", "view.rs"]),
        ("rayon", &["exec/pool.rs"]),
        ("ndarray", &["view.rs"]),
    ];
    for file in files() {
        let is_there = |places: &[&str]| places.iter().any(|place| file.path.starts_with(place));
        for (name, places) in places.iter().filter(|(_, places)| !is_there(places)) {
            let path = format!("{name}::");
            for (number, line) in &file.lines {
                let named = line.match_indices(&path).any(|(at, _)| identifier_starts(line, at));
                assert!(!named, "{}:{number} names {name}, which is for {places:?} alone: {line}", file.path);
            }
        }
    }
}

/// Whether the identifier at `at` is a whole one and not the end of a longer one.
fn identifier_starts(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[test]
fn every_file_says_what_it_is_for() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files() {
        let text = fs::read_to_string(src.join(&file.path)).unwrap();
        assert!(text.starts_with("//! "), "{}: a first line says what turns into what", file.path);
    }
}
