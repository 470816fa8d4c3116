//! The table of figures: what is to be reached, what was measured, and beside whom.

use std::path::Path;

/// Where a whole run writes the table, between two marks.
const PAGE: &str = "docs/performance.md";
const MARKS: [&str; 2] = ["<!-- figures -->", "<!-- end of figures -->"];

/// One figure.
pub struct Row {
    /// What is measured.
    pub figure: String,
    /// The aim.
    pub to_reach: String,
    /// What came out.
    pub measured: String,
    /// What others need for the same in the same run, with ratios.
    pub peers: String,
    /// Whether the aim is met.
    pub reached: bool,
}

/// Rows in the order in which they were measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Prints the table, and replaces the one in the docs when `whole`: when nothing was left out.
    pub fn finish(self, machine: &str, whole: bool) {
        if self.rows.is_empty() {
            return;
        }
        let mut table =
            "| figure | to reach | measured | others in the same run | |\n|---|---|---|---|---|\n".to_owned();
        for Row { figure, to_reach, measured, peers, reached } in &self.rows {
            let reached = if *reached { "reached" } else { "**not reached**" };
            table.push_str(&format!("| {figure} | {to_reach} | {measured} | {peers} | {reached} |\n"));
        }
        println!("{table}");
        if whole {
            write(&format!("{machine}\n\n{table}"));
        }
    }
}

fn write(text: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let before = std::fs::read_to_string(&page).unwrap();
    let (head, rest) = before.split_once(MARKS[0]).expect("a mark where the table begins");
    let (_, tail) = rest.split_once(MARKS[1]).expect("a mark where the table ends");
    std::fs::write(&page, format!("{head}{}\n{text}{}{tail}", MARKS[0], MARKS[1])).unwrap();
    println!("written to {PAGE}");
}
