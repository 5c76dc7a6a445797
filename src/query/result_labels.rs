//! The labels of an answer. Unlike those of a stream their values may be empty: a field that a query
//! names and a line lacks is shown that way.

use std::fmt;

use crate::labels::{LabelSet, Matcher};

/// Pairs of name and value, sorted, no name twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResultLabels(Vec<(String, String)>);

impl ResultLabels {
    /// Sorts pairs of which no two have the same name.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        pairs.sort_unstable();
        Self(pairs)
    }

    /// The value of a name; `None` if there is no such name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|pair| pair.0.as_str().cmp(name)).ok().map(|at| self.0[at].1.as_str())
    }

    /// The pairs in order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they occupy in memory, roughly, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        /// Of the headers and allocations of two strings.
        const PAIR_BYTES: usize = 64;
        self.0.iter().map(|(name, value)| name.len() + value.len() + PAIR_BYTES).sum()
    }
}

impl From<&LabelSet> for ResultLabels {
    fn from(labels: &LabelSet) -> Self {
        Self::new(labels.iter())
    }
}

/// The canonical text, as a label set has it: `{a="1", b=""}`.
impl fmt::Display for ResultLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.iter().enumerate() {
            // A pair is written as the matcher that it alone fulfils.
            write!(f, "{}{}", if at > 0 { ", " } else { "" }, Matcher::text(name, true, value))?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_a_label_set_but_empty_values_stay() {
        let set = LabelSet::new(vec![("b".into(), "say \"hi\"\n".into()), ("a".into(), "1".into())]);
        assert_eq!(ResultLabels::from(&set).to_string(), set.to_string());
        assert_eq!(ResultLabels::new([("b", ""), ("a", "1")]).to_string(), r#"{a="1", b=""}"#);
        assert_eq!(ResultLabels::default().to_string(), "{}");
    }
}
