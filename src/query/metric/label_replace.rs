//! `label_replace(v, dst, replacement, src, regex)`: a label made of parts of another one's value.

use super::series::Row;
use crate::logql::{Form, LabelReplace, ParseError, Regex};
use crate::query::{Cancel, Error, ResultLabels};

/// Sets the label in every row whose source label matches; an empty text removes it.
pub(super) fn replace(expr: &LabelReplace, mut rows: Vec<Row>, cancel: &Cancel) -> Result<Vec<Row>, Error> {
    let regex = Regex::new(&expr.regex, Form::Whole)
        .map_err(|error| ParseError::Whole(format!("invalid regex in label_replace: {error}")))?;
    let mut places = regex.locations();
    for row in &mut rows {
        cancel.check()?;
        let source = row.labels.get(&expr.source).unwrap_or("");
        if !regex.captures_at(&mut places, source, 0) {
            continue;
        }
        let value = expand(&expr.replacement, |group| {
            let number = group.parse().ok().or_else(|| {
                let at = regex.group_names().iter().position(|name| name.as_deref() == Some(group))?;
                Some(at + 1)
            })?;
            let (start, end) = places.get(number)?;
            Some(&source[start..end])
        });
        let others = row.labels.iter().filter(|(name, _)| *name != expr.destination);
        let replaced = Some((expr.destination.as_str(), value.as_str())).filter(|_| !value.is_empty());
        row.labels = ResultLabels::new(others.chain(replaced));
    }
    Ok(rows)
}

/// Fills in `$1`, `$name` and `${name}`, as Go does: a name is the longest run of letters, digits and
/// underscores, an unknown one is empty, `$$` is a dollar, and a dollar that begins nothing stays.
fn expand<'t>(template: &str, group: impl Fn(&str) -> Option<&'t str>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            text.push('$');
            rest = behind;
            continue;
        }
        let is_name = |text: &str| !text.is_empty() && text.chars().all(is_word);
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')).filter(|(name, _)| is_name(name));
        let plain = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        match braced.or(Some(plain)).filter(|(name, _)| is_name(name)) {
            Some((name, behind)) => {
                text.push_str(group(name).unwrap_or(""));
                rest = behind;
            }
            None => text.push('$'),
        }
    }
    text + rest
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::metric::series::Point;

    #[test]
    fn templates_are_filled_in_as_go_does() {
        let group = |name: &str| match name {
            "0" => Some("whole"),
            "1" => Some("one"),
            "name" => Some("two"),
            _ => None,
        };
        for (template, want) in [
            ("", ""),
            ("plain", "plain"),
            ("<$1>", "<one>"),
            ("${1}x$name-${name}", "onextwo-two"),
            ("$1x", ""),
            ("$2$nope!", "!"),
            ("$$1 $ ${ ${} ${a-b} $", "$1 $ ${ ${} ${a-b} $"),
            ("$0", "whole"),
        ] {
            assert_eq!(expand(template, group), want, "{template}");
        }
    }

    #[test]
    fn the_whole_value_must_match() {
        for (source, regex, replacement, want) in [
            ("host", "n(.*)", "$1", r#"{dst="1", host="n1"}"#),
            ("host", "n(?P<number>.*)", "<${number}>", r#"{dst="<1>", host="n1"}"#),
            ("host", "n", "x", r#"{dst="old", host="n1"}"#),
            ("host", ".*", "", r#"{host="n1"}"#),
            ("nope", "", "made", r#"{dst="made", host="n1"}"#),
            ("nope", ".+", "made", r#"{dst="old", host="n1"}"#),
        ] {
            let expr = LabelReplace {
                inner: crate::logql::MetricExpr::Vector(0.0),
                destination: "dst".into(),
                replacement: replacement.into(),
                source: source.into(),
                regex: regex.into(),
            };
            let row = Row {
                labels: ResultLabels::new([("host", "n1"), ("dst", "old")]),
                points: vec![Point { step: 0, value: 1.0 }],
            };
            let replaced = replace(&expr, vec![row], &Cancel::after(std::time::Duration::MAX)).unwrap();
            assert_eq!(replaced[0].labels.to_string(), want, "{source} {regex}");
        }
    }
}
