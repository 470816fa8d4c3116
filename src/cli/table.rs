//! Columns for a terminal.

/// The rows, each cell as wide as the widest of its column, two blanks between.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["NAME", "ROLE"], ["ännchen", "x"], ["b", "viewer"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "NAME     ROLE\nännchen  x\nb        viewer");
    }
}
