//! Rules that choose and change the labels of a source before anything is read of it, with the
//! semantics of Prometheus' `relabel_configs`.
//! Source: <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config>.

use super::stage::Expression;
use crate::labels::LabelSet;

/// What a replacement may become, in bytes: no limit on labels lets more pass.
const EXPANDED_BYTES_MAX: usize = 64 << 10;

/// One rule. Rules run in order, each sees the labels as the one before left them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The labels whose values are looked at; one that is not there is empty.
    pub source_labels: Vec<String>,
    /// Between these values.
    pub separator: String,
    /// What the joined values, or a label's name, have to match as a whole.
    pub regex: Expression,
    /// The label that is set, or compared.
    pub target_label: String,
    /// What it becomes; `$1` and `${name}` are groups of the expression.
    pub replacement: String,
    /// What is done.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sets the target to the replacement, if the sources match; an empty result removes it.
    Replace,
    /// Leaves the source out, unless its labels match.
    Keep,
    /// Leaves the source out, if its labels match.
    Drop,
    /// Leaves the source out, unless its labels equal the target's value.
    KeepEqual,
    /// Leaves the source out, if its labels equal the target's value.
    DropEqual,
    /// Copies each label whose name matches to the name that the replacement gives.
    LabelMap,
    /// Removes the labels whose names match.
    LabelDrop,
    /// Removes the labels whose names do not match.
    LabelKeep,
    /// Sets the target to the sources in small letters.
    Lowercase,
    /// Sets the target to the sources in capitals.
    Uppercase,
}

/// Applies rules. False: the source is left out.
pub(super) fn apply(rules: &[Rule], labels: &mut LabelSet) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    fn apply(&self, labels: &mut LabelSet) -> bool {
        let joined = || {
            let values: Vec<_> = self.source_labels.iter().map(|name| labels.get(name).unwrap_or("")).collect();
            values.join(&self.separator)
        };
        let matches = |text: &str| self.regex.regex().is_match(text.as_bytes());
        match self.action {
            Action::Keep => return matches(&joined()),
            Action::Drop => return !matches(&joined()),
            Action::KeepEqual => return joined() == labels.get(&self.target_label).unwrap_or(""),
            Action::DropEqual => return joined() != labels.get(&self.target_label).unwrap_or(""),
            Action::Replace => {
                let text = joined();
                if let (Some(target), Some(value)) =
                    (self.expand(&text, &self.target_label), self.expand(&text, &self.replacement))
                    && LabelSet::is_name(&target)
                {
                    labels.set(&target, &value);
                }
            }
            Action::Lowercase => labels.set(&self.target_label.clone(), &joined().to_lowercase()),
            Action::Uppercase => labels.set(&self.target_label.clone(), &joined().to_uppercase()),
            Action::LabelDrop => retain(labels, |name| !matches(name)),
            Action::LabelKeep => retain(labels, matches),
            Action::LabelMap => {
                let copies: Vec<_> = labels
                    .iter()
                    .filter_map(|(name, value)| Some((self.expand(name, &self.replacement)?, value.to_owned())))
                    .collect();
                for (name, value) in copies.iter().filter(|(name, _)| LabelSet::is_name(name)) {
                    labels.set(name, value);
                }
            }
        }
        true
    }

    /// A template with the groups that matched in a text; `None` if the text does not match, or the result
    /// is too long for a label.
    fn expand(&self, text: &str, template: &str) -> Option<String> {
        let regex = self.regex.regex();
        let mut places = regex.locations();
        if !regex.captures_at(&mut places, text, 0) {
            return None;
        }
        let mut out = String::new();
        regex.expand(&places, text, template, EXPANDED_BYTES_MAX, &mut out).ok()?;
        Some(out)
    }
}

fn retain(labels: &mut LabelSet, keep: impl Fn(&str) -> bool) {
    let kept = labels.iter().filter(|(name, _)| keep(name));
    *labels = LabelSet::new(kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
}

/// Removes the labels that are there only for the rules.
pub(super) fn without_internal(labels: &mut LabelSet) {
    retain(labels, |name| !name.starts_with("__"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_does_what_prometheus_does() {
        let rule = |action, sources: &str, regex: &str, target: &str, replacement: &str| Rule {
            source_labels: sources.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            separator: ";".into(),
            regex: Expression::whole(regex).unwrap(),
            target_label: target.into(),
            replacement: replacement.into(),
            action,
        };
        let set =
            || LabelSet::new(vec![("a".into(), "Foo".into()), ("b".into(), "bar".into()), ("__t".into(), "x".into())]);
        let unchanged = r#"{__t="x", a="Foo", b="bar"}"#;
        for (rule, expected) in [
            (
                rule(Action::Replace, "a,b", "(.*);(.*)", "c", "$2-$1"),
                Some(r#"{__t="x", a="Foo", b="bar", c="bar-Foo"}"#),
            ),
            (
                rule(Action::Replace, "a", "F(?P<rest>.*)", "n_${rest}", "v"),
                Some(r#"{__t="x", a="Foo", b="bar", n_oo="v"}"#),
            ),
            (rule(Action::Replace, "a", "oo", "c", "v"), Some(unchanged)),
            (rule(Action::Replace, "a", ".*", "b", ""), Some(r#"{__t="x", a="Foo"}"#)),
            (rule(Action::Replace, "none", "", "c", "v"), Some(r#"{__t="x", a="Foo", b="bar", c="v"}"#)),
            (rule(Action::Replace, "b", "(.*)", "1$1", "v"), Some(unchanged)),
            (rule(Action::Keep, "a", "Fo+", "", ""), Some(unchanged)),
            (rule(Action::Keep, "a", "Fo", "", ""), None),
            (rule(Action::Drop, "a,b", "Foo;bar", "", ""), None),
            (rule(Action::Drop, "a", "x", "", ""), Some(unchanged)),
            (rule(Action::KeepEqual, "a", ".*", "b", ""), None),
            (rule(Action::KeepEqual, "a", ".*", "a", ""), Some(unchanged)),
            (rule(Action::DropEqual, "a", ".*", "b", ""), Some(unchanged)),
            (rule(Action::DropEqual, "b", ".*", "b", ""), None),
            (rule(Action::LabelMap, "", "__(.*)", "", "m_$1"), Some(r#"{__t="x", a="Foo", b="bar", m_t="x"}"#)),
            (rule(Action::LabelDrop, "", "a|__.*", "", ""), Some(r#"{b="bar"}"#)),
            (rule(Action::LabelKeep, "", "a", "", ""), Some(r#"{a="Foo"}"#)),
            (rule(Action::Lowercase, "a", ".*", "c", ""), Some(r#"{__t="x", a="Foo", b="bar", c="foo"}"#)),
            (rule(Action::Uppercase, "b", ".*", "b", ""), Some(r#"{__t="x", a="Foo", b="BAR"}"#)),
        ] {
            let mut labels = set();
            let kept = apply(std::slice::from_ref(&rule), &mut labels);
            assert_eq!(kept.then(|| labels.to_string()).as_deref(), expected, "{rule:?}");
        }
    }
}
