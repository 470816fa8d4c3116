//! Names that Home Assistant takes, and that stay.

use sha2::{Digest as _, Sha256};

/// Longest node whose name is taken as it is, in bytes.
const MAX_NODE_BYTES: usize = 64;
/// What is kept of another one, beside its digest.
const MAX_KEPT_BYTES: usize = 40;

/// The node in `[a-zA-Z0-9-]`, another text for each node: most are taken as they are, and what is not is told apart
/// by a digest behind a double hyphen, which no other has. There is no underscore in it, which ends it in an object id.
pub(super) fn node_slug(node: &str) -> String {
    let is_plain = !node.is_empty()
        && node.len() <= MAX_NODE_BYTES
        && node.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !node.contains("--")
        && !node.starts_with('-')
        && !node.ends_with('-');
    if is_plain {
        return node.to_owned();
    }
    let mut slug = words(node, "-");
    slug.truncate(MAX_KEPT_BYTES);
    let digest: String = Sha256::digest(node.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{slug}--{digest}")
}

/// The part of an entity's id behind the dot: `[a-z0-9_]`, no two underscores in a row. It is a proposal: Home Assistant
/// puts a number behind one that is taken, and leaves it to the user once it is there.
pub(super) fn entity_slug(text: &str) -> String {
    words(text, "_")
}

fn words(text: &str, between: &str) -> String {
    let plain = deunicode::deunicode(text).to_ascii_lowercase();
    let words: Vec<&str> = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join(between)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nodes_keep_their_name_when_it_is_one() {
        for node in ["nvr", "NVR", "site-2", "7"] {
            assert_eq!(node_slug(node), node);
        }
        assert_eq!(node_slug("Küche 1"), "kuche-1--2da14dd0db68");
        assert_eq!(node_slug("nvr.example.org"), format!("nvr-example-org--{}", &node_slug("nvr.example.org")[17..]));
    }

    #[test]
    fn no_two_nodes_have_one_name() {
        let nodes =
            ["a_b", "a-b", "a b", "A-B", "a.b", "a--b", "-a-b", "", "-", "é", "e", "日本", "日 本", &"x".repeat(65)];
        let slugs: HashSet<String> = nodes.iter().map(|node| node_slug(node)).collect();
        assert_eq!(slugs.len(), nodes.len(), "{slugs:?}");
        for slug in slugs {
            assert!(slug.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !slug.is_empty(), "{slug}");
        }
    }

    #[test]
    fn entities_have_words() {
        for (text, slug) in
            [("streampulse gate-1", "streampulse_gate_1"), ("-_-a__b", "a_b"), ("streampulse --", "streampulse")]
        {
            assert_eq!(entity_slug(text), slug);
        }
    }
}
