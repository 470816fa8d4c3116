//! CSV (RFC 4180): quoting, and no field that a spreadsheet takes for a formula.

use std::fmt::{Display, Write};

/// Rows as they are written, each ended by CRLF.
#[derive(Debug, Default)]
pub(super) struct Rows {
    text: String,
    is_begun: bool,
}

impl Rows {
    /// With a first row of these.
    pub(super) fn headed(columns: &[&str]) -> Self {
        let mut rows = Self::default();
        columns.iter().for_each(|column| rows.text(column));
        rows.end();
        rows
    }

    /// A number, or a word of ours.
    pub(super) fn plain(&mut self, value: impl Display) {
        if std::mem::replace(&mut self.is_begun, true) {
            self.text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
    }

    /// A number, or nothing.
    pub(super) fn optional(&mut self, value: Option<impl Display>) {
        match value {
            Some(value) => self.plain(value),
            None => self.plain(""),
        }
    }

    /// What somebody wrote. A spreadsheet takes a field that begins in some ways for a formula and runs it, quoted or not;
    /// an apostrophe before it keeps it a text.
    pub(super) fn text(&mut self, value: &str) {
        let guard = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if value.contains([',', '"', '\r', '\n']) {
            self.plain(format_args!("\"{guard}{}\"", value.replace('"', "\"\"")));
        } else {
            self.plain(format_args!("{guard}{value}"));
        }
    }

    /// Ends the row.
    pub(super) fn end(&mut self) {
        self.text.push_str("\r\n");
        self.is_begun = false;
    }

    /// What was written so far; the next row comes after it.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Everything that was written.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[&str]) -> String {
        let mut rows = Rows::default();
        fields.iter().for_each(|field| rows.text(field));
        rows.end();
        rows.text
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(row(&["a", "b c", ""]), "a,b c,\r\n");
        assert_eq!(row(&["a,b", "say \"no\"", "two\r\nlines"]), "\"a,b\",\"say \"\"no\"\"\",\"two\r\nlines\"\r\n");
        assert_eq!(row(&["Hof, Süd", "カメラ"]), "\"Hof, Süd\",カメラ\r\n");
    }

    #[test]
    fn no_field_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"] {
            assert_eq!(row(&[formula]), format!("'{formula}\r\n"));
        }
        assert_eq!(row(&["=HYPERLINK(\"http://x\",\"y\")"]), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\r\n");
        assert_eq!(row(&["\r=1"]), "\"'\r=1\"\r\n");
        assert_eq!(row(&["a=1", "1-2"]), "a=1,1-2\r\n");
    }
}
