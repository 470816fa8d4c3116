//! A page of HTML as it is written. What is not a literal of ours can only get in as escaped text.

use std::fmt::{self, Display, Write};

/// The page so far.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup of ours: only what is in the program itself.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, in an element or in a quoted attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = write!(Escape(&mut self.0), "{text}");
        self
    }

    /// Text of others, set apart: it may be written from right to left, or hold signs that turn what follows it.
    pub(super) fn name(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

struct Escape<'a>(&'a mut String);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // HTML has no way to write the others.
                c if c.is_control() && c != '\n' && c != '\t' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        let mut page = Markup::default();
        page.raw("<td title=\"").text("\" onclick='x'").raw("\">").name("<script>&amp;\0</script>").raw("</td>");
        assert_eq!(
            page.finish(),
            "<td title=\"&quot; onclick=&#39;x&#39;\"><bdi>&lt;script&gt;&amp;amp;\u{fffd}&lt;/script&gt;</bdi></td>"
        );
    }
}
